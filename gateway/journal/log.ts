// What the writer owns: an ordered log of frames and, per consumer, the ranges of sequences it is still owed.
// segments.ts keeps it on disk and passes contract.ts; pump.ts reads it, writing.ts fills it.
import type { Micros } from '../model.ts';
import type { Stored } from '../consumer.ts';
import type { FrameMeta } from './head.ts';
import type { Range } from './ranges.ts';

/** A consumer's account, in samples counted when acknowledged or dropped; `backlog` is counted from the owed frames. */
export interface Account extends Stored {
  owed: readonly Range[];
  /** Everything journalled since the consumer was added: the sum of the other five, counted by itself. */
  journalled: number;
  dropped: number;
  /** Sample times of what was dropped; undefined as long as nothing was. */
  lost?: { from: Micros; to: Micros };
  /** Events in what was dropped, as far as they could be counted; they are in no sum. */
  droppedEvents?: number;
  /** ms since the epoch: when it settled a write last, also in an earlier run; undefined when that is not known. */
  settledAt?: number;
  backlog: { frames: number; samples: number; bytes: number };
}

/** What a consumer that keeps its own position (in its own transaction) has stored: all below `position`, in samples. */
export interface Own extends Partial<Stored> {
  position: number;
  delivered: number;
}
export interface Joining {
  own?: Own;
  /** After an outage: in the order of sequences (default), or what is new first and the backlog behind it. */
  order?: 'fifo' | 'liveFirst';
}

/** A frame as it is read; `backlog`: it comes from behind the point where live frames go first. */
export interface Found {
  meta: FrameMeta;
  bytes: Uint8Array;
  backlog: boolean;
}
/** What the log needs to hear of a frame that was settled. */
export type Settled = Pick<FrameMeta, 'seq' | 'size' | 'samples' | 'from' | 'to'>;

const fields = ['seq', 'size', 'samples', 'from', 'to'] as const;
/** On the way to another thread: a write of thousands of small frames costs main, which passes it on, nothing. */
export function packSettled(frames: readonly Settled[]): Float64Array<ArrayBuffer> {
  return Float64Array.from(frames.flatMap((frame) => fields.map((field) => frame[field])));
}
export function unpackSettled(packed: Float64Array): Settled[] {
  return Array.from({ length: packed.length / fields.length }, (_, i) => {
    const [seq = 0, size = 0, samples = 0, from = 0, to = 0] = packed.subarray(i * fields.length);
    return { seq, size, samples, from, to };
  });
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
  add(consumer: string, from: number, joining?: Joining): void;
  /** Forgets a consumer for good: what it was owed holds nothing any more. */
  remove(consumer: string): void;
  /** All that have an account, also those of earlier runs that were not added in this one. */
  consumers(): string[];
  /** Owed frames below sequence `below` in the order in which they are to be sent: at least one if any, then up to `bytes`. */
  read(consumer: string, bytes: number, below?: number): Found[];
  /**
   * The consumer has settled these frames, as they were read, with one write: they are owed no more. `stored` is what it
   * said of their samples, all delivered if nothing. Dropped or repeated frames count nothing.
   */
  deliver(consumer: string, frames: readonly Settled[], stored?: Stored | void): void;
  /** These frames cannot be decoded: owed no more, and counted as dropped. */
  lose(consumer: string, frames: readonly Settled[]): void;
  account(consumer: string): Account;
  /** Largest backlog of any consumer, bytes. */
  backlog(): number;
}

/** A range of sample times that takes in another; a frame without samples has none. */
export function widen(
  lost: Account['lost'],
  { from, to, samples }: { from: Micros; to: Micros; samples: number },
): Account['lost'] {
  if (samples === 0 || from > to) return lost;
  return { from: Math.min(lost?.from ?? Infinity, from), to: Math.max(lost?.to ?? -Infinity, to) };
}
