// The reading side of history.db: the `Historian` of the model, in the reader thread. Checks what is asked, walks through
// each tag's past and answers; every question is bounded in rows, cells and time, and ends soon when it is called off.
import type { AggregateSeries, BucketSeries, Historian, RawSeries } from '../../history.ts';
import type { Clock, Micros } from '../../model.ts';
import { boundaries, fixed } from './calendar.ts';
import { Buckets } from './buckets.ts';
import { Cells } from './cells.ts';
import type { OpenMemory } from './open.ts';
import { Pace } from './pace.ts';
import { Past } from './past.ts';
import { figure } from './series.ts';
import type { Series } from './series.ts';
import { Limit, Rows, Spans } from './states.ts';
import { through } from './walk.ts';

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

  return {
    async raw(tag, from, to, limit, signal) {
      check([tag], from, to);
      if (!(limit >= 1 && limit <= MAX_ROWS)) throw new RangeError(`limit must be from 1 to ${MAX_ROWS}, not ${limit}`);
      const begin = Math.max(from, past.floor());
      const [rows] = await through(past, [tag], begin, to, paced(signal), () => new Rows(limit), rowSeries);
      return rows as RawSeries;
    },
    async buckets(tags, from, to, width, signal) {
      check(tags, from, to);
      if (!Number.isSafeInteger(width) || width < 1)
        throw new RangeError('the bucket width must be a whole number of microseconds above 0');
      bounded(tags.length, (to - from) / width);
      const bounds = fixed(from, to, width);
      return through(past, tags, from, to, paced(signal), () => new Buckets(bounds, from, to), bucketSeries);
    },
    async aggregate({ tags, from, to, width, zone }, signal) {
      check(tags, from, to);
      const bounds = boundaries(from, to, width, zone, MAX_CELLS);
      bounded(tags.length, bounds.t.length);
      const now = clock.micros();
      const until = Math.min(to, now);
      const begin = (tag: number, open: Series | undefined): Cells => {
        const cells = new Cells(bounds, from, to, now);
        const last = from < to ? past.before(tag, from, open) : undefined;
        if (last) cells.hold(figure(last.value, last.status), last.t);
        return cells;
      };
      return through(past, tags, from, to, paced(signal), begin, (tag, cells) => {
        if (from < to) cells.hold(NaN, until);
        return aggregateSeries(tag, cells, from, until);
      });
    },
    async states(tags, from, to, limit, signal) {
      check(tags, from, to);
      bounded(tags.length, limit);
      const now = clock.micros();
      const floor = past.floor();
      const begin = (tag: number, open: Series | undefined): Spans => {
        const spans = new Spans(tag, from, limit);
        if (from < to && floor <= from) spans.begin(past.before(tag, from, open));
        return spans;
      };
      return through(past, tags, Math.max(from, floor), to, paced(signal), begin, (_tag, spans) =>
        spans.result(Math.min(to, now), to),
      );
    },
    async limitTime(tags, from, to, limit, signal) {
      check(tags, from, to);
      if (!Number.isFinite(limit)) throw new RangeError('the limit must be a number');
      const now = clock.micros();
      const begin = (tag: number, open: Series | undefined): Limit => {
        const sides = new Limit(tag, from, to, limit);
        if (from < to) sides.begin(past.before(tag, from, open));
        return sides;
      };
      return through(past, tags, from, to, paced(signal), begin, (_tag, sides) => sides.result(Math.min(to, now)));
    },
    async latest(tags, signal) {
      const none = new Rows(1);
      const found = await through(
        past,
        tags,
        0,
        0,
        paced(signal),
        () => none,
        (tag, _none, open) => {
          const last = past.before(tag, Number.MAX_SAFE_INTEGER, open);
          return last && { tag, ...last };
        },
      );
      return found.filter((last) => last !== undefined);
    },
    async kpis(tags, from, to, signal) {
      check(tags, from, to);
      const one = { t: [from], end: to };
      return through(
        past,
        tags,
        from,
        to,
        paced(signal),
        () => new Buckets(one, from, to),
        (tag, sums, open) => {
          const [n = 0, min = NaN, max = NaN, sum = NaN] = [sums.good[0], sums.min[0], sums.max[0], sums.sum[0]];
          const last = from < to ? past.before(tag, to, open) : undefined;
          return {
            ...{ tag, n, min: known(min), avg: known(sum / n), max: known(max) },
            last: last && last.t >= from ? last : null,
          };
        },
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

function rowSeries(tag: number, { t, value, status, more }: Rows): RawSeries {
  return { tag, t, value, status, more };
}

function bucketSeries(tag: number, { bounds, good, min, max, sum }: Buckets): BucketSeries {
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
