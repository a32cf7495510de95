// What a server was at the last look, and what became of it since. Called by the forwarder, which keeps it in a file.
import { recall } from '../kept.ts';
import type { Seen } from './watch.ts';

/** Undefined where nothing readable is remembered: as good as a first start. */
export async function recallSeen(path: string): Promise<Seen | undefined> {
  const { started, taken, made = {} } = (await recall(path)) as Partial<Seen>;
  return typeof started === 'string' && typeof taken === 'object' ? { started, taken, made } : undefined;
}

/** The same start of it with the same tables: nothing new to remember. */
export const sameServer = (one: Seen, other: Seen | undefined): boolean =>
  one.started === other?.started && JSON.stringify(one.made) === JSON.stringify(other.made);

/** In words, which table took in less than was confirmed since; empty where none did. @param confirmed requests, by table */
export function swallowed(before: Seen, now: Seen, confirmed: ReadonlyMap<string, number>): string {
  for (const [table, requests] of confirmed) {
    const [was, is] = [before.taken[table], now.taken[table]];
    // Each request is a transaction.
    if (was !== undefined && is !== undefined && is - was < requests)
      return `has confirmed more than the table ${table} took in (something on the way keeps connections to one that is gone)`;
  }
  return '';
}

/** In words, what became of the server since; empty when it is the one it was. */
export function setBack(before: Seen, now: Seen): string {
  if (before.started !== now.started) return 'was started anew';
  const other = Object.keys(now.made).find((name) => (before.made[name] ?? now.made[name]) !== now.made[name]);
  if (other) return `has another table ${other} than before`;
  const table = Object.keys(now.taken).find((name) => (now.taken[name] ?? 0) < (before.taken[name] ?? 0));
  return table ? `has lost transactions of the table ${table}` : '';
}
