// The log on disk as its users see it, and how it is opened. Made by segments.ts; used by writing.ts, commit.ts and guard.ts.
import type { Clock, Micros } from '../model.ts';
import type { Bounds } from './bounds.ts';
import type { Drop } from './consumers.ts';
import type { Files } from './files.ts';
import type { Log, Own } from './log.ts';
import type { SourceAccount } from './sources.ts';

/** acknowledged = synced; `os`: written only, which survives the process but not the power. */
export type Durability = 'batch' | 'interval' | 'os';

export interface SegmentsOptions extends Partial<Omit<Bounds, 'cap'>> {
  dataDir: string;
  /** Bytes of segment files; beyond it the oldest go. */
  cap: number;
  durability?: Durability;
  /** The highest sequence that anybody else remembers. */
  known?: number;
  /** No frame of this run gets a lower one; 1 by default. */
  lowest?: number;
  clock?: Clock;
  files?: Files;
  segmentBytes?: number;
  /** Bytes of frames in memory while the disk takes none. */
  memoryBytes?: number;
  /** Made by `sharedEnds`: where the log says for other threads how far it is. */
  shared?: SharedArrayBuffer;
  /** Samples that a consumer will never get; called for each piece of them. */
  dropped?(drop: Drop): void;
}
export interface LogHealth {
  /** In words, why frames wait in memory, or positions cannot be stored; empty when all is well. */
  trouble: string;
  failures: number;
  segments: number;
  bytes: number;
  /** Bytes of frames taken in and not acknowledged yet. */
  waiting: number;
  /** Places where frames of sealed segments are missing, and bytes cut off the last one at the start. */
  damaged: number;
  truncated: number;
}
export interface DiskLog extends Log {
  /** The first sequence of this run. */
  readonly start: number;
  /** When the gateway got the last samples of the run before, as far as its last segments tell. */
  readonly lastReceived: Micros | undefined;
  /** Bytes of frames taken in and not acknowledged yet. */
  readonly waiting: number;
  /** Each source's account, as its last frame told it and as the journal counted it. */
  sources(): Map<string, SourceAccount>;
  /** Keeps to fewer bytes than the cap, and to no margin of delivered segments, until told otherwise. */
  limit(bytes: number | undefined): void;
  health(): LogHealth;
  /** A consumer that keeps its own position has stored so much by now: what it would need again after a kill stays. */
  hold(consumer: string, own: Own): void;
  /** The part of all the bytes that the files may take up just now that stays for it. */
  held(consumer: string): number;
  /** Stores where every consumer stands now. Never rejects; what could not be stored is in `health`. */
  keep(): Promise<void>;
  /** Syncs, stores positions and closes the files. Never rejects; what could not be stored is in `health`. */
  close(): Promise<void>;
}
