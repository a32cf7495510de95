// A curve in words: its values for the legend and the table, a point and the whole for those who do not see it. Pure.
import { formatNumber, formatTime, type TimeParts } from './format.ts';
import { valueAt, type ChartData } from './series.ts';

/** A value of the curve, without its unit. */
export function sayValue(data: Pick<ChartData, 'names' | 'decimals'>, value: number | null | undefined): string {
  return (value == null ? undefined : data.names?.[value]) ?? formatNumber(value, data.decimals);
}

/** How finely a point's time is said: as finely as the points lie. */
export function partsOf({ step }: Pick<ChartData, 'step'>): TimeParts {
  if (step === 0) return 'milli';
  return step < 60_000 ? 'second' : 'minute';
}

/** Every line's value at a point. */
export function describePoint(data: ChartData, n: number, zone: string | undefined): string {
  const time = formatTime(data.t[n] ?? Number.NaN, zone, partsOf(data), true);
  const values = data.lines.map((line) => {
    const value = valueAt(line, n);
    return value === null ? `${line.name} no data` : `${line.name} ${sayValue(data, value)} ${data.unit}`.trim();
  });
  return `${time}: ${values.join('; ')}`;
}

export function hasValues(data: ChartData): boolean {
  return data.lines.some((line) => line.max.some((value) => value != null));
}

interface Extreme {
  value: number;
  t: number;
  name: string;
}

/** The whole curve in a sentence: the highest and the lowest with their times, and the gaps. */
export function describe(data: ChartData, zone: string | undefined): string {
  let high: Extreme | undefined;
  let low: Extreme | undefined;
  for (const line of data.lines) {
    line.max.forEach((value, n) => {
      if (value != null && (!high || value > high.value)) high = { value, t: data.t[n] ?? 0, name: line.name };
    });
    line.min.forEach((value, n) => {
      if (value != null && (!low || value < low.value)) low = { value, t: data.t[n] ?? 0, name: line.name };
    });
  }
  if (!high || !low) return 'No data in this range.';
  const long = data.to - data.from > 86_400_000;
  const time = (t: number) => formatTime(t, zone, data.step < 60_000 ? 'second' : 'minute', long);
  const gaps = sayGaps(data, time);
  if (data.names) return `Each bucket shows its highest state: ${Object.values(data.names).join(' < ')}${gaps}`;
  const say = (at: Extreme) => `${sayValue(data, at.value)} ${data.unit}`.trim() + ` (${at.name}, ${time(at.t)})`;
  return `Max ${say(high)} · min ${say(low)}${gaps}`;
}

function sayGaps({ gaps }: ChartData, time: (t: number) => string): string {
  const [first] = gaps;
  if (!first) return '';
  if (gaps.length > 1) return ` · ${gaps.length} gaps without data`;
  return ` · no data ${time(first[0])}–${time(first[1])}`;
}
