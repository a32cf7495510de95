// The reading side of history.db: the `Historian` of the model, in the reader thread. Checks what is asked, walks through
// each tag's past and answers; every question is bounded in rows, cells and time, and ends soon when it is called off.
import type { AggregateSeries, BucketSeries, Historian } from '../../history.ts';
import type { Clock, Micros } from '../../model.ts';
import { boundaries, fixed } from './calendar.ts';
import type { Boundaries } from './calendar.ts';
import { Cells } from './cells.ts';
import type { OpenMemory } from './open.ts';
import { Pace } from './pace.ts';
import { Past } from './past.ts';
import { figure } from './series.ts';
import type { Series } from './series.ts';
import { Limit, Rows, Spans } from './states.ts';
import { walk } from './walk.ts';

const MAX_ROWS = 100_000;
const MAX_CELLS = 100_000;
const MAX_TAGS = 20_000;

export interface Query extends Omit<Historian, 'bucketText'> {
  /** What is older is kept in hours alone. */
  floor(): Micros;
  close(): void;
}

/** Opens `dataDir/history.db`, which the writer has made, and the samples that are in no chunk yet. */
export function openQuery(dataDir: string, clock: Pick<Clock, 'mono' | 'micros'>, memory?: OpenMemory): Query {
  const past = new Past(dataDir, memory);
  const paced = (signal?: AbortSignal): Pace => new Pace(() => clock.mono(), signal);

  /** Each tag's cells between the boundaries; `held`: with what holds from one sample to the next. */
  const gather = async <T>(
    tags: readonly number[],
    from: Micros,
    to: Micros,
    bounds: Boundaries,
    held: boolean,
    result: (tag: number, cells: Cells, open: Series | undefined) => T,
    signal?: AbortSignal,
  ): Promise<T[]> => {
    const pace = paced(signal);
    const now = clock.micros();
    const results: T[] = [];
    for (const tag of tags) {
      const cells = new Cells(bounds, from, to, now);
      const open = past.open(tag);
      if (from < to) {
        const last = held ? past.before(tag, from, open) : undefined;
        if (last) cells.hold(figure(last.value, last.status), last.t);
        await walk(past, tag, from, to, cells, pace, open);
        cells.hold(NaN, Math.min(to, now));
      }
      results.push(result(tag, cells, open));
      await pace.rest();
    }
    return results;
  };

  return {
    async raw(tag, from, to, limit, signal) {
      check([tag], from, to);
      if (!(limit >= 1 && limit <= MAX_ROWS)) throw new RangeError(`limit must be from 1 to ${MAX_ROWS}, not ${limit}`);
      const rows = new Rows(limit);
      await walk(past, tag, Math.max(from, past.floor()), to, rows, paced(signal));
      const { t, value, status, more } = rows;
      return { tag, t, value, status, more };
    },
    async buckets(tags, from, to, width, signal) {
      check(tags, from, to);
      if (!Number.isSafeInteger(width) || width < 1)
        throw new RangeError('the bucket width must be a whole number of microseconds above 0');
      bounded(tags.length, (to - from) / width);
      return gather(tags, from, to, fixed(from, to, width), false, bucketSeries, signal);
    },
    async aggregate({ tags, from, to, width, zone }, signal) {
      check(tags, from, to);
      const bounds = boundaries(from, to, width, zone, MAX_CELLS);
      bounded(tags.length, bounds.t.length);
      const now = Math.min(to, clock.micros());
      return gather(tags, from, to, bounds, true, (tag, cells) => aggregateSeries(tag, cells, from, now), signal);
    },
    async states(tags, from, to, limit, signal) {
      check(tags, from, to);
      bounded(tags.length, limit);
      const pace = paced(signal);
      const now = clock.micros();
      const results = [];
      for (const tag of tags) {
        const spans = new Spans(tag, from, limit);
        const floor = past.floor();
        if (from < to && floor < to) {
          if (floor <= from) spans.begin(past.before(tag, from));
          await walk(past, tag, Math.max(from, floor), to, spans, pace);
        }
        results.push(spans.result(Math.min(to, now), to));
      }
      return results;
    },
    async limitTime(tags, from, to, limit, signal) {
      check(tags, from, to);
      if (!Number.isFinite(limit)) throw new RangeError('the limit must be a number');
      const pace = paced(signal);
      const now = clock.micros();
      const results = [];
      for (const tag of tags) {
        const sides = new Limit(tag, from, to, limit);
        if (from < to) {
          sides.begin(past.before(tag, from));
          await walk(past, tag, from, to, sides, pace);
        }
        results.push(sides.result(Math.min(to, now)));
      }
      return results;
    },
    async latest(tags, signal) {
      const pace = paced(signal);
      const results = [];
      for (const tag of tags) {
        const last = past.before(tag, Number.MAX_SAFE_INTEGER);
        if (last) results.push({ tag, ...last });
        await pace.rest();
      }
      return results;
    },
    async kpis(tags, from, to, signal) {
      check(tags, from, to);
      const one = { t: [from], end: to };
      return gather(
        tags,
        from,
        to,
        one,
        false,
        (tag, { good, min, max, sum }, open) => {
          const last = from < to ? past.before(tag, to, open) : undefined;
          const n = good[0] as number;
          return {
            ...{ tag, n, min: known(min[0]), avg: known((sum[0] as number) / n), max: known(max[0]) },
            last: last && last.t >= from ? last : null,
          };
        },
        signal,
      );
    },
    floor: () => past.floor(),
    close: () => past.close(),
  };
}

function check(tags: readonly number[], from: Micros, to: Micros): void {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to))
    throw new RangeError('from and to must be whole microseconds');
  if (tags.length > MAX_TAGS)
    throw new RangeError(`${tags.length} tags are more than ${MAX_TAGS}: ask for fewer at once`);
}
function bounded(tags: number, buckets: number): void {
  if (!(tags * buckets <= MAX_CELLS))
    throw new RangeError(
      `${tags} tags × ${Math.ceil(buckets)} buckets are more than ${MAX_CELLS} cells: widen the bucket or ask for fewer tags`,
    );
}

const known = (value = NaN): number | null => (Number.isFinite(value) ? value : null);
const nulls = (values: Float64Array): (number | null)[] => Array.from(values, known);

function bucketSeries(tag: number, { bounds, good, min, max, sum }: Cells): BucketSeries {
  const avg = sum.map((value, i) => value / (good[i] as number));
  return { tag, t: bounds.t, n: Array.from(good), min: nulls(min), avg: nulls(avg), max: nulls(max) };
}

function aggregateSeries(tag: number, cells: Cells, from: Micros, now: Micros): AggregateSeries {
  const { bounds, count, good, known: time, min, max, sum, area, first, last } = cells;
  const { t, end } = bounds;
  const share = t.map((start, i) => {
    const width = Math.min(t[i + 1] ?? end, now) - Math.max(start, from);
    return width > 0 ? Math.min(1, (time[i] as number) / width) : 0;
  });
  return {
    ...{ tag, t, end, count: Array.from(count), good: Array.from(good), share },
    ...{ min: nulls(min), max: nulls(max), first: nulls(first), last: nulls(last) },
    avg: nulls(sum.map((value, i) => (good[i] === 0 ? NaN : value / (good[i] as number)))),
    mean: nulls(area.map((value, i) => (time[i] === 0 ? NaN : (value * 1e6) / (time[i] as number)))),
  };
}
