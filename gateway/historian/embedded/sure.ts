// The time by which history is removed: the clock's, unless that has jumped ahead. A clock that is years ahead for a few
// minutes must neither empty the history nor close it to what comes after; one that stands there for hours is believed.
// Pure; asked by believed.ts, which keeps what was believed last in the history's file.
import type { Micros } from '../../model.ts';

/** A clock that says less was never set: a box without a battery for it begins in 1970. */
export const SET: Micros = Date.UTC(2020, 0, 1) * 1000;
/** A clock may run ahead of what time has passed by so much: a machine may be off over a weekend. */
const SLACK = 3 * 86_400e6;
/** ms for which a clock that jumped further has to stand. */
const STANDS = 6 * 3_600_000;

/** A clock that is not believed yet: what it showed last, and ms for which it had stood there. */
export interface Doubt {
  wall: Micros;
  stood: number;
}

export class SureTime {
  #known: Micros;
  #at: number;
  /** Of the run before: where each is shorter than that, no clock would ever stand long enough. */
  #earlier: Doubt | undefined;
  /** Since when, and how far from the monotonic clock, the wall clock stands beyond what is sure. */
  #jump: { since: number; offset: number } | undefined;

  /** @param known the latest time believed so far; @param mono ms of the monotonic clock, now */
  constructor(known: Micros, mono: number, earlier?: Doubt) {
    this.#known = known;
    this.#at = mono;
    this.#earlier = earlier;
  }

  get known(): Micros {
    return this.#known;
  }
  /** The wall clock's time, or less while it is not believed. */
  now(wall: Micros, mono: number): Micros {
    const sure = this.#known + (mono - this.#at) * 1000;
    if (wall <= sure + SLACK || this.#known < SET) this.#jump = undefined;
    else if (!this.#stands(wall, mono)) return sure;
    if (wall > this.#known) {
      this.#known = wall;
      this.#at = mono;
    }
    return wall;
  }
  /** What the next run must know of a clock that is not believed. */
  doubt(wall: Micros, mono: number): Doubt | undefined {
    return this.#jump && { wall, stood: mono - this.#jump.since };
  }
  #stands(wall: Micros, mono: number): boolean {
    const offset = wall - mono * 1000;
    if (!this.#jump || Math.abs(offset - this.#jump.offset) > SLACK) {
      const { wall: was = NaN, stood = 0 } = this.#earlier ?? {};
      this.#earlier = undefined;
      this.#jump = { since: mono - (Math.abs(wall - was) <= SLACK ? stood : 0), offset };
    }
    return mono - this.#jump.since >= STANDS;
  }
}
