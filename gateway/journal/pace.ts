// How fast a backlog may go out: a bucket of samples that fills at a rate. Pure apart from the clock it is given; used by
// pump.ts, one for each consumer.
import type { Clock } from '../model.ts';

export interface PaceOptions {
  clock: Pick<Clock, 'mono'>;
  /** Samples per second. */
  rate: number;
  /** 0 to 1; above one half the bucket fills at half the rate. */
  pressure?(): number;
}

/** Seconds of samples that a rest saves up. */
const SAVED = 1;

export class Pace {
  readonly #options: PaceOptions;
  #samples: number;
  #at: number;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#samples = options.rate * SAVED;
    this.#at = options.clock.mono();
  }

  /** Samples per second at present. */
  get rate(): number {
    const { rate, pressure } = this.#options;
    return pressure && pressure() > 0.5 ? rate / 2 : rate;
  }
  /** ms until more may go; 0: now. A write may take more than there is, and is waited for afterwards. */
  wait(): number {
    this.#fill();
    return this.#samples > 0 ? 0 : Math.ceil(((1 - this.#samples) * 1000) / this.rate);
  }
  take(samples: number): void {
    this.#fill();
    this.#samples -= samples;
  }

  #fill(): void {
    const { clock, rate } = this.#options;
    const now = clock.mono();
    this.#samples = Math.min(rate * SAVED, this.#samples + ((now - this.#at) * this.rate) / 1000);
    this.#at = now;
  }
}
