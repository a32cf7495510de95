// The ledger of a running gateway, as every whole-system test and fault test ends: each sum must hold.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { WireLedger } from '../web/wire.ts';
import { get } from './rig.ts';
import { brokenSums } from './sums.ts';

/**
 * Asserts every sum, and that nothing was lost on the way; returns the ledger for what a test knows besides.
 * @param http base address of the gateway
 */
export async function expectLedger(http: string): Promise<WireLedger> {
  const ledger = await get<WireLedger>(`${http}/api/v1/ledger`);
  expectSums(ledger);
  expect(ledger.consumers.map(({ consumer }) => consumer)).toContain('historian');
  expect(ledger.sources.some(({ received, journalled }) => received > 0 && journalled > 0)).toBe(true);
  return ledger;
}

export function expectSums(ledger: WireLedger): void {
  expect(brokenSums(ledger)).toEqual([]);
}

/** Waits until a consumer is owed nothing of what was journalled before. */
export async function drained(http: string, consumer = 'historian', within = 30_000): Promise<WireLedger> {
  const end = performance.now() + within;
  const { consumers } = await get<WireLedger>(`${http}/api/v1/ledger`);
  const asked = consumers.find((row) => row.consumer === consumer)?.journalled ?? 0;
  for (;;) {
    const ledger = await get<WireLedger>(`${http}/api/v1/ledger`);
    const row = ledger.consumers.find((one) => one.consumer === consumer);
    if (row && row.journalled - row.backlog >= asked) return ledger;
    if (performance.now() > end)
      throw new Error(`${consumer} is still owed ${row?.backlog} samples after ${within} ms`);
    await sleep(100);
  }
}
