// Says once, when a store elsewhere that could not be written to has everything again, since when and how much had waited:
// the counterpart of the warning that forwards.ts gives. Pure; called by forwarding.ts each second.
import { silentFor, TROUBLED } from './forwards.ts';
import type { ForwardHealth } from './forwarders.ts';
import type { Account } from './journal/log.ts';
import { counted } from './words.ts';

/** Samples younger than this, ms, are on their way as ever. */
const FRESH = 5000;

export class Recoveries {
  /** By store: ms since the epoch of the last success before it failed, and the most samples that waited since. */
  readonly #away = new Map<string, { since: number; samples: number }>();

  /** Empty but at the moment when what waited is stored. @param now ms since the epoch */
  look(name: string, health: ForwardHealth, account: Account | undefined, now: number): string {
    const failing = health.tries >= TROUBLED || silentFor(health);
    let away = this.#away.get(name);
    if (failing && !away) {
      const { lastSuccess, failingSince, oldest } = health;
      // A gateway that was started meanwhile knows of no success, but how old the oldest samples are.
      const since = lastSuccess ?? Math.min(failingSince ?? now, (oldest ?? Infinity) / 1000);
      this.#away.set(name, (away = { since, samples: 0 }));
    }
    if (!away) return '';
    away.samples = Math.max(away.samples, account?.backlog.samples ?? 0);
    const { behind, oldest } = health;
    if (failing || health.tries > 0 || behind || (oldest !== undefined && now - oldest / 1000 > FRESH)) return '';
    this.#away.delete(name);
    const since = new Date(Math.floor(away.since)).toISOString();
    return `caught up: ${counted(away.samples, 'sample')} that had waited since ${since} ${away.samples === 1 ? 'is' : 'are'} stored`;
  }
}
