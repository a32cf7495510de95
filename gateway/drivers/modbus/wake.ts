// A wait that can be cut short: until a time on the clock, or until somebody has work. Used by the driver's poll loop.
import type { Clock } from '../../model.ts';

export class Wake {
  readonly #clock: Clock;
  #wake: (() => void) | undefined;
  #missed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the wait that goes on, or else the next one. */
  now(): void {
    if (this.#wake) this.#wake();
    else this.#missed = true;
  }

  after(ms: number): Promise<void> {
    if (this.#missed) {
      this.#missed = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = () => {
        callOff();
        this.#wake = undefined;
        resolve();
      };
      const callOff = this.#clock.after(ms, done);
      this.#wake = done;
    });
  }
}
