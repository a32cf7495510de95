// Where a value stands against its range and limits, as shares of a bar's width. Pure; RangeBar and KPI cards call it.
import type { WireLimits, WireRange } from '../../gateway/web/wire.ts';

/** Shares 0..1 of the bar: the normal band, the outer limits as ticks, the pointer (null without a value). */
export interface Scale {
  from: number;
  to: number;
  ticks: number[];
  pointer: number | null;
  /** The value lies outside the drawn scale; the pointer stands at its end. */
  beyond: boolean;
  inside: boolean;
}

/** Undefined when there is nothing to stand against: no range and fewer than two limits. */
export function scale(value: number | null, range?: WireRange, limits?: WireLimits): Scale | undefined {
  const marks = [range?.low, range?.high, limits?.ll, limits?.l, limits?.h, limits?.hh].filter(
    (mark): mark is number => mark !== undefined && Number.isFinite(mark),
  );
  const low = Math.min(...marks);
  const high = Math.max(...marks);
  if (marks.length < 2 || !(high > low)) return undefined;
  const bandLow = limits?.l ?? limits?.ll ?? range?.low ?? low;
  const bandHigh = limits?.h ?? limits?.hh ?? range?.high ?? high;
  // Room beyond the outermost mark, so that a value past it is seen past it.
  const margin = (high - low) * (bandLow > low && bandHigh < high ? 0.08 : 0.25);
  const start = low - margin;
  const width = high - low + 2 * margin;
  const share = (mark: number) => Math.min(1, Math.max(0, (mark - start) / width));
  const finite = value !== null && Number.isFinite(value);
  return {
    from: share(Math.min(bandLow, bandHigh)),
    to: share(Math.max(bandLow, bandHigh)),
    ticks: [limits?.ll, limits?.hh].filter((mark): mark is number => mark !== undefined).map(share),
    pointer: finite ? share(value) : null,
    beyond: finite && (value < start || value > start + width),
    inside: finite && value >= bandLow && value <= bandHigh,
  };
}

/** An SVG path through a sparkline's points in a w × h box; a null lifts the pen. Empty without two points in a row. */
export function sparkPath(points: readonly (number | null)[], w: number, h: number): string {
  const known = points.filter((point): point is number => point !== null && Number.isFinite(point));
  if (known.length < 2) return '';
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
  const step = w / Math.max(1, points.length - 1);
  let path = '';
  let down = false;
  points.forEach((point, n) => {
    if (point === null || !Number.isFinite(point)) {
      down = false;
      return;
    }
    const y = h - ((point - low) / span) * h;
    path += `${down ? 'L' : 'M'}${(n * step).toFixed(1)} ${y.toFixed(1)}`;
    down = true;
  });
  return path;
}
