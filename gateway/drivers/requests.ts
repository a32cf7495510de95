// The queue of device requests of one run: the supervisor or a test puts them in, the driver iterates over them.
// It ends with the run, so that a driver's `for await` over `link.requests` ends too.
import type { DeviceRequest } from '../model.ts';

export class RequestQueue implements AsyncIterable<DeviceRequest> {
  readonly #waiting: DeviceRequest[] = [];
  readonly #wake: (() => void)[] = [];
  #ended = false;

  put(request: DeviceRequest): void {
    if (this.#ended) return;
    this.#waiting.push(request);
    this.#wake.shift()?.();
  }
  /** Takes back a request that no driver has picked up yet; false when it is already picked up. */
  withdraw(request: DeviceRequest): boolean {
    const at = this.#waiting.indexOf(request);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }
  /** Ends every iteration; returns what nobody picked up. */
  end(): DeviceRequest[] {
    this.#ended = true;
    for (const wake of this.#wake.splice(0)) wake();
    return this.#waiting.splice(0);
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<DeviceRequest, void> {
    while (!this.#ended) {
      const next = this.#waiting.shift();
      if (next) yield next;
      else await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }
}
