// A writer's samples forwarded to a file of lines, and the numbers that stand in it. Used by the tests that kill.
import { readFileSync } from 'node:fs';
import { openEgress } from '../egress.ts';
import type { Egress, EgressOptions } from '../egress.ts';
import type { Account } from '../journal/log.ts';
import type { Writer } from '../writer.ts';
import { eventually } from './rig.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The thread, with `dataDir/out.ndjson` as its one store unless told otherwise. */
export async function forwardToFile(
  dataDir: string,
  writer: Writer,
  more: Pick<EgressOptions, 'onDeath'> & Partial<EgressOptions>,
): Promise<Egress> {
  return openEgress({
    dataDir,
    forward: { rate: 1_000_000, timeout: 10_000, file: { path: 'out.ndjson' } },
    names: ['file'],
    tags: (await writer.tags()).map((tag) => ({ ...tag, site: '', asset: '', metric: '', unit: '' })),
    writer,
    log: silent,
    ...more,
  });
}

/** The account of `file`, or of the store named, once nothing is owed any more. */
export async function drained(writer: Writer, within = 30_000, store = 'file'): Promise<Account> {
  const account = await eventually(
    async () => (await writer.stats()).accounts[store],
    (found) => found?.backlog.frames === 0 && found.owed.length === 1,
    within,
  );
  return account as Account;
}

export interface Line {
  tag: string;
  timestamp: string;
  value: number | null;
  status?: number;
}
/** @param running half a line may stand at the end */
export function linesIn(path: string, running = false): Line[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  if (lines.pop() !== '' && !running) throw new Error(`${path} ends in the middle of a line`);
  return lines.map((line) => JSON.parse(line) as Line);
}

/** The values in the order of their lines; `wrong` are those that do not stand at `origin` + a millisecond for each. */
export function forwarded(path: string, origin: number): { numbers: number[]; wrong: number } {
  const rows = linesIn(path).map(({ value, timestamp }) => ({ number: value ?? NaN, at: Date.parse(timestamp) }));
  const wrong = rows.filter(({ number, at }) => at !== origin / 1000 + number).length;
  return { numbers: rows.map(({ number }) => number), wrong };
}
