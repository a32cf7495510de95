// What the queries read from: rows of history.db over a read-only connection, and the samples that are in no chunk yet,
// in memory shared with the writer. Nothing here knows what is asked; times are [from, to).
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { join } from 'node:path';
import type { Micros } from '../../model.ts';
import { CHUNK_SAMPLES, HOUR, SECOND, hourOf, rowId, tagOfRow, timeOfRow } from './chunks.ts';
import { Damaged, decodeChunk, scratchOf } from './codec.ts';
import type { Hole, Missing } from './holes.ts';
import { unpackMinutes } from './minutes.ts';
import type { Minutes } from './minutes.ts';
import { OpenColumns, readOpen } from './open.ts';
import type { OpenMemory } from './open.ts';
import { figureColumns, lastOf, summaryIn } from './rows.ts';
import { indexOf, valueAt } from './series.ts';
import type { Series } from './series.ts';
import type { Summary, Sums } from './summary.ts';
import type { Grain, Last } from './walk.ts';

export interface ChunkRow {
  id: number;
  t0: Micros;
  t1: Micros;
  /** Not where samples were asked for. */
  figures?: Summary;
  /** Packed, if there are any and they were asked for. */
  minutes?: Uint8Array | undefined;
  /** The chunk itself, where it was asked for, or minutes were and there are none. */
  data?: Uint8Array | undefined;
}
const names = [
  ...([
    'begin',
    'commit',
    'floor',
    'since',
    'thinned',
    'hours',
    'hoursInOne',
    'figures',
    'minutes',
    'samples',
  ] as const),
  ...(['data', 'place', 'first', 'firstHour', 'last', 'lastHour'] as const),
];
type Name = (typeof names)[number];

/** Any time that can be kept is before this. */
const NEVER = 2 ** 32 * SECOND - 1;

export class Past {
  readonly #db: DatabaseSync;
  readonly #columns: OpenColumns | undefined;
  readonly #scratch = scratchOf(CHUNK_SAMPLES);
  readonly #statements: Record<Name, StatementSync>;
  readonly #tell: (hole: Hole) => void;
  /** Row ids of damaged chunks that have been told; no more than there are chunks. */
  readonly #told = new Set<number>();
  /** Within a snapshot, once they are known. */
  #floor: Micros | undefined;
  #thinned: Micros | undefined;

