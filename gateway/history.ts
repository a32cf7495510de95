// How history is asked: the read interface, its queries and their answers. historian/ answers, web/ and the command line ask.
import type { Micros, Quality, Value } from './model.ts';

/** Said with an answer of which a part could not be had just now, or is removed or damaged for good; absent when it is whole. */
export interface Lacking {
  /** In words: which part, and why. */
  incomplete?: string;
  /** With it: that part lies before this. */
  incompleteUntil?: Micros;
}

export interface RawSeries extends Lacking {
  tag: number;
  t: Micros[];
  value: Value[];
  status: number[];
  /** True when the limit of rows cut it short. */
  more: boolean;
}

/** A page of samples as lines of a file, made where the query runs. */
export interface RowText extends Lacking {
  /** UTF-8. */
  text: Uint8Array;
  /** Where the next page begins; absent when this is the last. */
  next?: Micros;
}
/** How samples of a tag stand in a file. */
export interface RowForm {
  format: 'csv' | 'ndjson';
  tag: string;
  unit: string;
  /** IANA name: each time is a local one with its offset. */
  zone: string;
  /** What import would take without being told more; absent: anything. */
  believed?: { low: number; high: number };
}

/** Buckets of one tag, columnar; a bucket without a good value has n = 0 and nulls: a gap is a gap. */
export interface BucketSeries extends Lacking {
  tag: number;
  /** Start of each bucket. */
  t: Micros[];
  n: number[];
  min: (number | null)[];
  avg: (number | null)[];
  max: (number | null)[];
}

/** Buckets as finished JSON, made where the query runs, so that a page's answer costs main no more than a copy. */
export interface BucketText extends Lacking {
  /** UTF-8 of the array of bucket starts, ms since the epoch. */
  t: Uint8Array;
  /**
   * For each column asked, in that order: UTF-8 of `"min":[…],"avg":[…],"max":[…]`, rounded to its decimal places. Where no
   * sample fell into a bucket but a good value held, that value; null where nothing good was known: a gap.
   */
  columns: Uint8Array[];
}

export interface Kpi extends Lacking {
  tag: number;
  n: number;
  min: number | null;
  avg: number | null;
  max: number | null;
  last: { t: Micros; value: Value; status: number } | null;
}

/** Width of a bucket: microseconds, or a unit of the calendar in the query's time zone. */
export type BucketWidth = Micros | 'hour' | 'day' | 'week' | 'month' | 'year';

export interface AggregateQuery {
  tags: readonly number[];
  from: Micros;
  to: Micros;
  width: BucketWidth;
  /** IANA name; buckets begin at its midnights (weeks on Monday), also over a change of clocks. UTC by default. */
  zone?: string;
}

/** All figures of a tag's buckets, columnar. The value held from before a bucket counts in `mean` and `share` alone. */
export interface AggregateSeries extends Lacking {
  tag: number;
  /** Start of each bucket, and where the last one ends. */
  t: Micros[];
  end: Micros;
  /** All samples, and those good and finite, which alone count in what follows. */
  count: number[];
  good: number[];
  /** Share of the bucket's time with a good value, 0 to 1. A value holds until the next sample, bad ones included. */
  share: number[];
  min: (number | null)[];
  max: (number | null)[];
  first: (number | null)[];
  last: (number | null)[];
  /** Mean of the samples. */
  avg: (number | null)[];
  /** Mean over the time with a good value. */
  mean: (number | null)[];
}

/** A value as long as it held; `quality: 'none'` where nothing is known. */
export interface StateSpan {
  from: Micros;
  to: Micros;
  value: Value;
  quality: Quality | 'none';
}
export interface StateSeries extends Lacking {
  tag: number;
  spans: StateSpan[];
  /** Time spent in each good value, µs, longest first. */
  durations: { value: Value; time: Micros; times: number }[];
  more: boolean;
}

/** How long a good value was above and below a limit, and how long there was one at all, µs. */
export interface LimitTime extends Lacking {
  tag: number;
  above: Micros;
  below: Micros;
  known: Micros;
}

/** Read access to history; times are [from, to). Queries are bounded in rows and time and reject with a clear error. */
export interface Historian {
  /** A page of samples; where it says `more`, the next begins at its last time + 1. */
  raw(tag: number, from: Micros, to: Micros, limit: number, signal?: AbortSignal): Promise<RawSeries>;
  /** The same as finished lines. */
  rows(tag: number, from: Micros, to: Micros, limit: number, form: RowForm, signal?: AbortSignal): Promise<RowText>;
  buckets(
    tags: readonly number[],
    from: Micros,
    to: Micros,
    width: Micros,
    signal?: AbortSignal,
  ): Promise<BucketSeries[]>;
  bucketText(
    columns: readonly { tag: number; places: number }[],
    from: Micros,
    to: Micros,
    width: Micros,
    signal?: AbortSignal,
  ): Promise<BucketText>;
  latest(
    tags: readonly number[],
    signal?: AbortSignal,
  ): Promise<{ tag: number; t: Micros; value: Value; status: number }[]>;
  kpis(tags: readonly number[], from: Micros, to: Micros, signal?: AbortSignal): Promise<Kpi[]>;
  aggregate(query: AggregateQuery, signal?: AbortSignal): Promise<AggregateSeries[]>;
  /** At most `limit` spans of each tag. */
  states(
    tags: readonly number[],
    from: Micros,
    to: Micros,
    limit: number,
    signal?: AbortSignal,
  ): Promise<StateSeries[]>;
  limitTime(
    tags: readonly number[],
    from: Micros,
    to: Micros,
    limit: number,
    signal?: AbortSignal,
  ): Promise<LimitTime[]>;
}
