// What people ask of history.db by hand: how much lies there, whether every chunk is whole and says what it holds, and
// small chunks joined and free pages given back. Called by `penstock history`; may run beside a running gateway.
import type { DatabaseSync } from 'node:sqlite';
import type { Micros } from '../../model.ts';
import { CHUNK_SAMPLES, HOUR, SECOND, hourOf, rowId, tagOfRow, timeOfRow } from './chunks.ts';
import { decodeChunk } from './codec.ts';
import { Chunks } from './fold.ts';
import { minutesOf, unpackMinutes } from './minutes.ts';
import type { Minutes } from './minutes.ts';
import { columnsOf, figureColumns, sameHeld, summaryOf } from './rows.ts';
import type { Series } from './series.ts';
import { joined, nothing, summarize } from './summary.ts';
import type { Summary } from './summary.ts';
import { full } from './unreadable.ts';

export interface HistoryStats {
  tags: number;
  chunks: number;
  samples: number;
  /** Times of the oldest and the newest sample in a chunk; undefined without any. */
  from?: Micros;
  to?: Micros;
  /** Rows of whole hours, also of those whose samples are gone. */
  hours: number;
  /** Bytes of the file, those of them free, and those of packed samples and of minutes. */
  bytes: number;
  free: number;
  data: number;
  minutes: number;
  /** Bytes in use for each sample; 0 without any. */
  perSample: number;
}

export function stats(db: DatabaseSync): HistoryStats {
  const all = db
    .prepare(
      `SELECT count(DISTINCT id / 4294967296) AS tags, count(*) AS chunks, coalesce(sum(n), 0) AS samples, min(t0) AS "from",
       max(t1) AS "to", coalesce(sum(length(data)), 0) AS data, coalesce(sum(length(minutes)), 0) AS minutes FROM chunk`,
    )
    .get() as { [name in 'tags' | 'chunks' | 'samples' | 'data' | 'minutes']: number } & {
    from: number | null;
    to: number | null;
  };
  const { hours } = db.prepare('SELECT count(*) AS hours FROM hour').get() as { hours: number };
  const pragma = (name: string): number => Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  const page = pragma('page_size');
  const [bytes, free] = [pragma('page_count') * page, pragma('freelist_count') * page];
  const { from, to, ...rest } = all;
  return {
    ...rest,
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to }),
    ...{ hours, bytes, free, perSample: all.samples > 0 ? (bytes - free) / all.samples : 0 },
  };
}

/** Looks at every chunk and hour; yields after each tag how many chunks it has seen, returns what is wrong, in words. */
export function* verify(db: DatabaseSync): Generator<number, string[]> {
  const faults = db
    .prepare('PRAGMA quick_check(20)')
    .all()
    .flatMap(({ quick_check: said }) => (said === 'ok' ? [] : [`the file itself: ${String(said)}`]));
  const next = db.prepare(`SELECT id, ${figureColumns}, minutes, data FROM chunk WHERE id >= ? ORDER BY id LIMIT 100`);
  let seen = 0;
  let id = 0;
  let before: { tag: number; t1: number } | undefined;
  for (;;) {
    const rows = next.all(id) as Row[];
    for (const row of rows) {
      const tag = tagOfRow(row.id);
      const where = `the chunk of tag ${tag} at ${new Date(Number(row.t0) / 1000).toISOString()}`;
      for (const fault of faultsOf(row, before?.tag === tag ? before.t1 : undefined)) faults.push(`${where} ${fault}`);
      before = { tag, t1: Number(row.t1) };
      id = row.id + 1;
    }
    if (rows.length === 0) break;
    yield (seen += rows.length);
  }
  const figures = db.prepare(`SELECT ${figureColumns} FROM chunk WHERE id >= ? AND id < ? ORDER BY id`);
  for (const row of db.prepare(`SELECT id, ${figureColumns} FROM hour ORDER BY id`).iterate()) {
    const hour = Number(row.id);
    let whole = { ...nothing };
    for (const chunk of figures.iterate(hour, hour + HOUR / SECOND)) whole = joined(whole, summaryOf(chunk));
    if (whole.n > 0 && !same(whole, summaryOf(row)))
      faults.push(
        `the hour of tag ${tagOfRow(hour)} at ${new Date(timeOfRow(hour) / 1000).toISOString()} is not that of its chunks`,
      );
  }
  return faults;
}

interface Row extends Record<string, unknown> {
  id: number;
  data: Uint8Array;
}

