// A configuration changed under a running gateway: a limit takes effect without a connection being touched, a broken
// file changes nothing and is said, a renamed tag keeps its history.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registerMap } from '../../simulators/modbus/map.ts';
import { serveModbus } from '../../simulators/modbus/server.ts';
import { serveOpcua } from '../../simulators/opcua/server.ts';
import { nodeFor } from '../../simulators/opcua/nodes.ts';
import type { Plant, PlantSite } from '../../simulators/plant.ts';
import { startProxy } from '../../simulators/proxy.ts';
import type { Proxy } from '../../simulators/proxy.ts';
import { importFile } from '../cli/import.ts';
import type { DeviceState } from '../drivers/supervise.ts';
import type { AlarmList, Dict, StreamSnap, Summary, Timeseries } from '../web/wire.ts';
import { linesIn } from './forward.ts';
import { expectLedger } from './ledger.ts';
import { eventually, get, historyOf, json, listen, scratch, startGateway, stream } from './rig.ts';
import type { Gateway } from './rig.ts';

const flow = { metric: 'flow', name: 'Flow', unit: 'm³/h', decimals: 1, type: 'double' } as const;
function plantOf(id: string, protocol: PlantSite['protocol']): Plant {
  const asset = { path: `${id}/pump-1`, name: 'Pump 1', kind: 'pump', line: null, signals: [flow] };
  const site = { id, name: id, location: '', timezone: 'UTC', protocol, interval: 500, assets: [asset] };
  return { site, advance: () => {}, values: () => [42] };
}
const north = plantOf('north', 'modbus');
const south = plantOf('south', 'opcua');

const folder = scratch();
const config = join(folder.path, 'config');
const data = join(folder.path, 'data');
const servers: { port: number; close(): Promise<void> }[] = [];
const proxies: Proxy[] = [];
let gateway: Gateway;
const api = <T>(path: string) => get<T>(`${gateway.http}/api/v1${path}`);
const start = () => startGateway('run', ['--config', config, '--log-level', 'info'], data);

/** The configuration with these limits on both pumps, and the north's tag under this name. */
function write({ high = 80, tag = 'north/pump-1/flow', formerly = '' }): void {
  const metric = `flow: { limits: { h: ${high} }, onDelay: 0 }`;
  const renamed = tag.split('/').slice(0, 2).join('/');
  writeFileSync(join(config, 'penstock.yaml'), 'forward: { file: { path: out.ndjson } }\n');
  writeFileSync(
    join(config, 'plant.yaml'),
    `sites: [{ id: north, name: North }, { id: south, name: South }]
metrics: { flow: { name: Flow, unit: m³/h } }
assets:
  - { path: ${renamed}, metrics: { ${metric} } }
  - { path: south/pump-1, metrics: { ${metric} } }
`,
  );
  const [entry] = registerMap(north.site).entries;
  writeFileSync(
    join(config, 'devices', 'north.yaml'),
    `device: north-plc
protocol: modbus
connection: { host: 127.0.0.1, port: ${proxies[0]?.port} }
interval: 500ms
tags:
  - { tag: ${tag}, ${formerly ? `formerly: ${formerly}, ` : ''}register: "${entry?.table}:${entry?.address}", encoding: ${entry?.encoding} }
`,
  );
  const [asset] = south.site.assets;
  writeFileSync(
    join(config, 'devices', 'south.yaml'),
    `device: south-server
protocol: opcua
connection: { endpoint: "opc.tcp://127.0.0.1:${proxies[1]?.port}" }
interval: 500ms
tags:
  - { tag: south/pump-1/flow, node: "${asset ? nodeFor(south.site, asset, flow) : ''}" }
`,
  );
}

async function reload(): Promise<void> {
  const before = gateway.errors.length;
  gateway.child.kill('SIGHUP');
  await eventually(
    () => gateway.errors.slice(before).join('\n'),
    (said) => /configuration reloaded|errors in the new configuration/.test(said),
  );
}

const devices = async () =>
  (await api<DeviceState[]>('/devices')).map(({ name, state, since, restarts }) => ({ name, state, since, restarts }));

