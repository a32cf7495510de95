// Walks through a tag's past in time order and hands it on in the largest pieces that will do: whole hours and chunks by
// their figures, minutes of a chunk, samples where nothing less says it. Called by the queries in the reader thread.
// What is in memory is read before the chunks: a sample on its way between the two is seen twice, and counted once.
import type { Micros, Value } from '../../model.ts';
import { HOUR, hourOf } from './chunks.ts';
import type { Minutes } from './minutes.ts';
import type { Missing } from './holes.ts';
import type { Pace } from './pace.ts';
import type { ChunkRow, Past } from './past.ts';
import { indexOf, merged, part } from './series.ts';
import type { Series } from './series.ts';
import type { Summary, Sums } from './summary.ts';

/** How fine a piece must be for the one who asks. */
export type Grain = 'figures' | 'minutes' | 'samples';

/** Takes the pieces of one tag's past in time order. */
export interface Sink {
  /** What is wanted of most chunks, and so read with their rows; what else a chunk's grain needs is read then. */
  readonly reads: Grain;
  /** Whether an hour may be taken by its figures; those whose samples are gone always are. */
  readonly hours: boolean;
  /** How fine the piece must be that has these figures; not asked where samples are read. */
  grain(figures: Summary): Grain;
  /** Samples from index `from` to before `to`, all within the time asked for. */
  samples(series: Series, from: number, to: number): void;
  /** Also called for hours whose samples are gone, however fine the piece should be. */
  figures?(summary: Summary): void;
  /** Minutes before and after the time asked for may be among them. */
  minutes?(minutes: Minutes, summary: Summary): void;
  /** Up to when whole hours from `t` on may be taken by their sums, all in one; `t` when they may not. */
  together?(t: Micros): Micros;
  /** Those hours, of which the first begins at `t`. */
  wholeHours?(t: Micros, sums: Sums): void;
  /** From `t` to the next piece nothing is known: samples are damaged. */
  lost?(t: Micros): void;
  /** True when nothing more is wanted. */
  done?(): boolean;
}

export interface Last {
  t: Micros;
  value: Value;
  status: number;
}

const DAY = 24 * HOUR;

/** Of one tag; `step` goes on by a slice that takes some ms, and is false when there is no more to go. */
export interface Way {
  step(pace: Pace): boolean;
}

/** One tag's way from `from` to `to`. */
export class Walk implements Way {
  readonly #past: Past;
  readonly #tag: number;
  readonly #from: Micros;
  readonly #to: Micros;
  readonly #sink: Sink;
  /** What is in memory, and the first of it not handed on. */
  readonly #open: Series | undefined;
  readonly #missing: Missing;
  #next: number;
  #at: Micros | undefined;
  #width = DAY;

  /** @param missing gets what is damaged on the way, or removed and not said by its hour */
  constructor(
    past: Past,
    tag: number,
    from: Micros,
    to: Micros,
    sink: Sink,
    open: Series | undefined,
    missing: Missing,
  ) {
    this.#past = past;
    this.#tag = tag;
    this.#from = from;
    this.#to = to;
    this.#sink = sink;
    this.#open = open;
    this.#missing = missing;
    this.#next = open ? indexOf(open, from) : 0;
  }

