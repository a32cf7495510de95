// When alarm states go to disk: a moment after each change, and every minute, so that a start never has more than the
// journal's last minute to replay. What happens between two snapshots is in the journal, which keeps far more than that;
// only while the state cannot be stored at all do the two drift apart. Made by daemon.
import type { Clock } from './model.ts';
import type { Status } from './status.ts';

export interface Keeping {
  /** An alarm has changed. */
  changed(): void;
  /** Stores once more, then nothing. Idempotent. */
  close(): Promise<void>;
}

/** A flood of edges is one write. */
const SOON = 200;
const ALWAYS = 60_000;
const RETRY = 2000;

/** @param save takes a snapshot and stores it; rejects when that failed */
export function keepAlarms(clock: Clock, status: Status, save: () => Promise<void>): Keeping {
  let due = Infinity;
  let callOff = (): void => {};
  let closing: Promise<void> | undefined;
  const within = (ms: number): void => {
    if (closing || clock.mono() + ms >= due) return;
    callOff();
    due = clock.mono() + ms;
    callOff = clock.after(ms, () => void store());
  };
  const store = async (): Promise<void> => {
    due = Infinity;
    try {
      await save();
      status.set('state', 'ok');
      within(ALWAYS);
    } catch (error) {
      status.set('state', 'degraded', `alarm states cannot be stored: ${(error as Error).message}`);
      within(RETRY);
    }
  };
  within(ALWAYS);
  return {
    changed: () => within(SOON),
    close() {
      callOff();
      return (closing ??= save());
    },
  };
}
