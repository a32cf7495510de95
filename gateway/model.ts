// The vocabulary of the gateway: what a reading, a sample, an alarm, a driver and a consumer are.
// Every room imports this file and it imports nothing, so data can flow between rooms that do not know each other.

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
      from: Micros;
      to: Micros;
      reason: string;
    }
  | { kind: 'state'; id: string; time: number; asset: string; state: AssetState };

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

// --- drivers ------------------------------------------------------------------------------------

export type DeviceRequest =
  | { kind: 'read'; tags: number[]; deadline: number; reply(result: RequestResult): void }
  | { kind: 'write'; tag: number; value: Value; deadline: number; reply(result: RequestResult): void }
  | { kind: 'history'; tags: number[]; from: Micros; to: Micros; deadline: number; reply(result: RequestResult): void }
  | { kind: 'trace'; deadline: number; reply(result: RequestResult): void };

export type RequestResult =
  | { ok: true; readings?: Reading[]; text?: string }
  | { ok: false; reason: 'expired' | 'unsupported' | 'offline' | 'refused' | 'failed'; message: string };

/** A driver's counters and states for diagnostics; names in snake_case become metrics. */
export type DriverStats = Record<string, number | string>;

/** What a driver is given to speak to the gateway. */
export interface Link {
  emit(readings: readonly Reading[], how?: { origin?: Origin }): void;
  online(): void;
  /** The device is gone for now; the driver goes on by itself. (A driver that gives up throws from `run`.) */
  offline(reason: string): void;
  report(stats: DriverStats): void;
  /** Proof of life: at this time these tags' last values were still true. */
  alive(tags: readonly number[], at: Micros): void;
  /** `deadline` of a request is on `clock.mono()`; an expired one is answered so and never carried out. */
  requests: AsyncIterable<DeviceRequest>;
  /** Samples of other tags, for computed tags alone. */
  follow(tags: readonly number[]): AsyncIterable<readonly Sample[]>;
  clock: Clock;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, detail?: Record<string, unknown>): void;
}

/** One connection to one device: connects, emits until aborted (resolves) or the link is lost (throws). */
export interface Driver {
  run(link: Link, signal: AbortSignal): Promise<void>;
}

/** A tag's place on a device: its index and type, and the protocol's own fields as the config gave them. */
export interface Point<Address = Record<string, unknown>> {
  tag: number;
  id: string;
  type: ValueType;
  /** Requested interval between readings, ms. */
  interval: number;
  address: Address;
}

/** A protocol as the registry knows it. `connection` and `address` are JSON Schemas (typebox) of the config's fields. */
export interface Protocol {
  name: string;
  connection: object;
  address: object;
  /** The tag's value type when the config does not say. */
  valueType(address: Record<string, unknown>): ValueType;
  /** Cross-field checks that a schema cannot say; one sentence an error, `path` below the device's file. */
  check?(connection: Record<string, unknown>, points: readonly Point[]): { path: string; message: string }[];
  create(device: string, connection: Record<string, unknown>, points: readonly Point[]): Driver;
}

// --- history ------------------------------------------------------------------------------------

export interface RawSeries {
  tag: number;
  t: Micros[];
  value: Value[];
  status: number[];
  /** True when the limit of rows cut it short. */
  more: boolean;
  /** In words, which part of the range could not be had just now, and why; absent when it is whole. */
  incomplete?: string;
}

/** Buckets of one tag, columnar; a bucket without a good value has n = 0 and nulls: a gap is a gap. */
export interface BucketSeries {
  tag: number;
  /** Start of each bucket. */
  t: Micros[];
  n: number[];
  min: (number | null)[];
  avg: (number | null)[];
  max: (number | null)[];
  /** As in `RawSeries`. */
  incomplete?: string;
}

