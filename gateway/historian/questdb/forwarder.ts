// The journal's frames into a QuestDB's tables, exactly once: rows are keyed by (ts, tag), so what was sent before a crash
// may be sent again. Runs in the egress thread; one request in flight, each of one table, so that it is one transaction.
// Nothing is given up but rows that the server refuses by themselves: those are kept as dead letters.
import { join } from 'node:path';
import type { ForwardContext, ForwardKind, Forwarder, Stored } from '../../consumer.ts';
import type { Frame } from '../../model.ts';
import { credentialFaults, credentials } from '../credentials.ts';
import type { CredentialSettings } from '../credentials.ts';
import { deadLetters, madeRoom } from '../dead-letters.ts';
import { remember } from '../kept.ts';
import type { PostgresSettings } from '../postgres/address.ts';
import { connection, jsonOf, refusal } from './http.ts';
import { Encoder } from './lines.ts';
import { sendAll } from './refused.ts';
import type { Refused, Verdict } from './refused.ts';
import { deadRow, requests } from './requests.ts';
import type { Of } from './requests.ts';
import type { Table } from './schema.ts';
import { recallSeen, sameServer, setBack, swallowed } from './seen.ts';
import type { Seen } from './watch.ts';
import { watch } from './watch.ts';
import { wireOf } from './wire.ts';

/** The settings `forward.questdb`. */
export interface QuestdbSettings extends CredentialSettings {
  /** Of the HTTP port: `http://127.0.0.1:9000`, or https where something in front speaks TLS. */
  url: string;
  /** Of the PostgreSQL wire, for deep history: `postgres://127.0.0.1:8812/qdb`; empty: port 8812 of the same host. */
  wire?: string;
  /** As in PostgreSQL's settings: an https address says nothing of the wire. */
  wireTls?: PostgresSettings['tls'];
  /** PEM file of the authority that an https address and `wireTls: verify` trust; empty: the system's. */
  tlsCa?: string;
}

export const questdbForwarder: ForwardKind<QuestdbSettings> = { kind: 'questdb', create };

/** ms for one request. */
const TIMEOUT = 30_000;
/** ms between two looks at the server while rows go in. */
const LOOK = 10_000;
/** What is sent once more after the server was restarted, ms: without durable commits it may have lost what it had confirmed. */
const MARGIN = 30 * 60_000;
/** As long after a change of tables connections of others on the way may still know those that are gone, ms. */
const STALE = 60 * 60_000;
/** A request that takes as long says that the server is loaded, ms. */
const SLOW = 2000;

