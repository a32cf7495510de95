// The suite every forwarder passes against its real server: each sample once, whatever is sent again, killed or refused;
// and its reader: together with any local part, it answers as one store would. Called by the test of each database.
import { afterAll, beforeAll, describe } from 'vitest';
import type { ForwarderBed } from './contract/bed.ts';
import { faultTests } from './contract/faults.ts';
import { readerTests } from './contract/reader.ts';
import { storedTests } from './contract/stored.ts';

/** @param open starts the server; called once. */
export function forwarderContract(name: string, open: () => Promise<ForwarderBed>): void {
  describe(`${name}, the contract of forwarders and readers`, { timeout: 60_000 }, () => {
    let bed: ForwarderBed;
    beforeAll(async () => void (bed = await open()), 60_000);
    afterAll(() => bed?.close());
    faultTests(() => bed);
    storedTests(() => bed);
    readerTests(() => bed);
  });
}
