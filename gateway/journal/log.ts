// What the writer owns: an ordered log of frames and, per consumer, the ranges of sequences it is still owed.
// memory.ts is its first form; every form passes contract.ts. pump.ts reads it, journal.ts fills it from main.
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
  delivered: number;
  dropped: number;
  /** Sample times of what was dropped; undefined as long as nothing was. */
  lost?: { from: Micros; to: Micros };
  backlog: { frames: number; samples: number; bytes: number };
}

export interface Log {
  /** Takes one frame; sequences rise. Beyond the cap the oldest frames go and are counted against whoever was owed them. */
  append(bytes: Uint8Array, meta: FrameMeta): void;
  /** Everything written so far survives what this form can survive, when it resolves. */
  sync(): Promise<void>;
  /** One past the highest sequence written, and one past the highest acknowledged. */
  readonly written: number;
  readonly durable: number;
  /** The first sequence still kept. */
  readonly first: number;
  /** Adds a consumer, owed everything from sequence `from` on (what is gone by then is not its loss). */
  add(consumer: string, from: number): void;
  /** The consumer's oldest owed frames: at least one if any, then up to `bytes`. */
  read(consumer: string, bytes: number): { meta: FrameMeta; bytes: Uint8Array }[];
  /** The consumer has stored these frames: they are owed no more. Unknown, dropped or repeated ones count nothing. */
  deliver(consumer: string, frames: readonly FrameMeta[]): void;
  account(consumer: string): Account;
  /** Largest backlog of any consumer, bytes. */
  backlog(): number;
}

/** Ranges without one sequence. */
export function without(ranges: readonly Range[], seq: number): Range[] {
  const left: Range[] = [];
  for (const range of ranges) {
    if (seq < range.from || seq >= range.to) left.push(range);
    else {
      if (range.from < seq) left.push({ from: range.from, to: seq });
      if (seq + 1 < range.to) left.push({ from: seq + 1, to: range.to });
    }
  }
  return left;
}
