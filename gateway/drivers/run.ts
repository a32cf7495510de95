// One run of a driver as the supervisor sees it: the link it is given, and what of its words is believed.
// The rule: readings and proofs of life count only between `online` and the next `offline` or the end of the run;
// all others are dropped and counted. Used by the supervisor loop.
import type { Clock } from '../model.ts';
import type { Driver, DriverStats, Link } from '../driver.ts';
import type { Status } from '../status.ts';
import { RequestQueue } from './requests.ts';
import type { Sink } from './supervise.ts';

export interface RunOptions {
  clock: Clock;
  status: Status;
  sink: Sink;
  online(): void;
  offline(reason: string): void;
}

export class Run {
  readonly requests = new RequestQueue();
  stats: DriverStats = {};
  online = false;
  everOnline = false;
  readonly #device: string;
  readonly #driver: Driver;
  readonly #o: RunOptions;
  #cut = false;
  #abandoned = false;
  #disbelieved = false;
  #onlineAt = 0;
  #longest = 0;

  constructor(device: string, driver: Driver, options: RunOptions) {
    this.#device = device;
    this.#driver = driver;
    this.#o = options;
  }

  /** Resolves or rejects as the driver's run does; also when it throws at once. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#driver.run(this.#link(), signal);
  }

  /** From now on the driver is not heard; open requests are answered. */
  cut(): void {
    if (this.#cut) return;
    this.#away();
    this.#cut = true;
    for (const request of this.requests.end())
      request.reply({ ok: false, reason: 'offline', message: `${this.#device} was lost` });
  }
  abandon(): void {
    this.#abandoned = true;
  }
  /** Longest span online, ms. */
  onlineFor(): number {
    return this.online ? Math.max(this.#longest, this.#o.clock.mono() - this.#onlineAt) : this.#longest;
  }

  #away(): void {
    this.#longest = this.onlineFor();
    this.online = false;
  }

  /** True when the driver may be believed now. */
  #believed(): boolean {
    if (this.online) return true;
    const labels = { device: this.#device };
    this.#o.status.count(
      'penstock_device_disbelieved_total',
      1,
      labels,
      'Words of a driver while its device was not online',
    );
    if (!this.#disbelieved) {
      this.#disbelieved = true;
      const when = this.#abandoned ? 'after it was left behind' : this.#cut ? 'after its end' : 'while not online';
      this.#o.status.log.warn(labels, `${this.#device}: the driver spoke ${when}; it is not believed`);
    }
    return false;
  }

  /** The sink's faults are not the driver's: they are counted here and do not end its run. */
  #hand(act: () => void): void {
    try {
      act();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#o.status.report('error', 'penstock_device_sink_errors_total', `${this.#device}: ${message}`, {
        device: this.#device,
      });
    }
  }

  #link(): Link {
    const { clock, status, sink } = this.#o;
    const device = this.#device;
    return {
      clock,
      requests: this.requests,
      emit: (readings, how) => {
        if (readings.length > 0 && this.#believed())
          this.#hand(() => sink.ingest(device, readings, how?.origin ?? 'live'));
      },
      alive: (tags, at) => {
        if (this.#believed()) this.#hand(() => sink.alive(device, tags, at));
      },
      online: () => {
        if (this.#cut || this.online) return;
        this.online = true;
        this.everOnline = true;
        this.#onlineAt = clock.mono();
        this.#o.online();
      },
      offline: (reason) => {
        if (this.#cut) return;
        this.#away();
        this.#o.offline(reason);
      },
      report: (stats) => {
        if (this.#cut) return;
        this.stats = { ...this.stats, ...stats };
        for (const [key, value] of Object.entries(stats)) {
          if (typeof value !== 'number') continue;
          const name = `penstock_device_${snake(key)}`;
          if (name.endsWith('_total')) status.counter(name, value, { device });
          else status.gauge(name, value, { device });
        }
      },
      follow: (tags) => {
        if (!sink.follow) throw new Error('following other tags is not available');
        return sink.follow(tags);
      },
      log: (level, message, detail) => status.log[level]({ ...detail, device }, `${device}: ${message}`),
    };
  }
}

function snake(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9_]/g, '_')
    .toLowerCase();
}
