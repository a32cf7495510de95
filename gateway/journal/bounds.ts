// What of the journal's files may go, and what must when there is too much: delivered segments beyond a margin, and beyond
// the cap the oldest, those that the embedded historian still needs last. Pure; asked by segments.ts after each write.
import type { Books } from './books.ts';
import { overlaps } from './ranges.ts';
import type { Segment } from './segment.ts';

export interface Bounds {
  /** Bytes of segment files. */
  cap: number;
  /**
   * Delivered segments stay until there are more bytes of them than this, or they are older (ms) than now, or than what a
   * store elsewhere that is behind got last: when it is back, it may have lost that much.
   */
  margin: { bytes: number; ms: number };
}

/** Segments to remove, in this order; the last of all, which is being written, never goes. */
export function surplus(
  segments: readonly Segment[],
  consumers: readonly Books[],
  now: number,
  { cap, margin }: Bounds,
): { delivered: Segment[]; owed: Segment[] } {
  const wanted = ({ base, end }: Segment, by = consumers): boolean =>
    by.some((books) => overlaps(books.needs, { from: base, to: end }));
  const closed = segments.slice(0, -1);
  const spare = closed.filter((segment) => !wanted(segment));
  const elsewhere = consumers.filter((books) => !books.own);
  const behind = closed.findIndex((segment) => wanted(segment, elsewhere));
  const since = Math.min(now, closed[behind - 1]?.at ?? now) - margin.ms;
  const delivered: Segment[] = [];
  let kept = segments.reduce((sum, { size }) => sum + size, 0);
  let margined = 0;
  for (const segment of [...spare].reverse()) {
    margined += segment.size;
    if (margined > margin.bytes || segment.at < since) delivered.push(segment);
  }
  for (const { size } of delivered) kept -= size;
  const left = spare.filter((segment) => !delivered.includes(segment));
  for (const segment of left) {
    if (kept <= cap) break;
    kept -= segment.size;
    delivered.push(segment);
  }
  const own = consumers.filter((books) => books.own);
  const needed = closed.filter((segment) => !spare.includes(segment));
  const order = [
    ...needed.filter((segment) => !wanted(segment, own)),
    ...needed.filter((segment) => wanted(segment, own)),
  ];
  const owed: Segment[] = [];
  for (const segment of order) {
    if (kept <= cap) break;
    kept -= segment.size;
    owed.push(segment);
  }
  return { delivered, owed };
}
