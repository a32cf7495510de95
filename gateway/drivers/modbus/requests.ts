// The requests of one run, taken by the driver's poll loop between polls. Expired ones are answered so and never reach
// the device; what still waits when the run ends is answered "offline".
import type { DeviceRequest, Link } from '../../driver.ts';
import type { Wake } from './wake.ts';

export class Requests {
  readonly #iterator: AsyncIterator<DeviceRequest>;
  readonly #clock: Link['clock'];
  readonly #waiting: DeviceRequest[] = [];
  #closed = false;

  constructor(link: Link, wake: Wake) {
    this.#clock = link.clock;
    this.#iterator = link.requests[Symbol.asyncIterator]();
    void this.#read(wake);
  }

  take(): DeviceRequest | undefined {
    for (;;) {
      const request = this.#waiting.shift();
      if (!request || request.deadline > this.#clock.mono()) return request;
      request.reply({ ok: false, reason: 'expired', message: 'its time was over before the device could be asked' });
    }
  }

  close(): void {
    this.#closed = true;
    for (const request of this.#waiting.splice(0))
      request.reply({ ok: false, reason: 'offline', message: 'the link was lost' });
    void this.#iterator.return?.();
  }

  async #read(wake: Wake): Promise<void> {
    for (;;) {
      const next = await this.#iterator.next();
      if (next.done) return;
      if (this.#closed) return next.value.reply({ ok: false, reason: 'offline', message: 'the link was lost' });
      this.#waiting.push(next.value);
      wake.now();
    }
  }
}
