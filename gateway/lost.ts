// Says in the log what consumers lost: an error at once, then the rest in one line every ten minutes, however many pieces
// it comes in while the journal stays full. Called by daemon with what the writer thread tells; events say each piece.
import type { Drop } from './journal/consumers.ts';
import { Losses } from './journal/losses.ts';
import type { Clock } from './model.ts';
import type { Log } from './status.ts';
import { lossInWords } from './words.ts';

const QUIET = 10 * 60_000;

/** @returns takes each loss in */
export function sayLosses(clock: Clock, log: Log): (drop: Drop) => void {
  const unsaid = new Map<string, Losses>();
  const say = (consumer: string, losses: Losses): void => {
    const [drop] = losses.take();
    if (!drop) {
      unsaid.delete(consumer);
      return;
    }
    const { samples, events, from, to, reason } = drop;
    const what = `${consumer}: ${lossInWords(samples, events)} between ${iso(from)} and ${iso(to)} will never get there: ${reason}`;
    log.error({ consumer, samples, events }, what);
    clock.after(QUIET, () => say(consumer, losses));
  };
  return (drop) => {
    const known = unsaid.get(drop.consumer);
    const losses = known ?? new Losses();
    losses.add(drop);
    if (known) return;
    unsaid.set(drop.consumer, losses);
    say(drop.consumer, losses);
  };
}

const iso = (micros: number): string => new Date(Math.floor(micros / 1000)).toISOString();
