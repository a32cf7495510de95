// What a screen draws of a tag's buckets: in each its lowest, mean and highest value, the value that held where no sample
// fell in, and nothing where nothing good was known. Pure; called by the reader worker for the page's trends.
import type { AggregateSeries } from '../history.ts';
import type { Micros } from '../model.ts';

const HOUR = 3_600_000_000;
const hourOf = (t: Micros): number => Math.floor(t / HOUR);

export type Curve = Record<'min' | 'avg' | 'max', (number | null)[]>;
type Bucket = Record<keyof Curve, number | null>;

/** @param floor what is older is known by the hour alone, and is drawn as level as that; null is a gap */
export function curve({ t, share, last, mean, ...figures }: AggregateSeries, floor: Micros): Curve {
  const drawn: Curve = { min: [], avg: [], max: [] };
  const push = ({ min, avg, max }: Bucket): void => {
    drawn.min.push(min);
    drawn.avg.push(avg);
    drawn.max.push(max);
  };
  let held: number | null = null;
  let newest: { bucket: Bucket; hour: number } | undefined;
  t.forEach((start, i) => {
    const known = (share[i] ?? 0) > 0;
    const [min, avg, max] = [figures.min[i] ?? null, figures.avg[i] ?? null, figures.max[i] ?? null];
    const before = known ? (held ?? mean[i] ?? null) : null;
    held = last[i] ?? before;
    if (avg === null && before === null) {
      // The figures of a whole hour stand in the bucket that it begins in.
      const level = start < floor && newest?.hour === hourOf(start) ? newest.bucket : undefined;
      return push(level ?? { min: null, avg: null, max: null });
    }
    const bucket = avg === null ? { min: before, avg: before, max: before } : { min, avg, max };
    newest = { bucket, hour: hourOf(start) };
    push(bucket);
  });
  return drawn;
}
