// A site's figures: each metric with an `aggregate`, over the site's assets, now and over a window. Pure; used by the summary.
// mean: the plain mean of the assets; min and max are the extremes of any asset. sum and max: the site's own course,
// bucket by bucket (only buckets in which every asset that reports at all has data), and its average, lowest and highest.
import type { Tag } from '../catalog.ts';
import type { BucketSeries } from '../history.ts';
import type { SummaryKpi, WireRange } from './wire.ts';

type Aggregate = SummaryKpi['aggregate'];
export type Window = Pick<SummaryKpi, 'avg' | 'min' | 'max'>;

export function combine(values: readonly number[], aggregate: Aggregate): number | null {
  if (values.length === 0) return null;
  if (aggregate === 'max') return Math.max(...values);
  const sum = values.reduce((a, b) => a + b, 0);
  return aggregate === 'sum' ? sum : sum / values.length;
}

/**
 * The site's course: one value a bucket, null where an asset that reports at all is missing. For mean that is so in the last
 * bucket alone, which has only begun: there whoever has not reported yet would move it; before, where all are.
 */
export function course(series: readonly BucketSeries[], aggregate: Aggregate): (number | null)[] {
  const reporting = series.filter((one) => one.n.some((n) => n > 0));
  const valuesAt = (i: number): number[] =>
    reporting.map((one) => (aggregate === 'max' ? one.max[i] : one.avg[i])).filter((v): v is number => v != null);
  const buckets = series[0]?.t ?? [];
  return buckets.map((_t, i) => {
    const values = valuesAt(i);
    const expected =
      aggregate !== 'mean' ? reporting.length : i > 0 && i === buckets.length - 1 ? valuesAt(i - 1).length : 0;
    return values.length < expected ? null : combine(values, aggregate);
  });
}

export function windowOf(series: readonly BucketSeries[], aggregate: Aggregate): Window {
  if (aggregate === 'mean') {
    const averages = series.map(averageOf).filter((v): v is number => v !== null);
    return {
      avg: combine(averages, 'mean'),
      min: lowest(series.flatMap((one) => one.min)),
      max: highest(series.flatMap((one) => one.max)),
    };
  }
  const values = course(series, aggregate);
  return {
    avg: combine(
      values.filter((v): v is number => v !== null),
      'mean',
    ),
    min: lowest(values),
    max: highest(values),
  };
}

/** Mean over time: each bucket with data counts alike, so that an hour of dense samples does not outweigh a sparse day. */
function averageOf(series: BucketSeries): number | null {
  return combine(
    series.avg.filter((value): value is number => value !== null),
    'mean',
  );
}

/** The assets' operating ranges as one, when every one has one. */
export function rangeOf(tags: readonly Tag[], aggregate: Aggregate): WireRange | undefined {
  const ranges = tags.map((tag) => tag.range).filter((range) => range !== undefined);
  if (ranges.length === 0 || ranges.length < tags.length) return undefined;
  const low = combine(
    ranges.map((range) => range.low),
    aggregate,
  );
  const high = combine(
    ranges.map((range) => range.high),
    aggregate,
  );
  return low === null || high === null ? undefined : { low, high };
}

/** Bucket width in minutes that keeps the query below its bound of cells. */
export function widthMinutes(hours: number, tags: number, atLeast: number, cells = 60_000): number {
  const least = Math.ceil((hours * 60 * tags) / cells);
  const fitting = [1, 2, 5, 10, 15, 30, 60, 120, 240, 720, 1440].find((width) => width >= Math.max(atLeast, least));
  return fitting ?? 1440;
}

function lowest(values: readonly (number | null)[]): number | null {
  let best: number | null = null;
  for (const value of values) if (value !== null && (best === null || value < best)) best = value;
  return best;
}

function highest(values: readonly (number | null)[]): number | null {
  let best: number | null = null;
  for (const value of values) if (value !== null && (best === null || value > best)) best = value;
  return best;
}
