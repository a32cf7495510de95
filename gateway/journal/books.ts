// One consumer's books over the log on disk: what it is owed, what it got, and what of that may be stored already.
// Pure; kept by segments.ts, which does the reading of files.
import type { FrameMeta } from './frame.ts';
import { minus, owes, widen } from './log.ts';
import type { Account, Range } from './log.ts';
import type { Position } from './positions.ts';
import type { Segment } from './segment.ts';

export interface Held {
  frames: number;
  samples: number;
  bytes: number;
}
export const nothing = (): Held => ({ frames: 0, samples: 0, bytes: 0 });

export class Books {
  owed: Range[];
  delivered: number;
  dropped: number;
  lost: Account['lost'];
  backlog: Held = nothing();
  readonly since: number;
  readonly before: number;
  /** It keeps its position itself: ours is only the count of what was dropped. */
  readonly own: boolean;
  /** Where its next frame lies, as long as `generation` is the appender's. */
  cursor: { seq: number; segment: Segment; offset: number; generation: number } | undefined;
  /** Sizes of the frames it was given last. */
  lent = new Map<number, number>();
  /** Delivered, but not durable yet: a stored position must not count these. */
  #ahead: { seq: number; samples: number }[] = [];

  constructor(position: Position, own: boolean) {
    const { owed, delivered, dropped, lost, since, before } = position;
    this.owed = [...owed];
    this.delivered = delivered;
    this.dropped = dropped;
    this.lost = lost;
    this.since = since;
    this.before = before;
    this.own = own;
  }

  owes(seq: number): boolean {
    return owes(this.owed, seq);
  }
  add(samples: number, bytes: number): void {
    this.backlog.frames++;
    this.backlog.samples += samples;
    this.backlog.bytes += bytes;
  }
  /** One owed frame is stored by the consumer, or lost for it. */
  settle(meta: FrameMeta, bytes: number, durable: number, how: 'delivered' | 'dropped'): void {
    this.owed = minus(this.owed, { from: meta.seq, to: meta.seq + 1 });
    this.backlog.frames--;
    this.backlog.samples -= meta.samples;
    this.backlog.bytes -= bytes;
    this[how] += meta.samples;
    if (how === 'dropped') this.lost = widen(this.lost, meta);
    else if (meta.seq >= durable && !this.own) this.#ahead.push({ seq: meta.seq, samples: meta.samples });
  }
  /** Sequences that are no more: the backlog is what is left, and the difference is dropped. */
  drop(gone: readonly Range[], left: Held, times: { from: number; to: number }): void {
    for (const range of gone) this.owed = minus(this.owed, range);
    const samples = this.backlog.samples - left.samples;
    this.dropped += samples;
    this.lost = widen(this.lost, { ...times, samples });
    this.backlog = left;
  }
  /** As it may be stored: what is not durable counts as owed. */
  position(durable: number): Position {
    this.#ahead = this.#ahead.filter(({ seq }) => seq >= durable);
    const ahead = this.#ahead.reduce((sum, { samples }) => sum + samples, 0);
    const owed = [...minus(this.owed, { from: durable, to: Infinity }), { from: durable, to: Infinity }];
    const { delivered, dropped, lost, since, before } = this;
    return { owed, delivered: delivered - ahead, dropped, lost, since, before };
  }
  account(journalled: number): Account {
    const { delivered, dropped, lost, owed, backlog, since } = this;
    return {
      owed: [...owed],
      journalled: journalled - since,
      delivered,
      dropped,
      ...(lost ? { lost } : {}),
      backlog: { ...backlog },
    };
  }
}
