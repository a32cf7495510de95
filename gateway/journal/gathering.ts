// Gathers small live batches of one source, which come within one flush of main's journal, into one frame: a field bus
// answers one register at a time, and a frame for each would be mostly head. Pure; used by journal.ts, which encodes them.
import type { Batch, Value } from '../model.ts';

interface Gathered {
  seq: number;
  batch: Batch;
}

/** Samples of one frame. */
const MOST = 2048;
/** Characters of a text that may still be gathered: no gathered frame comes near the largest there can be. */
const LONG = 1024;

export class Gathering {
  readonly #open = new Map<string, Gathered>();

  /**
   * The sequence of the frame that the batch has joined, or of a new one, which is then `next`; undefined when it must be
   * a frame of its own, behind everything gathered: events, and samples that are not live, keep their place.
   */
  join({ origin, source, samples, events, counts }: Batch, next: number): number | undefined {
    if (origin !== 'live' || events.length > 0 || !samples.every(({ value }) => isShort(value))) return undefined;
    const open = this.#open.get(source);
    if ((open?.batch.samples.length ?? 0) + samples.length > MOST) return undefined;
    if (!open) {
      const batch: Batch = { origin, source, samples: [...samples], events: [] };
      if (counts) batch.counts = counts;
      this.#open.set(source, { seq: next, batch });
      return next;
    }
    if (!open.batch.counts !== !counts) return undefined;
    open.batch.samples.push(...samples);
    // The account is cumulative: the last one has all of them in it.
    if (counts) open.batch.counts = counts;
    return open.seq;
  }

  /** Everything gathered, by rising sequence; nothing is left. */
  take(): Gathered[] {
    const all = [...this.#open.values()];
    this.#open.clear();
    return all;
  }
}

const isShort = (value: Value): boolean => typeof value !== 'string' || value.length <= LONG;
