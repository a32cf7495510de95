// What uPlot is told: columns, scales, axes, lines, bands and what a drag means. Loaded with the chart, not with the page.
// Called by Chart.svelte, which owns the instance; what is painted besides the curves is drawing.ts's.
import uPlot from 'uplot';
import { labels, marks, steps } from './axis.ts';
import { drawGaps, drawOver, type Look } from './drawing.ts';
import { formatMarks } from './format.ts';
import type { Frame } from './frame.ts';
import { cut } from './names.ts';
import { hueCount, type ChartData } from './series.ts';

export interface ChartProps {
  data: ChartData;
  zone: string | undefined;
  /** A change of it redraws in the new colours. */
  theme: string;
  /** What is shown of it; all when undefined. */
  frame: Frame | undefined;
  /** Index under the cursor, undefined when it left. */
  oncursor(n: number | undefined): void;
  /** The operator asks for another stretch of time; undefined: all of it. */
  onframe(frame: Frame | undefined): void;
}
/** Lines with their minimum and maximum shaded behind, so that a spike within a bucket is seen. */
function shaded(data: ChartData): ChartData['lines'] {
  return data.names ? [] : data.lines;
}

/** uPlot's columns: time, then the averages, then minimum and maximum of each shaded line. */
export function columns(data: ChartData): uPlot.AlignedData {
  return [
    data.t,
    ...data.lines.map((line) => line.avg),
    ...shaded(data).flatMap((line) => [line.min, line.max]),
  ] as uPlot.AlignedData;
}

/** What decides whether a new instance is needed. */
export function structure(data: ChartData): string {
  return [
    data.unit,
    data.decimals,
    JSON.stringify(data.names),
    ...data.lines.map((line) => `${line.asset}:${line.hue}:${line.dash.join(' ')}`),
  ].join('|');
}

/** A state holds until the next one, a sample until the next. */
const stepped = uPlot.paths.stepped?.({ align: 1 });
const straight = uPlot.paths.linear?.();
/** Samples further apart than this many pixels are marked one by one. */
const apart = 8;

/** Points that are marked: samples that stand apart, and what lies alone between two gaps and is no line. */
function marked(u: uPlot, series: number, data: ChartData): number[] {
  const values = u.data[series] ?? [];
  const [first, last] = u.series[0]?.idxs ?? [0, -1];
  const sparse = data.step === 0 && (last - first) * apart < u.bbox.width / devicePixelRatio;
  const found: number[] = [];
  // Undefined is another line's time: the curve goes on across it.
  const gapBeside = (n: number, step: 1 | -1): boolean => {
    let beside = n + step;
    while (beside >= 0 && beside < values.length && values[beside] === undefined) beside += step;
    return values[beside] == null;
  };
  for (let n = first; n <= last; n++)
    if (values[n] != null && (sparse || (gapBeside(n, -1) && gapBeside(n, 1)))) found.push(n);
  return found;
}
const font = '12px system-ui, sans-serif';

/** `now` gives the data being drawn: hooks outlive a change of data. */
export function options(
  now: () => ChartData,
  look: Look,
  zone: string | undefined,
  size: { width: number; height: number },
  hooks: { cursor(n: number | undefined): void; visible(): Frame; frame(frame: Frame | undefined): void },
): uPlot.Options {
  const data = now();
  const shadedLines = shaded(data);
  const labelled = data.lines.length <= 6 && size.width > 480;
  const edge: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false } };
  const first = data.lines.length + 1;
  return {
    ...size,
    ms: 1,
    padding: [20, labelled ? 8 + widest(data) : 20, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, dist: 6, setScale: false },
      points: { size: 7 },
      y: false,
      bind: {
        // With Shift a drag pans.
        mousedown: (_u, _target, handler) => (event: MouseEvent) => (event.shiftKey ? null : handler(event)),
        dblclick: () => () => (hooks.frame(undefined), null),
      },
    },
    scales: {
      x: {
        range: () => {
          const { from, to } = hooks.visible();
          return [from, to];
        },
      },
      y: { range: (_, low, high) => yRange(now(), low, high) },
    },
    axes: [
      {
        stroke: look.muted,
        font,
        grid: { stroke: look.line, width: 1 },
        ticks: { show: false },
        // Marks closer than a second apart have their milliseconds written.
        space: (_u, _axis, from, to, pixels) => (((to - from) / pixels) * 64 < 500 ? 100 : 64),
        size: 40,
        incrs: steps,
        splits: (_u, _axis, from, to, step) => marks(from, to, step, zone),
        values: (_u, at, _axis, _space, step) => labels(at, step, zone),
      },
      {
        stroke: look.muted,
        font,
        grid: { stroke: look.line, width: 1 },
        ticks: { show: false },
        ...(data.names ? { space: 12, incrs: [1, 2, 5, 10, 20, 50, 100] } : { space: 36 }),
        size: (_, values) => 14 + 7 * Math.max(3, ...(values ?? []).map((value) => value.length)),
        values: (_, splits) =>
          data.names ? splits.map((split) => cut(data.names?.[split] ?? '', labelled ? 24 : 12)) : formatMarks(splits),
      },
    ],
    series: [
      {},
      ...data.lines.map((line): uPlot.Series => ({
        label: line.name,
        stroke: look.hues[line.hue] ?? look.fg,
        width: 1.75,
        dash: line.dash,
        paths: (...args) => (data.names || now().step === 0 ? stepped : straight)?.(...args) ?? null,
        spanGaps: false,
        points: { show: false, size: 5, filter: (u, n) => marked(u, n, now()) },
      })),
      ...shadedLines.flatMap(() => [edge, edge]),
    ],
    bands: shadedLines.map((line, n) => ({
      series: [first + 2 * n + 1, first + 2 * n],
      fill: faded(look.hues[line.hue] ?? look.fg, shadedLines.length > hueCount ? 0.1 : 0.18),
    })),
    hooks: {
      drawClear: [(u) => drawGaps(u, now(), look)],
      draw: [(u) => drawOver(u, now(), look, labelled)],
      setCursor: [(u) => hooks.cursor(u.cursor.idx ?? undefined)],
      setSelect: [
        (u) => {
          if (u.select.width < 1) return;
          const { left, width } = u.select;
          hooks.frame({ from: u.posToVal(left, 'x'), to: u.posToVal(left + width, 'x') });
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** Room above and below the curve; limits that are near are kept in view. */
function yRange(data: ChartData, low: number | null, high: number | null): [number, number] {
  if (low == null || high == null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  if (data.names) return [low - 0.4, high + 0.4];
  const span = high - low || Math.abs(high) * 0.02 || 1;
  let [bottom, top] = [low, high];
  for (const limit of [data.limits?.l, data.limits?.ll])
    if (limit !== undefined && low - limit < span) bottom = Math.min(bottom, limit);
  for (const limit of [data.limits?.h, data.limits?.hh])
    if (limit !== undefined && limit - high < span) top = Math.max(top, limit);
  return [bottom - span * 0.08, top + span * 0.08];
}

function faded(colour: string, share: number): string {
  return colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);
}

function widest(data: ChartData): number {
  return Math.min(140, 8 + Math.max(0, ...data.lines.map((line) => line.name.length * 7)));
}
