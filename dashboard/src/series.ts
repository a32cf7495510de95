// From the API's time series to what uPlot draws: columns over one time axis, live points appended, gaps found, a text for
// those who do not see the curve. Pure; Trend.svelte prepares, Chart.svelte draws.
import type { Dict, SummaryKpi, Timeseries, WireLimits } from '../../gateway/web/wire.ts';
import { formatNumber, formatTime } from './format.ts';
import type { Frame } from './frame.ts';

export const hueCount = 4;
/** Dash patterns: solid for the first four, then one pattern more for every further four. */
const dashes: number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

export type Point = number | null | undefined;

export interface Line {
  asset: string;
  name: string;
  /** null where there is no value; undefined where none fell into the bucket although the one before still held. */
  avg: Point[];
  min: Point[];
  max: Point[];
  /** Which of the four series hues, 0..3. */
  hue: number;
  dash: number[];
}
export interface ChartData {
  t: number[];
  lines: Line[];
  /** Drawn dashed: when all lines share them. */
  limits: WireLimits | undefined;
  /** Where no line has a value: [from, to] in ms. */
  gaps: [number, number][];
  unit: string;
  decimals: number;
  /** Of a state: drawn in steps, its names at the axis. */
  names: Record<number, string> | undefined;
  from: number;
  to: number;
}
/** Points since the last fetch: one time axis, per asset a value or null. */
export interface Tail {
  t: number[];
  values: Map<string, (number | null)[]>;
}

/** Buckets a screen can show: in steps, so that a window being resized is not fetched at every pixel. */
export function pointsFor(pixels: number): number {
  return Math.min(2000, Math.max(200, Math.ceil(pixels / 200) * 200));
}

/** A bucket's width in words: `30 s`, `5 min`, `2 h`. */
export function sayBucket(minutes: number): string {
  if (minutes < 1) return `${Math.round(minutes * 60)} s`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
}

/** Assets to draw: those asked for that exist, else the first `hueCount`. */
export function chooseAssets(asked: readonly string[], present: readonly string[]): string[] {
  const known = asked.filter((asset) => present.includes(asset));
  return known.length > 0 ? known : present.slice(0, hueCount);
}

export interface Metric {
  metric: string;
  name: string;
  /** Names of the states of an enumeration or a boolean. */
  names: Record<number, string> | undefined;
}

/** What can be drawn, the site's key figures first and in their order. */
export function listMetrics(dict: Dict, kpis: readonly SummaryKpi[]): Metric[] {
  const found = new Map<string, Metric>();
  for (const { metric, name, type, names } of dict.tags) {
    if (type === 'text' || found.has(metric)) continue;
    found.set(metric, { metric, name, names: names ?? (type === 'boolean' ? { 0: 'Off', 1: 'On' } : undefined) });
  }
  const first = kpis.map((kpi) => found.get(kpi.metric)).filter((one): one is Metric => one !== undefined);
  return [...new Set([...first, ...found.values()])];
}

/**
 * What the chart draws for the chosen assets; `tail` adds live points behind the last bucket. With `names` the values are
 * states: a mean of states says nothing, so each bucket shows its highest.
 */
export function shape(
  series: Timeseries,
  assets: readonly string[],
  { tail, names }: { tail?: Tail; names?: Record<number, string> } = {},
): ChartData {
  const end = series.t[series.t.length - 1] ?? 0;
  const first = tail ? tail.t.findIndex((t) => t > end) : -1;
  const later = tail && first >= 0 ? tail.t.slice(first) : [];
  const t = [...series.t, ...later];
  const lines: Line[] = [];
  assets.forEach((asset, n) => {
    const found = series.series.find((one) => one.asset === asset);
    if (!found) return;
    const live = later.length > 0 ? (tail?.values.get(asset)?.slice(first) ?? later.map(() => null)) : [];
    lines.push({
      asset,
      name: found.name,
      avg: [...(names ? found.max : found.avg), ...live],
      min: [...(names ? found.max : found.min), ...live],
      max: [...found.max, ...live],
      hue: n % hueCount,
      dash: dashes[Math.floor(n / hueCount) % dashes.length] ?? [],
    });
  });
  bridge(lines, series.t.length);
  for (const line of lines) hold(line, t, series.bucketMinutes * 60_000);
  const from = Date.parse(series.from);
  return {
    t,
    lines,
    limits: sharedLimits(lines.map((line) => series.series.find((one) => one.asset === line.asset)?.limits)),
    gaps: findGaps(
      t,
      lines,
      series.bucketMinutes * 60_000,
      later.length > 0 ? (t[t.length - 1] ?? 0) : Date.parse(series.to),
    ),
    unit: series.unit,
    decimals: series.decimals,
    names,
    from: Number.isFinite(from) ? from : (t[0] ?? 0),
    to: Math.max(Date.parse(series.to) || 0, t[t.length - 1] ?? 0),
  };
}

/** The bucket now running is empty until its first readings are filed: not a gap when the points beside it are there. */
function bridge(lines: Line[], buckets: number): void {
  for (const line of lines) {
    const last = buckets - 1;
    if (last < 1 || line.avg[last] !== null || line.avg[last + 1] == null || line.avg[last - 1] === null) continue;
    line.avg[last] = line.min[last] = line.max[last] = line.avg[last + 1] ?? null;
  }
}

/** ms after which the gateway files an unchanged value again: buckets narrower than that may lie between. */
const silence = 60_000;

