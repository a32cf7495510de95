// What the writer owns: an ordered log of frames and, per consumer, the ranges of sequences it is still owed.
// memory.ts forgets with the process, segments.ts is on disk; both pass contract.ts. pump.ts reads it, writer.ts fills it.
import type { Micros } from '../model.ts';
import type { FrameMeta } from './frame.ts';

/** Sequences [from, to); the last range of a consumer is open (`to` Infinity): everything still to come. */
export interface Range {
  from: number;
  to: number;
}

/** A consumer's account, in samples counted when acknowledged or dropped; `backlog` is counted from the owed frames. */
export interface Account {
  owed: readonly Range[];
  /** Everything journalled since the consumer was added: the sum of the other three, counted by itself. */
  journalled: number;
  delivered: number;
  dropped: number;
  /** Sample times of what was dropped; undefined as long as nothing was. */
  lost?: { from: Micros; to: Micros };
  backlog: { frames: number; samples: number; bytes: number };
}

/** What a consumer that keeps its own position (in its own transaction) has stored: all below `position`, in samples `delivered`. */
export interface Own {
  position: number;
  delivered: number;
}

export interface Log {
  /** Takes one frame; sequences rise. Beyond the cap the oldest frames go and are counted against whoever was owed them. */
  append(bytes: Uint8Array, meta: FrameMeta): void;
  /** Everything appended so far survives what this form can survive, when it resolves; rejects when that failed for now. */
  sync(): Promise<void>;
  /** One past the highest sequence written, and one past the highest acknowledged. */
  readonly written: number;
  readonly durable: number;
  /** The first sequence still kept. */
  readonly first: number;
  /**
   * Adds a consumer, owed everything from sequence `from` on (what is gone by then is not its loss). One that was added
   * in an earlier run goes on where it stood.
   */
  add(consumer: string, from: number, own?: Own): void;
  /** The consumer's oldest owed frames below sequence `below`: at least one if any, then up to `bytes`. */
  read(consumer: string, bytes: number, below?: number): { meta: FrameMeta; bytes: Uint8Array }[];
  /** The consumer has stored these frames: they are owed no more. Unknown, dropped or repeated ones count nothing. */
  deliver(consumer: string, frames: readonly FrameMeta[]): void;
  /** These frames cannot be decoded: owed no more, and counted as dropped. */
  lose(consumer: string, frames: readonly FrameMeta[]): void;
  account(consumer: string): Account;
  /** Largest backlog of any consumer, bytes. */
  backlog(): number;
}

/** Ranges without the sequences of one. */
export function minus(ranges: readonly Range[], { from, to }: Range): Range[] {
  const left: Range[] = [];
  for (const range of ranges) {
    if (to <= range.from || from >= range.to) left.push(range);
    else {
      if (range.from < from) left.push({ from: range.from, to: from });
      if (to < range.to) left.push({ from: to, to: range.to });
    }
  }
  return left;
}
/** Ranges without one sequence. */
export const without = (ranges: readonly Range[], seq: number): Range[] => minus(ranges, { from: seq, to: seq + 1 });

export const owes = (ranges: readonly Range[], seq: number): boolean =>
  ranges.some((range) => seq >= range.from && seq < range.to);
export const overlaps = (ranges: readonly Range[], { from, to }: Range): boolean =>
  ranges.some((range) => range.from < to && from < range.to);

/** A range of sample times that takes in another; a frame without samples has none. */
export function widen(
  lost: Account['lost'],
  { from, to, samples }: { from: Micros; to: Micros; samples: number },
): Account['lost'] {
  if (samples === 0 || from > to) return lost;
  return { from: Math.min(lost?.from ?? Infinity, from), to: Math.max(lost?.to ?? -Infinity, to) };
}
