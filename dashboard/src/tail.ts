// Live values behind a fetched curve: one point a second or rarer, from the stream. Pure; course.svelte.ts keeps a tail,
// series.ts draws it. Nothing is drawn across a time in which the page heard nothing.
import type { Reading } from './frames.ts';
import type { Point } from './series.ts';

/** Points since the last fetch: one time axis, per asset a value, null, or undefined where the stream cannot tell. */
export interface Tail {
  readonly t: readonly number[];
  readonly values: ReadonlyMap<string, readonly Point[]>;
}
export const noTail: Tail = { t: [], values: new Map() };

/** ms between two live points of a curve in buckets of so many minutes. */
export function liveEvery(bucketMinutes: number): number {
  return Math.max(1000, (bucketMinutes * 60_000) / 120);
}

/** ms after a point at which the next still goes on from it: later ones leave a gap. */
export function reach(everyMs: number): number {
  return 2 * everyMs + 3000;
}

/** What a curve shows of a value, by history's rule: only a good one that is not stale is known. */
export function drawable({ v, q, stale }: Reading): number | null {
  const value = typeof v === 'boolean' ? Number(v) : v;
  return typeof value === 'number' && Number.isFinite(value) && q === 0 && !stale ? value : null;
}

/**
 * Whether it stands in history by another way than from its device, as an import or an ingest does, and holds there: the
 * stream has no course of it, but that is no gap. A value that fell silent before the eyes of the page is none of those.
 * @param last what history knew at its end; @param lived the page has had it live
 */
export function filed({ q, stale }: Reading, last: Point, lived: boolean): boolean {
  return stale && q === 1 && typeof last === 'number' && !lived;
}

/**
 * Adds a live point if the last is at least `everyMs` old; the same tail when it is too soon, and a new one when the page
 * has heard nothing for longer than a point reaches.
 */
export function extend(tail: Tail, t: number, values: ReadonlyMap<string, Point>, everyMs: number): Tail {
  const last = tail.t[tail.t.length - 1];
  if (!Number.isFinite(t) || (last !== undefined && t - last < everyMs && t >= last)) return tail;
  const from = last !== undefined && t > last && t - last <= reach(everyMs) ? tail : noTail;
  const next = new Map<string, Point[]>();
  for (const asset of new Set([...from.values.keys(), ...values.keys()])) {
    const now = values.has(asset) ? values.get(asset) : null;
    next.set(asset, [...(from.values.get(asset) ?? from.t.map(() => null)), now]);
  }
  return { t: [...from.t, t], values: next };
}

/** Only what is later than `t`: the rest has come with an answer. */
export function after(tail: Tail, t: number): Tail {
  const first = tail.t.findIndex((time) => time > t);
  if (first === 0) return tail;
  if (first < 0) return noTail;
  return {
    t: tail.t.slice(first),
    values: new Map([...tail.values].map(([asset, list]) => [asset, list.slice(first)])),
  };
}
