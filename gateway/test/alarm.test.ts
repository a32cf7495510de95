// One alarm's life through the whole system: raised by a value, seen on MQTT, REST and the stream, acknowledged by an
// operator, cleared, kept across a kill. The device is a real Modbus server whose one value the test sets.
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registerMap } from '../../simulators/modbus/map.ts';
import { serveModbus } from '../../simulators/modbus/server.ts';
import type { Plant, PlantSite } from '../../simulators/plant.ts';
import { readLedger } from '../cli/ledger.ts';
import type { AlarmList, WireAlarm } from '../web/wire.ts';
import { drained, expectLedger } from './ledger.ts';
import { writeConfig } from './plant.ts';
import { eventually, get, listen, scratch, startGateway, stream } from './rig.ts';
import type { Gateway } from './rig.ts';

const site: PlantSite = {
  id: 'north',
  name: 'North works',
  location: 'Oslo',
  timezone: 'Europe/Oslo',
  protocol: 'modbus',
  interval: 200,
  assets: [
    {
      path: 'north/pump-1',
      name: 'Pump 1',
      kind: 'pump',
      line: null,
      signals: [
        {
          metric: 'flow',
          name: 'Flow',
          unit: 'm³/h',
          decimals: 1,
          type: 'double',
          range: { low: 10, high: 80 },
          limits: { h: 80, hh: 90 },
          deadband: 2,
        },
      ],
    },
  ],
};
let flow = 50;
const plant: Plant = { site, advance: () => {}, values: () => [flow] };
const folder = scratch();
const config = join(folder.path, 'config');
const data = join(folder.path, 'data');
let device: Awaited<ReturnType<typeof serveModbus>>;
let gateway: Gateway;

