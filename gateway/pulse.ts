// Whether the process does its work, beyond being alive: main's turn comes in time and the writer thread answers.
// Started by running.ts, asked before each ping of systemd's watchdog; hands on why not, in words.
import type { Clock } from './model.ts';

/** Time between two looks, ms. */
const beat = 1000;
/** Main held longer than this is ill for `illFor`, ms. */
const mostLag = 5000;
const illFor = 10_000;
/** The writer has this long to answer, ms: above a sync on a slow card. */
const mostSilence = 10_000;

export interface Pulse {
  /** Empty when well, otherwise what is wrong. */
  ill(): string;
  stop(): void;
}

/** @param ask asks the writer thread anything; a rejection counts as no answer. */
export function startPulse(clock: Clock, ask: () => Promise<unknown>): Pulse {
  let due = clock.mono() + beat;
  let held = { at: -Infinity, ms: 0 };
  let asked: number | undefined;
  let stopped = false;
  let off = () => {};

  const look = () => {
    if (stopped) return;
    const now = clock.mono();
    if (now - due > mostLag) held = { at: now, ms: now - due };
    due = now + beat;
    off = clock.after(beat, look);
    if (asked !== undefined) return;
    asked = now;
    ask().then(
      () => (asked = undefined),
      () => {
        // A writer that refuses is as ill as one that is silent: the question stays open.
      },
    );
  };
  look();

  return {
    ill() {
      const now = clock.mono();
      if (now - due > mostLag) return `main was held for ${seconds(now - due)}`;
      if (now - held.at < illFor) return `main was held for ${seconds(held.ms)}`;
      if (asked !== undefined && now - asked > mostSilence)
        return `the writer has not answered for ${seconds(now - asked)}`;
      return '';
    },
    stop() {
      stopped = true;
      off();
    },
  };
}

const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
