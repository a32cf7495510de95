// When the log is synced: every second, after every block, or never, and at once for whoever waits (at most ten times a
// second). Used by writing.ts; tells it after each sync how that went.
import type { Clock } from '../model.ts';
import type { DiskLog, Durability } from './disk-log.ts';

/** Storage by how much it wears: ms between two syncs that nobody waits for. */
export const intervals = { ssd: 1000, emmc: 5000, sd: 15_000 } as const;
export type Profile = keyof typeof intervals;

export interface CommitOptions {
  log: Pick<DiskLog, 'sync' | 'waiting'>;
  clock: Clock;
  durability: Durability;
  /** One of `intervals`, ms. */
  interval?: number;
  /** After each sync; `error` when frames still wait in memory. It is tried again by itself. */
  done(error?: Error): void;
}

const SOON = 100;
/** Bytes that are not left in memory for a whole interval. */
const MUCH = 8 * 1024 * 1024;
const RETRY = 1000;

export class Committer {
  readonly #options: CommitOptions;
  #due = Infinity;
  #cancel: (() => void) | undefined;
  #running = false;
  #began = -Infinity;
  #closed = false;

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** Frames have been taken in; `urgent`: somebody waits for them to be durable. */
  taken(urgent: boolean): void {
    const { log, clock, durability, interval = intervals.ssd } = this.#options;
    const now = clock.mono();
    if (durability !== 'interval') this.#at(now);
    else
      this.#at(
        urgent || log.waiting > MUCH ? Math.max(now, this.#began + SOON) : Math.max(now, this.#began + interval),
      );
  }

  /** Nothing is begun any more. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #at(due: number): void {
    if (this.#closed || due >= this.#due) return;
    this.#due = due;
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#running) return;
    const { clock } = this.#options;
    if (due <= clock.mono()) void this.#run();
    else this.#cancel = clock.after(due - clock.mono(), () => void this.#run());
  }

  async #run(): Promise<void> {
    const { log, clock, done } = this.#options;
    this.#running = true;
    this.#due = Infinity;
    this.#began = clock.mono();
    let failure: Error | undefined;
    try {
      await log.sync();
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    this.#running = false;
    const due = failure ? clock.mono() + RETRY : this.#due;
    this.#due = Infinity;
    done(failure);
    this.#at(Math.min(due, this.#due === Infinity ? due : this.#due));
  }
}