const start = () => startGateway('run', ['--config', config], data, { PENSTOCK_SIM_NORTH: String(device.port) });
const alarms = async () => (await get<AlarmList>(`${gateway.http}/api/v1/alarms`)).alarms;
const set = (value: number) => {
  flow = value;
  device.update(Date.now());
};
const post = (path: string, body: object) =>
  fetch(`${gateway.http}/api/v1/alarms/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

beforeAll(async () => {
  device = await serveModbus(plant, registerMap(site), { host: '127.0.0.1', port: 0 });
  writeConfig(config, [site], { timeout: 1000 });
  gateway = await start();
});
afterAll(async () => {
  await gateway?.stop();
  await device?.close();
  folder.remove();
});

test('raised, escalated, kept across a kill, acknowledged, cleared', async () => {
  const broker = await listen(gateway.mqttUrl, '#');
  const live = stream(`${gateway.http}/api/v1/stream?facility=north`);
  await eventually(
    () => live.events,
    (events) => events.some(({ event }) => event === 'snap'),
  );
  expect(await alarms()).toEqual([]);

  set(85);
  const [raised] = await eventually(alarms, (list) => list.length === 1);
  expect(raised).toMatchObject({
    key: 'north/pump-1/flow',
    level: 'h',
    active: true,
    unacked: true,
    value: 85,
    limit: 80,
    unit: 'm³/h',
    assetName: 'Pump 1',
  });
  expect(raised?.message).toMatch(/Flow 85\.0 m³\/h/);
  set(95);
  const [escalated] = await eventually(alarms, ([alarm]) => alarm?.level === 'hh');
  expect(escalated?.event).not.toBe(raised?.event);
  await eventually(
    () => live.events.filter(({ event }) => event === 'al').map(({ data }) => data as { op: string; a: WireAlarm }),
    (list) => list.map(({ op }) => op).join(' ') === 'raise escalate',
  );
  const topic = (kind: string) => broker.heard.filter((message) => message.topic.includes(`north/pump-1/${kind}`));
  await eventually(
    () => topic('_alarm/'),
    (heard) => heard.length >= 2,
  );
  expect(JSON.parse(topic('_alarm/').at(-1)?.text ?? '')).toMatchObject({ level: 'hh', severity: escalated?.severity });
  live.close();
  await broker.close();

  await gateway.stop('SIGKILL');
  gateway = await start();
  const [kept] = await eventually(alarms, (list) => list.length === 1);
  expect(kept).toMatchObject({ event: escalated?.event, raisedAt: escalated?.raisedAt, active: true, unacked: true });
  const after = await listen(gateway.mqttUrl, '#');
  await eventually(
    () => after.heard,
    (heard) => heard.some((message) => message.retained && message.topic.includes('north/pump-1/_alarm/')),
  );

  const old = await post('acknowledge', { key: raised?.key, event: raised?.event });
  expect(old.status).toBe(409);
  expect((await post('acknowledge', { key: 'north/pump-9/flow', event: 'x' })).status).toBe(404);
  expect((await post('acknowledge', { key: kept?.key, event: kept?.event, user: 'Ada', comment: 'seen' })).status).toBe(
    200,
  );
  expect((await alarms())[0]).toMatchObject({ unacked: false, ackedBy: 'Ada', comment: 'seen' });

  // Inside the limit but not by the deadband: still active.
  set(79);
  await eventually(
    () => get<{ assets: { values: { value: number }[] }[] }>(`${gateway.http}/api/v1/dashboard/summary/north?hours=1`),
    (summary) => summary.assets[0]?.values[0]?.value === 79,
  );
  expect((await alarms())[0]?.active).toBe(true);
  set(50);
  await eventually(alarms, (list) => list.length === 0);
  await eventually(
    () => after.heard,
    (heard) => heard.some((message) => message.topic.includes('north/pump-1/_alarm/') && message.text === ''),
  );
  await after.close();
  const again = await listen(gateway.mqttUrl, '#');
  await eventually(
    () => again.heard,
    (heard) => heard.some((message) => message.topic.includes('north/pump-1/_data/')),
  );
  expect(again.heard.filter((message) => message.topic.includes('_alarm/'))).toEqual([]);
  await again.close();
});

test('what an operator was told is done stays done, killed before any snapshot', async () => {
  const state = (): DatabaseSync => new DatabaseSync(join(data, 'state.db'), { timeout: 5000 });
  const before = await eventually(
    () => {
      const db = state();
      const row = db.prepare("SELECT body, seq FROM snapshot WHERE name = 'alarms'").get();
      db.close();
      return row;
    },
    (row) => (JSON.parse(String(row?.body)) as { alarms: unknown[] }).alarms.length === 0,
  );
  /** Killed, and left with the snapshot of before all this: what has happened since is in the journal alone. */
  const killed = async (): Promise<void> => {
    await gateway.stop('SIGKILL');
    const db = state();
    const put = db.prepare("UPDATE snapshot SET body = ?, seq = ? WHERE name = 'alarms'");
    put.run(String(before?.body), Number(before?.seq));
    db.close();
    gateway = await start();
  };
  // Raised and over again within the window: a critical one stays listed until somebody has seen it.
  set(95);
  const [raised] = await eventually(alarms, ([alarm]) => alarm?.level === 'hh');
  set(50);
  const [returned] = await eventually(alarms, ([alarm]) => alarm?.active === false);
  expect((await drained(gateway.http)).holds).toBe(true);
  await killed();
  expect(await alarms()).toMatchObject([
    {
      event: raised?.event,
      active: false,
      unacked: true,
      raisedAt: returned?.raisedAt,
      clearedAt: returned?.clearedAt,
    },
  ]);

  set(85);
  const [again] = await eventually(alarms, ([alarm]) => alarm?.active === true);
  const { key, event } = again ?? {};
  expect((await post('acknowledge', { key, event, user: 'Ada', comment: 'on my way' })).status).toBe(200);
  expect((await post('shelve', { key, minutes: 30, user: 'Ada' })).status).toBe(200);
  const [shelved] = await alarms();
  await killed();
  expect(shelved?.shelvedUntil).toBeGreaterThan(Date.now());
  expect(await alarms()).toEqual([shelved]);
  expect(shelved).toMatchObject({ event, active: true, unacked: false, ackedBy: 'Ada', comment: 'on my way' });
  expect((await post('shelve', { key, minutes: 0 })).status).toBe(200);
  set(50);
  await eventually(alarms, (list) => list.length === 0);
  const { sources } = await expectLedger(gateway.http);
  // Over the control socket, as the command line asks: the accounts have gone on through every kill.
  const { holds, sources: later } = await readLedger(data);
  expect(holds).toBe(true);
  expect(later.map(({ source }) => source)).toEqual(sources.map(({ source }) => source));
});

test('garbage from a device is never a good value', async () => {
  const { port } = device;
  await device.close();
  const sockets = new Set<Socket>();
  const rubbish = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    // Answers whatever comes with an answer for another unit, then with noise.
    socket.once('data', (request: Buffer) => {
      socket.write(Buffer.from([request[0] ?? 0, request[1] ?? 0, 0, 0, 0, 7, 99, 4, 4, 0x42, 0xc8, 0, 0]));
      socket.once('data', () => socket.write(Buffer.from('not a Modbus device at all')));
    });
  });
  await new Promise<void>((resolve) => rubbish.listen(port, '127.0.0.1', resolve));
  const live = stream(`${gateway.http}/api/v1/stream?facility=north`);
  await eventually(alarms, (list) => list.some(({ kind }) => kind === 'comm'), 20_000);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const values = live.events.flatMap(({ event, data }) =>
    event === 'd' || event === 'snap' ? (data as { v: unknown[] }).v : [],
  );
  live.close();
  expect(values).not.toContain(100);
  expect(await get(`${gateway.http}/livez`)).toEqual({ ok: true });
  for (const socket of sockets) socket.destroy();
  await new Promise<void>((resolve) => rubbish.close(() => resolve()));
});
