// The time by which history is removed: the clock's, unless that has jumped ahead. A clock that is years ahead for a few
// minutes must neither empty the history nor close it to what comes after; one that stands there for hours is believed.
// Pure; asked by the store, which keeps what was believed last in the file.
import type { Micros } from '../../model.ts';

/** A clock that says less was never set: a box without a battery for it begins in 1970. */
export const SET: Micros = Date.UTC(2020, 0, 1) * 1000;
/** A clock may run ahead of what time has passed by so much: a machine may be off over a weekend. */
const SLACK = 3 * 86_400e6;
/** ms for which a clock that jumped further has to stand. */
const STANDS = 6 * 3_600_000;

export class SureTime {
  #known: Micros;
  #at: number;
  /** Since when, and how far from the monotonic clock, the wall clock stands beyond what is sure. */
  #jump: { since: number; offset: number } | undefined;

  /** @param known the latest time believed so far; @param mono ms of the monotonic clock, now */
  constructor(known: Micros, mono: number) {
    this.#known = known;
    this.#at = mono;
  }

  get known(): Micros {
    return this.#known;
  }
  /** The wall clock's time, or less while it is not believed. */
  now(wall: Micros, mono: number): Micros {
    const sure = this.#known + (mono - this.#at) * 1000;
    if (wall <= sure + SLACK || this.#known < SET) this.#jump = undefined;
    else if (!this.#stands(wall - mono * 1000, mono)) return sure;
    if (wall > this.#known) {
      this.#known = wall;
      this.#at = mono;
    }
    return wall;
  }
  #stands(offset: Micros, mono: number): boolean {
    if (!this.#jump || Math.abs(offset - this.#jump.offset) > SLACK) this.#jump = { since: mono, offset };
    return mono - this.#jump.since >= STANDS;
  }
}
