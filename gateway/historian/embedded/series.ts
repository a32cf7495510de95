// One tag's samples as columns in time order: what the codec packs, the store merges and the queries read.
// Numbers lie in a Float64Array so that a scan needs no object per sample; what no double holds stays a list of values.
import { quality } from '../../model.ts';
import type { Micros, Value } from '../../model.ts';

/** Doubles, or booleans as 0 and 1; `has` is 0 where the value is null (absent when none is). */
export interface Numbers {
  kind: 'number' | 'boolean';
  v: Float64Array;
  has: Uint8Array | undefined;
}
/** Text, bigint, or kinds mixed. */
export interface Anything {
  kind: 'any';
  v: Value[];
}

/** `n` samples; the columns may be longer than `n`. Times ascend strictly. */
export interface Series {
  n: number;
  t: Float64Array;
  /** OPC UA StatusCode, unsigned. */
  status: Uint32Array;
  /** Bits of `Flag`. */
  flags: Uint8Array;
  values: Numbers | Anything;
}

/** What of a sample is kept. */
export interface Kept {
  t: Micros;
  value: Value;
  status: number;
  flags: number;
}

export function valueAt({ values }: Series, i: number): Value {
  if (values.kind === 'any') return values.v[i] ?? null;
  if (values.has && values.has[i] === 0) return null;
  const value = values.v[i] as number;
  return values.kind === 'boolean' ? value !== 0 : value;
}

/** What counts in figures: a good, finite number (a boolean as 0 or 1); NaN for all else. */
export function figure(value: Value, status: number): number {
  if (quality(status) !== 'good' || value === null || typeof value === 'string') return NaN;
  const number = Number(value);
  return Number.isFinite(number) ? number : NaN;
}

/** `figure` of a sample in place. */
export function figureAt(series: Series, i: number): number {
  const { values } = series;
  const status = series.status[i] as number;
  if (values.kind === 'any') return figure(values.v[i] ?? null, status);
  if (status >>> 30 !== 0 || (values.has && values.has[i] === 0)) return NaN;
  const value = values.v[i] as number;
  return value - value === 0 ? value : NaN;
}

/** Columns from samples whose times ascend strictly; the narrowest kind that holds every value exactly. */
export function seriesOf(samples: readonly Kept[]): Series {
  const n = samples.length;
  const series: Series = {
    n,
    t: Float64Array.from(samples, ({ t }) => t),
    status: Uint32Array.from(samples, ({ status }) => status),
    flags: Uint8Array.from(samples, ({ flags }) => flags),
    values: valuesOf(samples.map(({ value }) => value)),
  };
  return series;
}

/** A column of values in the narrowest kind. */
export function valuesOf(list: Value[]): Numbers | Anything {
  const kinds = new Set(list.map((value) => (value === null ? 'null' : typeof value)));
  const nulls = kinds.delete('null');
  const [kind = 'number'] = kinds;
  if (kinds.size > 1 || (kind !== 'number' && kind !== 'boolean')) return { kind: 'any', v: list };
  const v = Float64Array.from(list, Number);
  return { kind, v, has: nulls ? Uint8Array.from(list, (value) => (value === null ? 0 : 1)) : undefined };
}

