// What the queries read from: rows of history.db over a read-only connection, and the samples that are in no chunk yet,
// in memory shared with the writer. Nothing here knows what is asked; times are [from, to).
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { join } from 'node:path';
import type { Micros } from '../../model.ts';
import { CHUNK_SAMPLES, HOUR, SECOND, hourOf, rowId, windowOf } from './chunks.ts';
import { decodeChunk, scratchOf } from './codec.ts';
import { OpenColumns, readOpen } from './open.ts';
import type { OpenMemory } from './open.ts';
import { figureColumns, lastOf, summaryIn, summaryOf } from './rows.ts';
import { indexOf, valueAt } from './series.ts';
import type { Series } from './series.ts';
import type { Summary } from './summary.ts';
import type { Last } from './walk.ts';

export interface ChunkRow {
  id: number;
  figures: Summary;
  /** Packed, if there are any and they were asked for. */
  minutes: Uint8Array | undefined;
  /** The chunk itself, where there are no minutes instead. */
  data: Uint8Array | undefined;
}
type Row = Record<string, unknown>;

/** Any time that can be kept is before this. */
const NEVER = 2 ** 32 * SECOND - 1;

export class Past {
  readonly #db: DatabaseSync;
  readonly #columns: OpenColumns | undefined;
  readonly #scratch = scratchOf(CHUNK_SAMPLES);
  readonly #statements: Record<
    | 'begin'
    | 'commit'
    | 'floor'
    | 'hours'
    | 'chunks'
    | 'figures'
    | 'data'
    | 'first'
    | 'firstHour'
    | 'last'
    | 'lastHour',
    StatementSync
  >;

  /** Throws when `dataDir/history.db`, which the writer makes, cannot be opened. */
  constructor(dataDir: string, memory?: OpenMemory) {
    const db = new DatabaseSync(join(dataDir, 'history.db'), { readOnly: true, timeout: 5000 });
    this.#db = db;
    this.#columns = memory && new OpenColumns(memory);
    const range = 'id >= ? AND id < ? ORDER BY id';
    this.#statements = {
      begin: db.prepare('BEGIN'),
      commit: db.prepare('COMMIT'),
      floor: db.prepare('SELECT floor FROM account'),
      hours: db.prepare(`SELECT ${figureColumns} FROM hour WHERE ${range}`),
      chunks: db.prepare(
        `SELECT ${figureColumns}, id, minutes, iif(minutes IS NULL, data, NULL) FROM chunk WHERE ${range}`,
      ),
      figures: db.prepare(`SELECT ${figureColumns}, id FROM chunk WHERE ${range}`),
      data: db.prepare('SELECT data FROM chunk WHERE id = ?'),
      first: db.prepare(`SELECT t0 FROM chunk WHERE ${range} LIMIT 1`),
      firstHour: db.prepare(`SELECT t0 FROM hour WHERE ${range} LIMIT 1`),
      last: db.prepare(`SELECT id, ${figureColumns} FROM chunk WHERE ${range} DESC LIMIT 2`),
      lastHour: db.prepare(`SELECT ${figureColumns} FROM hour WHERE ${range} DESC LIMIT 2`),
    };
    for (const name of ['hours', 'chunks', 'figures'] as const) this.#statements[name].setReturnArrays(true);
  }

  /** Runs `read` over one state of the file. */
  snapshot<T>(read: () => T): T {
    this.#statements.begin.run();
    try {
      return read();
    } finally {
      this.#statements.commit.run();
    }
  }
  /** Before this, hours are all that is left. */
  floor(): Micros {
    return Number(this.#statements.floor.get()?.floor ?? 0);
  }
  /** Samples in memory, copied; what is read of the file afterwards misses none that left it meanwhile. */
  open(tag: number): Series | undefined {
    return this.#columns && readOpen(this.#columns, tag);
  }
  hours(tag: number, from: Micros, to: Micros): Summary[] {
    return rowsOf(this.#statements.hours, rowId(tag, from), after(tag, to)).map(summaryIn);
  }
  /** Chunks that may hold samples of the time, with their minutes if asked; the first may end before it. */
  chunks(tag: number, from: Micros, to: Micros, minutes: boolean): ChunkRow[] {
    const statement = minutes ? this.#statements.chunks : this.#statements.figures;
    return rowsOf(statement, rowId(tag, windowOf(from)), after(tag, to)).map((row) => ({
      id: row[12] as number,
      figures: summaryIn(row),
      minutes: (row[13] as Uint8Array | null | undefined) ?? undefined,
      data: (row[14] as Uint8Array | null | undefined) ?? undefined,
    }));
  }
  /** Valid until the next call. */
  samples({ id, data }: Pick<ChunkRow, 'id' | 'data'>): Series {
    return decodeChunk(data ?? (this.#statements.data.get(id)?.data as Uint8Array), this.#scratch);
  }
  /** Time of the oldest sample stored of a tag, as far as rows say; Infinity without any. */
  first(tag: number): Micros {
    const times = [this.#statements.first, this.#statements.firstHour].map(
      (statement) => statement.get(rowId(tag, 0), rowId(tag + 1, 0))?.t0 ?? Infinity,
    );
    return Math.min(...times.map(Number));
  }

  /** The last sample before `t`; of an hour whose samples are gone, its last good value if that still held. */
  before(tag: number, t: Micros, open = this.open(tag)): Last | undefined {
    const i = open ? indexOf(open, t) - 1 : -1;
    const newest = open && i >= 0 ? sampleAt(open, i) : undefined;
    return this.snapshot(() => {
      const stored = this.#stored(tag, Math.min(t, NEVER));
      return newest && stored && stored.t > newest.t ? stored : (newest ?? stored);
    });
  }
  #stored(tag: number, t: Micros): Last | undefined {
    const floor = this.floor();
    const end = after(tag, t);
    for (const row of this.#statements.last.all(rowId(tag, floor), end) as Row[]) {
      if (Number(row.t0) >= t) continue;
      const value = Number(row.t1) < t ? lastOf(row) : undefined;
      if (value !== undefined) return { t: Number(row.t1), value, status: 0 };
      const series = this.samples({ id: row.id as number, data: undefined });
      return sampleAt(series, indexOf(series, t) - 1);
    }
    for (const row of this.#statements.lastHour.all(
      rowId(tag, 0),
      Math.min(end, rowId(tag, hourOf(floor + HOUR - 1))),
    ) as Row[]) {
      const { t1, held } = summaryOf(row);
      if (t1 < t) return Number.isNaN(held) ? undefined : { t: t1, value: held, status: 0 };
    }
    return undefined;
  }
  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

const rowsOf = (statement: StatementSync, from: number, to: number): unknown[][] =>
  statement.all(from, to) as unknown as unknown[][];

/** The first row id of a tag that begins at `t` or later, at any fraction of its second. */
function after(tag: number, t: Micros): number {
  return t >= NEVER ? rowId(tag + 1, 0) : rowId(tag, t + SECOND - 1);
}

function sampleAt(series: Series, i: number): Last {
  return { t: series.t[i] as number, value: valueAt(series, i), status: series.status[i] as number };
}
