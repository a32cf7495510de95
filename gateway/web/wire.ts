// What crosses the wire between web/ and the dashboard: types alone, no code.
// REST bodies carry ISO 8601 times; the stream carries ms since the epoch and is columnar, because it is sent every second.
// The dashboard imports nothing else of the gateway, so what it needs of the vocabulary is handed on from here.
import type { Alarm, AlarmTransition, Quality, Severity, SourceCounts } from '../model.ts';

export type { Quality, Severity };
export type MachineStatus = 'operational' | 'warning' | 'down' | 'maintenance' | 'offline';
export type WireValue = number | boolean | string | null;

/** GET /api/v1/facilities */
export interface Facility {
  id: string;
  name: string;
  location: string;
  timezone: string;
  assets: number;
}

export interface WireRange {
  low: number;
  high: number;
}
export interface WireLimits {
  ll?: number;
  l?: number;
  h?: number;
  hh?: number;
}

/** One row of the tag table; `i` is what the stream's columns refer to. */
export interface DictTag {
  i: number;
  id: string;
  asset: string;
  metric: string;
  name: string;
  type: 'double' | 'boolean' | 'integer' | 'text';
  unit: string;
  decimals: number;
  names?: Record<number, string>;
  range?: WireRange;
  limits?: WireLimits;
  /** ms without value or proof of life after which it is stale. */
  staleAfter: number;
}
export interface DictAsset {
  path: string;
  site: string;
  name: string;
  kind: string;
  line: string | null;
}
/** GET /api/v1/dict?facility= : the tag table of a facility (or of all), with an ETag. */
export interface Dict {
  rev: number;
  facility: string | null;
  assets: DictAsset[];
  tags: DictTag[];
}

/** The newest value of a tag as REST gives it. */
export interface LiveValue {
  tag: string;
  metric: string;
  name: string;
  unit: string;
  decimals: number;
  value: WireValue;
  /** An enumeration's name for the value. */
  text?: string;
  quality: Quality;
  status: number;
  /** ISO 8601, null before the first value. */
  timestamp: string | null;
  stale: boolean;
  range?: WireRange;
  limits?: WireLimits;
  /** Severity of the tag's active alarm. */
  alarm?: Severity;
}
export interface SummaryAsset {
  path: string;
  name: string;
  kind: string;
  line: string | null;
  status: MachineStatus;
  values: LiveValue[];
}
/** A site's figure for one metric: `current` over its assets now, the rest over the asked hours. */
export interface SummaryKpi {
  metric: string;
  name: string;
  unit: string;
  decimals: number;
  aggregate: 'mean' | 'sum' | 'max';
  current: number | null;
  avg: number | null;
  min: number | null;
  max: number | null;
  /** Aggregate of the assets' ranges, when all have one. */
  range?: WireRange;
  /** Assets whose value is good and fresh, of all that have the metric. */
  reporting: number;
  of: number;
  /** Site aggregate over the last hour, oldest first, null where there was no data. */
  spark: (number | null)[];
}
/** An alarm as the gateway has it, its times ms since the epoch, with the words a page shows for its place. */
export interface WireAlarm extends Omit<Alarm, 'name' | 'site'> {
  facility: string;
  assetName?: string;
}
/** GET /api/v1/dashboard/summary/:facility?hours=1..48 */
export interface Summary {
  facility: Facility;
  hours: number;
  generatedAt: string;
  counts: Record<MachineStatus, number>;
  alarms: Record<Severity, number>;
  kpis: SummaryKpi[];
  /** In words, what the figures over the hours lack and why, as in `Timeseries`. */
  incomplete?: string;
  insights: WireAlarm[];
  assets: SummaryAsset[];
}

/** GET /api/v1/dashboard/timeseries/:facility?metric=&hours=12&bucket_minutes=5 : all series share `t`. */
export interface Timeseries {
  /** Values are rounded to three places beyond the metric’s decimals. */
  facility: string;
  metric: string;
  name: string;
  unit: string;
  decimals: number;
  from: string;
  to: string;
  bucketMinutes: number;
  /** In words, what is missing and why (a store that does not answer, retention, a damaged disk); absent when all is there. */
  incomplete?: string;
  /** With `incomplete`: what is missing lies before this, ms since the epoch. */
  incompleteUntil?: number;
  /** ms since the epoch: start of each bucket; every bucket of the range is there. */
  t: number[];
  series: {
    asset: string;
    name: string;
    tag: string;
    min: (number | null)[];
    avg: (number | null)[];
    max: (number | null)[];
    limits?: WireLimits;
  }[];
}

