// The figures of a run of samples, and how the figures of two runs become those of both. Pure; the store keeps them
// beside each chunk and hour, the queries add them up.
import type { Micros } from '../../model.ts';
import { figureAt } from './series.ts';
import type { Series } from './series.ts';

const SECOND = 1_000_000;

/**
 * Figures of samples in time order; only good, finite values count but for `n`. NaN where there is none.
 * A value holds until the next sample, so `area` and `known` reach from the first sample to the last: what the last one
 * is worth until the next run begins is added by whoever joins the two.
 */
export interface Summary {
  n: number;
  good: number;
  min: number;
  max: number;
  /** This and `area` are Infinity where adding passed what a double holds. */
  sum: number;
  /** Value × time held, in value × seconds. */
  area: number;
  /** Time with a good value, µs. */
  known: Micros;
  /** Times of the first and the last sample, of whatever quality. */
  t0: Micros;
  t1: Micros;
  /** The first and the last good value. */
  first: number;
  last: number;
  /** The value that holds after `t1`: the last one, or NaN when the last sample is not good. */
  held: number;
}

/** What a curve needs of them. */
export type Sums = Pick<Summary, 'good' | 'min' | 'max' | 'sum'>;

export const nothing: Readonly<Summary> = {
  ...{
    n: 0,
    good: 0,
    min: NaN,
    max: NaN,
    sum: 0,
    area: 0,
    known: 0,
    t0: NaN,
    t1: NaN,
    first: NaN,
    last: NaN,
    held: NaN,
  },
};

/** The figures of the samples from index `from` to before `to`. */
export function summarize(series: Series, from = 0, to = series.n): Summary {
  const { t, status, values } = series;
  if (from >= to) return { ...nothing };
  const [v, has] = values.kind === 'any' ? [figuresOf(series, from, to), undefined] : [values.v, values.has];
  const offset = values.kind === 'any' ? from : 0;
  // Each by itself: taken out of an array they would be objects, and the loop four times as slow.
  let good = 0;
  let sum = 0;
  let area = 0;
  let known = 0;
  let min = Infinity;
  let max = -Infinity;
  let first = NaN;
  let last = NaN;
  let held = NaN;
  let since = 0;
  for (let i = from; i < to; i++) {
    const now = t[i] as number;
    if (held === held) {
      area += held * (now - since);
      known += now - since;
    }
    since = now;
    const value = v[i - offset] as number;
    if ((status[i] as number) >>> 30 !== 0 || value - value !== 0 || (has !== undefined && has[i] === 0)) {
      held = NaN;
      continue;
    }
    held = last = value;
    if (good++ === 0) first = value;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (good === 0) min = max = NaN;
  const [t0, t1] = [t[from] as number, t[to - 1] as number];
  return {
    ...{ n: to - from, good, min, max, sum: added(sum), area: added(area / SECOND) },
    ...{ known, t0, t1, first, last, held },
  };
}

/** Of the samples from index `from` to before `to` what can be had several times as quickly as all figures. */
export function sumUp(series: Series, from: number, to: number): Sums {
  const { status, values } = series;
  if (values.kind === 'any') return summarize(series, from, to);
  const { v, has } = values;
  return (has ? undefined : plainSums(v, status, from, to)) ?? pickedSums(v, status, has, from, to);
}

/** Undefined where not every sample counts: a sum that is finite has nothing else in it. */
function plainSums(v: Float64Array, status: Uint32Array, from: number, to: number): Sums | undefined {
  let statuses = 0;
  for (let i = from; i < to; i++) statuses |= status[i] as number;
  if (statuses >>> 30 !== 0 || from >= to) return undefined;
  let sum = 0;
  let min = Infinity;
  let max = -Infinity;
  for (let i = from; i < to; i++) {
    const value = v[i] as number;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return Number.isFinite(sum) ? { good: to - from, min, max, sum } : undefined;
}
function pickedSums(v: Float64Array, status: Uint32Array, has: Uint8Array | undefined, from: number, to: number): Sums {
  let good = 0;
  let sum = 0;
  let min = Infinity;
  let max = -Infinity;
  for (let i = from; i < to; i++) {
    const value = v[i] as number;
    if ((status[i] as number) >>> 30 !== 0 || value - value !== 0 || (has && has[i] === 0)) continue;
    good++;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return good === 0 ? nothing : { good, min, max, sum: added(sum) };
}

/** Infinities of both signs add up to NaN, which no row takes for a sum. */
const added = (sum: number): number => (Number.isFinite(sum) ? sum : Infinity);

function figuresOf(series: Series, from: number, to: number): Float64Array {
  return Float64Array.from({ length: to - from }, (_none, i) => figureAt(series, from + i));
}

/** Both runs as one: `later` begins after `earlier` ends, and what `earlier` ends with holds until then. */
export function joined(earlier: Summary, later: Summary): Summary {
  if (earlier.n === 0) return { ...later };
  if (later.n === 0) return { ...earlier };
  const gap = Number.isNaN(earlier.held) ? 0 : later.t0 - earlier.t1;
  return {
    n: earlier.n + later.n,
    good: earlier.good + later.good,
    min: least(earlier.min, later.min),
    max: -least(-earlier.max, -later.max),
    sum: added(earlier.sum + later.sum),
    area: added(earlier.area + later.area + (gap > 0 ? (earlier.held * gap) / SECOND : 0)),
    known: earlier.known + later.known + gap,
    t0: earlier.t0,
    t1: later.t1,
    first: earlier.good > 0 ? earlier.first : later.first,
    last: later.good > 0 ? later.last : earlier.last,
    held: later.held,
  };
}

/** The smaller of two where NaN is none. */
function least(a: number, b: number): number {
  return b < a || Number.isNaN(a) ? b : a;
}
