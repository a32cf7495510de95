// From the API's time series to what uPlot draws: columns over one time axis, live points appended, gaps found. What held
// and what is a gap is history's word: null is a gap, and nothing is drawn across one. Pure; Trend.svelte prepares,
// Chart.svelte draws, describe.ts says it in words.
import type { Dict, SummaryKpi, Timeseries, WireLimits } from '../../gateway/web/wire.ts';
import type { Frame } from './frame.ts';
import { liveEvery, reach, type Tail } from './tail.ts';

export const hueCount = 4;
/** Dash patterns: solid for the first four, then one pattern more for every further four. */
const dashes: number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

export type Point = number | null | undefined;

/** A curve as it was answered, in buckets, or in samples: then each asset has points of its own, undefined between them. */
export type Course = Omit<Timeseries, 'series'> & {
  series: (Omit<Timeseries['series'][number], 'min' | 'avg' | 'max'> & Record<'min' | 'avg' | 'max', Point[]>)[];
};

export interface Line {
  asset: string;
  name: string;
  /** null where nothing is known; undefined between an asset's own samples. */
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
  /** What lies before this is not all there; undefined when it is. */
  lacksUntil: number | undefined;
  /** ms of a bucket; 0: the points are samples. */
  step: number;
}

/** Buckets a screen can show: in steps, so that a window being resized is not fetched at every pixel. */
export function pointsFor(pixels: number): number {
  return Math.min(2000, Math.max(200, Math.ceil(pixels / 200) * 200));
}

/** A bucket's width in words: `30 s`, `5 min`, `2 h`, `1 d`; 0 is none. */
export function sayBucket(minutes: number): string {
  if (minutes === 0) return 'samples';
  if (minutes < 1) return `${Math.round(minutes * 60)} s`;
  if (minutes % 1440 === 0) return `${minutes / 1440} d`;
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

/** Assets that have the metric, in the order of the plant. */
export function assetsOf(dict: Dict | undefined, metric: string): { asset: string; name: string; tag: string }[] {
  if (!dict) return [];
  const tags = new Map(dict.tags.filter((tag) => tag.metric === metric).map((tag) => [tag.asset, tag.id]));
  return dict.assets.flatMap(({ path, name }) => {
    const tag = tags.get(path);
    return tag === undefined ? [] : [{ asset: path, name, tag }];
  });
}

export interface Behind {
  /** Live points behind the last bucket. */
  tail?: Tail;
  /** When the course was answered, ms: until then it is known. */
  asOf?: number;
  /** The values are states: a mean of states says nothing, so each bucket shows its highest. */
  names?: Record<number, string>;
}

/** What the chart draws for the chosen assets. */
export function shape(course: Course, assets: readonly string[], { tail, asOf, names }: Behind = {}): ChartData {
  const step = course.bucketMinutes * 60_000;
  const end = course.t[course.t.length - 1] ?? 0;
  const first = tail ? tail.t.findIndex((t) => t > end) : -1;
  const live = tail && first >= 0 ? tail.t.slice(first) : [];
  // Between what was answered and the first live point the page may have heard nothing.
  const unknown = Math.max(end + 1, asOf ?? end + step);
  const missed = live[0] !== undefined && live[0] > unknown + reach(liveEvery(course.bucketMinutes)) ? [unknown] : [];
  const t = [...course.t, ...missed, ...live];
  const lines: Line[] = [];
  assets.forEach((asset, n) => {
    const found = course.series.find((one) => one.asset === asset);
    if (!found) return;
    const values = tail?.values.get(asset);
    const later = [...missed.map(() => null), ...(values ? values.slice(first) : live.map(() => null))].slice(
      0,
      missed.length + live.length,
    );
    lines.push({
      asset,
      name: found.name,
      avg: [...(names ? found.max : found.avg), ...later],
      min: [...(names ? found.max : found.min), ...later],
      max: [...found.max, ...later],
      hue: n % hueCount,
      dash: dashes[Math.floor(n / hueCount) % dashes.length] ?? [],
    });
  });
  const from = Date.parse(course.from);
  const to = Date.parse(course.to) || 0;
  return {
    t,
    lines,
    limits: sharedLimits(lines.map((line) => course.series.find((one) => one.asset === line.asset)?.limits)),
    gaps: findGaps(t, lines, live.length > 0 ? (t[t.length - 1] ?? 0) : Math.min(to, asOf ?? to)),
    unit: course.unit,
    decimals: course.decimals,
    names,
    from: Number.isFinite(from) ? from : (t[0] ?? 0),
    to: Math.max(to, t[t.length - 1] ?? 0),
    step,
    lacksUntil: course.incomplete === undefined ? undefined : course.incompleteUntil,
  };
}

/** The value at a point: between an asset's own samples, the one that held. */
export function valueAt(line: Line, n: number): number | null {
  return valueOf(line.avg, n);
}

function valueOf(list: readonly Point[], n: number): number | null {
  let at = n;
  while (at > 0 && list[at] === undefined) at--;
  return list[at] ?? null;
}

function sharedLimits(all: (WireLimits | undefined)[]): WireLimits | undefined {
  const first = all[0];
  if (!first) return undefined;
  const key = ({ ll, l, h, hh }: WireLimits) => [ll, l, h, hh].join();
  return all.every((one) => one && key(one) === key(first)) ? first : undefined;
}

/** Stretches where nothing is known of any line; `end`: up to where anything could be known. */
function findGaps(t: readonly number[], lines: readonly Line[], end: number): [number, number][] {
  if (lines.length === 0) return [];
  const gaps: [number, number][] = [];
  const known = lines.map(() => false);
  let open: number | undefined;
  t.forEach((time, n) => {
    lines.forEach((line, k) => {
      if (line.avg[n] !== undefined) known[k] = line.avg[n] !== null;
    });
    if (!known.includes(true)) open ??= time;
    else if (open !== undefined) {
      gaps.push([open, time]);
      open = undefined;
    }
  });
  if (open !== undefined && end > open) gaps.push([open, end]);
  return gaps;
}

/** The part of it that is shown; where no point lies in it, the one before, whose values go on. */
export function crop(data: ChartData, { from, to }: Frame): ChartData {
  const first = data.t.findIndex((t) => t >= from);
  const last = data.t.findLastIndex((t) => t <= to);
  const gaps = data.gaps.filter((gap) => gap[0] < to && gap[1] > from);
  const none = first < 0 || first > last;
  if (none && last >= 0 && from <= data.to)
    return { ...data, t: data.t.slice(last, last + 1), lines: data.lines.map((line) => goingOn(line, last)), gaps };
  const part = <T>(list: readonly T[]): T[] => (none ? [] : list.slice(first, last + 1));
  return {
    ...data,
    t: part(data.t),
    lines: data.lines.map((line) => ({ ...line, avg: part(line.avg), min: part(line.min), max: part(line.max) })),
    gaps,
  };
}

/** Of a line, what holds at a point: nothing where the line ended before. */
function goingOn(line: Line, n: number): Line {
  return { ...line, avg: [valueOf(line.avg, n)], min: [valueOf(line.min, n)], max: [valueOf(line.max, n)] };
}
