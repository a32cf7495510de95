// All figures of a tag's buckets, for those who ask for more than a curve: also counts of all samples, first and last, and
// what holds from one sample to the next, shared out among the buckets it reaches over. Pure; called by the queries.
import type { Micros } from '../../model.ts';
import { Buckets } from './buckets.ts';
import type { Boundaries } from './calendar.ts';
import type { Minutes } from './minutes.ts';
import { indexOf } from './series.ts';
import type { Series } from './series.ts';
import { summarize } from './summary.ts';
import type { Summary } from './summary.ts';

const SECOND = 1_000_000;

/** NaN stands for no value. */
export class Cells extends Buckets {
  readonly count = this.column(0);
  readonly known = this.column(0);
  readonly area = this.column(0);
  readonly first = this.column(NaN);
  readonly last = this.column(NaN);
  #held = NaN;
  #since = 0;

  /** Only what lies in [from, to) counts; what is not before `now` is known by its samples alone. */
  constructor(bounds: Boundaries, from: Micros, to: Micros, now: Micros) {
    super(bounds, from, to);
    // Minutes say how long a value held up to their end, which is not known of one that is still to come.
    this.exact &&= to <= now;
  }

  /** From `t` on the value holds (NaN: none does); what held until then is shared out. */
  hold(value: number, t: Micros): void {
    const held = this.#held;
    const until = Math.min(t, this.to);
    let since = Math.max(this.#since, this.from);
    while (held === held && since < until) {
      const i = (this.at = this.find(since));
      const end = Math.min(until, this.end(i));
      this.#time(i, end - since, (held * (end - since)) / SECOND);
      since = end;
    }
    this.#held = value;
    this.#since = t;
  }
  #time(i: number, known: Micros, area: number): void {
    this.known[i] = (this.known[i] as number) + known;
    this.area[i] = (this.area[i] as number) + area;
  }
  #ends(i: number, n: number, good: number, first: number, last: number): void {
    this.count[i] = (this.count[i] as number) + n;
    if (good === 0) return;
    if (this.good[i] === 0) this.first[i] = first;
    this.last[i] = last;
  }

  override samples(series: Series, from: number, to: number): void {
    for (let k = from; k < to;) {
      const end = this.end(this.find(series.t[k] as number));
      const next = Math.min(to, indexOf(series, end));
      this.figures(summarize(series, k, next));
      k = next;
    }
  }
  override figures(summary: Summary): void {
    const { t0, t1, n, good, area, known, first, last, held } = summary;
    this.hold(NaN, t0);
    const i = (this.at = this.find(t0));
    this.#ends(i, n, good, first, last);
    this.sums(i, summary);
    this.#time(i, known, area);
    this.hold(held, t1);
  }
  override minutes(all: Minutes, { t0, t1, held }: Summary): void {
    this.hold(NaN, t0);
    this.eachMinute(all, t0, (i, k) => {
      const at = (column: Float64Array): number => column[k] as number;
      this.#ends(i, at(all.n), at(all.good), at(all.first), at(all.last));
      this.add(i, at(all.good), at(all.min), at(all.max), at(all.sum));
      this.#time(i, at(all.known), at(all.area));
    });
    this.hold(held, t1);
  }
  lost(t: Micros): void {
    this.hold(NaN, t);
  }
  /** What holds between two hours is not in their sums: each is taken by itself. */
  override together(t: Micros): Micros {
    return t;
  }
}