function create(settings: QuestdbSettings, context: ForwardContext): Forwarder {
  const [fault] = credentialFaults(settings, 'forward.questdb');
  if (fault) throw new Error(fault);
  // Nobody else would say that deep history has no address.
  wireOf(settings);
  const { answered, clock, dataDir, log, tag } = context;
  const server = connection({ ...settings, credentials: credentials(settings), timeout: TIMEOUT, answered });
  const care = watch(server);
  const letters = deadLetters(dataDir, 'questdb');
  const memory = join(dataDir, 'questdb-seen.json');
  const encoder = new Encoder();
  /** Items kept as dead letters, by frame, until the write that holds them succeeds: tried again, it leaves them out. */
  const dead = new Map<number, Set<number>>();
  let ready = false;
  let lookedAt = -Infinity;
  let took = 0;
  let changedAt = -Infinity;
  /** Requests said to be stored since the last look. */
  const confirmed = new Map<Table, number>();
  /** What the server was at the last look, and what the file remembers. */
  let seen: Seen | undefined;
  let remembered: Seen | undefined;

  const attend = async (signal: AbortSignal): Promise<void> => {
    if (ready && clock.mono() - lookedAt < LOOK) return;
    if (!seen) remembered = seen = await recallSeen(memory);
    await care.prepare(signal);
    const now = care.seen();
    const changed = seen ? setBack(seen, now) : '';
    if (changed) changedAt = clock.mono();
    const how = changed || (seen && clock.mono() - changedAt < STALE ? swallowed(seen, now, confirmed) : '');
    confirmed.clear();
    if (how) {
      log('info', `QuestDB ${how}: the last ${MARGIN / 60_000} minutes are sent once more`);
      context.rewind(MARGIN);
      // Over the old connection it would take rows for a table that is gone, and say that they are stored.
      server.close();
    }
    seen = now;
    ready = true;
    lookedAt = clock.mono();
  };
  /** Rows got in. Only now: had the process ended before, the next one must notice the restart itself. */
  const settle = async (): Promise<void> => {
    if (!seen || sameServer(seen, remembered)) return;
    await remember(memory, seen);
    remembered = seen;
  };
  const giveUp = async (rows: readonly (Refused<Of> & { table: Table })[]): Promise<void> => {
    const at = clock.now();
    const dropped = await letters.append(
      rows.map(({ of, table, reason }) => ({ reason, table, at, row: deadRow(of, tag) })),
    );
    if (dropped > 0) log('warn', madeRoom(dropped));
    for (const { of } of rows) dead.set(of.frame.seq, (dead.get(of.frame.seq) ?? new Set()).add(of.item));
  };
  const post = async (bytes: Uint8Array, signal: AbortSignal): Promise<Verdict> => {
    const began = clock.mono();
    const answer = await server.request('POST', '/write', bytes, signal);
    took = clock.mono() - began;
    if (answer.status === 204) return { ok: true };
    const { message, line } = jsonOf(answer.body);
    if (answer.status === 413) return { ok: false, reason: 'the row is too long for the server (413)' };
    // A 400 that is not QuestDB's own speaks of something on the way, and not of a row.
    if (answer.status !== 400 || typeof message !== 'string') throw refusal(server.host, answer);
    const reason = message.split('\n').at(-1) ?? '';
    return { ok: false, reason, ...(typeof line === 'number' ? { line } : {}) };
  };

  return {
    async write(frames, signal) {
      const bad: (Refused<Of> & { table: Table })[] = [];
      let filtered = 0;
      const source = {
        frames,
        tag,
        skip({ frame, item }: Of) {
          const sample = frame.samples[item];
          const unknown = sample !== undefined && !tag(sample.tag);
          if (unknown) filtered++;
          return unknown || (dead.get(frame.seq)?.has(item) ?? false);
        },
        unwritable: (of: Of, table: Table, reason: string) => void bad.push({ of, table, reason }),
      };
      try {
        await attend(signal);
        for (const lines of requests(encoder, source)) {
          let checked = false;
          await sendAll(
            lines,
            async (bytes) => {
              let verdict = await post(bytes, signal);
              // A table that is not what it should be refuses every row: that is for a person, not for the dead letters.
              if (!verdict.ok && !checked) {
                await care.prepare(signal);
                checked = true;
                // One that was gone is there now.
                verdict = await post(bytes, signal);
              }
              if (verdict.ok) confirmed.set(lines.table, (confirmed.get(lines.table) ?? 0) + 1);
              return verdict;
            },
            (row) => void bad.push({ ...row, table: lines.table }),
          );
        }
        await settle();
      } catch (error) {
        ready = false;
        throw error;
      } finally {
        // Also of a write that failed: the next try leaves them out, so that it comes to an end.
        if (bad.length > 0) await giveUp(bad);
        if (bad[0]) log('warn', `QuestDB refuses rows, they are kept as dead letters: ${bad[0].reason}`);
      }
      return countOf(frames, filtered, dead);
    },
    pressure: () => Math.max(care.pressure(), Math.min(1, took / (2 * SLOW))),
    trouble: () => care.trouble(),
    close() {
      server.close();
      return Promise.resolve();
    },
  };
}

/** What became of the frames' samples; forgets what is dead in them. */
function countOf(frames: readonly Frame[], filtered: number, dead: Map<number, Set<number>>): Stored {
  let samples = 0;
  let deadLettered = 0;
  for (const frame of frames) {
    samples += frame.samples.length;
    for (const item of dead.get(frame.seq) ?? []) if (item < frame.samples.length) deadLettered++;
    dead.delete(frame.seq);
  }
  return { delivered: samples - filtered - deadLettered, filtered, deadLettered };
}
