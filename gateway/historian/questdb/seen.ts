// What is remembered of a server over the gateway's own restarts, to notice that the server was restarted or set back.
// Called by the forwarder; a small file in the data folder, replaced as a whole.
import { open, readFile, rename } from 'node:fs/promises';
import { syncFolder } from '../file/place.ts';
import type { Seen } from './watch.ts';
import { dirname } from 'node:path';

/** Undefined where nothing readable is remembered: as good as a first start. */
export async function recall(path: string): Promise<Seen | undefined> {
  try {
    const { started, taken, made = {} } = JSON.parse(await readFile(path, 'utf8')) as Partial<Seen>;
    return typeof started === 'string' && typeof taken === 'object' ? { started, taken, made } : undefined;
  } catch {
    return undefined;
  }
}

/** Durable when it resolves. */
export async function remember(path: string, seen: Seen): Promise<void> {
  await using file = await open(`${path}.tmp`, 'w', 0o640);
  await file.writeFile(JSON.stringify(seen));
  await file.datasync();
  await rename(`${path}.tmp`, path);
  await syncFolder(dirname(path));
}

/** The same start of it with the same tables: nothing new to remember. */
export const sameServer = (one: Seen, other: Seen | undefined): boolean =>
  one.started === other?.started && JSON.stringify(one.made) === JSON.stringify(other.made);

/** In words, what became of the server since; empty when it is the one it was. */
export function setBack(before: Seen, now: Seen): string {
  if (before.started !== now.started) return 'was started anew';
  const other = Object.keys(now.made).find((name) => (before.made[name] ?? now.made[name]) !== now.made[name]);
  if (other) return `has another table ${other} than before`;
  const table = Object.keys(now.taken).find((name) => (now.taken[name] ?? 0) < (before.taken[name] ?? 0));
  return table ? `has lost transactions of the table ${table}` : '';
}
