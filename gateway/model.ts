// The vocabulary of the gateway: what a reading, a sample, a batch, an alarm and an event are.
// Every room imports this file and it imports nothing, so data can flow between rooms that do not know each other.
// The contracts built on it stand beside it: driver.ts, consumer.ts and history.ts.

/** A sample time: integer microseconds since the epoch, UTC. Everything else in the program is milliseconds. */
export type Micros = number;

/** What a tag can hold. Integers past 2^53 are bigint; a value that could not be had is null. */
export type Value = number | boolean | bigint | string | null;
export type ValueType = 'double' | 'boolean' | 'integer' | 'text';

export type Quality = 'good' | 'uncertain' | 'bad';

/** The OPC UA status codes this gateway itself gives (OPC 10000-4, table A). A device's own codes pass through as they are. */
export const Status = {
  good: 0x00000000,
  uncertain: 0x40000000,
  uncertainLastUsable: 0x40900000,
  bad: 0x80000000,
  badCommunication: 0x80050000,
  badTimeout: 0x800a0000,
  badWaitingForInitialData: 0x80320000,
  badNoCommunication: 0x80310000,
  badNodeIdUnknown: 0x80340000,
  badOutOfRange: 0x803c0000,
  badNotSupported: 0x803d0000,
  badNotConnected: 0x808a0000,
  badDeviceFailure: 0x808b0000,
  badSensorFailure: 0x808c0000,
  badConfiguration: 0x80890000,
  badTypeMismatch: 0x80740000,
} as const;

/** Severity of a StatusCode is its top two bits (OPC 10000-4 §7.38). */
export function quality(status: number): Quality {
  const severity = status >>> 30;
  return severity === 0 ? 'good' : severity === 1 ? 'uncertain' : 'bad';
}

/** Time as the program sees it; a fake in tests. */
export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** Wall clock in integer microseconds; the digits below 1 ms come from the monotonic clock. */
  micros(): Micros;
  /** Monotonic, ms: for durations, timeouts and delays. */
  mono(): number;
  /** Runs `act` once, `ms` from now on the monotonic clock; returns how to call it off. Never keeps the process alive. */
  after(ms: number, act: () => void): () => void;
}

/** All but `live` are filed and no more: no alarm, no live path, no latest value unless newer. */
export type Origin = 'live' | 'backfill' | 'import' | 'seed';

/** What a device said. `tag` is the catalog's index. */
export interface Reading {
  tag: number;
  value: Value;
  /** OPC UA StatusCode, unsigned 32 bits. */
  status: number;
  /** The device's own time for the value, if it gave one. */
  at?: Micros;
  /** The time of the server or bridge between device and gateway, if it gave one. */
  serverAt?: Micros;
}

/** Bits of `Sample.flags`. */
export const Flag = {
  /** The value repeated as proof that it still holds: a heartbeat, never a detector's input. */
  repeat: 1,
  /** Older than the tag's last device time: stored, neither judged nor shown. */
  late: 2,
  /** The device's clock cannot be right; `t` is not its time. */
  skewed: 4,
  /** Made by the gateway (bad on loss, stale): no device said this. */
  made: 8,
} as const;

/** What the gateway stands behind: a reading normalized, with the time it is filed under. (tag, t) is unique. */
export interface Sample {
  tag: number;
  t: Micros;
  receivedAt: Micros;
  /** The device's time as it said it. */
  at?: Micros;
  value: Value;
  status: number;
  flags: number;
  /** For a made sample that carries an older value: when that value was true. What is shown as its time. */
  valueAt?: Micros;
}

export type Severity = 'low' | 'medium' | 'high' | 'critical';
export const severities: readonly Severity[] = ['low', 'medium', 'high', 'critical'];

/** ISA-18.2 states, derived from the two bits and the suppressions. */
export type AlarmState =
  'normal' | 'unacknowledged' | 'acknowledged' | 'returned' | 'shelved' | 'suppressed' | 'outOfService';

