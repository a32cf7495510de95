// The consumer that keeps every sample and event in PostgreSQL: a write is a transaction (of many days, several), an upsert
// a table, so that frames sent again change nothing. Run by a pump in the egress worker. A row the database refuses for
// good goes to the dead letters; whatever else it cannot take is thrown and comes again, on a new connection with
// credentials read anew.
import { join } from 'node:path';
import type { ForwardContext, ForwardKind, Forwarder, Stored } from '../../consumer.ts';
import type { Frame } from '../../model.ts';
import { credentials } from '../credentials.ts';
import { deadLetters, madeRoom } from '../dead-letters.ts';
import { recall, remember } from '../kept.ts';
import { BEGIN, lettersOf, locking, partsOf, upsert } from './parts.ts';
import type { Part } from './parts.ts';
import { makeDays, prepare } from './prepare.ts';
import { Sieve, forGood } from './refused.ts';
import type { Bad } from './refused.ts';
import { rowsOf } from './rows.ts';
import { dayOf, daysAhead } from './schema.ts';
import type { Table } from './schema.ts';
import { connect, heedClosing } from './session.ts';
import type { Session } from './session.ts';
import { addressOf } from './address.ts';
import type { PostgresSettings } from './address.ts';

export const postgresForwarder: ForwardKind<PostgresSettings> = { kind: 'postgres', create };

/** ms between two looks at the tables while rows go in: what somebody alters may take rows and lose their types, or keep them twice. */
const LOOK = 10_000;
/** What is sent once more to a server that was started anew, ms: one that took another's place may lack its last commits. */
const MARGIN = 30 * 60_000;
/** A write that takes as long says that the server is loaded, ms. */
const SLOW = 2000;

function create(settings: PostgresSettings, context: ForwardContext): Forwarder {
  const { answered, clock, dataDir, log, tag } = context;
  const address = addressOf(settings, 'forward.postgres');
  // A password's reference may give the user too.
  if (!settings.user && !settings.passwordFile && !settings.passwordCommand)
    throw new Error(
      'forward.postgres.user is missing: PostgreSQL lets nobody in without; give it, and its passwordFile',
    );
  const who = credentials(settings);
  const letters = deadLetters(dataDir, 'postgres');
  const sieve = new Sieve();
  let session: Session | undefined;
  let partitioned: ReadonlySet<Table> = new Set();
  let weak = '';
  /** When the server was started, as it says now and as the file remembers. */
  let started = '';
  let remembered: string | undefined;
  const memory = join(dataDir, 'postgres-seen.json');
  let lookedAt = -Infinity;
  let days = new Set<string>();
  let replaced = false;
  let took = 0;
  let closed = false;

  const open = async (signal: AbortSignal): Promise<Session> => {
    if (session?.sound && clock.mono() - lookedAt < LOOK) return session;
    const fresh = session?.sound ? session : await connect(address, who, signal, 'PostgreSQL', answered);
    const abort = (): void => fresh.close();
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (fresh !== session) await heedClosing(fresh);
      remembered ??= started = String((await recall(memory)).started ?? '');
      const found = await prepare(fresh);
      ({ partitioned, weak } = found);
      if (started !== '' && found.started !== started) {
        log('info', `PostgreSQL was started anew: the last ${MARGIN / 60_000} minutes are sent once more`);
        context.rewind(MARGIN);
      }
      ({ started } = found);
    } catch (error) {
      fresh.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    if (fresh !== session) days = new Set();
    lookedAt = clock.mono();
    return (session = fresh);
  };

  /** Partitions for the rows' days, and for the days to come. */
  const ready = async (on: Session, parts: readonly Part[]): Promise<void> => {
    const fresh: { table: Table; days: number[] }[] = [];
    for (const table of partitioned) {
      const needed = new Set(daysAhead(clock.now()));
      for (const part of parts)
        if (part.table === table) for (const row of part.rows) needed.add(dayOf('row' in row ? row.row.t : row.t));
      const unseen = [...needed].filter((day) => !days.has(`${table} ${day}`));
      if (unseen.length > 0) fresh.push({ table, days: unseen });
    }
    if (fresh.length === 0) return;
    await makeDays(on, fresh, clock.now());
    for (const { table, days: made } of fresh) for (const day of made) days.add(`${table} ${day}`);
  };

  const store = async (on: Session, parts: readonly Part[]): Promise<void> => {
    const full = locking();
    await on.query(BEGIN);
    for (const part of parts) {
      if (full(part)) {
        await on.query('COMMIT');
        await on.query(BEGIN);
      }
      await upsert(on, part);
    }
    await on.query('COMMIT');
  };

  return {
    async write(frames, signal) {
      if (closed) throw new Error('the PostgreSQL forwarder is closed');
      const rows = rowsOf(frames, tag);
      const parts = partsOf(rows);
      const began = clock.mono();
      const on = await open(signal);
      const abort = (): void => on.close();
      signal.addEventListener('abort', abort, { once: true });
      const bad: Bad[] = [];
      try {
        signal.throwIfAborted();
        await ready(on, parts);
        const left = sieve.without(parts, bad);
        try {
          await store(on, left);
        } catch (error) {
          if (!forGood(error)) throw error;
          await on.query('ROLLBACK');
          // A table altered meanwhile would refuse every row: that is no fault of the rows.
          await prepare(on);
          await sieve.store(on, left, bad);
        }
      } catch (error) {
        // Whatever went wrong, the next write begins with a new connection, fresh credentials and a look at the tables.
        on.close();
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
      }
      took = clock.mono() - began;
      // Only now: had the process ended before, the next one must notice it itself.
      if (started !== remembered) await remember(memory, { started: (remembered = started) });
      const dropped = await letters.append(bad.flatMap((each) => lettersOf(each.part, each.reason, clock.now())));
      if (dropped > 0) log('warn', madeRoom(dropped));
      sieve.forget();
      if (bad[0]) log('warn', `rows are refused for good, they are kept as dead letters: ${bad[0].reason}`);
      if (rows.replaced > 0 && !replaced) log('warn', 'a text holds a NUL, which PostgreSQL cannot: it is stored as ␀');
      replaced ||= rows.replaced > 0;
      return stored(frames, rows.unknown, bad);
    },
    pressure: () => Math.min(1, took / (2 * SLOW)),
    trouble: () => weak,
    async close() {
      closed = true;
      session?.close();
    },
  };
}

function stored(frames: readonly Frame[], unknown: number, bad: readonly { part: Part }[]): Stored {
  const all = frames.reduce((sum, { samples }) => sum + samples.length, 0);
  const deadLettered = bad.reduce((sum, { part }) => sum + (part.table === 'events' ? 0 : part.rows.length), 0);
  return { delivered: all - unknown - deadLettered, filtered: unknown, deadLettered };
}
