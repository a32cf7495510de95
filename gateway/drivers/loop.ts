// One device's supervisor loop: run the driver, on a loss wait and run it again, until the device leaves the catalog.
// Used by supervise. Runs of one device never overlap; one that ignores its abort is cut off and left behind.
import type { Clock } from '../model.ts';
import type { Protocol, RequestResult } from '../driver.ts';
import type { Status } from '../status.ts';
import { retryDelay } from './backoff.ts';
import { sleep } from './every.ts';
import { Run } from './run.ts';
import { putRequest } from './requests.ts';
import type { RequestBody } from './requests.ts';
import type { DeviceSpec, DeviceState, Sink } from './supervise.ts';

export interface LoopOptions {
  clock: Clock;
  status: Status;
  protocols: ReadonlyMap<string, Protocol>;
  sink: Sink;
  random: () => number;
}

/** Online this long, ms: the next loss is a new one and is retried at once. */
const stableAfter = 30_000;
/** Reasons of one outage that the log has; /health has the last. */
const mostReasons = 10;
/** A driver that ignores its abort this long, ms, is abandoned. */
const abortWithin = 2_000;

export class DeviceLoop {
  readonly name: string;
  readonly #o: LoopOptions;
  #spec: DeviceSpec | undefined;
  #key = '';
  /** Aborted when the spec changes: ends the run or the wait. */
  #change = new AbortController();
  #closed = false;
  #done: Promise<void>;
  #run: Run | undefined;
  #state: DeviceState;
  /** The sink has been told that the device is away. */
  #lost = false;
  /** mono() of the loss that began the outage. */
  #lostAt = 0;
  /** Why, as it was told in this outage: a device lost for one reason is often away for another. */
  readonly #told = new Set<string>();

