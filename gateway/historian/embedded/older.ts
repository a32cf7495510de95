// What a question's tags have elsewhere, before the part that is here, and how both go through one sink in order of time.
// Made by historian/deep.ts for one question, taken by the queries of history.ts; pure but for the walk it is given.
import type { Micros } from '../../model.ts';
import { hourOf } from './chunks.ts';
import type { Missing } from './holes.ts';
import type { Pace } from './pace.ts';
import type { Past } from './past.ts';
import type { Series } from './series.ts';
import { Walk } from './walk.ts';
import type { Grain, Last, Sink, Way } from './walk.ts';

/** Of one tag. */
export interface Part<Piece> {
  /** The time of the first sample elsewhere, or the beginning of the question if something holds then; `edge`: none. */
  begins: Micros;
  /** From here on the samples are taken from here. */
  edge: Micros;
  /** The last sample elsewhere before the question's time. */
  before?: Last | undefined;
  /** The last one elsewhere before `edge`. */
  last?: Last | undefined;
  pieces: readonly Piece[];
}
/** By tag; of a tag that is not there, everything is here. */
export type Older<Piece> = ReadonlyMap<number, Part<Piece>>;

/** The later of two; of one time, the one from elsewhere: here it may be no more than an hour's figure. */
export function laterOf(here: Last | undefined, elsewhere: Last | undefined): Last | undefined {
  return here && (!elsewhere || here.t > elsewhere.t) ? here : elsewhere;
}

/** A tag's way through both: what is here before that began elsewhere, the pieces from there, the rest here. */
class Both implements Way {
  #legs: (Way | (() => void))[];

  constructor(legs: (Way | (() => void))[]) {
    this.#legs = legs;
  }
  step(pace: Pace): boolean {
    for (let leg = this.#legs[0]; leg; leg = this.#legs[0]) {
      if (typeof leg === 'function') leg();
      else if (leg.step(pace)) return true;
      this.#legs.shift();
    }
    return false;
  }
}

/** For `through`: the way of each tag in [from, to); `take` gives a sink what is elsewhere. */
export function both<S extends Sink, Piece>(
  past: Past,
  from: Micros,
  to: Micros,
  older: Older<Piece> | undefined,
  take: (sink: S, piece: Piece) => void,
) {
  return (tag: number, sink: S, open: Series | undefined, missing: Missing): Way => {
    const part = older?.get(tag);
    if (!part || from >= to) {
      past.thinned(from, to, missing);
      return new Walk(past, tag, from, to, sink, open, missing);
    }
    const { begins, edge, pieces } = part;
    past.thinned(from, to, missing, begins);
    // What begins later elsewhere than here: hours at least may be here. An hour is taken as a whole or not at all.
    const begun = Math.min(to, begins > past.floor() ? begins : hourOf(begins));
    const rest = Math.max(from, edge);
    return new Both([
      ...(from < begun ? [new Walk(past, tag, from, begun, cut(sink, from, begun), open, missing)] : []),
      () => {
        for (const piece of pieces) take(sink, piece);
      },
      ...(rest < to ? [new Walk(past, tag, rest, to, rest > from ? cut(sink, rest, to) : sink, open, missing)] : []),
    ]);
  };
}

/** The sink for a stretch of its time: what reaches beyond that comes as samples. */
function cut(sink: Sink, from: Micros, to: Micros): Sink {
  const part: Sink = {
    reads: sink.reads,
    hours: sink.hours,
    grain: (figures) => (figures.t0 >= from && figures.t1 < to ? sink.grain(figures) : 'samples'),
    samples: (series, first, end) => sink.samples(series, first, end),
    lost: (t) => sink.lost?.(t),
    done: () => sink.done?.() === true,
  };
  if (sink.figures) part.figures = (summary) => sink.figures?.(summary);
  if (sink.minutes) part.minutes = (minutes, summary) => sink.minutes?.(minutes, summary);
  if (sink.together) part.together = (t) => sink.together?.(t) ?? t;
  if (sink.wholeHours) part.wholeHours = (t, sums) => sink.wholeHours?.(t, sums);
  return part;
}

/** Counts samples. */
export class Count implements Sink {
  readonly reads: Grain = 'figures';
  readonly hours = true;
  n = 0;
  readonly #from: Micros;
  readonly #to: Micros;

  constructor(from: Micros, to: Micros) {
    this.#from = from;
    this.#to = to;
  }
  grain({ t0, t1 }: { t0: Micros; t1: Micros }): Grain {
    return t0 >= this.#from && t1 < this.#to ? 'figures' : 'samples';
  }
  samples(_series: Series, from: number, to: number): void {
    this.n += to - from;
  }
  figures({ n }: { n: number }): void {
    this.n += n;
  }
}