/** Buckets as finished JSON, made where the query runs, so that a page's answer costs main no more than a copy. */
export interface BucketText {
  /** UTF-8 of the array of bucket starts, ms since the epoch. */
  t: Uint8Array;
  /** For each column asked, in that order: UTF-8 of `"min":[…],"avg":[…],"max":[…]`, rounded to its decimal places. */
  columns: Uint8Array[];
  /** As in `RawSeries`. */
  incomplete?: string;
}

export interface Kpi {
  tag: number;
  n: number;
  min: number | null;
  avg: number | null;
  max: number | null;
  last: { t: Micros; value: Value; status: number } | null;
}

/** Width of a bucket: microseconds, or a unit of the calendar in the query's time zone. */
export type BucketWidth = Micros | 'hour' | 'day' | 'week' | 'month' | 'year';

export interface AggregateQuery {
  tags: readonly number[];
  from: Micros;
  to: Micros;
  width: BucketWidth;
  /** IANA name; buckets begin at its midnights (weeks on Monday), also over a change of clocks. UTC by default. */
  zone?: string;
}

/** All figures of a tag's buckets, columnar. The value held from before a bucket counts in `mean` and `share` alone. */
export interface AggregateSeries {
  tag: number;
  /** Start of each bucket, and where the last one ends. */
  t: Micros[];
  end: Micros;
  /** All samples, and those good and finite, which alone count in what follows. */
  count: number[];
  good: number[];
  /** Share of the bucket's time with a good value, 0 to 1. A value holds until the next sample, bad ones included. */
  share: number[];
  min: (number | null)[];
  max: (number | null)[];
  first: (number | null)[];
  last: (number | null)[];
  /** Mean of the samples. */
  avg: (number | null)[];
  /** Mean over the time with a good value. */
  mean: (number | null)[];
}

/** A value as long as it held; `quality: 'none'` where nothing is known. */
export interface StateSpan {
  from: Micros;
  to: Micros;
  value: Value;
  quality: Quality | 'none';
}
export interface StateSeries {
  tag: number;
  spans: StateSpan[];
  /** Time spent in each good value, µs, longest first. */
  durations: { value: Value; time: Micros; times: number }[];
  more: boolean;
}

/** How long a good value was above and below a limit, and how long there was one at all, µs. */
export interface LimitTime {
  tag: number;
  above: Micros;
  below: Micros;
  known: Micros;
}

/** Read access to history; times are [from, to). Queries are bounded in rows and time and reject with a clear error. */
export interface Historian {
  /** A page of samples; where it says `more`, the next begins at its last time + 1. */
  raw(tag: number, from: Micros, to: Micros, limit: number, signal?: AbortSignal): Promise<RawSeries>;
  buckets(
    tags: readonly number[],
    from: Micros,
    to: Micros,
    width: Micros,
    signal?: AbortSignal,
  ): Promise<BucketSeries[]>;
  bucketText(
    columns: readonly { tag: number; places: number }[],
    from: Micros,
    to: Micros,
    width: Micros,
    signal?: AbortSignal,
  ): Promise<BucketText>;
  latest(
    tags: readonly number[],
    signal?: AbortSignal,
  ): Promise<{ tag: number; t: Micros; value: Value; status: number }[]>;
  kpis(tags: readonly number[], from: Micros, to: Micros, signal?: AbortSignal): Promise<Kpi[]>;
  aggregate(query: AggregateQuery, signal?: AbortSignal): Promise<AggregateSeries[]>;
  /** At most `limit` spans of each tag. */
  states(
    tags: readonly number[],
    from: Micros,
    to: Micros,
    limit: number,
    signal?: AbortSignal,
  ): Promise<StateSeries[]>;
  limitTime(
    tags: readonly number[],
    from: Micros,
    to: Micros,
    limit: number,
    signal?: AbortSignal,
  ): Promise<LimitTime[]>;
}

/** Machine status, worst last. */
export type MachineStatus = 'operational' | 'warning' | 'down' | 'maintenance' | 'offline';
