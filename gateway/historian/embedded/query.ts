// The reading side of history.db: the `Historian` of the model over a read-only connection, in the reader worker.
// Whole minutes before the writer's mark come from rollups, the rest from samples; long scans go in slices, so that
// a cancelled or overdue query ends soon. Buckets are aligned to the epoch: the first begins at or before `from`.
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import type { BucketSeries, Historian, Micros, Value, ValueType } from '../../model.ts';
import { HOUR, MINUTE, countable, fromStored, rollup, rollupId } from './schema.ts';

const MAX_ROWS = 100_000;
const MAX_CELLS = 100_000;
const BUDGET = 10_000;

interface Cells {
  n: Float64Array;
  min: Float64Array;
  max: Float64Array;
  sum: Float64Array;
}
type Row = Record<string, unknown>;

/** Opens `dataDir/history.db`, which the writer has made. `mono` in ms. */
export function openQuery(dataDir: string, mono: () => number): Omit<Historian, 'bucketText'> & { close(): void } {
  const db = new DatabaseSync(join(dataDir, 'history.db'), { readOnly: true, timeout: 5000 });
  const all = db.prepare(
    'SELECT tag, t, status, value FROM sample WHERE t >= ? AND t < ? AND tag IN (SELECT value FROM json_each(?)) ORDER BY t LIMIT ?',
  );
  const getRollup = db.prepare('SELECT data FROM rollup WHERE id = ?');
  const getLatest = db.prepare('SELECT tag, t, status, value FROM latest WHERE tag = ?');
  const getMark = db.prepare("SELECT value FROM kv WHERE key = 'mark'");
  const ends = db.prepare('SELECT (SELECT min(t) FROM sample) AS first, (SELECT max(t) FROM sample) AS last');
  const getType = db.prepare('SELECT type FROM tag WHERE idx = ?');
  all.setReadBigInts(true);
  getLatest.setReadBigInts(true);
  const types = new Map<number, ValueType>();
  const typeOf = (tag: number): ValueType | undefined => {
    const found = types.get(tag) ?? (getType.get(tag)?.type as ValueType | undefined);
    if (found) types.set(tag, found);
    return found;
  };
  const check = (from: Micros, to: Micros): void => {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to))
      throw new RangeError('from and to must be whole microseconds');
  };
  const pause = async (began: number, signal?: AbortSignal): Promise<void> => {
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    if (mono() - began > BUDGET)
      throw new RangeError(`the query took longer than ${BUDGET / 1000} s: ask for a shorter range or fewer tags`);
  };
  /** Rows of [from, to) in time order, until `see` returns false; slices grow and shrink with the time they take. */
  const scan = async (
    tags: readonly number[],
    from: Micros,
    to: Micros,
    see: (row: Row) => boolean,
    signal?: AbortSignal,
  ): Promise<void> => {
    const edge = ends.get();
    if (edge?.first == null) return;
    const began = mono();
    const list = JSON.stringify(tags);
    let start = Math.max(from, Number(edge.first));
    const end = Math.min(to, Number(edge.last) + 1);
    let width = 10 * MINUTE;
    while (start < end) {
      const stop = Math.min(start + width, end);
      const sliced = mono();
      for (const row of all.iterate(start, stop, list, -1)) if (!see(row)) return;
      const took = mono() - sliced;
      width = took < 10 ? width * 2 : took > 50 ? Math.max(1_000_000, Math.floor(width / 2)) : width;
      start = stop;
      if (start < end) await pause(began, signal);
    }
  };
  /** Fills each tag's cells of `width` from `origin`; only samples in [from, to) count. */
  const fill = async (
    cells: Map<number, Cells>,
    origin: Micros,
    width: Micros,
    from: Micros,
    to: Micros,
    signal?: AbortSignal,
  ): Promise<void> => {
    const began = mono();
    const tags = [...cells.keys()];
    const put = (cell: Cells, at: Micros, n: number, min: number, max: number, sum: number): void => {
      const i = Math.floor((at - origin) / width);
      if (cell.n[i] === 0 || min < (cell.min[i] as number)) cell.min[i] = min;
      if (cell.n[i] === 0 || max > (cell.max[i] as number)) cell.max[i] = max;
      cell.sum[i] = (cell.sum[i] as number) + sum;
      cell.n[i] = (cell.n[i] as number) + n;
    };
    const see = (row: Row): boolean => {
      const value = countable(row.value, Number(row.status));
      const cell = cells.get(Number(row.tag));
      if (cell && value !== undefined) put(cell, Number(row.t), 1, value, value, value);
      return true;
    };
    const mark = Number(getMark.get()?.value ?? 0) * MINUTE;
    const left = Math.ceil(from / MINUTE) * MINUTE;
    const right = Math.min(Math.floor(to / MINUTE) * MINUTE, mark);
    const whole = width % MINUTE === 0 && origin % MINUTE === 0 && left < right;
    if (!whole) return scan(tags, from, to, see, signal);
    await scan(tags, from, left, see, signal);
    const edge = ends.get();
    const last = Math.min(right, Number(edge?.last ?? 0) + 1);
    for (let hour = Math.floor(Math.max(left, Number(edge?.first ?? Infinity)) / HOUR); hour * HOUR < last; hour++) {
      for (const [tag, cell] of cells) {
        const data = getRollup.get(rollupId(hour, tag))?.data;
        if (!(data instanceof Uint8Array)) continue;
        const { n, min, max, sum } = rollup(data);
        for (let m = 0; m < 60; m++) {
          const at = hour * HOUR + m * MINUTE;
          if ((n[m] as number) > 0 && at >= left && at < right)
            put(cell, at, n[m] as number, min[m] as number, max[m] as number, sum[m] as number);
        }
      }
      if (hour % 24 === 0) await pause(began, signal);
    }
    await scan(tags, right, to, see, signal);
  };
  const empty = (count: number): Cells => ({
    n: new Float64Array(count),
    min: new Float64Array(count),
    max: new Float64Array(count),
    sum: new Float64Array(count),
  });
  const shown = (row: Row): { tag: number; t: Micros; value: Value; status: number } => ({
    tag: Number(row.tag),
    t: Number(row.t),
    value: fromStored(row.value, typeOf(Number(row.tag))),
    status: Number(row.status),
  });

  return {
    async raw(tag, from, to, limit, signal) {
      check(from, to);
      if (!(limit >= 1 && limit <= MAX_ROWS)) throw new RangeError(`limit must be from 1 to ${MAX_ROWS}, not ${limit}`);
      const series = { tag, t: [] as Micros[], value: [] as Value[], status: [] as number[], more: false };
      const type = typeOf(tag);
      const see = (row: Row): boolean => {
        if (series.t.length >= limit) return !(series.more = true);
        series.t.push(Number(row.t));
        series.value.push(fromStored(row.value, type));
        series.status.push(Number(row.status));
        return true;
      };
      await scan([tag], from, to, see, signal);
      return series;
    },
    async buckets(tags, from, to, width, signal) {
      check(from, to);
      if (!Number.isSafeInteger(width) || width < 1)
        throw new RangeError('the bucket width must be a whole number of microseconds above 0');
      const origin = Math.floor(from / width) * width;
      const count = Math.max(0, Math.ceil((to - origin) / width));
      if (tags.length * count > MAX_CELLS)
        throw new RangeError(
          `${tags.length} tags × ${count} buckets are more than ${MAX_CELLS} cells: widen the bucket or ask for fewer tags`,
        );
      const cells = new Map(tags.map((tag) => [tag, empty(count)]));
      if (from < to) await fill(cells, origin, width, from, to, signal);
      const t = Array.from({ length: count }, (_, i) => origin + i * width);
      return tags.map((tag): BucketSeries => {
        const { n, min, max, sum } = cells.get(tag) as Cells;
        const where = (values: Float64Array): (number | null)[] =>
          Array.from(values, (value, i) => (n[i] === 0 ? null : value));
        return {
          tag,
          t,
          n: Array.from(n),
          min: where(min),
          max: where(max),
          avg: where(sum.map((value, i) => value / (n[i] as number))),
        };
      });
    },
    async latest(tags, signal) {
      signal?.throwIfAborted();
      return tags
        .map((tag) => getLatest.get(tag))
        .filter((row) => row !== undefined)
        .map(shown);
    },
    async kpis(tags, from, to, signal) {
      check(from, to);
      const width = Math.max(MINUTE, Math.ceil(to / MINUTE) * MINUTE - Math.floor(from / MINUTE) * MINUTE);
      const cells = new Map(tags.map((tag) => [tag, empty(1)]));
      if (from < to) await fill(cells, Math.floor(from / MINUTE) * MINUTE, width, from, to, signal);
      const last = new Map<number, ReturnType<typeof shown>>();
      for (const tag of tags) {
        const row = getLatest.get(tag);
        if (row && Number(row.t) >= from && Number(row.t) < to) last.set(tag, shown(row));
      }
      // A tag whose newest sample lies after the range is looked for backwards, in growing steps.
      let missing = tags.filter((tag) => !last.has(tag) && Number(getLatest.get(tag)?.t ?? -1) >= to);
      for (let end = to, step = MINUTE; missing.length > 0 && end > from; end -= step, step *= 2) {
        await scan(missing, Math.max(from, end - step), end, (row) => !!last.set(Number(row.tag), shown(row)), signal);
        missing = missing.filter((tag) => !last.has(tag));
      }
      return tags.map((tag) => {
        const { n, min, max, sum } = cells.get(tag) as Cells;
        const count = n[0] as number;
        const or = (value: number | undefined): number | null => (count === 0 ? null : (value as number));
        return {
          tag,
          n: count,
          min: or(min[0]),
          avg: or((sum[0] as number) / count),
          max: or(max[0]),
          last: last.get(tag) ?? null,
        };
      });
    },
    close: () => {
      if (db.isOpen) db.close();
    },
  };
}
