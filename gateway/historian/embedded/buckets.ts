// The figures of a tag's buckets, gathered from pieces in time order: samples, minutes of a chunk, whole chunks or hours.
// Pure. Filled by the walk, read by the queries: count, least, greatest and sum of the good values, which are all that a
// curve and a page's figures need. cells.ts has the rest.
import type { Micros } from '../../model.ts';
import type { Boundaries } from './calendar.ts';
import { HOUR } from './chunks.ts';
import { MINUTE } from './minutes.ts';
import type { Minutes } from './minutes.ts';
import { indexOf } from './series.ts';
import type { Series } from './series.ts';
import { sumUp } from './summary.ts';
import type { Summary, Sums } from './summary.ts';
import type { Grain, Sink } from './walk.ts';

/** NaN stands for no value. */
export class Buckets implements Sink {
  readonly bounds: Boundaries;
  readonly good: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly sum: Float64Array;
  readonly reads: Grain;
  readonly hours: boolean;
  protected readonly from: Micros;
  protected readonly to: Micros;
  /** A chunk that `to` cuts may be taken by its minutes. */
  protected exact: boolean;
  /** The bucket that the last piece ended in. */
  protected at = 0;
  /** Every boundary between two buckets lies on a whole minute. */
  readonly #whole: boolean;

  /** Only what lies in [from, to) counts. */
  constructor(bounds: Boundaries, from: Micros, to: Micros) {
    const { t, end } = bounds;
    this.bounds = bounds;
    this.from = from;
    this.to = to;
    this.exact = to % MINUTE === 0;
    const widest = t.reduce((width, start, i) => Math.max(width, (t[i + 1] ?? end) - start), 0);
    const on = (unit: Micros): boolean => t.every((start, i) => i === 0 || start % unit === 0);
    this.#whole = on(MINUTE);
    this.hours = widest >= HOUR;
    this.reads = on(HOUR) ? 'figures' : this.#whole ? 'minutes' : widest < HOUR / 2 ? 'samples' : 'figures';
    [this.good, this.sum] = [this.column(0), this.column(0)];
    [this.min, this.max] = [this.column(NaN), this.column(NaN)];
  }

  protected column(value: number): Float64Array {
    return new Float64Array(this.bounds.t.length).fill(value);
  }
  protected end(bucket: number): Micros {
    const { t, end } = this.bounds;
    return t[bucket + 1] ?? end;
  }
  /** The bucket of a time that is not before the last piece. */
  protected find(t: Micros): number {
    let i = this.at;
    while (t >= this.end(i) && i < this.good.length - 1) i++;
    return i;
  }
  protected add(i: number, good: number, min: number, max: number, sum: number): void {
    if (good === 0) return;
    this.good[i] = (this.good[i] as number) + good;
    this.sum[i] = (this.sum[i] as number) + sum;
    // Of the sign of zero, which rows do not keep here, nothing is said.
    if (!((this.min[i] as number) <= min)) this.min[i] = min + 0;
    if (!((this.max[i] as number) >= max)) this.max[i] = max + 0;
  }

  grain({ t0, t1 }: Summary): Grain {
    const [begun, over] = [t0 < this.from, t1 >= this.to];
    if (!begun && !over && t1 < this.end(this.find(t0))) return 'figures';
    const cut = (begun && this.from % MINUTE !== 0) || (over && !this.exact);
    return this.#whole && !cut ? 'minutes' : 'samples';
  }
  samples(series: Series, from: number, to: number): void {
    for (let k = from; k < to;) {
      const i = (this.at = this.find(series.t[k] as number));
      const next = Math.min(to, indexOf(series, this.end(i)));
      this.sums(i, sumUp(series, k, next));
      k = next;
    }
  }
  figures(summary: Summary): void {
    this.sums((this.at = this.find(summary.t0)), summary);
  }
  minutes(all: Minutes, { t0 }: Summary): void {
    this.eachMinute(all, t0, (i, k) => {
      const at = (column: Float64Array): number => column[k] as number;
      this.add(i, at(all.good), at(all.min), at(all.max), at(all.sum));
    });
  }
  protected eachMinute({ count }: Minutes, t0: Micros, take: (bucket: number, minute: number) => void): void {
    const start = Math.floor(t0 / MINUTE) * MINUTE;
    for (let k = 0; k < count; k++) {
      const time = start + k * MINUTE;
      // The minute of the first sample began before it, and so perhaps before the time asked for.
      if (time <= this.from - MINUTE || time >= this.to) continue;
      take((this.at = this.find(Math.max(time, this.from))), k);
    }
  }
  protected sums(i: number, { good, min, max, sum }: Sums): void {
    this.add(i, good, min, max, sum);
  }

  together(t: Micros): Micros {
    return this.end(this.find(t));
  }
  wholeHours(t: Micros, sums: Sums): void {
    this.sums((this.at = this.find(t)), sums);
  }
}
