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
  /** Of history: an import, a seed or a device's own past. */
  past: boolean;
}

export class Account {
  #settled: Settled;
  /** Frames at or above the position, oldest first; those before `#from` are settled. */
  #frames: Taken[] = [];
  #from = 0;
  #taken: number;
  #live = 0;
  #past = 0;
  #lastPast = -1;

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
  take(seq: number, delivered: number, filtered: number, past: boolean): void {
    this.#frames.push({ seq, delivered, filtered, past });
    this.#taken = seq;
    this.#count({ delivered, past }, 1);
    if (past) this.#lastPast = seq;
  }
  /** Samples that would come again after a kill, live ones and those of history, and the last sequence of the latter. */
  get unsettled(): { live: number; past: number; last: number } {
    return { live: this.#live, past: this.#past, last: this.#lastPast };
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
    for (; this.#from < this.#frames.length; this.#from++) {
      const frame = this.#frames[this.#from] as Taken;
      if (frame.seq >= settled.position) break;
      this.#count(frame, -1);
    }
    if (this.#from > 1024 && this.#from > this.#frames.length / 2) {
      this.#frames = this.#frames.slice(this.#from);
      this.#from = 0;
    }
  }
  #count({ delivered, past }: Pick<Taken, 'delivered' | 'past'>, sign: 1 | -1): void {
    if (past) this.#past += sign * delivered;
    else this.#live += sign * delivered;
  }
}