  step(pace: Pace): boolean {
    const at = (this.#at ??= this.#start());
    if (at < this.#to && !this.#done) {
      const end = Math.min(this.#to, hourOf(at) + this.#width);
      const took = pace.timed(() => this.#slice(at, end));
      if (took < 4) this.#width *= 2;
      else if (took > 12) this.#width = Math.max(HOUR, Math.floor(this.#width / 2 / HOUR) * HOUR);
      this.#at = end;
      if (end < this.#to && !this.#done) return true;
    }
    if (!this.#done) this.#opened(this.#to);
    return false;
  }
  /** Years of nothing are passed over; within days that would cost more than it saves. */
  #start(): Micros {
    if (this.#to - this.#from <= 7 * DAY) return this.#from;
    const first = Math.min(this.#waiting, this.#past.first(this.#tag));
    return first > this.#from ? Math.min(this.#to, Math.max(this.#from, hourOf(first))) : this.#from;
  }

  /** Time of the first open sample not handed on; Infinity when there is none. */
  get #waiting(): Micros {
    return this.#open && this.#next < this.#open.n ? (this.#open.t[this.#next] as number) : Infinity;
  }
  get #done(): boolean {
    return this.#sink.done?.() === true;
  }

  /** Open samples before `t`. */
  #opened(t: Micros): void {
    const end = Math.min(t, this.#to);
    if (!this.#open || this.#waiting >= end) return;
    const next = indexOf(this.#open, end);
    this.#sink.samples(this.#open, this.#next, next);
    this.#next = next;
  }

  /** Hours and chunks that begin in [a, b); `a` is the beginning of all, or a whole hour. */
  #slice(a: Micros, b: Micros): void {
    for (let at = a; at < b && !this.#done;) {
      const first = Math.ceil(at / HOUR) * HOUR;
      const until = this.#sink.together?.(first) ?? first;
      const end = until > first ? Math.min(b, Math.max(hourOf(until), first + HOUR)) : b;
      this.#hours(until > first ? this.#inOne(at, first, Math.min(hourOf(end), hourOf(this.#waiting))) : at, end);
      at = end;
    }
  }
  /** Takes the hours of [first, end) by their sums, if they all have a row; gives up to where nothing is left. */
  #inOne(at: Micros, first: Micros, end: Micros): Micros {
    if (end - first < 2 * HOUR) return at;
    const floor = this.#past.floor();
    const { rows, sums } = this.#past.hoursInOne(this.#tag, first, end);
    if (rows * HOUR < end - first && end > floor) return at;
    this.#hours(at, first);
    this.#sink.wholeHours?.(first, sums);
    return end;
  }
  #hours(a: Micros, b: Micros): void {
    if (!(a < b)) return;
    const floor = this.#past.floor();
    let at = a;
    for (const hour of this.#sink.hours || a < floor ? this.#past.hours(this.#tag, hourOf(a), b) : []) {
      const start = hourOf(hour.t0);
      const taken = start < floor ? this.#left(hour, floor) : start >= a && this.#asOne(hour, start);
      if (!taken || this.#done) continue;
      this.#chunks(Math.max(at, floor), start);
      this.#opened(start);
      this.#sink.figures?.(hour);
      at = start + HOUR;
    }
    this.#chunks(Math.max(at, floor), b);
  }
  /** Whether an hour whose samples are gone is taken; notes what it does not say. */
  #left(hour: Summary, floor: Micros): boolean {
    if (hour.t1 < this.#from || hour.t0 >= this.#to) return false;
    const cut = hour.t0 < this.#from;
    if (cut || this.#sink.grain(hour) !== 'figures')
      this.#missing.samples = { before: floor, to: Math.min(this.#to, hourOf(hour.t0) + HOUR) };
    return !cut;
  }
  /** Whether an hour whose samples are there may be taken by its figures. */
  #asOne(hour: Summary, start: Micros): boolean {
    const end = start + HOUR;
    if (!this.#sink.hours || end > this.#to) return false;
    if (this.#open && (this.#open.t[indexOf(this.#open, start)] ?? Infinity) < end) return false;
    return this.#sink.grain(hour) === 'figures';
  }

  /** Chunks that hold samples of [a, b). */
  #chunks(a: Micros, b: Micros): void {
    if (!(a < b) || this.#done) return;
    for (const chunk of this.#past.chunks(this.#tag, a, Math.min(b, this.#to), this.#sink.reads)) {
      if (chunk.t1 < this.#from || chunk.t0 >= this.#to || this.#done) continue;
      this.#opened(chunk.t0);
      if (this.#waiting <= chunk.t1) this.#mixed(chunk);
      else this.#chunk(chunk);
    }
  }
  #chunk(chunk: ChunkRow): void {
    const { figures } = chunk;
    const grain = figures ? this.#sink.grain(figures) : 'samples';
    if (figures && grain === 'figures' && this.#sink.figures) this.#sink.figures(figures);
    else {
      const minutes = grain === 'minutes' ? this.#past.minutes(chunk) : undefined;
      if (figures && minutes) this.#sink.minutes?.(minutes, figures);
      else this.#samples(this.#read(chunk));
    }
  }
  #read(chunk: ChunkRow): Series | undefined {
    const series = this.#past.samples(chunk, this.#missing);
    if (!series) this.#sink.lost?.(Math.max(chunk.t0, this.#from));
    return series;
  }
  /** A chunk that what is in memory falls into. */
  #mixed(chunk: ChunkRow): void {
    const open = this.#open as Series;
    const next = indexOf(open, chunk.t1 + 1);
    const [stored, fresh] = [this.#read(chunk), part(open, this.#next, next)];
    this.#next = next;
    this.#samples(stored ? merged(stored, fresh) : fresh);
  }
  #samples(series: Series | undefined): void {
    if (!series) return;
    const from = indexOf(series, this.#from);
    const to = indexOf(series, this.#to);
    if (from < to) this.#sink.samples(series, from, to);
  }
}

/** Tags whose samples in memory are copied at once, before the file is read. */
const TAGS = 32;

/**
 * Goes through the past of each tag: `begin` gives the sink that takes it, `end` makes an answer of that. Tags share a state
 * of the file as long as a slice of time lasts. `missing`: what of the tag is damaged or removed, as far as it was met. `way`: how, when it is not through what is here alone. Takes breaks, in which the signal is heard; rejects when it is late.
 */
export async function through<S extends Sink, T>(
  past: Past,
  tags: readonly number[],
  from: Micros,
  to: Micros,
  pace: Pace,
  begin: (tag: number, open: Series | undefined, missing: Missing) => S,
  end: (tag: number, sink: S, open: Series | undefined, missing: Missing) => T,
  way = (tag: number, sink: S, open: Series | undefined, missing: Missing): Way =>
    new Walk(past, tag, from, to, sink, open, missing),
): Promise<T[]> {
  const answers: T[] = [];
  for (let i = 0; i < tags.length; i += TAGS) {
    const left = tags.slice(i, i + TAGS).map((tag) => ({ tag, open: past.open(tag) }));
    let under: { sink: S; walk: Way; missing: Missing } | undefined;
    while (left.length > 0) {
      past.snapshot(() => {
        for (let each = left[0]; each && !pace.due; each = left[0]) {
          const { tag, open } = each;
          if (!under) {
            const missing: Missing = { holes: [] };
            const sink = begin(tag, open, missing);
            under = { sink, walk: way(tag, sink, open, missing), missing };
          }
          if (under.walk.step(pace)) continue;
          answers.push(end(tag, under.sink, open, under.missing));
          under = undefined;
          left.shift();
        }
      });
      await pace.rest();
    }
  }
  return answers;
}
