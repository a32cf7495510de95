// Zoomed in to the samples themselves: the raw answer as one curve an asset over a shared axis. A value holds until the next
// sample, a bad one ends it. Pure; course.svelte.ts asks, series.ts draws.
import type { Timeseries } from '../../gateway/web/wire.ts';
import type { Course, Point } from './series.ts';

/** GET /api/v1/history/raw, as far as it is drawn. */
export interface RawAnswer {
  next: string | null;
  series: {
    tag: string;
    t: string[];
    value: (number | boolean | string | null)[];
    status: number[];
    incomplete?: string;
  }[];
}

/** Frames of time up to this long are worth a look at the samples, ms. */
export const closeUp = 600_000;
/** Samples of one answer; a frame that holds more is drawn in buckets. */
export const mostSamples = 5000;

/** ms with a fraction: history's times have microseconds. */
function timeOf(text: string): number {
  return Date.parse(`${text.slice(0, 23)}Z`) + Number(text.slice(23, -1) || 0) / 1000;
}

function figureOf(value: number | boolean | string | null | undefined, status: number | undefined): number | null {
  if (value === null || value === undefined || (status ?? 0) >>> 30 !== 0) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

type Known = [number, number | null];

/** A sample holds only as far as its tag's buckets know anything: what is damaged, or could not be had, ends it. */
function ended(samples: readonly Known[], t: readonly number[], avg: readonly (number | null)[]): Known[] {
  const points: Known[] = [];
  let n = 0;
  for (const sample of [...samples, undefined]) {
    const next = sample?.[0] ?? Infinity;
    for (; n < t.length && (t[n] ?? Infinity) < next; n++) {
      const before = points.at(-1);
      if (avg[n] === null && before && before[1] !== null && before[0] < (t[n] ?? 0)) points.push([t[n] ?? 0, null]);
    }
    if (sample) points.push(sample);
  }
  return points;
}

/** @param buckets the same time in buckets: its first says what held when the time began; @param until ms up to which it is known */
export function samplesOf(buckets: Timeseries, raw: RawAnswer, until: number): Course {
  const from = Date.parse(buckets.from);
  const end = Math.min(Date.parse(buckets.to), until);
  const known = buckets.t.filter((t) => t < end);
  const curves = buckets.series.map((one) => {
    const found = raw.series.find(({ tag }) => tag === one.tag);
    const samples = (found?.t ?? []).map((t, n): Known => [timeOf(t), figureOf(found?.value[n], found?.status[n])]);
    const lead: Known[] = samples[0]?.[0] === from ? [] : [[from, one.avg[0] ?? null]];
    const points = ended([...lead, ...samples], known, one.avg);
    const last = points.at(-1);
    const close: Known[] = (last?.[0] ?? 0) < end ? [[end, last?.[1] ?? null]] : [];
    return { one, points: [...points, ...close] };
  });
  const t = [...new Set(curves.flatMap(({ points }) => points.map(([time]) => time)))].sort((a, b) => a - b);
  const place = new Map(t.map((time, n) => [time, n]));
  const incomplete = raw.series.find((one) => one.incomplete !== undefined)?.incomplete ?? buckets.incomplete;
  return {
    ...buckets,
    ...(incomplete === undefined ? {} : { incomplete }),
    bucketMinutes: 0,
    t,
    series: curves.map(({ one, points }) => {
      const column = new Array<Point>(t.length).fill(undefined);
      for (const [time, value] of points) column[place.get(time) ?? 0] = value;
      // Behind a bad sample nothing is known, also where only other assets have samples.
      column.forEach((value, n) => {
        if (value === undefined && column[n - 1] === null) column[n] = null;
      });
      return { ...one, min: column, avg: column, max: column };
    }),
  };
}
