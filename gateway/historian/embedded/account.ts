// What the store has made of the frames, as it is stored beside the chunks: a position below which everything is in
// chunks or filtered, and the samples of those frames. Frames from the position on come again after a kill. Pure.

/** All of an account row but the floor. */
export interface Settled {
  /** One past the last sequence of which nothing is in memory alone. */
  position: number;
  delivered: number;
  filtered: number;
}

interface Taken {
  seq: number;
  delivered: number;
  filtered: number;
}

export class Account {
  #settled: Settled;
  /** Frames at or above the position, oldest first; those before `#from` are settled. */
  #frames: Taken[] = [];
  #from = 0;
  #taken: number;

  constructor(settled: Settled) {
    this.#settled = settled;
    this.#taken = settled.position - 1;
  }

  get settled(): Settled {
    return this.#settled;
  }
  /** The last sequence taken in. */
  get taken(): number {
    return this.#taken;
  }
  take(seq: number, delivered: number, filtered: number): void {
    this.#frames.push({ seq, delivered, filtered });
    this.#taken = seq;
  }
  /** The account if everything below `position` were settled; a lower position than before changes nothing. */
  at(position: number): Settled {
    const next = { ...this.#settled };
    if (position <= next.position) return next;
    next.position = position;
    for (let i = this.#from; i < this.#frames.length; i++) {
      const { seq, delivered, filtered } = this.#frames[i] as Taken;
      if (seq >= position) break;
      next.delivered += delivered;
      next.filtered += filtered;
    }
    return next;
  }
  /** That account is stored. */
  settle(settled: Settled): void {
    this.#settled = settled;
    while (this.#from < this.#frames.length && (this.#frames[this.#from] as Taken).seq < settled.position) this.#from++;
    if (this.#from > 1024 && this.#from > this.#frames.length / 2) {
      this.#frames = this.#frames.slice(this.#from);
      this.#from = 0;
    }
  }
}
