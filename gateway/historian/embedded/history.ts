// The reading side of history.db: the `Historian` of the model, in the reader thread. Checks what is asked, walks through
// each tag's past and answers; every question is bounded in rows, cells and time, and ends soon when it is called off.
import type {
  AggregateQuery,
  AggregateSeries,
  BucketSeries,
  Historian,
  Kpi,
  Lacking,
  LimitTime,
  RawSeries,
  StateSeries,
} from '../../history.ts';
import type { Clock, Micros } from '../../model.ts';
import { Buckets } from './buckets.ts';
import type { Boundaries } from './calendar.ts';
import { Cells } from './cells.ts';
import { lackOf, lacksToo, removedOf } from './holes.ts';
import type { Hole, Missing } from './holes.ts';
import { Count, both, laterOf } from './older.ts';
import type { Older } from './older.ts';
import type { OpenMemory } from './open.ts';
import { Pace } from './pace.ts';
import { Past } from './past.ts';
import { figure } from './series.ts';
import type { Series } from './series.ts';
import { calendarBuckets, check, checkLimit, checkRows, checkSpans, fixedBuckets } from './questions.ts';
import { Limit, Rows, Spans } from './states.ts';
import type { Sides } from './states.ts';
import type { Summary } from './summary.ts';
import { through } from './walk.ts';
import type { Last } from './walk.ts';

/** Where the answer has samples from elsewhere: from the first of them on. */
export interface Filled {
  from: Micros;
  until: Micros;
}
/** `older`: what is to be answered with, from elsewhere. */
export interface Query extends Omit<Historian, 'bucketText' | 'rows'> {
  /** `filled`: what is missing there is not said. */
  raw(...asked: [...Parameters<Historian['raw']>, filled?: Filled]): Promise<RawSeries>;
  buckets(...asked: [...Parameters<Historian['buckets']>, older?: Older<Summary>]): Promise<BucketSeries[]>;
  aggregate(query: AggregateQuery, signal?: AbortSignal, older?: Older<Summary>): Promise<AggregateSeries[]>;
  states(...asked: [...Parameters<Historian['states']>, older?: Older<Series>]): Promise<StateSeries[]>;
  limitTime(...asked: [...Parameters<Historian['limitTime']>, older?: Older<Sides>]): Promise<LimitTime[]>;
  kpis(...asked: [...Parameters<Historian['kpis']>, older?: Older<Summary>]): Promise<Kpi[]>;
  /** What is older is kept in hours alone. */
  floor(): Micros;
  /** Samples of before this are here only as far as they came late. */
  since(): Micros;
  /** The last sample before a time; of an hour whose samples are gone, its last good value if that still held. */
  before(tag: number, t: Micros): Last | undefined;
  /** How many samples of a tag are here. */
  count(tag: number, from: Micros, to: Micros, signal?: AbortSignal): Promise<number>;
  close(): void;
}

/**
 * Opens `dataDir/history.db`, which the writer has made, and the samples that are in no chunk yet. `tell` hears, once, of each
 * chunk that turns out to be damaged; the answer of its tag says that it is left out, and what retention has removed.
 */
