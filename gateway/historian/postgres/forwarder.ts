// The consumer that keeps every sample and event in PostgreSQL: one transaction a write, an upsert a table, so that
// frames sent again change nothing. Run by a pump in the egress worker. A row the database refuses for good goes to the
// dead letters; whatever else it cannot take is thrown and comes again, on a new connection with credentials read anew.
import type { ForwardContext, ForwardKind, Forwarder, Stored } from '../../consumer.ts';
import type { Frame } from '../../model.ts';
import { credentials } from '../credentials.ts';
import { deadLetters } from '../dead-letters.ts';
import type { DeadLetter } from '../dead-letters.ts';
import { makeDays, prepare } from './prepare.ts';
import { rowsOf, upsertEvents, upsertRows } from './rows.ts';
import type { EventEntry, Row } from './rows.ts';
import { dayOf, daysAhead, sampleTables } from './schema.ts';
import type { Table } from './schema.ts';
import { Refused, connect } from './session.ts';
import type { Session } from './session.ts';
import { addressOf } from './address.ts';
import type { PostgresSettings } from './address.ts';

export const postgresForwarder: ForwardKind<PostgresSettings> = { kind: 'postgres', create };

/** Rows of a statement: a few hundred kB, some 30 ms. */
const ROWS = 5000;
/** ms between two looks at the tables while rows go in: what somebody alters may take rows and lose their types, or keep them twice. */
const LOOK = 10_000;
/** A write that takes as long says that the server is loaded, ms. */
const SLOW = 2000;

type Part =
  { table: (typeof sampleTables)[number]; rows: readonly Row[] } | { table: 'events'; rows: readonly EventEntry[] };

function create(settings: PostgresSettings, { clock, dataDir, log, tag }: ForwardContext): Forwarder {
  const address = addressOf(settings, 'forward.postgres');
  // A password's reference may give the user too.
  if (!settings.user && !settings.passwordFile && !settings.passwordCommand)
    throw new Error(
      'forward.postgres.user is missing: PostgreSQL lets nobody in without; give it, and its passwordFile',
    );
  const who = credentials(settings);
  const letters = deadLetters(dataDir, 'postgres');
  let session: Session | undefined;
  let partitioned: ReadonlySet<Table> = new Set();
  let weak = '';
  let lookedAt = -Infinity;
  let days = new Set<string>();
  let replaced = false;
  let took = 0;
  let closed = false;

  const open = async (signal: AbortSignal): Promise<Session> => {
    if (session?.sound && clock.mono() - lookedAt < LOOK) return session;
    const fresh = session?.sound ? session : await connect(address, who, signal);
    const abort = (): void => fresh.close();
    signal.addEventListener('abort', abort, { once: true });
    try {
      ({ partitioned, weak } = await prepare(fresh, clock.now()));
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
    await makeDays(on, fresh);
    for (const { table, days: made } of fresh) for (const day of made) days.add(`${table} ${day}`);
  };

  const store = async (on: Session, parts: readonly Part[]): Promise<void> => {
    await on.query('BEGIN');
    for (const part of parts) await upsert(on, part);
    await on.query('COMMIT');
  };

  /** Halves what is refused until the bad rows stand alone. */
  const sift = async (on: Session, part: Part, bad: { part: Part; reason: string }[]): Promise<void> => {
    await on.query('SAVEPOINT part');
    try {
      await upsert(on, part);
      await on.query('RELEASE SAVEPOINT part');
      return;
    } catch (error) {
      if (!(error instanceof Refused && forGood(error))) throw error;
      await on.query('ROLLBACK TO part');
      if (part.rows.length === 1) {
        bad.push({ part, reason: error.message });
        return;
      }
    }
    for (const half of halves(part)) await sift(on, half, bad);
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
      const bad: { part: Part; reason: string }[] = [];
      try {
        signal.throwIfAborted();
        await ready(on, parts);
        try {
          await store(on, parts);
        } catch (error) {
          if (!(error instanceof Refused && forGood(error))) throw error;
          await on.query('ROLLBACK');
          // A table altered meanwhile would refuse every row: that is no fault of the rows.
          await prepare(on, clock.now());
          await on.query('BEGIN');
          for (const part of parts) await sift(on, part, bad);
          await on.query('COMMIT');
        }
      } catch (error) {
        // Whatever went wrong, the next write begins with a new connection, fresh credentials and a look at the tables.
        on.close();
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
      }
      took = clock.mono() - began;
      await letters.append(bad.flatMap((each) => lettersOf(each.part, each.reason, clock.now())));
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

async function upsert(on: Session, part: Part): Promise<void> {
  const { text, values } = part.table === 'events' ? upsertEvents(part.rows) : upsertRows(part.table, part.rows);
  await on.query(text, values);
}

function partsOf(rows: ReturnType<typeof rowsOf>): Part[] {
  const parts: Part[] = [];
  for (const table of sampleTables)
    for (let at = 0; at < rows[table].length; at += ROWS) parts.push({ table, rows: rows[table].slice(at, at + ROWS) });
  for (let at = 0; at < rows.events.length; at += ROWS)
    parts.push({ table: 'events', rows: rows.events.slice(at, at + ROWS) });
  return parts;
}

function halves(part: Part): Part[] {
  const middle = Math.ceil(part.rows.length / 2);
  return part.table === 'events'
    ? [part.rows.slice(0, middle), part.rows.slice(middle)].map((rows) => ({ table: part.table, rows }))
    : [part.rows.slice(0, middle), part.rows.slice(middle)].map((rows) => ({ table: part.table, rows }));
}

/** The row's own fault: its data (22…), a constraint (23…) or its size (54000). A missing partition is the table's. */
function forGood({ code, routine }: Refused): boolean {
  return (/^2[23]/.test(code) || code === '54000') && routine !== 'ExecFindPartition';
}

/** In the import's form; what JSON cannot say as a number stands as text. */
function lettersOf({ table, rows }: Part, reason: string, at: number): DeadLetter[] {
  return rows.map((row) => ({
    reason,
    table,
    at,
    row:
      'row' in row
        ? { ...row.event }
        : {
            tag: row.tag.id,
            timestamp: isoMicros(row.t),
            value: typeof row.value === 'bigint' || !jsonNumber(row.value) ? String(row.value) : row.value,
            status: row.status,
          },
  }));
}

const jsonNumber = (value: unknown): boolean => typeof value !== 'number' || Number.isFinite(value);
const isoMicros = (t: number): string =>
  `${new Date(Math.floor(t / 1000)).toISOString().slice(0, -1)}${String(((t % 1000) + 1000) % 1000).padStart(3, '0')}Z`;

function stored(frames: readonly Frame[], unknown: number, bad: readonly { part: Part }[]): Stored {
  const all = frames.reduce((sum, { samples }) => sum + samples.length, 0);
  const deadLettered = bad.reduce((sum, { part }) => sum + (part.table === 'events' ? 0 : part.rows.length), 0);
  return { delivered: all - unknown - deadLettered, filtered: unknown, deadLettered };
}
