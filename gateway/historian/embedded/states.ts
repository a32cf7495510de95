// What a tag's values were for how long: the spans of each state, and the time above and below a limit. Sinks of the walk
// through a tag's past; pure. A value holds until the next sample; after a bad one nothing is known until a good one.
import type { LimitTime, StateSeries, StateSpan } from '../../history.ts';
import type { Micros, Quality, Value } from '../../model.ts';
import { quality } from '../../model.ts';
import { figure, figureAt, valueAt } from './series.ts';
import type { Series } from './series.ts';
import type { Summary } from './summary.ts';
import type { Grain, Last, Sink } from './walk.ts';

/** Different values of a tag that have durations; more are no states. */
const VALUES = 1000;

export class Spans implements Sink {
  readonly reads = 'samples';
  readonly hours = false;
  readonly #tag: number;
  readonly #most: number;
  readonly #spans: StateSpan[] = [];
  readonly #durations = new Map<Value, { time: Micros; times: number }>();
  #now: StateSpan;
  #last: Micros;
  #more = false;

  /** @param most spans given; the durations are those of the spans */
  constructor(tag: number, from: Micros, most: number) {
    this.#tag = tag;
    this.#most = most;
    this.#last = from;
    this.#now = { from, to: from, value: null, quality: 'none' };
  }

  /** What held when the time asked for began. */
  begin(last: Last | undefined): void {
    if (last) this.#state(this.#now.from, last.value, quality(last.status));
  }
  #state(t: Micros, given: Value, said: Quality | 'none'): void {
    // A bad sample may carry the value that was good once; it holds no longer.
    const value = said === 'bad' || Number.isNaN(given) ? null : given;
    const of = value === null && said !== 'bad' ? 'none' : said;
    const now = this.#now;
    // 0 and −0 are one state, as 1n and 1 are not.
    if (of === now.quality && value === now.value) return;
    this.#end(t);
    this.#now = { from: t, to: t, value, quality: of };
  }
  #end(t: Micros): void {
    const now = this.#now;
    now.to = t;
    if (now.to <= now.from) return;
    this.#more ||= this.#spans.length >= this.#most;
    if (this.#more) return;
    this.#spans.push(now);
    if (now.quality !== 'good') return;
    let duration = this.#durations.get(now.value);
    if (!duration) {
      if (this.#durations.size >= VALUES)
        throw new RangeError(
          `the tag has more than ${VALUES} different values in this time: ask for its buckets, or for a shorter time`,
        );
      this.#durations.set(now.value, (duration = { time: 0, times: 0 }));
    }
    duration.time += now.to - now.from;
    duration.times++;
  }

  grain(): Grain {
    return 'samples';
  }
  samples(series: Series, from: number, to: number): void {
    for (let i = from; i < to; i++)
      this.#state((this.#last = series.t[i] as number), valueAt(series, i), quality(series.status[i] as number));
  }
  lost(t: Micros): void {
    this.#state((this.#last = t), null, 'none');
  }
  done(): boolean {
    return this.#more;
  }
  /** Nothing is known from `until` (the present) to `to`. */
  result(until: Micros, to: Micros): StateSeries {
    const at = Math.max(until, this.#last);
    const before = this.#spans.at(-1);
    // A sample of this very moment held for no time: what was not known before it goes on.
    if (!this.#more && this.#now.from === at && before?.quality === 'none' && before.to === at) {
      this.#now = before;
      this.#spans.pop();
    } else if (until < to) this.#state(at, null, 'none');
    this.#end(to);
    const durations = [...this.#durations].map(([value, { time, times }]) => ({ value, time, times }));
    durations.sort((a, b) => b.time - a.time);
    return { tag: this.#tag, spans: this.#spans, durations, more: this.#more };
  }
}

/** How long a run of samples was above and below a limit, from its first sample to its last, and what holds after that. */
export interface Sides extends Pick<LimitTime, 'above' | 'below' | 'known'> {
  t0: Micros;
  t1: Micros;
  held: number;
}

export class Limit implements Sink {
  readonly reads = 'figures';
  readonly hours = true;
  readonly #limit: number;
  readonly #from: Micros;
  readonly #to: Micros;
  readonly #time: LimitTime;
  #held = NaN;
  #since: Micros;

  constructor(tag: number, from: Micros, to: Micros, limit: number) {
    this.#limit = limit;
    this.#from = from;
    this.#to = to;
    this.#since = from;
    this.#time = { tag, above: 0, below: 0, known: 0 };
  }

  begin(last: Last | undefined): void {
    if (last) this.#held = figure(last.value, last.status);
  }
  #add(low: number, high: number, known: Micros): void {
    this.#time.known += known;
    if (low > this.#limit) this.#time.above += known;
    else if (high < this.#limit) this.#time.below += known;
  }
  #hold(value: number, t: Micros): void {
    const until = Math.min(t, this.#to);
    if (this.#held === this.#held && until > this.#since) this.#add(this.#held, this.#held, until - this.#since);
    this.#held = value;
    this.#since = t;
  }

  grain({ t0, t1, good, min, max }: Summary): Grain {
    const one = good === 0 || max < this.#limit || min > this.#limit || (min === this.#limit && max === this.#limit);
    return one && t0 >= this.#from && t1 < this.#to ? 'figures' : 'samples';
  }
  samples(series: Series, from: number, to: number): void {
    for (let i = from; i < to; i++) this.#hold(figureAt(series, i), series.t[i] as number);
  }
  figures(summary: Summary): void {
    const { t0, t1, known, min, max, held } = summary;
    this.#hold(NaN, t0);
    // Of an hour whose samples are gone, nothing is known if it was on both sides.
    if (this.grain(summary) === 'figures') this.#add(min, max, known);
    this.#hold(held, t1);
  }
  lost(t: Micros): void {
    this.#hold(NaN, t);
  }
  sides({ above, below, known, t0, t1, held }: Sides): void {
    this.#hold(NaN, t0);
    this.#time.above += above;
    this.#time.below += below;
    this.#time.known += known;
    this.#hold(held, t1);
  }
  result(until: Micros): LimitTime {
    this.#hold(NaN, until);
    return this.#time;
  }
}

/** Gathers samples until there are `limit`. */
export class Rows implements Sink {
  readonly reads = 'samples';
  readonly hours = false;
  readonly t: Micros[] = [];
  readonly value: Value[] = [];
  readonly status: number[] = [];
  more = false;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }
  grain(): Grain {
    return 'samples';
  }
  samples(series: Series, from: number, to: number): void {
    const end = Math.min(to, from + this.#limit - this.t.length);
    if (end < to) this.more = true;
    for (let i = from; i < end; i++) {
      this.t.push(series.t[i] as number);
      this.value.push(valueAt(series, i));
      this.status.push(series.status[i] as number);
    }
  }
  done(): boolean {
    return this.more;
  }
}
