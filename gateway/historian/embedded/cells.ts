// The figures of a tag's buckets, gathered from pieces in time order: samples, minutes of a chunk, whole chunks or hours.
// Pure. Filled by the scan, read by the queries. A value held over a boundary is shared out among the buckets.
import type { Micros } from '../../model.ts';
import type { Boundaries } from './calendar.ts';
import { MINUTE } from './minutes.ts';
import type { Minutes } from './minutes.ts';
import { indexOf } from './series.ts';
import type { Series } from './series.ts';
import { summarize } from './summary.ts';
import type { Summary } from './summary.ts';
import type { Grain, Sink } from './walk.ts';

const SECOND = 1_000_000;

/** NaN stands for no value. */
export class Cells implements Sink {
  readonly bounds: Boundaries;
  readonly count: Float64Array;
  readonly good: Float64Array;
  readonly known: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly sum: Float64Array;
  readonly area: Float64Array;
  readonly first: Float64Array;
  readonly last: Float64Array;
  readonly #from: Micros;
  readonly #to: Micros;
  /** A chunk that `to` cuts may be taken by its minutes. */
  readonly #exact: boolean;
  /** Every boundary between two buckets lies on a whole minute. */
  readonly #whole: boolean;
  /** The bucket that the last piece ended in. */
  #at = 0;
  #held = NaN;
  #since = 0;

  /** Only what lies in [from, to) counts; what is not before `now` is known by its samples alone. */
  constructor(bounds: Boundaries, from: Micros, to: Micros, now: Micros) {
    const column = (value: number): Float64Array => new Float64Array(bounds.t.length).fill(value);
    this.bounds = bounds;
    this.#from = from;
    this.#to = to;
    // Minutes say how long a value held up to their end, which is not known of one that is still to come.
    this.#exact = to % MINUTE === 0 && to <= now;
    this.#whole = bounds.t.every((t, i) => i === 0 || t % MINUTE === 0);
    [this.count, this.good, this.known, this.sum, this.area] = [column(0), column(0), column(0), column(0), column(0)];
    [this.min, this.max, this.first, this.last] = [column(NaN), column(NaN), column(NaN), column(NaN)];
  }

  #end(bucket: number): Micros {
    const { t, end } = this.bounds;
    return t[bucket + 1] ?? end;
  }
  /** The bucket of a time that is not before the last piece. */
  #find(t: Micros): number {
    let i = this.#at;
    while (t >= this.#end(i) && i < this.count.length - 1) i++;
    return i;
  }

  grain({ t0, t1 }: Summary): Grain {
    const [begun, over] = [t0 < this.#from, t1 >= this.#to];
    if (!begun && !over && t1 < this.#end(this.#find(t0))) return 'figures';
    const cut = (begun && this.#from % MINUTE !== 0) || (over && !this.#exact);
    return this.#whole && !cut ? 'minutes' : 'samples';
  }

  /** From `t` on the value holds (NaN: none does); what held until then is shared out. */
  hold(value: number, t: Micros): void {
    const held = this.#held;
    const until = Math.min(t, this.#to);
    let since = Math.max(this.#since, this.#from);
    while (held === held && since < until) {
      const i = (this.#at = this.#find(since));
      const end = Math.min(until, this.#end(i));
      this.known[i] = (this.known[i] as number) + end - since;
      this.area[i] = (this.area[i] as number) + (held * (end - since)) / SECOND;
      since = end;
    }
    this.#held = value;
    this.#since = t;
  }

  #add(i: number, n: number, good: number, min: number, max: number, sum: number, first: number, last: number): void {
    this.count[i] = (this.count[i] as number) + n;
    if (good === 0) return;
    if (this.good[i] === 0) this.first[i] = first;
    this.last[i] = last;
    this.good[i] = (this.good[i] as number) + good;
    this.sum[i] = (this.sum[i] as number) + sum;
    if (!((this.min[i] as number) <= min)) this.min[i] = min;
    if (!((this.max[i] as number) >= max)) this.max[i] = max;
  }

  samples(series: Series, from: number, to: number): void {
    for (let k = from; k < to;) {
      const end = this.#end(this.#find(series.t[k] as number));
      const next = Math.min(to, indexOf(series, end));
      this.figures(summarize(series, k, next));
      k = next;
    }
  }

  figures({ t0, t1, n, good, min, max, sum, area, known, first, last, held }: Summary): void {
    this.hold(NaN, t0);
    const i = (this.#at = this.#find(t0));
    this.#add(i, n, good, min, max, sum, first, last);
    this.known[i] = (this.known[i] as number) + known;
    this.area[i] = (this.area[i] as number) + area;
    this.hold(held, t1);
  }

  minutes(all: Minutes, { t0, t1, held }: Summary): void {
    this.hold(NaN, t0);
    const start = Math.floor(t0 / MINUTE) * MINUTE;
    for (let k = 0; k < all.count; k++) {
      const time = start + k * MINUTE;
      // The minute of the first sample began before it, and so perhaps before the time asked for.
      if (time <= this.#from - MINUTE || time >= this.#to) continue;
      const i = (this.#at = this.#find(Math.max(time, this.#from)));
      const at = (column: Float64Array): number => column[k] as number;
      this.#add(i, at(all.n), at(all.good), at(all.min), at(all.max), at(all.sum), at(all.first), at(all.last));
      this.known[i] = (this.known[i] as number) + at(all.known);
      this.area[i] = (this.area[i] as number) + at(all.area);
    }
    this.hold(held, t1);
  }
}
