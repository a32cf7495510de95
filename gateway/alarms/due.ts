// A heap of what falls due on the monotonic clock, with one timer for all of it. Used by the alarm room (delays,
// shelves) and by the pipeline (silence): thousands of tags wait, and none has a timer of its own.
import type { Clock } from '../model.ts';

/** Timers closer together than this run together, ms. */
const GRAIN = 20;

export class Due<Item> {
  readonly #clock: Clock;
  readonly #act: (item: Item, mono: number) => void;
  readonly #done: () => void;
  readonly #most: number;
  #times: number[] = [];
  #items: Item[] = [];
  #cancel: (() => void) | undefined;
  #wake = Infinity;
  #running = false;

  /**
   * @param act called for each item when it is due; it may `add` the item again
   * @param done called after each round
   * @param most items in one round; the rest follows at once in the next, so that a herd does not hold the thread
   */
  constructor(clock: Clock, act: (item: Item, mono: number) => void, done: () => void = () => {}, most = 1000) {
    this.#clock = clock;
    this.#act = act;
    this.#done = done;
    this.#most = most;
  }

  get size(): number {
    return this.#items.length;
  }

  start(): void {
    this.#running = true;
    this.#plan();
  }
  stop(): void {
    this.#running = false;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#wake = Infinity;
  }

  /** @param mono when, ms on the monotonic clock */
  add(mono: number, item: Item): void {
    const times = this.#times;
    const items = this.#items;
    let at = times.length;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (times[up]! <= mono) break;
      times[at] = times[up]!;
      items[at] = items[up]!;
      at = up;
    }
    times[at] = mono;
    items[at] = item;
    if (at === 0) this.#plan();
  }

  #plan(): void {
    const next = this.#times[0];
    if (!this.#running || next === undefined || next >= this.#wake) return;
    this.#cancel?.();
    this.#wake = next;
    this.#cancel = this.#clock.after(Math.max(GRAIN, next - this.#clock.mono()), () => this.#run());
  }

  #run(): void {
    this.#cancel = undefined;
    // Infinity would let `add` plan a timer per item while the round is still running.
    this.#wake = -Infinity;
    const mono = this.#clock.mono();
    for (let n = 0; n < this.#most && this.#times.length > 0 && this.#times[0]! <= mono; n++)
      this.#act(this.#pop(), mono);
    this.#done();
    this.#wake = Infinity;
    this.#plan();
  }

  #pop(): Item {
    const times = this.#times;
    const items = this.#items;
    const first = items[0]!;
    const time = times.pop()!;
    const item = items.pop()!;
    const size = times.length;
    if (size > 0) {
      let at = 0;
      for (;;) {
        let down = 2 * at + 1;
        if (down >= size) break;
        if (down + 1 < size && times[down + 1]! < times[down]!) down++;
        if (times[down]! >= time) break;
        times[at] = times[down]!;
        items[at] = items[down]!;
        at = down;
      }
      times[at] = time;
      items[at] = item;
    }
    return first;
  }
}