export function openQuery(
  dataDir: string,
  clock: Pick<Clock, 'mono' | 'micros'>,
  memory?: OpenMemory,
  tell?: (hole: Hole) => void,
): Query {
  const past = new Past(dataDir, memory, tell);
  const paced = (signal?: AbortSignal): Pace => new Pace(() => clock.mono(), signal);
  /** Each tag's figures in buckets, and what `end` makes of them. */
  const figures = <T extends object>(
    tags: readonly number[],
    from: Micros,
    to: Micros,
    bounds: Boundaries,
    end: End<Buckets, T>,
    signal?: AbortSignal,
    older?: Older<Summary>,
  ) => {
    const way = both(past, from, to, older, (sink: Buckets, piece) => sink.figures(piece));
    const begin = (): Buckets => new Buckets(bounds, from, to);
    return through(past, tags, from, to, paced(signal), begin, said(end, older), way);
  };

  return {
    async raw(tag, from, to, limit, signal, filled) {
      checkRows(tag, from, to, limit);
      const start = Math.max(from, past.floor());
      const begin = (_tag: number, _open: Series | undefined, missing: Missing): Rows => {
        past.removed(tag, from, to, missing, filled?.from);
        return new Rows(limit);
      };
      const end: End<Rows, RawSeries> = (_tag, rows, _open, missing) => {
        const holes = missing.holes.filter((hole) => !filled || !fills(filled, hole, from));
        return { ...rowSeries(tag, rows), ...missed({ ...missing, holes }) };
      };
      const [rows] = await through(past, [tag], start, to, paced(signal), begin, end);
      return rows as RawSeries;
    },
    async buckets(tags, from, to, width, signal, older) {
      return figures(tags, from, to, fixedBuckets(tags, from, to, width), bucketSeries, signal, older);
    },
    async aggregate(query, signal, older) {
      const { tags, from, to } = query;
      const bounds = calendarBuckets(query);
      const now = clock.micros();
      const until = Math.min(to, now);
      const begin = (tag: number, open: Series | undefined, missing: Missing): Cells => {
        const cells = new Cells(bounds, from, to, now);
        const last = from < to ? laterOf(past.before(tag, from, open, missing), older?.get(tag)?.before) : undefined;
        if (last) cells.hold(figure(last.value, last.status), last.t);
        return cells;
      };
      const end = (tag: number, cells: Cells): AggregateSeries => {
        if (from < to) cells.hold(NaN, until);
        return aggregateSeries(tag, cells, from, until);
      };
      const way = both(past, from, to, older, (sink: Cells, piece) => sink.figures(piece));
      return through(past, tags, from, to, paced(signal), begin, said(end, older), way);
    },
    async states(tags, from, to, limit, signal, older) {
      checkSpans(tags, from, to, limit);
      const now = clock.micros();
      const floor = past.floor();
      const begin = (tag: number, open: Series | undefined, missing: Missing): Spans => {
        const spans = new Spans(tag, from, limit);
        // An hour's figure is no state.
        const last = floor <= from ? past.before(tag, from, open, missing) : undefined;
        if (!older) past.removed(tag, from, to, missing);
        if (from < Math.min(to, floor, older?.get(tag)?.begins ?? Infinity)) past.unheld(tag, from, to, missing);
        if (from < to) spans.begin(laterOf(last, older?.get(tag)?.before));
        return spans;
      };
      const end = (_tag: number, spans: Spans): StateSeries => spans.result(Math.min(to, now), to);
      const take = (sink: Spans, piece: Series): void => sink.samples(piece, 0, piece.n);
      const way = older && both(past, from, to, older, take);
      return through(past, tags, Math.max(from, floor), to, paced(signal), begin, said(end, older), way);
    },
    async limitTime(tags, from, to, limit, signal, older) {
      checkLimit(tags, from, to, limit);
      const now = clock.micros();
      const begin = (tag: number, open: Series | undefined, missing: Missing): Limit => {
        const sides = new Limit(tag, from, to, limit);
        if (from < to) sides.begin(laterOf(past.before(tag, from, open, missing), older?.get(tag)?.before));
        return sides;
      };
      const end = (_tag: number, sides: Limit): LimitTime => sides.result(Math.min(to, now));
      const way = both(past, from, to, older, (sink: Limit, piece) => sink.sides(piece));
      return through(past, tags, from, to, paced(signal), begin, said(end, older), way);
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
    async kpis(tags, from, to, signal, older) {
      check(tags, from, to);
      const end: End<Buckets, Kpi> = (tag, sums, open, missing) => {
        const [n = 0, min = NaN, max = NaN, sum = NaN] = [sums.good[0], sums.min[0], sums.max[0], sums.sum[0]];
        const last = from < to ? laterOf(past.before(tag, to, open, missing), older?.get(tag)?.last) : undefined;
        return {
          ...{ tag, n, min: known(min), avg: known(sum / n), max: known(max) },
          last: last && last.t >= from ? last : null,
        };
      };
      return figures(tags, from, to, { t: [from], end: to }, end, signal, older);
    },
    floor: () => past.floor(),
    since: () => past.since(),
    before: (tag, t) => past.before(tag, t),
    async count(tag, from, to, signal) {
      const count = (): Count => new Count(from, to);
      const [n = 0] = await through(past, [tag], from, to, paced(signal), count, (_tag, counted) => counted.n);
      return n;
    },
    close: () => past.close(),
  };
}

type End<S, T> = (tag: number, sink: S, open: Series | undefined, missing: Missing) => T;
/** The answer that `end` makes of a tag, with what it lacks. Of a tag that `older` says nothing of, who asked there says it. */
function said<S, T extends object>(end: End<S, T>, older?: Older<unknown>): End<S, T & Lacking> {
  return (tag, sink, open, missing) => ({
    ...end(tag, sink, open, missing),
    ...missed(older && !older.has(tag) ? { holes: missing.holes } : missing),
  });
}

function missed({ holes, ...removed }: Missing): Lacking {
  const [damaged, gone] = [lackOf(holes), removedOf(removed)];
  return { ...damaged, ...lacksToo(damaged, gone) };
}

/** Whether samples from elsewhere stand in for a chunk that is damaged here, in an answer that begins at `start`. */
const fills = ({ from, until }: Filled, hole: Hole, start: Micros): boolean =>
  hole.to < until && from <= (hole.from < start ? hole.to : hole.from);

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
