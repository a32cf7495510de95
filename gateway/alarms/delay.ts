// Pure: a condition that must hold for a while before it counts, and be gone for a while before it is gone.
// Time advances on the samples' own `t`; the monotonic clock stands in only from the last sample on, so an excursion
// counts the same whether it arrives live or inside a burst.
import type { Micros } from '../model.ts';

export interface Delay {
  /** What counts. */
  on: boolean;
  /** What was last seen, and since when. */
  condition: boolean;
  since: Micros;
  /** How long the condition has been seen to hold, µs. */
  elapsed: number;
  /** Time of the last sample, NaN while paused, and when it came on the monotonic clock (ms). */
  t: Micros;
  mono: number;
}

/** On and off delay, ms. */
export interface Delays {
  onDelay: number;
  offDelay: number;
}

export function newDelay(on = false): Delay {
  return { on, condition: on, since: 0, elapsed: 0, t: NaN, mono: 0 };
}

/** Lets the time up to a sample count for the condition as it was. True when `on` has changed. */
export function hold(delay: Delay, t: Micros, mono: number, delays: Delays): boolean {
  if (delay.t < t) delay.elapsed += t - delay.t;
  delay.t = t;
  delay.mono = mono;
  return settle(delay, delay.elapsed, delays);
}

/** The condition as a sample has it, after `hold` with the same sample. True when `on` has changed. */
export function turn(delay: Delay, condition: boolean, t: Micros, delays: Delays): boolean {
  if (condition !== delay.condition) {
    delay.condition = condition;
    delay.since = t;
    delay.elapsed = 0;
  }
  return settle(delay, delay.elapsed, delays);
}

/** No sample has come: the monotonic clock counts on from the last one. True when `on` has changed. */
export function expire(delay: Delay, mono: number, delays: Delays): boolean {
  // Half a millisecond of slack: a timer may fire a hair before its time.
  return !Number.isNaN(delay.t) && settle(delay, delay.elapsed + (mono - delay.mono) * 1000 + 500, delays);
}

/** Nothing is known from here on (bad quality): time stops for the condition until the next sample. */
export function pause(delay: Delay, t: Micros): void {
  if (delay.t < t) delay.elapsed += t - delay.t;
  delay.t = NaN;
}

/** When, on the monotonic clock, the condition will count if no sample comes; Infinity when nothing is pending. */
export function dueAt(delay: Delay, delays: Delays): number {
  if (delay.on === delay.condition || Number.isNaN(delay.t)) return Infinity;
  return delay.mono + (need(delay, delays) - delay.elapsed) / 1000;
}

function settle(delay: Delay, elapsed: number, delays: Delays): boolean {
  if (delay.on === delay.condition || elapsed < need(delay, delays)) return false;
  delay.on = delay.condition;
  return true;
}

function need(delay: Delay, delays: Delays): number {
  return (delay.condition ? delays.onDelay : delays.offDelay) * 1000;
}
