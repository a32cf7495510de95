// What may be asked of history at once: bounds of rows, cells and tags, each refused with a sentence that says what to do.
// Pure; asked by the queries before they begin, and by historian/deep.ts before it asks elsewhere.
import type { AggregateQuery } from '../../history.ts';
import type { Micros } from '../../model.ts';
import { boundaries, fixed } from './calendar.ts';
import type { Boundaries } from './calendar.ts';

const MAX_ROWS = 100_000;
const MAX_CELLS = 100_000;
const MAX_TAGS = 20_000;

/** This and the others throw a RangeError. */
export function check(tags: readonly number[], from: Micros, to: Micros): void {
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

export function checkRows(tag: number, from: Micros, to: Micros, limit: number): void {
  check([tag], from, to);
  if (!(limit >= 1 && limit <= MAX_ROWS)) throw new RangeError(`limit must be from 1 to ${MAX_ROWS}, not ${limit}`);
}

export function checkSpans(tags: readonly number[], from: Micros, to: Micros, limit: number): void {
  check(tags, from, to);
  bounded(tags.length, limit);
}

export function checkLimit(tags: readonly number[], from: Micros, to: Micros, limit: number): void {
  check(tags, from, to);
  if (!Number.isFinite(limit)) throw new RangeError('the limit must be a number');
}

/** Buckets of one width counted from the epoch. */
export function fixedBuckets(tags: readonly number[], from: Micros, to: Micros, width: Micros): Boundaries {
  check(tags, from, to);
  if (!Number.isSafeInteger(width) || width < 1)
    throw new RangeError('the bucket width must be a whole number of microseconds above 0');
  bounded(tags.length, (to - from) / width);
  return fixed(from, to, width);
}

export function calendarBuckets({ tags, from, to, width, zone }: AggregateQuery): Boundaries {
  check(tags, from, to);
  const bounds = boundaries(from, to, width, zone, MAX_CELLS);
  bounded(tags.length, bounds.t.length);
  return bounds;
}