  /** Throws when `dataDir/history.db`, which the writer makes, cannot be opened. `tell` hears of each damaged chunk once. */
  constructor(dataDir: string, memory?: OpenMemory, tell: (hole: Hole) => void = () => {}) {
    this.#tell = tell;
    const db = new DatabaseSync(join(dataDir, 'history.db'), { readOnly: true, timeout: 5000 });
    this.#db = db;
    this.#columns = memory && new OpenColumns(memory);
    const range = 'id >= ? AND id < ? ORDER BY id';
    // From the last chunk of the hour that begins at or before the time on: no earlier one reaches so far.
    const reaching = `id >= ifnull((SELECT id FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1), ?2)
      AND id < ?3 ORDER BY id`;
    const sql: Record<Name, string> = {
      begin: 'BEGIN',
      commit: 'COMMIT',
      floor: 'SELECT floor FROM account',
      since: 'SELECT since FROM begun',
      thinned: 'SELECT hours FROM thinned',
      hours: `SELECT ${figureColumns} FROM hour WHERE ${range}`,
      hoursInOne: 'SELECT count(*), sum(good), min(min), max(max), sum(sum) FROM hour WHERE id >= ? AND id < ?',
      figures: `SELECT ${figureColumns}, id FROM chunk WHERE ${reaching}`,
      minutes: `SELECT ${figureColumns}, id, minutes, iif(minutes IS NULL, data, NULL) FROM chunk WHERE ${reaching}`,
      samples: `SELECT t0, t1, id, data FROM chunk WHERE ${reaching}`,
      data: 'SELECT data FROM chunk WHERE id = ?',
      place: 'SELECT tag.id, t1 FROM chunk LEFT JOIN tag ON idx = chunk.id / 4294967296 WHERE chunk.id = ?',
      first: `SELECT t0 FROM chunk WHERE ${range} LIMIT 1`,
      firstHour: `SELECT t0 FROM hour WHERE ${range} LIMIT 1`,
      last: `SELECT t0, t1, id, held, last FROM chunk WHERE ${range} DESC LIMIT 1`,
      lastHour: `SELECT ${figureColumns} FROM hour WHERE ${range} DESC LIMIT 2`,
    };
    this.#statements = Object.fromEntries(
      names.map((name) => {
        const statement = db.prepare(sql[name]);
        statement.setReturnArrays(true);
        return [name, statement];
      }),
    ) as Record<Name, StatementSync>;
  }

  /** Runs `read` over one state of the file. */
  snapshot<T>(read: () => T): T {
    if (this.#db.isTransaction) return read();
    this.#statements.begin.run();
    try {
      return read();
    } finally {
      this.#floor = this.#thinned = undefined;
      this.#statements.commit.run();
    }
  }
  /** Before this, hours are all that is left. */
  floor(): Micros {
    if (this.#floor !== undefined) return this.#floor;
    const [floor = 0] = this.#row('floor') ?? [];
    if (this.#db.isTransaction) this.#floor = floor as Micros;
    return floor as Micros;
  }
  #rows(name: Name, ...bounds: number[]): unknown[][] {
    return this.#statements[name].all(...bounds) as unknown as unknown[][];
  }
  #row(name: Name, ...bounds: number[]): unknown[] | undefined {
    return this.#statements[name].get(...bounds) as unknown as unknown[] | undefined;
  }
  /** Samples of before this are here only as far as they came late. */
  since(): Micros {
    const [since = 0] = this.#row('since') ?? [];
    return since as Micros;
  }
  /** Notes what retention has removed of the tag's samples in [from, to), as far as rows say; all from `begun` on is elsewhere. */
  removed(tag: number, from: Micros, to: Micros, missing: Missing, begun = Infinity): void {
    const floor = this.floor();
    this.thinned(from, to, missing, begun);
    const end = Math.min(to, floor, hourOf(begun));
    if (!(from < end)) return;
    const cut = this.hours(tag, hourOf(from), Math.min(hourOf(from) + HOUR, end));
    const [next = Infinity] = (this.#row('firstHour', after(tag, hourOf(from) + HOUR), after(tag, end)) ??
      []) as Micros[];
    const within = (t: Micros): boolean => t >= from && t < end;
    // Of an hour that reaches beyond both ends it is not known; where somebody else has been asked, that is the answer.
    const maybe = ({ t0, t1 }: Summary): boolean => begun === Infinity && t0 < from && t1 >= end;
    if (within(next) || cut.some((hour) => within(hour.t0) || within(hour.t1) || maybe(hour)))
      missing.samples = { before: floor, to: end };
  }
  /** Notes that what held at `from`, which is before the floor, was removed, if there was anything. */
  unheld(tag: number, from: Micros, to: Micros, missing: Missing): void {
    const before = this.floor();
    if (this.#rows('lastHour', rowId(tag, 0), after(tag, from)).some((row) => summaryIn(row).t0 < from))
      missing.samples ??= { before, to: Math.min(to, before) };
  }
  /** Notes that hourly figures of the time have been removed, if any have; not when `begun`, the first sample known elsewhere, is older. */
  thinned(from: Micros, to: Micros, missing: Missing, begun = Infinity): void {
    const before = this.#thinned ?? (this.#row('thinned')?.[0] as Micros | undefined) ?? -Infinity;
    if (this.#db.isTransaction) this.#thinned = before;
    if (from < Math.min(before, to) && begun >= before) missing.hours = { before, to: Math.min(before, to) };
  }
  /** Samples in memory, copied; what is read of the file afterwards misses none that left it meanwhile. */
  open(tag: number): Series | undefined {
    return this.#columns && readOpen(this.#columns, tag);
  }
  hours(tag: number, from: Micros, to: Micros): Summary[] {
    return this.#rows('hours', rowId(tag, from), after(tag, to)).map(summaryIn);
  }
  /** Of the hours that begin in the time, how many have a row, and their sums. */
  hoursInOne(tag: number, from: Micros, to: Micros): { rows: number; sums: Sums } {
    const [rows, good, min, max, sum] = this.#row('hoursInOne', rowId(tag, from), after(tag, to)) as (number | null)[];
    return { rows: rows ?? 0, sums: { good: good ?? 0, min: min ?? NaN, max: max ?? NaN, sum: sum ?? Infinity } };
  }
  /** Chunks that may hold samples of the time, with what is asked for; the first may end before it. */
  chunks(tag: number, from: Micros, to: Micros, asked: Grain): ChunkRow[] {
    const rows = this.#rows(asked, rowId(tag, hourOf(from)), rowId(tag, from), after(tag, to));
    if (asked === 'samples') return rows.map(([t0, t1, id, data]) => ({ id, t0, t1, data }) as ChunkRow);
    return rows.map((row) => {
      const figures = summaryIn(row);
      const { t0, t1 } = figures;
      const [id, minutes, data] = [row[12] as number, row[13] as Uint8Array | null, row[14] as Uint8Array | null];
      return { id, t0, t1, figures, minutes: minutes ?? undefined, data: data ?? undefined };
    });
  }
  /** Valid until the next call. Undefined when there are none, or damaged ones: the samples say the same. */
  minutes({ minutes }: Pick<ChunkRow, 'minutes'>): Minutes | undefined {
    try {
      return minutes && unpackMinutes(minutes);
    } catch (error) {
      if (error instanceof Damaged) return undefined;
      throw error;
    }
  }
  /** Valid until the next call. Undefined for a chunk that is damaged: then it is among the holes. */
  samples({ id, data }: Pick<ChunkRow, 'id' | 'data'>, { holes }: Missing): Series | undefined {
    try {
      return decodeChunk(data ?? this.#row('data', id)?.[0], this.#scratch);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      const [name, t1] = this.#row('place', id) ?? [];
      const hole = { tag: String(name ?? `tag ${tagOfRow(id)}`), from: timeOfRow(id), to: t1 as Micros };
      holes.push(hole);
      if (!this.#told.has(id)) this.#tell(hole);
      this.#told.add(id);
      return undefined;
    }
  }
  /** Time of the oldest sample stored of a tag, as far as rows say; Infinity without any. */
  first(tag: number): Micros {
    const times = (['first', 'firstHour'] as const).map(
      (name) => (this.#row(name, rowId(tag, 0), rowId(tag + 1, 0))?.[0] as Micros | undefined) ?? Infinity,
    );
    return Math.min(...times);
  }

  /**
   * The last sample before `t`; of an hour whose samples are gone, its last good value if that still held. Undefined, too,
   * where it may stand in a chunk that is damaged, or amid an hour whose samples are gone.
   */
  before(tag: number, t: Micros, open = this.open(tag), { holes }: Missing = { holes: [] }): Last | undefined {
    const i = open ? indexOf(open, t) - 1 : -1;
    const newest = open && i >= 0 ? sampleAt(open, i) : undefined;
    return this.snapshot(() => {
      const lost: Hole[] = [];
      const stored = this.#stored(tag, Math.min(t, NEVER), { holes: lost });
      if (lost.some(({ to }) => !newest || to > newest.t)) {
        holes.push(...lost);
        return undefined;
      }
      return newest && stored && stored.t > newest.t ? stored : (newest ?? stored);
    });
  }
  #stored(tag: number, t: Micros, lost: Missing): Last | undefined {
    const floor = this.floor();
    let end = after(tag, t);
    for (let row; (row = this.#row('last', rowId(tag, floor), end)); end = row[2] as number) {
      const [t0, t1, id, held, last] = row as number[];
      // Begun in the very second of `t`, but after it.
      if ((t0 as Micros) >= t) continue;
      const value = (t1 as Micros) < t ? lastOf(held, last) : undefined;
      if (value !== undefined) return { t: t1 as Micros, value, status: 0 };
      const series = this.samples({ id: id as number }, lost);
      return series && sampleAt(series, indexOf(series, t) - 1);
    }
    for (const row of this.#rows('lastHour', rowId(tag, 0), Math.min(end, rowId(tag, hourOf(floor + HOUR - 1))))) {
      const { t0, t1, held } = summaryIn(row);
      if (t0 >= t) continue;
      return t1 >= t || Number.isNaN(held) ? undefined : { t: t1, value: held, status: 0 };
    }
    return undefined;
  }
  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

/** The first row id of a tag that begins at `t` or later, at any fraction of its second. */
function after(tag: number, t: Micros): number {
  return t >= NEVER ? rowId(tag + 1, 0) : rowId(tag, t + SECOND - 1);
}

function sampleAt(series: Series, i: number): Last {
  return { t: series.t[i] as number, value: valueAt(series, i), status: series.status[i] as number };
}