/** GET /api/v1/alarms?facility= : all that are not normal. */
export interface AlarmList {
  alarms: WireAlarm[];
}
/** GET /api/v1/ledger : every sample's whereabouts, in samples since the first. */
export interface WireLedger {
  time: string;
  /** Whether every sum holds; if not, `faults` says which and by how much. */
  holds: boolean;
  faults: string[];
  sources: LedgerSource[];
  consumers: LedgerConsumer[];
}
/** received + made = rejected + filtered + shed + journalled + merged, and journalled = inJournal. */
export interface LedgerSource extends SourceCounts {
  source: string;
  /** The journal's own count of what it has taken from this source. */
  inJournal: number;
  holds: boolean;
}
/** journalled = delivered + filtered + backlog + deadLettered + dropped, from when the consumer was added. */
export interface LedgerConsumer {
  consumer: string;
  journalled: number;
  delivered: number;
  filtered: number;
  backlog: number;
  deadLettered: number;
  dropped: number;
  /** Times of the samples dropped, ISO 8601. */
  lost?: { from: string; to: string };
  holds: boolean;
}

/** POST /api/v1/alarms/acknowledge; `event` names the occurrence, so an old click never acknowledges a new one. */
export interface AcknowledgeBody {
  key: string;
  event: string;
  comment?: string;
  user?: string;
}
/** POST /api/v1/alarms/shelve; minutes 0 takes it off the shelf. */
export interface ShelveBody {
  key: string;
  minutes: number;
  reason?: string;
  user?: string;
}

/** GET /health : the state of every part in words; with status 503 when one has failed. */
export interface WireHealth {
  status: 'ok' | 'degraded' | 'failed';
  components: { name: string; state: string; reason: string; seconds: number }[];
  consumers: Backlog[];
}
/** What the journal still owes a consumer. */
export interface Backlog {
  name: string;
  samples: number;
  bytes: number;
  dropped: number;
  /** Times of the first and the last sample that was lost, ISO 8601. */
  lost?: { from: string; to: string };
  /** Of a store elsewhere; times as ISO 8601. */
  oldest?: string;
  tries?: number;
  lastSuccess?: string;
  lastError?: string;
}

/** Every error answer. `field` names the parameter or body field that is wrong. */
export interface ErrorBody {
  error: string;
  message: string;
  field?: string;
}

/**
 * GET /api/v1/stream?facility= : events hello, snap, d, al, st, dict, bye. Event ids are `<boot>-<seq>`; only `al` moves seq.
 * Resume by Last-Event-ID: with the same boot and a sequence still in the ring, missed `al` are replayed exactly, then a snap.
 */
export interface StreamHello {
  p: 1;
  boot: string;
  dict: number;
  hz: number;
  now: number;
  version: string;
  /** Set when the gateway is reachable beyond loopback without users: every page says so. */
  insecure?: boolean;
}
/** Columns over `DictTag.i`. `a`: ms the value was old at `t` (by the server's clock). `q`: only those not good. */
export interface StreamSnap {
  t: number;
  i: number[];
  v: WireValue[];
  /** Age at `t`, ms; null where there never was a value. */
  a: (number | null)[];
  /** [tag, quality] with 1 uncertain, 2 bad; `x` lists the stale. */
  q: [number, 1 | 2][];
  x: number[];
  /** Active alarms (all that are not normal), complete. */
  al: WireAlarm[];
  /** Asset path → status. */
  st: Record<string, MachineStatus>;
}
/** Only what changed since the last one. `q` lists each changed tag's quality when it is not good, or when it has become good again (0). */
export interface StreamDelta {
  t: number;
  i: number[];
  v: WireValue[];
  a: (number | null)[];
  q: [number, 0 | 1 | 2][];
  /** Became stale / no longer stale. */
  x?: number[];
  y?: number[];
  st?: Record<string, MachineStatus>;
}
export interface StreamAlarm {
  op: AlarmTransition;
  a: WireAlarm;
}
export interface StreamDict {
  rev: number;
}
export interface StreamBye {
  why: 'shutdown' | 'slow' | 'limit';
}
