// A ticker: fixed-rate ticks on a grid, for whatever polls. Used by the drivers, handed a Clock by their link.
// The grid does not drift with the work done per tick; a tick that was missed is skipped and counted, never made up
// for, so a slow device is polled less often instead of ever more behind.
import type { Clock } from '../model.ts';

export interface Tick {
  /** Place on the grid, 0 for the first; grows by more than one where ticks were missed. */
  n: number;
  /** When it was due, ms on `clock.mono()`. */
  due: number;
  /** Ticks skipped since the last one because the work took longer than the period. */
  missed: number;
}

/**
 * Ticks at start + phase + n × period (ms, on `clock.mono()`; start is when iteration begins), until `signal` aborts;
 * then the iteration ends, also while it waits. Leaving the loop calls the timer off.
 * @throws RangeError for a period that is not above 0
 */
export async function* every(clock: Clock, period: number, signal: AbortSignal, phase = 0): AsyncGenerator<Tick, void> {
  if (!(period > 0)) throw new RangeError(`a ticker's period must be above 0 ms, not ${period}`);
  const origin = clock.mono() + phase;
  let next = 0;
  while (!signal.aborted) {
    const behind = Math.floor((clock.mono() - origin) / period);
    const n = Math.max(next, behind);
    const due = origin + n * period;
    if (clock.mono() < due && !(await sleep(clock, due - clock.mono(), signal))) return;
    yield { n, due, missed: n - next };
    next = n + 1;
  }
}

/** Waits `ms` on the monotonic clock; true when the time has passed, false as soon as `signal` aborts. Never rejects. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const aborted = () => {
      callOff();
      resolve(false);
    };
    const callOff = clock.after(ms, () => {
      signal.removeEventListener('abort', aborted);
      resolve(true);
    });
    signal.addEventListener('abort', aborted, { once: true });
  });
}

/** A phase in [0, period) from a name, so that many pollers of one period do not all ask at once. The same name, the same phase. */
export function phaseOf(name: string, period: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return ((hash >>> 0) / 2 ** 32) * period;
}
