// What takes the journal's frames: the contract of every consumer, and what a forwarder to a store elsewhere is given.
// The embedded historian, historian/questdb, /postgres and /file are such; journal/ pumps frames into them.
import type { Clock, Frame, ValueType } from './model.ts';

/** What became of the samples of one write, each counted by itself; their sum is what the frames held. */
export interface Stored {
  delivered: number;
  /** Left out on purpose: not asked for, or older than what is kept. */
  filtered: number;
  /** Refused by the store for good, and kept in a dead-letter file. */
  deadLettered: number;
}

/**
 * Takes frames in order. Resolves when stored, with what became of the samples (nothing said: all delivered); throws to
 * get the same frames again, so it is idempotent.
 */
export interface Consumer {
  write(frames: readonly Frame[], signal: AbortSignal): Promise<Stored | void>;
  close(): Promise<void>;
}

/** A tag as a store elsewhere needs to know it; `unit` is empty once the tag is gone from the configuration. */
export interface ForwardTag {
  index: number;
  id: string;
  site: string;
  asset: string;
  metric: string;
  type: ValueType;
  unit: string;
}

/** A consumer in the egress thread: sends frames to a store elsewhere. */
export interface Forwarder extends Consumer {
  /** How loaded the store says it is, 0 to 1; above one half the backlog is sent at half its rate. Asked before each write. */
  pressure?(): number;
  /** In words, what is wrong although writes succeed, and what to do; empty when nothing is. Shown in /health, asked each second. */
  trouble?(): string;
}

/** What a forwarder is given. Credentials are references in its settings; it reads them itself, at every connection. */
export interface ForwardContext {
  /** By index, also of earlier configurations: a backlog may be older than the last reload. */
  tag(index: number): ForwardTag | undefined;
  clock: Clock;
  /** The gateway's own state folder. */
  dataDir: string;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, detail?: Record<string, unknown>): void;
  /** The store has answered a part of the write on its way: the time that it has for it begins anew. */
  answered(): void;
  /** What was stored in the last `ms` is written once more: for a store that has lost its latest commits. Counts nothing twice. */
  rewind(ms: number): void;
}

/** A kind of forwarder as the registry in forwarders.ts knows it; `Settings` is its section of `forward` in the settings. */
export interface ForwardKind<Settings> {
  kind: string;
  /** ms between the starts of two writes, unless the last was full; 250 when it does not say. */
  pause?: number;
  /** Does no I/O: the first `write` connects. Throws in words when the settings cannot be right. */
  create(settings: Settings, context: ForwardContext): Forwarder;
}
