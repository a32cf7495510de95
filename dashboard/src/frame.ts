// The stretch of time that the chart shows when an operator has zoomed or panned. Pure; Trend.svelte holds one, the chart's
// gestures make the next.

/** ms since the epoch. */
export interface Frame {
  from: number;
  to: number;
}

const shortest = 2000;
const longest = 366 * 86_400_000;

/** Kept in what can be looked at: not shorter than two seconds, not longer than a year, nothing beyond `latest`. */
export function within(frame: Frame, latest: number): Frame {
  const width = Math.min(longest, Math.max(shortest, frame.to - frame.from));
  const middle = (frame.from + frame.to) / 2;
  const to = Math.min(latest, Math.round(middle + width / 2));
  return { from: Math.round(to - width), to };
}

/** Moved by a share of its width: negative is earlier. */
export function pan({ from, to }: Frame, share: number): Frame {
  const by = (to - from) * share;
  return { from: from + by, to: to + by };
}

/** Wider (factor above 1) or narrower, with the time at `share` of its width kept in place, also where it can go no further. */
export function zoom({ from, to }: Frame, factor: number, share = 0.5): Frame {
  const width = Math.min(longest, Math.max(shortest, (to - from) * factor));
  const start = from + (to - from - width) * share;
  return { from: start, to: start + width };
}

/** What is fetched for a frame: half as much again on either side, so that a small pan shows it at once. */
export function around({ from, to }: Frame, latest: number): Frame {
  const margin = (to - from) / 2;
  return { from: Math.floor(from - margin), to: Math.ceil(Math.min(latest, to + margin)) };
}

/** Whether loaded data shows the frame as finely as the screen can: all of it, and no more than twice too coarse. */
export function shows(loaded: Frame, bucketMs: number, frame: Frame, pixels: number, latest: number): boolean {
  const whole = loaded.from <= frame.from && loaded.to >= Math.min(frame.to, latest);
  const finest = Math.max(1000, (frame.to - frame.from) / Math.max(1, pixels));
  return whole && bucketMs <= 2.5 * finest;
}

export function overlap(one: Frame, other: Frame): boolean {
  return one.from < other.to && other.from < one.to;
}
