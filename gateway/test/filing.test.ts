// Every row of the time of filing, end to end: an OPC UA server whose source times the test sets, the real gateway, and
// what history and MQTT then say. The table itself is tested case by case beside the code.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataType, DataValue } from 'node-opcua';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testServer } from '../drivers/opcua/testing.ts';
import type { TestServer } from '../drivers/opcua/testing.ts';
import { expectLedger } from './ledger.ts';
import { eventually, historyOf, json, listen, scratch, startGateway } from './rig.ts';
import type { Gateway } from './rig.ts';

const uri = 'urn:test:clocks';
const rows = ['newer', 'frozen', 'older', 'back', 'old', 'future', 'ancient'] as const;
type Row = (typeof rows)[number];
const folder = scratch();
const config = join(folder.path, 'config');
const data = join(folder.path, 'data');
let server: TestServer;
let gateway: Gateway;
let broker: Awaited<ReturnType<typeof listen>>;
/** Before the gateway's start, ms. */
let started: number;

beforeAll(async () => {
  server = await testServer({ [uri]: Object.fromEntries(rows.map((row) => [row, 0])) });
  // Unchanged for an hour when the gateway first sees it.
  const sourceTimestamp = new Date(Date.now() - 3_600_000);
  const value = { dataType: DataType.Double, value: 1 };
  const timestamped_get = () => new DataValue({ value, sourceTimestamp, serverTimestamp: new Date() });
  server.variable(uri, 'old').bindVariable({ timestamped_get }, true);
  mkdirSync(join(config, 'devices'), { recursive: true });
  writeFileSync(join(config, 'plant.yaml'), 'sites: [{ id: north, name: North }]\nassets: [{ path: north/clock }]\n');
  const tags = rows.map((row) => `  - { tag: north/clock/${row}, node: 'nsu=${uri};s=${row}', samplingInterval: 0 }\n`);
  writeFileSync(
    join(config, 'devices', 'clock.yaml'),
    `device: clock\nprotocol: opcua\nconnection: { endpoint: 'opc.tcp://127.0.0.1:${server.port}' }\ninterval: 200ms\ntags:\n${tags.join('')}`,
  );
  started = Date.now();
  gateway = await startGateway('run', ['--config', config], data);
  broker = await listen(gateway.mqttUrl, '#');
  await eventually(
    () => broker.heard.filter(({ topic }) => topic.includes('_data/')),
    (heard) => heard.length >= rows.length,
  );
});
afterAll(async () => {
  await broker?.close();
  await gateway?.stop();
  await server?.stop();
  folder.remove();
});

const history = async (row: Row) => {
  const stored = await historyOf(gateway.http, `north/clock/${row}`);
  return stored.map(({ t, value, status }) => ({ at: t / 1000, value, status }));
};
interface Filed {
  /** The time it was filed under, ms. */
  at: number;
  /** When it was set, and when history was seen to have it: it arrived in between. */
  set: number;
  seen: number;
}
/** Sets a value with a source time and waits until history has it. */
async function said(row: Row, value: number, at: number): Promise<Filed> {
  const set = Date.now();
  server.set(uri, row, value, new Date(at));
  const stored = await eventually(
    () => history(row),
    (list) => list.some((one) => one.value === value),
  );
  return { at: stored.find((one) => one.value === value)?.at ?? 0, set, seen: Date.now() };
}
const shown = (row: Row, value: number) =>
  broker.heard
    .filter(({ topic }) => topic.endsWith(`_data/${row}`))
    .map(({ text }) => json(text) as { value: number; timestamp: string; clock?: string })
    .find((payload) => payload.value === value);
const heard = (row: Row, value: number) =>
  eventually(
    () => shown(row, value),
    (payload) => payload !== undefined,
  );
const expectArrival = ({ at, set, seen }: Filed) => {
  expect(at).toBeGreaterThanOrEqual(set);
  expect(at).toBeLessThanOrEqual(seen);
};

test('newer than the last: filed under the device’s time', async () => {
  const at = Date.now() - 1500;
  expect((await said('newer', 1, at)).at).toBe(at);
  expect(await heard('newer', 1)).toMatchObject({ timestamp: new Date(at).toISOString() });
  expect((await heard('newer', 1))?.clock).toBeUndefined();
});

test('the last again with another value, a frozen clock: filed by arrival, flagged, none overwritten', async () => {
  const at = Date.now();
  await said('frozen', 1, at);
  const second = await said('frozen', 2, at);
  const third = await said('frozen', 3, at);
  expectArrival(second);
  expect(third.at).toBeGreaterThan(second.at);
  expect((await history('frozen')).filter(({ value }) => value === 1 || value === 2 || value === 3)).toHaveLength(3);
  expect(await heard('frozen', 3)).toMatchObject({ clock: 'skewed' });
});

test('older than the last: stored late, not shown', async () => {
  const at = Date.now();
  await said('older', 1, at);
  expect((await said('older', 2, at - 10_000)).at).toBe(at - 10_000);
  expect((await said('older', 3, at + 300)).at).toBe(at + 300);
  await heard('older', 3);
  expect(shown('older', 2)).toBeUndefined();
});

test('three older in a row, the clock was set back: filed by arrival until it has caught up', async () => {
  const at = Date.now();
  await said('back', 1, at);
  const back = at - 60_000;
  for (const step of [1, 2]) expect((await said('back', 10 + step, back + step)).at).toBe(back + step);
  const third = await said('back', 13, back + 3);
  expectArrival(third);
  expect(await heard('back', 13)).toMatchObject({ clock: 'skewed' });
});

test('merely old while the server’s time is right: the server’s time, no flag', async () => {
  const [first] = await eventually(
    () => history('old'),
    (list) => list.length > 0,
  );
  expect(first?.value).toBe(1);
  expectArrival({ at: first?.at ?? 0, set: started, seen: Date.now() });
  expect((await heard('old', 1))?.clock).toBeUndefined();
});

test.each<[Row, number]>([
  ['future', Date.now() + 86_400_000],
  ['ancient', Date.UTC(1970, 0, 2)],
])('%s: filed about now, flagged, and the next right time is believed again', async (row, wrong) => {
  expectArrival(await said(row, 1, wrong));
  expect(await heard(row, 1)).toMatchObject({ clock: 'skewed' });
  const right = Date.now();
  expect((await said(row, 2, right)).at).toBe(right);
  expect((await heard(row, 2))?.clock).toBeUndefined();
});

test('every sample is accounted for', () => expectLedger(gateway.http));
