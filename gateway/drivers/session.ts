// One run of a driver under observation: what it said, in order. Used by the contract's checks alone.
// It believes nothing and judges nothing; the checks do.
import { quality } from '../model.ts';
import type { Clock, Quality, Value } from '../model.ts';
import type { Driver, Link, RequestResult } from '../driver.ts';
import { RequestQueue } from './requests.ts';
import type { RequestBody } from './requests.ts';

export interface Seen {
  what: 'online' | 'offline' | 'emit' | 'alive' | 'ended';
  /** For an emit: whether any reading was good. */
  good?: boolean;
}

export class Session {
  readonly seen: Seen[] = [];
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #last = new Map<number, Quality>();
  readonly #good = new Map<number, Value>();
  readonly #proofs = new Map<number, number[]>();
  readonly #again: (() => Driver) | undefined;
  #requests = new RequestQueue();
  #running = true;
  #online = false;
  #done: Promise<void>;

  /** @param again makes the next driver, for checks that let the run begin anew after it threw */
  constructor(driver: Driver, clock: Clock, again?: () => Driver) {
    this.#clock = clock;
    this.#again = again;
    this.#done = this.#run(driver);
  }

  isOnline(): boolean {
    return this.#online;
  }
  hasGood(tag: number): boolean {
    return this.#good.has(tag);
  }
  lastGood(tag: number): Value | undefined {
    return this.#good.get(tag);
  }
  lastStatus(tag: number): Quality | undefined {
    return this.#last.get(tag);
  }
  /** Times on `clock.mono()` at which the tag's value was known to be true. */
  proofs(tag: number): readonly number[] {
    return this.#proofs.get(tag) ?? [];
  }
  abort(): void {
    this.#abort.abort();
    this.#requests.end();
  }
  /** True when the run has ended within `ms`. */
  ended(ms: number): Promise<boolean> {
    return Promise.race([this.#done.then(() => true), pause(ms).then(() => !this.#running)]);
  }
  /** Waits for a condition; `restart` begins a new run when the last one threw, as the supervisor would. */
  async happens(condition: () => boolean, ms: number, restart = false): Promise<boolean> {
    for (const end = performance.now() + ms; performance.now() < end; await pause(10)) {
      if (condition()) return true;
      if (restart && !this.#running && this.#again) {
        await pause(200);
        this.#requests = new RequestQueue();
        this.#done = this.#run(this.#again());
      }
    }
    return condition();
  }
  async until(condition: () => boolean, ms: number, otherwise: string, restart = false): Promise<void> {
    ensure(await this.happens(condition, ms, restart), otherwise);
  }
  /** Puts a request; undefined when it was not answered in `ms`. The queue hands out expired ones too: refusing them is the driver's part. */
  ask(body: RequestBody, ms: number): Promise<RequestResult | undefined> {
    const answer = new Promise<RequestResult>((reply) => this.#requests.put({ ...body, reply }));
    return Promise.race([answer, pause(ms).then(() => undefined)]);
  }

  async #run(driver: Driver): Promise<void> {
    this.#running = true;
    try {
      await driver.run(this.#link(), this.#abort.signal);
    } catch {
      // A throw is how a driver reports a loss.
    }
    this.#online = false;
    this.#running = false;
    this.seen.push({ what: 'ended' });
  }

  #link(): Link {
    const proof = (tag: number, mono: number) => {
      const known = this.#proofs.get(tag);
      if (known) known.push(mono);
      else this.#proofs.set(tag, [mono]);
    };
    return {
      clock: this.#clock,
      requests: this.#requests,
      emit: (readings) => {
        for (const reading of readings) {
          const judged = quality(reading.status);
          this.#last.set(reading.tag, judged);
          if (judged !== 'good') continue;
          this.#good.set(reading.tag, reading.value);
          proof(reading.tag, this.#clock.mono());
        }
        this.seen.push({ what: 'emit', good: readings.some((reading) => quality(reading.status) === 'good') });
      },
      online: () => {
        this.#online = true;
        this.seen.push({ what: 'online' });
      },
      offline: () => {
        this.#online = false;
        this.seen.push({ what: 'offline' });
      },
      alive: (tags, at) => {
        const age = Math.max(0, (this.#clock.micros() - at) / 1000);
        for (const tag of tags) proof(tag, this.#clock.mono() - age);
        this.seen.push({ what: 'alive' });
      },
      report: () => {},
      log: () => {},
      follow: () => {
        throw new Error('this device follows no other tags');
      },
    };
  }
}

/** Real time, also where the driver's clock is virtual. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function ensure(condition: unknown, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}
