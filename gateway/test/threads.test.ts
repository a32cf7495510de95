// History queries and pages must not hold the main thread: queries of 48 h in a loop, 50 streams, bundled plants, two
// days of history. The house's bar is a p99 below 10 ms, measured by bench/threads.ts on a quiet machine; here other
// tests share the cores, so the bound is loose: it fails when a query runs on main, not when a neighbour does.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { underLoad } from '../bench/threads.ts';
import { scratch, startGateway } from './rig.ts';
import type { Gateway } from './rig.ts';

const folder = scratch();
let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway('demo', [], folder.path);
});
afterAll(async () => {
  await gateway?.stop();
  folder.remove();
});

test('main stays free under 48 h queries and 50 streams', async () => {
  const figures = await underLoad(gateway, { ms: 20_000 });
  console.log(JSON.stringify(figures));
  expect(figures.queries).toBeGreaterThan(10);
  expect(figures.streams).toBe(50);
  expect(figures.streamBytes).toBeGreaterThan(1_000_000);
  expect(figures.p50).toBeLessThan(10);
  expect(figures.p99).toBeLessThan(250);
});
