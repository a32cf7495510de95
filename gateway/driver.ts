// What a driver is: one connection to one device, what it is given to speak to the gateway, and what the gateway may ask
// of it. Each folder of drivers/ has one; supervise keeps it running.
import type { Clock, Micros, Origin, Reading, Sample, Value, ValueType } from './model.ts';

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