/** What of the alarms a page shows: tag, level, active. */
const alarms = async () =>
  (await api<AlarmList>('/alarms')).alarms
    .filter(({ active }) => active)
    .map(({ tag, level, limit }) => ({ tag, level, limit }));

async function bothGood(tag = 'north/pump-1/flow'): Promise<void> {
  await eventually(
    async () =>
      (await Promise.all(['north', 'south'].map((site) => api<Summary>(`/dashboard/summary/${site}`)))).flatMap(
        (summary) => summary.assets.flatMap((asset) => asset.values),
      ),
    (values) =>
      values.length === 2 &&
      values.some((value) => value.tag === tag) &&
      values.every((value) => value.quality === 'good' && !value.stale && value.value === 42),
  );
}

beforeAll(async () => {
  mkdirSync(join(config, 'devices'), { recursive: true });
  servers.push(await serveModbus(north, registerMap(north.site)));
  const opcua = await serveOpcua(south, { host: '127.0.0.1', port: 0 });
  opcua.update(Date.now());
  servers.push(opcua);
  for (const { port } of servers) proxies.push(await startProxy({ target: { host: '127.0.0.1', port } }));
  write({});
  gateway = await start();
  await bothGood();
});

afterAll(async () => {
  await gateway?.stop();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await Promise.all(servers.map((server) => server.close()));
  folder.remove();
});

test('a changed limit raises and clears its alarm; no device connects anew', async () => {
  const before = await devices();
  expect(before.map(({ state }) => state)).toEqual(['online', 'online']);
  expect(await alarms()).toEqual([]);
  const revision = (await api<Dict>('/dict')).rev;
  const events = stream(`${gateway.http}/api/v1/stream`);
  await eventually(
    () => events.events,
    (all) => all.some(({ event }) => event === 'snap'),
  );
  // From here on nobody new gets through: a device that had to connect again would go offline.
  for (const proxy of proxies) proxy.set({ refuse: true });

  write({ high: 40 });
  await reload();
  const raised = await eventually(alarms, (list) => list.length === 2);
  expect(raised.sort((a, b) => ((a.tag ?? '') < (b.tag ?? '') ? -1 : 1))).toEqual([
    { tag: 'north/pump-1/flow', level: 'h', limit: 40 },
    { tag: 'south/pump-1/flow', level: 'h', limit: 40 },
  ]);
  expect(await devices()).toEqual(before);
  const dict = await api<Dict>('/dict');
  expect(dict.rev).toBeGreaterThan(revision);
  expect(dict.tags.map(({ limits }) => limits)).toEqual([{ h: 40 }, { h: 40 }]);
  await eventually(
    () => events.events.map(({ event }) => event),
    (kinds) => kinds.includes('dict') && kinds.filter((kind) => kind === 'al').length === 2,
  );

  write({ high: 80 });
  await reload();
  await eventually(alarms, (list) => list.length === 0);
  expect(await devices()).toEqual(before);
  events.close();
  for (const proxy of proxies) proxy.set({ refuse: false });
});

test('a broken configuration changes nothing, says all that is wrong, and goes when it is mended', async () => {
  const before = await devices();
  const { rev } = await api<Dict>('/dict');
  write({ high: 40 });
  writeFileSync(join(config, 'devices', 'west.yaml'), 'device: west\nprotocol: modbuss\nconnection: {}\ntags: []\n');
  writeFileSync(join(config, 'penstock.yaml'), 'history: { retention: forever }\n');
  await reload();
  const log = gateway.errors.join('\n');
  expect(log).toContain('west.yaml');
  expect(log).toContain('modbuss');
  expect(log).toContain('penstock.yaml');
  const health = async () =>
    (await get<{ components: { name: string; state: string; reason: string }[] }>(`${gateway.http}/health`)).components
      .filter(({ name }) => name === 'config')
      .map(({ state, reason }) => ({ state, reason }));
  expect(await health()).toEqual([
    { state: 'degraded', reason: expect.stringMatching(/^\d+ errors? .*running on the previous/) as string },
  ]);
  expect((await api<Dict>('/dict')).rev).toBe(rev);
  expect(await alarms()).toEqual([]);
  expect(await devices()).toEqual(before);

  writeFileSync(join(config, 'penstock.yaml'), '{}\n');
  writeFileSync(
    join(config, 'devices', 'west.yaml'),
    'device: west\nprotocol: modbus\nenabled: false\nconnection: { host: 127.0.0.1 }\ntags: []\n',
  );
  write({});
  writeFileSync(join(config, 'penstock.yaml'), 'forward: { file: { path: elsewhere.ndjson } }\n');
  await reload();
  const pending = 'settings of forward changed: they take effect at the next start';
  expect(await health()).toEqual([{ state: 'ok', reason: pending }]);
  expect(gateway.errors.filter((line) => line.includes(`"msg":"${pending}"`))).toHaveLength(1);

  write({});
  await reload();
  expect(await health()).toEqual([{ state: 'ok', reason: '' }]);
  expect((await devices()).filter(({ name }) => name !== 'west')).toEqual(before);
});

