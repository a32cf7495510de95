// The devices: one supervisor loop for each device of the catalog. Made by the daemon, started last and stopped first;
// hands readings, proofs of life and edges to the sink (the pipeline). What a driver throws ends here.
import type { Clock, Micros, Origin, Reading, Sample, ValueType } from '../model.ts';
import type { DriverStats, Protocol, RequestResult } from '../driver.ts';
import type { Status } from '../status.ts';
import { DeviceLoop } from './loop.ts';
import type { RequestBody } from './requests.ts';

/** Where the devices' words go; the pipeline. `offline` comes once per outage, also for a device that never came online. */
export interface Sink {
  ingest(device: string, readings: readonly Reading[], origin: Origin): void;
  alive(device: string, tags: readonly number[], at: Micros): void;
  online(device: string): void;
  offline(device: string, reason: string): void;
  follow?(tags: readonly number[]): AsyncIterable<readonly Sample[]>;
}

/** What of a catalog makes a device; a changed limit or unit is not in it, so it reconnects nothing. */
export interface DeviceSpec {
  name: string;
  protocol: string;
  enabled: boolean;
  connection: Record<string, unknown>;
  addresses: ReadonlyMap<number, Record<string, unknown>>;
  tags: readonly { index: number; id: string; type: ValueType; interval: number }[];
}

export interface DeviceState {
  name: string;
  protocol: string;
  /** stopped: disabled or closed; failed: its configuration cannot run, it waits for another. */
  state: 'connecting' | 'online' | 'offline' | 'stopped' | 'failed';
  /** In words; empty when online. */
  reason: string;
  /** ms since the epoch. */
  since: number;
  /** Runs begun again after a loss. */
  restarts: number;
  /** ms since the epoch; while online: now. */
  lastOnline?: number;
  stats: DriverStats;
}

export interface Devices {
  /** Starts, stops or restarts those devices whose protocol, connection or points changed, and no other. */
  use(catalog: { readonly devices: readonly DeviceSpec[] }): void;
  /** Puts a request to a device; never rejects. `deadline` is on `clock.mono()`. */
  request(device: string, request: RequestBody): Promise<RequestResult>;
  states(): DeviceState[];
  /** Ends all runs; resolves when they have ended, after `deadlineMs` at the latest. */
  close(deadlineMs: number): Promise<void>;
}

export interface DevicesOptions {
  clock: Clock;
  status: Status;
  protocols: ReadonlyMap<string, Protocol>;
  sink: Sink;
  /** In [0, 1); for the jitter of the backoff. */
  random?: () => number;
}

export function createDevices({ clock, status, protocols, sink, random = Math.random }: DevicesOptions): Devices {
  const loops = new Map<string, DeviceLoop>();
  /** Loops of devices that left the catalog and still end. */
  const ending = new Map<string, Promise<void>>();
  let closed = false;
  status.collect(() => {
    for (const loop of loops.values())
      status.gauge('penstock_device_up', loop.state().state === 'online' ? 1 : 0, { device: loop.name });
  });

  return {
    use(catalog) {
      if (closed) return;
      const wanted = new Map(catalog.devices.map((device) => [device.name, device]));
      for (const [name, loop] of loops) {
        if (wanted.has(name)) continue;
        loops.delete(name);
        status.gauge('penstock_device_up', 0, { device: name });
        const end = loop.close().then(() => {
          if (ending.get(name) === end) ending.delete(name);
          if (!loops.has(name)) status.remove(`device/${name}`);
        });
        ending.set(name, end);
      }
      for (const [name, spec] of wanted) {
        let loop = loops.get(name);
        if (!loop)
          loops.set(name, (loop = new DeviceLoop(name, { clock, status, protocols, sink, random }, ending.get(name))));
        loop.use(spec);
      }
    },
    request(device, request) {
      const loop = loops.get(device);
      if (!loop || closed)
        return Promise.resolve({ ok: false, reason: 'offline', message: `there is no running device ${device}` });
      return loop.request(request);
    },
    states: () => [...loops.values()].map((loop) => loop.state()),
    async close(deadlineMs) {
      closed = true;
      const all = Promise.all([...[...loops.values()].map((loop) => loop.close()), ...ending.values()]);
      await Promise.race([all, new Promise<void>((resolve) => clock.after(deadlineMs, resolve))]);
    },
  };
}