function faultsOf(row: Row, end: Micros | undefined): string[] {
  let series: Series;
  try {
    series = decodeChunk(row.data);
    if (row.minutes instanceof Uint8Array && !sameMinutes(unpackMinutes(row.minutes), minutesOf(series)))
      return ['has minutes that are not those of its samples'];
  } catch (error) {
    return [error instanceof Error ? `cannot be read: ${error.message}` : String(error)];
  }
  const faults: string[] = [];
  const { t, n } = series;
  const summary = summarize(series);
  if (!same(summary, summaryOf(row)) || !sameHeld(row.held, columnsOf(summary, series).at(-1) as number))
    faults.push('says other figures than its samples');
  const second = (time: Micros): number => Math.floor(time / SECOND);
  if (row.id % 2 ** 32 !== second(t[0] as number)) faults.push('lies in a wrong place');
  if (hourOf(t[0] as number) !== hourOf(t[n - 1] as number)) faults.push('reaches beyond its hour');
  if (n > CHUNK_SAMPLES && second(t[0] as number) !== second(t[n - 1] as number)) faults.push('is too long');
  if (end !== undefined && second(end) >= second(t[0] as number)) faults.push('begins before the one before it ends');
  for (let i = 1; i < n; i++)
    if ((t[i] as number) <= (t[i - 1] as number)) {
      faults.push('has samples out of order');
      break;
    }
  return faults;
}

/** Sums may have been added up in another order. */
const near = (a: number, b: number): boolean =>
  Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
function same(a: Summary, b: Summary): boolean {
  return (Object.keys(a) as (keyof Summary)[]).every((name) => near(a[name], b[name]));
}
function sameMinutes(a: Minutes, b: Minutes): boolean {
  if (a.count !== b.count) return false;
  for (let m = 0; m < a.count; m++) {
    const at = (minutes: Minutes, name: Exclude<keyof Minutes, 'count'>): number => minutes[name][m] as number;
    for (const name of ['n', 'good', 'known', 'first', 'last', 'min', 'max'] as const)
      if (at(a, name) !== at(b, name)) return false;
    // Sums of decimals are kept without their dust.
    const size = Math.max(Math.abs(at(b, 'min')), Math.abs(at(b, 'max'))) * 1e-6;
    for (const name of ['sum', 'area'] as const)
      if (!near(at(a, name), at(b, name)) && !(Math.abs(at(a, name) - at(b, name)) <= size)) return false;
  }
  return true;
}

/** Tags of one transaction. */
const TAGS = 16;

/**
 * Joins neighbouring chunks of an hour that fit into one, then gives free pages back to the disk. Yields after each
 * transaction how many chunks there are fewer. What is damaged stays as it is, its neighbours too. The connection must have a busy timeout if a gateway is running.
 * Throws in words when the disk has no room for it.
 */
export function* compact(db: DatabaseSync): Generator<number> {
  try {
    yield* joining(db);
    db.exec('PRAGMA incremental_vacuum');
  } catch (error) {
    if (!full(error)) throw error;
    throw new Error(
      `the disk is full (${error.message}), and joining needs some room beside what is there: what was joined so far stays so, and nothing is lost. Make room and begin again`,
      { cause: error },
    );
  }
}

function* joining(db: DatabaseSync): Generator<number> {
  const chunks = new Chunks(db);
  const first = db.prepare('SELECT id FROM chunk WHERE id >= ? ORDER BY id LIMIT 1');
  const rows = db.prepare('SELECT id, n FROM chunk WHERE id >= ? AND id < ? ORDER BY id');
  let fewer = 0;
  for (let id: number | undefined = 0; id !== undefined;) {
    db.exec('BEGIN IMMEDIATE');
    try {
      for (let tags = 0; tags < TAGS; tags++) {
        const found: unknown = first.get(id)?.id;
        id = typeof found === 'number' ? found : undefined;
        if (id === undefined) break;
        const next = rowId(tagOfRow(id) + 1, 0);
        fewer += joinNeighbours(chunks, rows.all(id, next) as { id: number; n: number }[]);
        id = next;
      }
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
    yield fewer;
  }
}

/** Of one tag's chunks in order; returns how many there are fewer. */
function joinNeighbours(chunks: Chunks, rows: readonly { id: number; n: number }[]): number {
  let fewer = 0;
  for (let i = 0; i < rows.length;) {
    const { id } = rows[i] as { id: number };
    let n = 0;
    let k = i;
    for (; k < rows.length; k++) {
      const row = rows[k] as { id: number; n: number };
      if (hourOf(timeOfRow(row.id)) !== hourOf(timeOfRow(id)) || n + row.n > CHUNK_SAMPLES) break;
      n += row.n;
    }
    if (k - i > 1 && chunks.join(rows.slice(i, k).map((row) => row.id))) {
      chunks.hour(rowId(tagOfRow(id), hourOf(timeOfRow(id))), 'there');
      fewer += k - i - 1;
    }
    i = Math.max(k, i + 1);
  }
  return fewer;
}