test('a tag renamed by formerly keeps its history, now and after a restart', async () => {
  const old = 'north/pump-1/flow';
  const renamed = 'north/booster/flow';
  const { i: index } = (await api<Dict>('/dict')).tags.find(({ id }) => id === old) ?? { i: -1 };
  const hour = Date.now() - 3_000_000;
  const file = join(folder.path, 'past.ndjson');
  const past = Array.from({ length: 10 }, (_, k) => ({ tag: old, timestamp: hour + k * 1000, value: 7 }));
  writeFileSync(file, past.map((line) => JSON.stringify(line)).join('\n'));
  expect(await importFile({ data, file, origin: 'import' })).toMatchObject({ accepted: 10, rejected: 0 });

  const broker = await listen(gateway.mqttUrl, '#');
  write({ tag: renamed, formerly: old });
  await reload();
  const whole = async () => {
    await bothGood(renamed);
    const tags = (await api<Dict>('/dict')).tags.filter(({ id }) => id.startsWith('north/'));
    expect(tags.map(({ i, id }) => ({ i, id }))).toEqual([{ i: index, id: renamed }]);
    const url = '/dashboard/timeseries/north?metric=flow&hours=1&bucket_minutes=1';
    const { series } = await eventually(
      () => api<Timeseries>(url),
      (answer) => [7, 42].every((value) => answer.series[0]?.max.includes(value)),
    );
    expect(series.map(({ tag, asset }) => ({ tag, asset }))).toEqual([{ tag: renamed, asset: 'north/booster' }]);
    const events = stream(`${gateway.http}/api/v1/stream?facility=north`);
    const snap = await eventually(
      () => events.events.find(({ event }) => event === 'snap')?.data as StreamSnap | undefined,
      (found) => found !== undefined,
    );
    events.close();
    expect(snap).toMatchObject({ i: [index], v: [42] });
  };
  await whole();
  // The old topic is emptied, the new one retained: nobody is left with a value that will never change again.
  await eventually(
    () => {
      const last = new Map(broker.heard.map(({ topic, text }) => [topic, text]));
      return ['pump-1', 'booster'].map((asset) => last.get(`penstock/demo/north/${asset}/_data/flow`));
    },
    ([before, after]) => before === '' && (json(after ?? '') as { value?: number } | undefined)?.value === 42,
  );
  await broker.close();
  // What is forwarded goes by the new name at once, and came by the old one before.
  const tagsForwarded = await eventually(
    () => linesIn(join(data, 'out.ndjson'), true).map(({ tag }) => tag),
    (tags) => tags.filter((tag) => tag.startsWith('north')).at(-1) === renamed,
  );
  expect(tagsForwarded).toContain(old);

  await gateway.stop();
  gateway = await start();
  await whole();
  const raw = await historyOf(gateway.http, 'north/booster/flow', hour * 1000, (hour + 60_000) * 1000);
  expect(raw.map(({ t }) => t)).toEqual(past.map(({ timestamp }) => timestamp * 1000));
  expect(raw.map(({ value }) => value)).toEqual(past.map(({ value }) => value));
});

test('every sample is accounted for', () => expectLedger(gateway.http));
