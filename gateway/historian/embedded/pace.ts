// How a query shares the reader thread: it works in slices, lets others in between them, and ends when it is called off
// or takes too long. One for each query.

/** ms a query may work on end, and in all. */
const SLICE = 8;
const BUDGET = 10_000;

export class Pace {
  readonly #mono: () => number;
  readonly #signal: AbortSignal | undefined;
  readonly #began: number;
  #rested: number;

  /** @param mono ms */
  constructor(mono: () => number, signal?: AbortSignal) {
    this.#mono = mono;
    this.#signal = signal;
    this.#began = this.#rested = mono();
    signal?.throwIfAborted();
  }
  /** How long the work took, ms. */
  timed(work: () => void): number {
    const began = this.#mono();
    work();
    return this.#mono() - began;
  }
  /** It is time to let others work. */
  get due(): boolean {
    return this.#mono() - this.#rested >= SLICE;
  }
  /** Lets others work, if it is time; rejects when the query was called off meanwhile, or has had its time. */
  async rest(): Promise<void> {
    if (!this.due) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#signal?.throwIfAborted();
    this.#rested = this.#mono();
    if (this.#rested - this.#began > BUDGET)
      throw new RangeError(`the query took longer than ${BUDGET / 1000} s: ask for a shorter time or fewer tags`);
  }
}
