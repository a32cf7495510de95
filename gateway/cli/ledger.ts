// `penstock ledger`: asks the running daemon over its control socket, or opens the data folder under its lock when none
// runs. Called by main; says the ledger. Opening a folder cuts a torn tail off the journal, as any start would, and
// changes nothing else: no position is stored, nothing is dropped.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock as clock } from '../clock.ts';
import { standing } from '../historian/embedded/standing.ts';
import { openSegments } from '../journal/segments.ts';
import { ledgerOf, ledgerTable } from '../ledger.ts';
import { lockDataDir } from '../state/lock.ts';
import type { WireLedger } from '../web/wire.ts';
import { Absent, textOf, toDaemon } from './control.ts';
import { argumentsOf, dataFolder } from './wrong-use.ts';

export const ledgerUsage = `penstock ledger [--data DIR] [--json]
  where every sample is: of the running daemon, or of its data folder when none runs

  Each source:  received + made = rejected + filtered + shed + journalled + merged, and journalled = in journal
                made: repeats and bad values on loss, which no device said; filtered: by store.deadband;
                shed: the disk was too full; merged: retransmissions; in journal: the journal's own count
  Each store:   journalled = delivered + filtered + backlog + dead letters + dropped
                from when the store was added; dropped: lost for it, between the times that are told

  Exit code 0: every sum holds; 1: one does not, or nothing could be read.
`;

/** @returns the exit code: 0, or 1 when a sum does not hold */
export async function ledgerCommand(args: string[]): Promise<number> {
  const flag = { type: 'boolean' } as const;
  const { values } = argumentsOf(args, { data: { type: 'string' }, json: flag, help: { ...flag, short: 'h' } }, 0);
  if (values.help) {
    console.log(ledgerUsage);
    return 0;
  }
  const ledger = await readLedger(dataFolder(values.data));
  console.log(values.json ? JSON.stringify(ledger, null, 2) : ledgerTable(ledger));
  return ledger.holds ? 0 : 1;
}

/** Rejects in words when there is no gateway's data in the folder, or the daemon does not answer. */
export async function readLedger(data: string): Promise<WireLedger> {
  return (await asked(data)) ?? opened(data);
}

/** Undefined when no daemon listens. */
async function asked(data: string): Promise<WireLedger | undefined> {
  const { call, answer } = toDaemon(data, '/ledger', { signal: AbortSignal.timeout(30_000) });
  call.end();
  try {
    return JSON.parse(await textOf(await answer)) as WireLedger;
  } catch (error) {
    if (error instanceof Absent) return undefined;
    throw error;
  }
}

function opened(data: string): WireLedger {
  if (!existsSync(join(data, 'journal')))
    throw new Error(`there is no gateway's journal in ${data}: name its data folder with --data`);
  const lock = lockDataDir(data);
  try {
    // Bounds are the daemon's to keep. Never closed: that would store positions.
    const log = openSegments({ dataDir: data, cap: Infinity });
    const own = standing(data);
    if (own) log.add('historian', own.position, { own });
    const accounts = Object.fromEntries(log.consumers().map((name) => [name, log.account(name)]));
    return ledgerOf({ sources: log.sources(), accounts }, clock.now());
  } finally {
    lock.release();
  }
}
