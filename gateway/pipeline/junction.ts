// What the pipeline takes and gives, for whoever stands around it: daemon, which connects it, and the test beds.
// pipeline.ts keeps these promises.
import type { AlarmSnapshot } from '../alarms/register.ts';
import type { Catalog } from '../catalog.ts';
import type {
  ActResult,
  Clock,
  GatewayEvent,
  Journal,
  Live,
  Micros,
  OperatorAct,
  Origin,
  Present,
  Reading,
  SourceCounts,
  Value,
} from '../model.ts';
import type { Status } from '../status.ts';
import type { Ledger } from './ledger.ts';

export interface PipelineOptions {
  catalog: Catalog;
  clock: Clock;
  journal: Pick<Journal, 'append'>;
  live: readonly Live[];
  status: Status;
  /** ms: how far a clock may be off, and after how long a proven value is repeated. */
  settings?: { maxSkew?: number; maxSilence?: number };
}

/** A tag's newest value in history, as the historian's `latest` gives it. */
export interface Remembered {
  tag: number;
  t: Micros;
  value: Value;
  status: number;
}

export interface Pipeline extends Present {
  /** Readings of a device. Those of a tag that is unknown or another device's are rejected and counted. */
  ingest(device: string, readings: readonly Reading[], origin?: Origin): void;
  /** Proof that these tags' last values were still true at `at`. */
  alive(device: string, tags: readonly number[], at: Micros): void;
  online(device: string): void;
  offline(device: string, reason: string): void;
  act(act: OperatorAct): ActResult;
  /** Stores history as it is; import and seed are in engineering units already, backfill is scaled like live readings. */
  file(origin: Exclude<Origin, 'live'>, readings: readonly Reading[], source: string): Filed;
  /** Counts readings that never became any: lines of a source that cannot be read. */
  reject(source: string, count: number): void;
  /** Something that happened outside, to be journalled and shown with all else. */
  note(event: Omit<LossEvent, 'id' | 'time'>): void;
  /** On: samples are shown and judged, but no more journalled, and counted as shed; events still are. */
  shed(on: boolean): void;
  use(catalog: Catalog): void;
  /**
   * Before `start`: the alarms (as `snapshot` gave them; anything else is ignored with a line in the log) with the events
   * that the journal has beyond them, newest values and source accounts of the run before. Files for each tag that was
   * not bad, where the gateway was away for longer than the tag may be silent, one bad sample at the end of that run.
   */
  restore(state: {
    alarms?: unknown;
    events?: readonly GatewayEvent[];
    latest?: readonly Remembered[];
    /** When the run before got its last samples: since then nothing is known. By default, when each tag's newest was true. */
    ended?: Micros;
    ledgers?: ReadonlyMap<string, SourceCounts>;
  }): void;
  /** Plain JSON: the alarms, for `restore` after the next start. */
  snapshot(): AlarmSnapshot;
  /** Per source, since its first reading ever: received + made = rejected + filtered + shed + journalled + merged. */
  ledger(): Map<string, Ledger>;
  start(): void;
  close(): void;
}

export type LossEvent = Extract<GatewayEvent, { kind: 'loss' }>;

/** What became of readings of history; `seq` is the journal's, when anything was journalled. */
export interface Filed {
  accepted: number;
  rejected: number;
  /** Not journalled for want of disk space. */
  shed: number;
  seq?: number;
}
