// In which order owed frames go to a consumer that wants the present first: above five minutes of backlog what is live
// goes ahead from the moment of return, and the backlog follows behind it. Only live frames are moved: an import or a
// correction is sent after all lower sequences, because in a store the frame that comes later wins.
// Pure; used by the log and by the egress thread, each with its own way to read the frames of given ranges.
import type { FrameMeta } from './head.ts';
import { minus, plus, without } from './ranges.ts';
import type { Range } from './ranges.ts';

/** Age of the oldest owed frame above which live frames go first, ms. */
export const LATE = 5 * 60_000;

/** One consumer's state; a fresh one is `{ passed: [] }`. */
export interface Order {
  /** The first sequence of what goes first; undefined: everything goes as it came. */
  split?: number;
  /** Sequences from the split on that are not live: they wait until they are the lowest. */
  passed: Range[];
}
export interface Ordered<Frame> {
  live: Frame[];
  /** From behind the split; also empty as long as there is none. */
  backlog: Frame[];
}
/**
 * Reads frames of ranges, lowest first, up to `bytes` in all; `least`: one even if it does not fit. With `passed`, frames
 * that are not live are left out and their sequences reported to it; it may end early when it passed many.
 */
export type Take<Frame> = (
  ranges: readonly Range[],
  bytes: number,
  least: boolean,
  passed?: (range: Range) => void,
) => Frame[];

/**
 * What is to be sent next: live before backlog, at least one frame if any is owed, then up to `bytes`.
 * @param end one past the highest sequence that may be sent
 * @param now ms since the epoch
 */
export function inOrder<Frame extends { meta: Pick<FrameMeta, 'size' | 'receivedAt'> }>(
  order: Order,
  owed: readonly Range[],
  end: number,
  now: number,
  bytes: number,
  take: Take<Frame>,
): Ordered<Frame> {
  const sendable = minus(owed, { from: end, to: Infinity });
  if (order.split === undefined) {
    const live = take(sendable, bytes, true);
    if (!isLate(live, now)) return { live, backlog: [] };
    split(order, end);
  }
  let live = ahead(order, sendable, bytes, take);
  if (isLate(live, now)) {
    // A second outage while the first was being made up for: what went first is backlog too by now.
    split(order, end);
    live = [];
  }
  // One frame of the backlog goes along in any case: live frames alone must not hold it up for ever.
  const room = live.reduce((left, { meta }) => left - meta.size, bytes);
  const backlog = take(minus(sendable, { from: order.split ?? end, to: Infinity }), room, true);
  if (backlog.length > 0) return { live, backlog };
  // Nothing is left behind the split: what was passed is the lowest now.
  delete order.split;
  order.passed = [];
  return { live: live.length > 0 ? live : take(sendable, bytes, true), backlog };
}

function split(order: Order, end: number): void {
  order.split = end;
  order.passed = [];
}

function ahead<Frame>(order: Order, sendable: readonly Range[], bytes: number, take: Take<Frame>): Frame[] {
  const { split: from = 0 } = order;
  const ranges = without(minus(sendable, { from: -Infinity, to: from }), order.passed);
  if (ranges.length === 0) return [];
  return take(ranges, bytes, true, (range) => {
    const last = order.passed.at(-1);
    // Nearly always behind all others; there may be very many.
    if (!last || range.from > last.to) order.passed.push({ ...range });
    else if (range.from === last.to) last.to = range.to;
    else order.passed = plus(order.passed, range);
  });
}

/** By the time at which the gateway got the first sample of the oldest frame that has one. */
function isLate(frames: readonly { meta: Pick<FrameMeta, 'receivedAt'> }[], now: number): boolean {
  const oldest = frames.find(({ meta }) => meta.receivedAt > 0);
  return oldest !== undefined && now - oldest.meta.receivedAt / 1000 > LATE;
}
