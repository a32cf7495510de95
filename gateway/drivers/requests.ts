// The queue of device requests of one run: the supervisor or a test puts them in, the driver iterates over them.
// It ends with the run, so that a driver's `for await` over `link.requests` ends too.
import type { Clock } from '../model.ts';
import type { DeviceRequest, RequestResult } from '../driver.ts';

type Body<T> = T extends unknown ? Omit<T, 'reply'> : never;
/** A request without its way back. */
export type RequestBody = Body<DeviceRequest>;

/** A request that a driver has picked up may end this long after its deadline, ms; then its outcome is unknown. */
const grace = 1_000;

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

/**
 * Puts a request and resolves with the answer, whatever the driver does: not picked up by its deadline it is withdrawn
 * and expired; picked up and unanswered a second after, it has failed and may have been carried out. The first answer counts.
 */
export function putRequest(queue: RequestQueue, body: RequestBody, clock: Clock): Promise<RequestResult> {
  return new Promise((resolve) => {
    let callOff = () => {};
    const reply = (result: RequestResult) => {
      callOff();
      resolve(result);
    };
    const request: DeviceRequest = { ...body, reply };
    callOff = clock.after(body.deadline - clock.mono(), () => {
      if (queue.withdraw(request))
        reply({ ok: false, reason: 'expired', message: 'the device did not get to it in time' });
      else {
        const message = 'the device gave no answer in time; the request may have been carried out';
        callOff = clock.after(grace, () => reply({ ok: false, reason: 'failed', message }));
      }
    });
    queue.put(request);
  });
}
