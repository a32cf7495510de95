// Walks through one tag's past in time order and hands it on in the largest pieces that will do: whole hours and chunks
// by their figures, minutes of a chunk, samples where nothing less says it. Called by the queries in the reader thread.
// What is in memory is read before the chunks: a sample on its way between the two is seen twice, and counted once.
import type { Micros, Value } from '../../model.ts';
import { HOUR, hourOf } from './chunks.ts';
import { unpackMinutes } from './minutes.ts';
import type { Minutes } from './minutes.ts';
import type { Pace } from './pace.ts';
import type { ChunkRow, Past } from './past.ts';
import { indexOf, merged, part } from './series.ts';
import type { Series } from './series.ts';
import type { Summary } from './summary.ts';

/** How fine a piece must be for the one who asks. */
export type Grain = 'figures' | 'minutes' | 'samples';

/** Takes the pieces of one tag's past in time order. */
export interface Sink {
  /** How fine the piece must be that has these figures. */
  grain(figures: Summary): Grain;
  /** Samples from index `from` to before `to`, all within the time asked for. */
  samples(series: Series, from: number, to: number): void;
  /** Also called for hours whose samples are gone, however fine the piece should be. */
  figures?(summary: Summary): void;
  /** Minutes before and after the time asked for may be among them. */
  minutes?(minutes: Minutes, summary: Summary): void;
  /** True when nothing more is wanted. */
  done?(): boolean;
}

export interface Last {
  t: Micros;
  value: Value;
  status: number;
}

const DAY = 24 * HOUR;

/** One tag's way from `from` to `to`. */
class Walk {
  readonly #past: Past;
  readonly #tag: number;
  readonly #from: Micros;
  readonly #to: Micros;
  readonly #sink: Sink;
  /** What is in memory, and the first of it not handed on. */
  readonly #open: Series | undefined;
  #next: number;

  constructor(past: Past, tag: number, from: Micros, to: Micros, sink: Sink, open: Series | undefined) {
    this.#past = past;
    this.#tag = tag;
    this.#from = from;
    this.#to = to;
    this.#sink = sink;
    this.#open = open;
    this.#next = open ? indexOf(open, from) : 0;
  }

  /** Time of the first open sample not handed on; Infinity when there is none. */
  get #waiting(): Micros {
    return this.#open && this.#next < this.#open.n ? (this.#open.t[this.#next] as number) : Infinity;
  }
  get done(): boolean {
    return this.#sink.done?.() === true;
  }
  /** Nothing is known before this. */
  get first(): Micros {
    return Math.min(this.#waiting, this.#past.first(this.#tag));
  }

  /** Open samples before `t`. */
  opened(t: Micros): void {
    const end = Math.min(t, this.#to);
    if (!this.#open || this.#waiting >= end) return;
    const next = indexOf(this.#open, end);
    this.#sink.samples(this.#open, this.#next, next);
    this.#next = next;
  }

  /** Hours and chunks that begin in [a, b); `a` is the beginning of all, or a whole hour. */
  slice(a: Micros, b: Micros): void {
    const floor = this.#past.floor();
    let at = a;
    for (const hour of this.#past.hours(this.#tag, hourOf(a), b)) {
      const start = hourOf(hour.t0);
      const gone = start < floor;
      if (start < a || this.done) continue;
      if (!gone && (this.#waiting < start + HOUR || start + HOUR > this.#to || !this.#sink.figures)) continue;
      this.#chunks(Math.max(at, floor), start);
      this.opened(start);
      if (gone ? hour.t0 < this.#to : this.#sink.grain(hour) === 'figures') {
        this.#sink.figures?.(hour);
        at = start + HOUR;
      } else at = start;
    }
    this.#chunks(Math.max(at, floor), b);
  }

  /** Chunks that hold samples of [a, b). */
  #chunks(a: Micros, b: Micros): void {
    if (!(a < b) || this.done) return;
    const minutes = this.#sink.minutes !== undefined;
    for (const chunk of this.#past.chunks(this.#tag, a, Math.min(b, this.#to), minutes)) {
      const { figures } = chunk;
      if (figures.t1 < this.#from || this.done) continue;
      this.opened(figures.t0);
      if (this.#waiting <= figures.t1) this.#mixed(chunk);
      else this.#chunk(chunk);
    }
  }
  #chunk(chunk: ChunkRow): void {
    const { figures, minutes } = chunk;
    const grain = this.#sink.grain(figures);
    if (grain === 'figures' && this.#sink.figures) return this.#sink.figures(figures);
    if (grain === 'minutes' && minutes) this.#sink.minutes?.(unpackMinutes(minutes), figures);
    else this.#samples(this.#past.samples(chunk));
  }
  /** A chunk that what is in memory falls into. */
  #mixed(chunk: ChunkRow): void {
    const open = this.#open as Series;
    const next = indexOf(open, chunk.figures.t1 + 1);
    const all = merged(this.#past.samples(chunk), part(open, this.#next, next));
    this.#next = next;
    this.#samples(all);
  }
  #samples(series: Series): void {
    const from = indexOf(series, this.#from);
    const to = indexOf(series, this.#to);
    if (from < to) this.#sink.samples(series, from, to);
  }
}

/** All of a tag's past in [from, to) into the sink. Takes breaks, in which the signal is heard; throws when it is late. */
export async function walk(
  past: Past,
  tag: number,
  from: Micros,
  to: Micros,
  sink: Sink,
  pace: Pace,
  open = past.open(tag),
): Promise<void> {
  const way = new Walk(past, tag, from, to, sink, open);
  // Years of nothing are passed over; within days that would cost more than it saves.
  const first = to - from > 7 * DAY ? way.first : from;
  let at = first > from ? Math.max(from, hourOf(first)) : from;
  for (let width = DAY; at < to && first < to && !way.done;) {
    const end = Math.min(to, hourOf(at) + width);
    const took = pace.timed(() => past.snapshot(() => way.slice(at, end)));
    width = took < 4 ? width * 2 : took > 12 ? Math.max(HOUR, Math.floor(width / 2 / HOUR) * HOUR) : width;
    at = end;
    await pace.rest();
  }
  if (!way.done) way.opened(to);
}
