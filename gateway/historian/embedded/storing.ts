// What the store of the built-in historian is given, what it does and what it says of itself: the writer's view of it.
import type { Clock, Frame, Micros, ValueType } from '../../model.ts';
import type { Consumer, Stored } from '../../consumer.ts';
import type { Settled } from './account.ts';
import type { OpenMemory } from './open.ts';

export interface StoreOptions {
  dataDir: string;
  clock: Clock;
  memory: OpenMemory;
  /** One past the highest acknowledged sequence: nothing above it is committed, because a power cut may take it back. */
  durable(): number;
  /** Makes everything written so far durable; rejects when the disk takes nothing. */
  sync?(): Promise<void>;
  /** Share of its cap that the journal holds for this store alone, 0 to 1. */
  pinned?(): number;
  /** ms; 30 days and 2 years by default. */
  retention?: number;
  rollups?: number;
  /** Bytes of history.db in use; 2 GiB by default. */
  bytes?: number;
  /** Something worth a line in the log, once. */
  say?(message: string): void;
}
export interface StoreStats {
  /** Samples taken in since the start, and those of them too old to be kept. */
  samples: number;
  filtered: number;
  /** Nothing before this is taken in: it is too old, or history had to make room. */
  floor: Micros;
  /** Chunks that could not be read when more was to go into them: kept aside in the table `damaged`. */
  damaged: number;
  /** Chunks removed by retention. */
  removed: number;
  /** Samples in memory, and bytes of blocks in use. */
  open: number;
  memory: number;
  /** Bytes of history.db in use. */
  bytes: number;
  /** Transactions, and how long the last one took, ms. */
  commits: number;
  commitMs: number;
  /** Why chunks cannot be written or removed; empty when they can. */
  trouble: string;
  /** That lasts until somebody does something about the file. */
  broken: boolean;
}
export interface Store extends Consumer {
  /** What is stored for good: frames from its position on must stay in the journal. */
  readonly settled: Settled;
  write(frames: readonly Frame[], signal: AbortSignal): Promise<Stored>;
  use(tags: readonly { index: number; id: string; type: ValueType }[]): void;
  /** Every tag that samples are, or were, stored of. */
  tags(): { index: number; id: string; type: ValueType }[];
  /** Closes what is due, relieves memory and journal, removes what is too old. Call each second; never rejects. */
  tend(): Promise<void>;
  /** For a disk that is nearly full: the oldest samples go, also younger ones than the retention. */
  shrink(): void;
  /** Joins small chunks, a small transaction a step; gives after each how many there are fewer. */
  compact(): Generator<number>;
  stats(): StoreStats;
}