/** Marks the empty buckets between two values that are near enough for this tag: there the curve goes on. `step` is a bucket, ms. */
function hold(line: Line, t: readonly number[], step: number): void {
  const there = line.avg.flatMap((value, n) => (value === null ? [] : [n]));
  const spans = there.slice(1).map((n, k) => (t[n] ?? 0) - (t[there[k] ?? 0] ?? 0));
  const usual = [...spans].sort((a, b) => a - b)[Math.floor((spans.length - 1) / 2)] ?? 0;
  const near = Math.max(step < silence ? silence + 2 * step : 0, usual > step ? 2.5 * usual : 0);
  spans.forEach((span, k) => {
    if (span > near) return;
    for (let n = (there[k] ?? 0) + 1; n < (there[k + 1] ?? 0); n++) line.avg[n] = line.min[n] = line.max[n] = undefined;
  });
}

/** The value at a point: where none fell into the bucket, the one that held. */
export function valueAt(line: Line, n: number): number | null {
  let at = n;
  while (at > 0 && line.avg[at] === undefined) at--;
  return line.avg[at] ?? null;
}

function sharedLimits(all: (WireLimits | undefined)[]): WireLimits | undefined {
  const first = all[0];
  if (!first) return undefined;
  const key = ({ ll, l, h, hh }: WireLimits) => [ll, l, h, hh].join();
  return all.every((one) => one && key(one) === key(first)) ? first : undefined;
}

/** Stretches where no line has a value; `step` is a bucket, `to` the end of the axis. */
export function findGaps(t: readonly number[], lines: readonly Line[], step: number, to: number): [number, number][] {
  const gaps: [number, number][] = [];
  let open: number | undefined;
  t.forEach((time, n) => {
    const empty = lines.every((line) => line.avg[n] === null);
    if (empty) open ??= n === 0 ? time : (t[n - 1] ?? time);
    else if (open !== undefined) {
      gaps.push([open, time]);
      open = undefined;
    }
  });
  // The running bucket alone is not yet a gap.
  if (open !== undefined && to - open > 2 * step) gaps.push([open, to]);
  return lines.length === 0 ? [] : gaps;
}

/** Adds a live point if the last is at least `everyMs` old; returns a new tail (or the same when it is too soon). */
export function extend(tail: Tail, t: number, values: ReadonlyMap<string, number | null>, everyMs: number): Tail {
  const last = tail.t[tail.t.length - 1];
  if (!Number.isFinite(t) || (last !== undefined && t - last < everyMs)) return tail;
  const next = new Map<string, (number | null)[]>();
  for (const asset of new Set([...tail.values.keys(), ...values.keys()])) {
    next.set(asset, [...(tail.values.get(asset) ?? tail.t.map(() => null)), values.get(asset) ?? null]);
  }
  return { t: [...tail.t, t], values: next };
}

/** The part of it that is shown. */
export function crop(data: ChartData, { from, to }: Frame): ChartData {
  const first = data.t.findIndex((t) => t >= from);
  const last = data.t.findLastIndex((t) => t <= to);
  const part = <T>(list: readonly T[]): T[] => (first < 0 ? [] : list.slice(first, last + 1));
  return {
    ...data,
    t: part(data.t),
    lines: data.lines.map((line) => ({ ...line, avg: part(line.avg), min: part(line.min), max: part(line.max) })),
    gaps: data.gaps.filter((gap) => gap[0] < to && gap[1] > from),
  };
}

/** A value of the curve in words, without its unit. */
export function sayValue(data: Pick<ChartData, 'names' | 'decimals'>, value: number | null | undefined): string {
  return (value == null ? undefined : data.names?.[value]) ?? formatNumber(value, data.decimals);
}

/** Every line's value at a point, in words. */
export function describePoint(data: ChartData, n: number, zone: string | undefined): string {
  const time = formatTime(data.t[n] ?? Number.NaN, zone, 'date');
  const values = data.lines.map((line) => {
    const value = valueAt(line, n);
    return value === null ? `${line.name} no data` : `${line.name} ${sayValue(data, value)} ${data.unit}`.trim();
  });
  return `${time}: ${values.join('; ')}`;
}

/** The whole curve in a sentence: the highest and the lowest with their times, and the gaps. */
export function describe(data: ChartData, zone: string | undefined): string {
  let high: { value: number; t: number; name: string } | undefined;
  let low: typeof high;
  for (const line of data.lines) {
    line.max.forEach((value, n) => {
      if (value != null && (!high || value > high.value)) high = { value, t: data.t[n] ?? 0, name: line.name };
    });
    line.min.forEach((value, n) => {
      if (value != null && (!low || value < low.value)) low = { value, t: data.t[n] ?? 0, name: line.name };
    });
  }
  if (!high || !low) return 'No data in this range.';
  if (data.names) return `Each bucket shows its highest state: ${Object.values(data.names).join(' < ')}`;
  const say = (at: { value: number; t: number; name: string }) =>
    `${sayValue(data, at.value)} ${data.unit}`.trim() + ` (${at.name}, ${formatTime(at.t, zone, 'minute')})`;
  const gaps =
    data.gaps.length === 0 ? '' : ` · ${data.gaps.length} gap${data.gaps.length === 1 ? '' : 's'} without data`;
  return `Max ${say(high)} · min ${say(low)}${gaps}`;
}