/** One alarm as everybody sees it: the dashboard, MQTT, the event log. One cause has one alarm. */
export interface Alarm {
  /** Unique in the gateway: `<asset path>/<name>` for a tag's alarm, `device/<device>` for a lost device. */
  key: string;
  /** Last part of the key within its asset, and of its MQTT topic: `temperature`, `temperature.stale`, `comm.<device>`. */
  name: string;
  site: string;
  /** Asset path; absent for a device's alarm. */
  asset?: string;
  /** Tag id; absent for a device's alarm. */
  tag?: string;
  device?: string;
  kind: 'limit' | 'state' | 'stale' | 'quality' | 'comm' | 'clock';
  /** For a limit alarm the limit passed: ll, l, h or hh. */
  level?: 'll' | 'l' | 'h' | 'hh';
  severity: Severity;
  active: boolean;
  unacked: boolean;
  shelvedUntil?: number;
  /** The occurrence: sortable by time, unique; an acknowledgement names it. */
  event: string;
  /** ms since the epoch: the time of the sample that began the occurrence. */
  raisedAt: number;
  clearedAt?: number;
  ackedAt?: number;
  ackedBy?: string;
  comment?: string;
  /** The value that raised it, and the limit it passed, in the tag's unit. */
  value?: number | boolean | string | null;
  limit?: number;
  unit?: string;
  /** One sentence for an operator. */
  message: string;
}

export type AlarmTransition = 'raise' | 'escalate' | 'ease' | 'clear' | 'ack' | 'shelve' | 'unshelve';

/** Something that happened, in order with the samples around it. */
export type GatewayEvent =
  | { kind: 'alarm'; id: string; time: number; transition: AlarmTransition; alarm: Alarm }
  | { kind: 'device'; id: string; time: number; device: string; state: 'online' | 'offline'; reason?: string }
  | { kind: 'clock'; id: string; time: number; tag?: string; device?: string; message: string }
  | {
      kind: 'loss';
      id: string;
      time: number;
      consumer: string;
      samples: number;
      events?: number;
      from: Micros;
      to: Micros;
      reason: string;
    }
  | { kind: 'state'; id: string; time: number; asset: string; state: AssetState };

/** Machine status, worst last. */
export type MachineStatus = 'operational' | 'warning' | 'down' | 'maintenance' | 'offline';

/** What an asset is doing, as far as the gateway can say. */
export interface AssetState {
  status: MachineStatus;
  /** lost: no device of the asset answers; degraded: some tags have no good value. */
  comm: 'ok' | 'degraded' | 'lost';
  /** ms since the epoch. */
  since: number;
}

/** An operator's act; it becomes an event in the journal and answers when that is durable. */
export type OperatorAct =
  | { kind: 'acknowledge'; key: string; event: string; user: string; comment?: string }
  | { kind: 'shelve'; key: string; until: number; user: string; reason?: string }
  | { kind: 'unshelve'; key: string; user: string };
export type ActResult =
  { ok: true; seq: number } | { ok: false; reason: 'unknown' | 'outdated' | 'refused'; message: string };

/** The present, as the pipeline holds it in memory: what a page or a broker shows before the next batch comes. */
export interface Present {
  /** The newest sample of a tag that may be shown; undefined before the first. */
  latest(tag: number): Sample | undefined;
  /** Every alarm that is not normal. */
  alarms(): Alarm[];
  /** By asset path. */
  states(): ReadonlyMap<string, AssetState>;
}

/**
 * A source's account, in samples since its first: received + made = rejected + filtered + shed + journalled + merged.
 * Every term is counted where it happens; none is the rest of the others.
 */
export interface SourceCounts {
  received: number;
  /** Repeats, bad on loss, stale: samples no device said. */
  made: number;
  rejected: number;
  filtered: number;
  shed: number;
  journalled: number;
  /** Retransmissions. */
  merged: number;
}

/** Samples and the events they caused, together, so that every consumer sees them in one order. */
export interface Batch {
  origin: Origin;
  /** Where it came from: a device's name, `import`, `gateway`. The ledger counts by it. */
  source: string;
  samples: Sample[];
  events: GatewayEvent[];
  /** The source's account with this batch in it: the journal carries it over a kill. */
  counts?: SourceCounts;
}

/** A batch with its place in the journal. */
export interface Frame extends Batch {
  seq: number;
  /** Catalog revision the tag indexes belong to. */
  revision: number;
}

/** The durable log as main sees it. */
export interface Journal {
  /**
   * Takes the batch in, gives its sequence at once; small live batches of one source may share one. Never blocks; throws
   * after `close`, and for a batch that is larger than a frame can be.
   */
  append(batch: Batch): number;
  /** Resolves when everything up to `seq` is acknowledged. */
  durable(seq: number): Promise<void>;
  /** For historical origins: resolves when there is room, so that an import waits instead of causing a drop. */
  room(signal: AbortSignal): Promise<void>;
}

/** The live path: newest wins, never blocks. */
export interface Live {
  offer(batch: Batch): void;
}
