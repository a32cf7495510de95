// The real clock, used by the roots (daemon, workers) and handed down; everything below takes a Clock.
// Also a manual one for tests of whatever waits: virtual minutes pass in microseconds.
import type { Clock, Micros } from './model.ts';

let offset = Date.now() - performance.now();

/** Wall clock from the monotonic one, so that its digits below 1 ms never run backwards; follows the wall when it is stepped. */
function wallMicros(): Micros {
  const wall = Date.now();
  const mono = performance.now();
  if (Math.abs(offset + mono - wall) > 5) offset = wall - mono;
  return Math.floor((offset + mono) * 1000);
}

/** The machine's clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  micros: wallMicros,
  mono: () => performance.now(),
  after(ms, act) {
    const timer = setTimeout(act, Math.max(0, ms));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A clock that moves only when told. `advance` runs due timers in order and lets promises settle between them. */
export class ManualClock implements Clock {
  #wall: number;
  #mono = 0;
  #timers = new Set<{ due: number; act: () => void }>();

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wall = wallMs;
  }
  now(): number {
    return Math.floor(this.#wall);
  }
  micros(): number {
    return Math.floor(this.#wall * 1000);
  }
  mono(): number {
    return this.#mono;
  }
  after(ms: number, act: () => void): () => void {
    const timer = { due: this.#mono + Math.max(0, ms), act };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
  /** Steps the wall clock alone, as NTP or an engineer would. */
  stepWall(ms: number): void {
    this.#wall += ms;
  }
  async advance(ms: number): Promise<void> {
    const end = this.#mono + ms;
    for (;;) {
      let next: { due: number; act: () => void } | undefined;
      for (const timer of this.#timers) if (timer.due <= end && (!next || timer.due < next.due)) next = timer;
      if (!next) break;
      this.#timers.delete(next);
      this.#move(Math.max(next.due, this.#mono));
      next.act();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#move(end);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  #move(mono: number): void {
    this.#wall += mono - this.#mono;
    this.#mono = mono;
  }
}
