// One consumer's books over a log: what it is owed, what became of the rest, and what of that may be stored already.
// Pure; kept by consumers.ts, while segments.ts does the reading of files.
import type { Stored } from '../consumer.ts';
import { widen } from './log.ts';
import type { Account, Own, Settled } from './log.ts';
import type { Position } from './positions.ts';
import type { Order } from './order.ts';
import { minus, owes, plus, without } from './ranges.ts';
import type { Range } from './ranges.ts';
import type { Cursor } from './reading.ts';

export interface Held {
  frames: number;
  samples: number;
  bytes: number;
}
export const nothing = (): Held => ({ frames: 0, samples: 0, bytes: 0 });
export const noneStored = (): Stored => ({ delivered: 0, filtered: 0, deadLettered: 0 });

const terms = ['delivered', 'filtered', 'deadLettered'] as const;

export class Books {
  owed: Range[];
  readonly counts: Stored;
  dropped: number;
  lost: Account['lost'];
  droppedEvents: number;
  settledAt: Account['settledAt'];
  backlog: Held = nothing();
  readonly since: number;
  readonly before: Stored;
  /** It keeps its position itself: ours is only the count of what was dropped. */
  readonly own: boolean;
  /** What such a consumer has stored, by its own word: it may have taken in more that it would need again after a kill. */
  word: Own | undefined;
  liveFirst = false;
  readonly order: Order = { passed: [] };
  /** Where its next frames lie: of what is live, and of the backlog. */
  readonly cursors: { live: Cursor; backlog: Cursor } = { live: {}, backlog: {} };
  /** Settled writes that are not durable as a whole: a stored position must not count these. */
  #ahead: { top: number; ranges: Range[]; counts: Stored }[] = [];

  constructor(position: Position, own: boolean) {
    const { owed, delivered, filtered, deadLettered, dropped, lost, settledAt, since, before } = position;
    this.owed = [...owed];
    this.counts = { delivered, filtered, deadLettered };
    this.dropped = dropped;
    this.lost = lost;
    this.droppedEvents = position.droppedEvents ?? 0;
    this.settledAt = settledAt;
    this.since = since;
    this.before = before;
    this.own = own;
  }

  owes(seq: number): boolean {
    return owes(this.owed, seq);
  }
  /** What must stay for it: what it is owed, and what it has not stored by its own word. */
  get needs(): Range[] {
    return this.word ? plus(this.owed, { from: this.word.position, to: Infinity }) : this.owed;
  }
  add(samples: number, bytes: number): void {
    this.backlog.frames++;
    this.backlog.samples += samples;
    this.backlog.bytes += bytes;
  }
  /** The frames of one write are settled, at `now` (ms since the epoch). @returns false when none of them was owed */
  deliver(frames: readonly Settled[], durable: number, now: number, stored?: Stored | void): boolean {
    let ranges: Range[] = [];
    let samples = 0;
    let dropped = 0;
    let top = -1;
    for (const frame of frames) {
      if (owes(ranges, frame.seq)) continue;
      if (!this.owes(frame.seq)) {
        dropped += frame.samples;
        continue;
      }
      ranges = plus(ranges, { from: frame.seq, to: frame.seq + 1 });
      samples += frame.samples;
      top = Math.max(top, frame.seq);
      this.#less(frame);
    }
    if (ranges.length === 0) return false;
    this.owed = without(this.owed, ranges);
    this.settledAt = now;
    const counts = stored ? { ...stored } : { delivered: samples, filtered: 0, deadLettered: 0 };
    // Frames that were dropped while they were on their way stay dropped: each sample counts once.
    if (stored)
      for (const term of terms) {
        const less = Math.min(counts[term], dropped);
        counts[term] -= less;
        dropped -= less;
      }
    for (const term of terms) this.counts[term] += counts[term];
    if (top >= durable && !this.own) this.#ahead.push({ top, ranges, counts });
    return true;
  }
  /** One owed frame is lost for the consumer. @returns false when it was not owed */
  lose(frame: Settled): boolean {
    if (!this.owes(frame.seq)) return false;
    this.owed = minus(this.owed, { from: frame.seq, to: frame.seq + 1 });
    this.#less(frame);
    this.dropped += frame.samples;
    this.lost = widen(this.lost, frame);
    return true;
  }
  /** Sequences that are no more: the backlog is what is left, and the difference is dropped. @returns how many samples */
  drop(gone: readonly Range[], left: Held, times: { from: number; to: number }): number {
    for (const range of gone) this.owed = minus(this.owed, range);
    const samples = this.backlog.samples - left.samples;
    this.missing(samples, times);
    this.backlog = left;
    return samples;
  }
  /** Samples that were owed and are not there. */
  missing(samples: number, times: { from: number; to: number }): void {
    this.dropped += samples;
    this.lost = widen(this.lost, { ...times, samples });
  }
  /** As it may be stored: what is not durable counts as owed. */
  position(durable: number): Position {
    this.#ahead = this.#ahead.filter(({ top }) => top >= durable);
    const { dropped, droppedEvents, lost, settledAt, since, before, word } = this;
    const rest = { dropped, droppedEvents, lost, settledAt, since, before };
    if (word) {
      const owed = [{ from: Math.min(word.position, durable), to: Infinity }];
      return { owed, ...after(word, before), ...rest };
    }
    const counts = { ...this.counts };
    let owed = [...minus(this.owed, { from: durable, to: Infinity }), { from: durable, to: Infinity }];
    for (const write of this.#ahead) {
      for (const range of write.ranges) owed = plus(owed, range);
      for (const term of terms) counts[term] -= write.counts[term];
    }
    return { owed, ...counts, ...rest };
  }
  account(journalled: number): Account {
    const { counts, dropped, droppedEvents, lost, settledAt, owed, backlog, since } = this;
    return {
      owed: [...owed],
      journalled: journalled - since,
      ...counts,
      dropped,
      ...(lost ? { lost } : {}),
      ...(droppedEvents > 0 ? { droppedEvents } : {}),
      ...(settledAt === undefined ? {} : { settledAt }),
      backlog: { ...backlog },
    };
  }

  #less({ size, samples }: Settled): void {
    this.backlog.frames--;
    this.backlog.samples -= samples;
    this.backlog.bytes -= size;
  }
}

/** What of a consumer's own count came after it was added. */
export const after = ({ delivered, filtered = 0, deadLettered = 0 }: Own, before: Stored): Stored => ({
  delivered: delivered - before.delivered,
  filtered: filtered - before.filtered,
  deadLettered: deadLettered - before.deadLettered,
});