  /** @param after the loop of an earlier device of this name, which must have ended first */
  constructor(name: string, options: LoopOptions, after: Promise<void> = Promise.resolve()) {
    this.name = name;
    this.#o = options;
    this.#state = {
      name,
      protocol: '',
      state: 'stopped',
      reason: '',
      since: options.clock.now(),
      restarts: 0,
      stats: {},
    };
    options.status.counter(
      'penstock_device_restarts_total',
      0,
      { device: name },
      'Driver runs begun again after a loss',
    );
    this.#done = after.then(() => this.#loop());
  }

  /** Takes the device as the catalog has it now; restarts it only when what the driver sees has changed. */
  use(spec: DeviceSpec): void {
    const key = keyOf(spec);
    if (key === this.#key) return;
    this.#key = key;
    this.#spec = spec;
    this.#changed();
  }

  state(): DeviceState {
    if (this.#state.state === 'online') this.#state.lastOnline = this.#o.clock.now();
    return { ...this.#state, stats: { ...this.#run?.stats } };
  }

  request(request: RequestBody): Promise<RequestResult> {
    const { clock } = this.#o;
    if (clock.mono() >= request.deadline) return Promise.resolve(expired);
    if (!this.#run?.online) {
      const message = `${this.name} is ${this.#state.state}${this.#state.reason ? `: ${this.#state.reason}` : ''}`;
      return Promise.resolve({ ok: false, reason: 'offline', message });
    }
    return putRequest(this.#run.requests, request, clock);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#changed();
    await this.#done;
  }

  #changed(): void {
    this.#change.abort();
    this.#change = new AbortController();
  }

  async #loop(): Promise<void> {
    let failures = 0;
    while (!this.#closed) {
      const change = this.#change.signal;
      const run = this.#prepare();
      if (!run) {
        await aborted(change);
        continue;
      }
      const outcome = await this.#attempt(run, change);
      if (outcome === undefined || change.aborted) {
        failures = 0;
        continue;
      }
      if (run.onlineFor() >= stableAfter) failures = 0;
      this.#loss(outcome, run.everOnline && failures === 0);
      const wait = retryDelay(failures++, this.#o.clock.mono() - this.#lostAt, this.#o.random());
      if (!(await sleep(this.#o.clock, wait, change))) failures = 0;
      else {
        this.#state.restarts++;
        this.#o.status.count('penstock_device_restarts_total', 1, { device: this.name });
      }
    }
    this.#set('stopped', '');
  }

  /** The next run, or undefined with the state set when there is nothing to run. */
  #prepare(): Run | undefined {
    const spec = this.#spec;
    if (!spec) return undefined;
    this.#state.protocol = spec.protocol;
    if (!spec.enabled) {
      const reason = 'disabled in the configuration';
      if (this.#state.reason !== reason) this.#loss(reason, true);
      this.#set('stopped', reason);
      // When it is enabled again, its next loss is news, and the outage begins with it.
      this.#lost = false;
      this.#lostAt = 0;
      return undefined;
    }
    try {
      const protocol = this.#o.protocols.get(spec.protocol);
      if (!protocol) throw new Error(`there is no protocol ${spec.protocol}`);
      const points = spec.tags.map(({ index, id, type, interval }) => ({
        tag: index,
        id,
        type,
        interval,
        address: spec.addresses.get(index) ?? {},
      }));
      const driver = protocol.create(spec.name, spec.connection, points);
      return new Run(spec.name, driver, {
        clock: this.#o.clock,
        status: this.#o.status,
        sink: this.#o.sink,
        online: () => this.#online(),
        offline: (reason) => this.#loss(reason, true),
      });
    } catch (error) {
      this.#loss(wording(error), true);
      this.#set('failed', wording(error));
      return undefined;
    }
  }

  /** Runs to the end; why the device was lost, or undefined when the run ended because it was told to. */
  async #attempt(run: Run, change: AbortSignal): Promise<string | undefined> {
    this.#run = run;
    if (!this.#lost) this.#set('connecting', '');
    const stop = new AbortController();
    const ended = run.start(stop.signal).then(
      () => 'the driver ended by itself',
      (error: unknown) => wording(error),
    );
    const outcome = await Promise.race([ended, aborted(change).then(() => undefined)]);
    stop.abort();
    run.cut();
    if (outcome === undefined && !(await Promise.race([ended.then(() => true), this.#patience()]))) {
      run.abandon();
      this.#o.status.report(
        'error',
        'penstock_device_abandoned_total',
        `${this.name}: the driver ignored its abort for ${abortWithin} ms and was left behind`,
        {
          device: this.name,
        },
      );
    }
    this.#run = undefined;
    return outcome;
  }

  #patience(): Promise<boolean> {
    return new Promise((resolve) => this.#o.clock.after(abortWithin, () => resolve(false)));
  }

  #online(): void {
    const first = this.#lost || this.#state.state !== 'online';
    this.#lost = false;
    this.#set('online', '');
    if (first) this.#tell(() => this.#o.sink.online(this.name));
  }

  /** @param fresh the outage begins now, not with an earlier loss that has not been stable since */
  #loss(reason: string, fresh: boolean): void {
    if (this.#lost) {
      this.#state.reason = reason;
      const quiet = this.#told.has(reason) || this.#told.size >= mostReasons;
      if (!quiet) this.#told.add(reason);
      this.#o.status.set(`device/${this.name}`, components[this.#state.state], reason, quiet);
      return;
    }
    this.#told.clear();
    this.#told.add(reason);
    this.#lost = true;
    if (fresh || this.#lostAt === 0) this.#lostAt = this.#o.clock.mono();
    this.#set('offline', reason);
    this.#tell(() => this.#o.sink.offline(this.name, reason));
  }

  #tell(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#o.status.report('error', 'penstock_device_sink_errors_total', `${this.name}: ${wording(error)}`, {
        device: this.name,
      });
    }
  }

  #set(state: DeviceState['state'], reason: string): void {
    const { clock, status } = this.#o;
    if (this.#state.state === 'online' && state !== 'online') this.#state.lastOnline = clock.now();
    if (this.#state.state !== state) this.#state.since = clock.now();
    this.#state.state = state;
    this.#state.reason = reason;
    status.set(`device/${this.name}`, components[state], reason);
    status.gauge('penstock_device_up', state === 'online' ? 1 : 0, { device: this.name }, '1 while the device answers');
  }
}

const components = {
  connecting: 'starting',
  online: 'ok',
  offline: 'degraded',
  stopped: 'stopped',
  failed: 'failed',
} as const;
const expired: RequestResult = { ok: false, reason: 'expired', message: 'the deadline had passed' };

/** What the driver sees of a device, as text: equal text, nothing to restart. */
function keyOf(spec: DeviceSpec): string {
  const points = spec.tags.map(({ index, id, type, interval }) => [
    index,
    id,
    type,
    interval,
    spec.addresses.get(index),
  ]);
  return JSON.stringify([spec.protocol, spec.enabled, spec.connection, points]);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function wording(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
