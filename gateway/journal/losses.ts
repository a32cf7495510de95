// What consumers lost, put together: at most one word a second about each, however many pieces it came in.
// Filled by the log's `dropped`, emptied by writing.ts, whose words become events.
import type { Drop } from './consumers.ts';

export class Losses {
  #pending = new Map<string, Drop>();

  add(drop: Drop): void {
    const before = this.#pending.get(drop.consumer);
    if (!before) {
      this.#pending.set(drop.consumer, { ...drop });
      return;
    }
    before.samples += drop.samples;
    if (drop.events) before.events = (before.events ?? 0) + drop.events;
    before.from = Math.min(before.from, drop.from);
    before.to = Math.max(before.to, drop.to);
    if (!before.reason.includes(drop.reason)) before.reason += `; ${drop.reason}`;
  }

  /** One for each consumer that lost something since the last call. */
  take(): Drop[] {
    const drops = [...this.#pending.values()];
    this.#pending.clear();
    return drops;
  }
}