/** The first index whose time is at or after `t`; `n` when none is. */
export function indexOf({ t: times, n }: Series, t: Micros): number {
  let low = 0;
  let high = n;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The samples from index `from` to before `to`; numbers share the memory of the whole. */
export function part(series: Series, from: number, to: number): Series {
  const { t, status, flags, values } = series;
  return {
    n: to - from,
    t: t.subarray(from, to),
    status: status.subarray(from, to),
    flags: flags.subarray(from, to),
    values:
      values.kind === 'any'
        ? { kind: 'any', v: values.v.slice(from, to) }
        : { kind: values.kind, v: values.v.subarray(from, to), has: values.has?.subarray(from, to) },
  };
}

/** In time order; of several with one time the last is kept. */
export function ordered(series: Series): Series {
  const { n, t } = series;
  let ascending = 1;
  while (ascending < n && (t[ascending - 1] as number) < (t[ascending] as number)) ascending++;
  if (ascending >= n) return series;
  const at = Uint32Array.from({ length: n }, (_, i) => i);
  at.sort((a, b) => (t[a] as number) - (t[b] as number) || a - b);
  let kept = 0;
  for (let i = 0; i < n; i++)
    if (i + 1 === n || t[at[i] as number] !== t[at[i + 1] as number]) at[kept++] = at[i] as number;
  return gathered([series, series], new Uint8Array(kept), at.subarray(0, kept));
}

/** Both in one, in time order; where both have a time, `over` wins. */
export function merged(under: Series, over: Series): Series {
  if (under.n > 0 && over.n > 0 && (under.t[under.n - 1] as number) < (over.t[0] as number)) {
    const joined = appended(under, over);
    if (joined) return joined;
  }
  const which = new Uint8Array(under.n + over.n);
  const at = new Uint32Array(under.n + over.n);
  let n = 0;
  let i = 0;
  let k = 0;
  while (i < under.n || k < over.n) {
    const a = i < under.n ? (under.t[i] as number) : Infinity;
    const b = k < over.n ? (over.t[k] as number) : Infinity;
    which[n] = b <= a ? 1 : 0;
    at[n++] = b <= a ? k++ : i;
    if (a <= b) i++;
  }
  return gathered([under, over], which.subarray(0, n), at.subarray(0, n));
}

/** Samples picked from two series: for each, which of the two and where in it. */
function gathered(from: readonly [Series, Series], which: Uint8Array, at: Uint32Array): Series {
  const n = at.length;
  const series = { n, t: new Float64Array(n), status: new Uint32Array(n), flags: new Uint8Array(n) };
  for (let i = 0; i < n; i++) {
    const { t, status, flags } = from[which[i] as 0 | 1];
    const k = at[i] as number;
    series.t[i] = t[k] as number;
    series.status[i] = status[k] as number;
    series.flags[i] = flags[k] as number;
  }
  const [a, b] = [from[0].values, from[1].values];
  if (a.kind === 'any' || b.kind === 'any' || a.kind !== b.kind)
    return { ...series, values: valuesOf(Array.from(at, (k, i) => valueAt(from[which[i] as 0 | 1], k))) };
  const columns = [a, b] as const;
  const v = new Float64Array(n);
  const has = a.has || b.has ? new Uint8Array(n) : undefined;
  for (let i = 0; i < n; i++) {
    const column = columns[which[i] as 0 | 1];
    const k = at[i] as number;
    v[i] = column.v[k] as number;
    if (has) has[i] = column.has ? (column.has[k] as number) : 1;
  }
  return { ...series, values: { kind: a.kind, v, has } };
}

/** `later` behind `earlier`, without an object per sample; undefined where their values are not numbers of one kind. */
function appended(earlier: Series, later: Series): Series | undefined {
  const { values: a } = earlier;
  const { values: b } = later;
  if (a.kind === 'any' || b.kind === 'any' || a.kind !== b.kind) return undefined;
  const n = earlier.n + later.n;
  const both = <T extends Float64Array | Uint32Array | Uint8Array>(into: T, first: T, second: T): T => {
    into.set(first.subarray(0, earlier.n));
    into.set(second.subarray(0, later.n), earlier.n);
    return into;
  };
  const all = (has: Uint8Array | undefined, count: number): Uint8Array => has ?? new Uint8Array(count).fill(1);
  const has = a.has || b.has ? both(new Uint8Array(n), all(a.has, earlier.n), all(b.has, later.n)) : undefined;
  return {
    n,
    t: both(new Float64Array(n), earlier.t, later.t),
    status: both(new Uint32Array(n), earlier.status, later.status),
    flags: both(new Uint8Array(n), earlier.flags, later.flags),
    values: { kind: a.kind, v: both(new Float64Array(n), a.v, b.v), has },
  };
}
