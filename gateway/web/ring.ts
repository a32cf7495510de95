// The last alarm transitions, numbered without a gap, as they were sent: what a client that comes back is told exactly.
// Pure; used by the hub.

export interface RingEntry {
  seq: number;
  facility: string;
  /** The event's data, serialised once for every client. */
  text: string;
}

export class AlarmRing {
  readonly #size: number;
  readonly #entries: RingEntry[] = [];
  #seq = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Sequence of the newest; 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  push(facility: string, text: string): void {
    // Sequence n stands at n - 1 modulo the size, so nothing moves when the oldest falls out.
    this.#entries[this.#seq++ % this.#size] = { seq: this.#seq, facility, text };
  }

  /** The entry of a sequence; undefined when it has fallen out or is not yet there. */
  get(seq: number): RingEntry | undefined {
    const entry = this.#entries[(seq - 1) % this.#size];
    return entry?.seq === seq ? entry : undefined;
  }

  /** Whether everything after `seq` is still here. */
  reaches(seq: number): boolean {
    return seq <= this.#seq && (seq === this.#seq || this.get(seq + 1) !== undefined);
  }
}
