// A plant that nobody had in mind: accents and spaces in ids and names, deep paths, other metrics and units, assets
// without limits, the same asset name on several sites, 1,000 tags. Nothing in the program may know the demo.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registerMap } from '../../simulators/modbus/map.ts';
import { serveModbus } from '../../simulators/modbus/server.ts';
import { serveOpcua } from '../../simulators/opcua/server.ts';
import type { Plant, PlantAsset, PlantSite, Signal, SignalValue } from '../../simulators/plant.ts';
import { servedBy } from '../../simulators/site-server.ts';
import type { Dict, Facility, StreamSnap, Summary, Timeseries } from '../web/wire.ts';
import { expectLedger } from './ledger.ts';
import { writeConfig } from './plant.ts';
import { eventually, get, json, listen, scratch, startGateway, stream } from './rig.ts';
import type { Gateway } from './rig.ts';

const signals: Signal[] = [
  { metric: 'Füllstand', name: 'Füllstand', unit: 'm', decimals: 2, type: 'double', range: { low: 0, high: 5000 } },
  { metric: 'torque', name: 'Torque', unit: 'N·m', decimals: 1, type: 'double', aggregate: 'max' },
  { metric: 'vib rms', name: 'Vibration, RMS', unit: 'mm/s', decimals: 1, type: 'double', aggregate: 'mean' },
  { metric: 'turbidity', name: 'Turbidity', unit: 'NTU', decimals: 0, type: 'double' },
  {
    metric: 'salinity',
    name: 'Salinity',
    unit: 'g/L',
    decimals: 1,
    type: 'double',
    instrument: { low: 0, high: 4000 },
  },
  { metric: 'strokes', name: 'Strokes', unit: '', decimals: 0, type: 'integer' },
  { metric: 'mode', name: 'Mode', unit: '', decimals: 0, type: 'integer', names: { 0: 'Aus', 1: 'Läuft' } },
  { metric: 'lid open', name: 'Lid open', unit: '', decimals: 0, type: 'boolean' },
  { metric: 'recipe', name: 'Recipe', unit: '', decimals: 0, type: 'text' },
  { metric: 'dose', name: 'Dose', unit: 'µg', decimals: 3, type: 'double' },
];

function asset(path: string, name: string, line: string | null = null): PlantAsset {
  return { path, name, kind: 'agitator', line, signals };
}
function site(id: string, protocol: PlantSite['protocol'], assets: PlantAsset[]): PlantSite {
  return {
    id,
    name: `${id} – œuvre & Söhne`,
    location: 'Żółć, “Łódź”',
    timezone: 'Europe/Zurich',
    protocol,
    interval: 1000,
    assets,
  };
}
const numbers = (count: number) => Array.from({ length: count }, (_, k) => k + 1);
const sites = [
  site('Zürich Süd', 'modbus', [
    ...numbers(25).map((k) => asset(`Zürich Süd/Halle 1/Linie Ä/Rührer ${k}`, `Rührer ${k}`, 'Linie Ä')),
    ...numbers(25).map((k) => asset(`Zürich Süd/Halle 2/Linie Ä/Rührer ${k}`, `Rührer ${k}`, 'Linie Ä')),
  ]),
  site(
    'Île d’Yeu',
    'opcua',
    numbers(40).map((k) => asset(`Île d’Yeu/Rührer ${k}`, `Rührer ${k}`)),
  ),
  site(
    'minsk',
    'modbus',
    numbers(10).map((k) => asset(`minsk/a/b/c/d/e/Rührer ${k}`, `Rührer ${k}`)),
  ),
];

/** 0 at first, then 1: every value is another one, and no two tags of a metric ever have the same. */
let phase = 0;

function valueOf(signal: Signal, number: number): SignalValue {
  if (signal.metric === 'mode') return phase;
  if (signal.type === 'boolean') return (number + phase) % 2 === 0;
  if (signal.type === 'text') return `Rezept ${number}-${phase}`.slice(0, 32);
  if (signal.type === 'integer') return number * 10 + phase;
  return number + phase * 0.5;
}

interface Served {
  id: string;
  site: string;
  asset: string;
  signal: Signal;
  /** What a right client reads now. */
  value(): SignalValue | null;
}
let count = 0;
const served: Served[] = [];
const plantsOf = sites.map((each): Plant => {
  const from = count;
  const seen = servedBy(each);
  const flat = each.assets.flatMap((of) => of.signals.map((signal) => ({ of, signal })));
  count += flat.length;
  flat.forEach(({ of, signal }, k) =>
    served.push({
      id: `${of.path}/${signal.metric}`,
      site: each.id,
      asset: of.path,
      signal,
      value: () => seen(k, valueOf(signal, from + k)),
    }),
  );
  return { site: each, advance: () => {}, values: () => flat.map(({ signal }, k) => valueOf(signal, from + k)) };
});

const folder = scratch();
const config = join(folder.path, 'Konfiguration für alle');
const servers: { port: number; update(atMs: number): void; close(): Promise<void> }[] = [];
let gateway: Gateway;
const api = <T>(path: string) => get<T>(`${gateway.http}/api/v1${path}`);
const summaryOf = (id: string) => api<Summary>(`/dashboard/summary/${encodeURIComponent(id)}?hours=1`);

beforeAll(async () => {
  for (const plant of plantsOf) {
    const server =
      plant.site.protocol === 'modbus'
        ? await serveModbus(plant, registerMap(plant.site))
        : await serveOpcua(plant, { host: '127.0.0.1', port: 0 });
    server.update(Date.now());
    servers.push(server);
  }
  const ports = Object.fromEntries(sites.map(({ id }, at) => [id, servers[at]?.port]));
  // The devices live in this process, which may be slow: nothing here is about a device that does not answer.
  writeConfig(config, sites, { timeout: 30_000, ports });
  gateway = await startGateway('run', ['--config', config, '--log-level', 'warn'], join(folder.path, 'data'));
});

afterAll(async () => {
  await gateway?.stop();
  await Promise.all(servers.map((server) => server.close()));
  folder.remove();
});

/** Asks every summary until each tag shows what its device serves now, good and fresh. */
async function allRight(): Promise<void> {
  await eventually(
    async () => {
      const summaries = await Promise.all(sites.map(({ id }) => summaryOf(id)));
      const shown = new Map(summaries.flatMap((each) => each.assets.flatMap((of) => of.values)).map((v) => [v.tag, v]));
      return served.flatMap((tag) => {
        const live = shown.get(tag.id);
        const right = live?.quality === 'good' && !live.stale && live.value === tag.value();
        return right ? [] : [{ id: tag.id, expected: tag.value(), value: live?.value, quality: live?.quality }];
      });
    },
    (wrong) => wrong.length === 0,
    30_000,
  );
}

test('sites, assets and 1,000 tags are described and live', async () => {
  expect(served).toHaveLength(1000);
  expect(await api<Facility[]>('/facilities')).toEqual(
    sites.map(({ id, name, location, timezone, assets }) => ({ id, name, location, timezone, assets: assets.length })),
  );
  await allRight();

  const dict = await api<Dict>('/dict');
  expect(dict.tags.map(({ id }) => id).sort()).toEqual(served.map(({ id }) => id).sort());
  for (const { signal, id } of served) {
    const tag = dict.tags.find((each) => each.id === id);
    expect(tag).toMatchObject({ name: signal.name, unit: signal.unit, decimals: signal.decimals, type: signal.type });
    expect(tag?.range).toEqual(signal.range);
    expect(tag?.limits).toBeUndefined();
  }
  for (const each of sites) {
    const own = await api<Dict>(`/dict?facility=${encodeURIComponent(each.id)}`);
    expect(own.assets.map(({ path, line }) => ({ path, line }))).toEqual(
      each.assets.map(({ path, line }) => ({ path, line })),
    );
    const summary = await summaryOf(each.id);
    expect(summary.insights).toEqual([]);
    expect(summary.counts.offline).toBe(0);
    const values = (metric: string) =>
      served.filter((tag) => tag.site === each.id && tag.signal.metric === metric).map((tag) => Number(tag.value()));
    expect(summary.kpis.map(({ metric }) => metric).sort()).toEqual(['torque', 'vib rms']);
    const kpi = (metric: string) => summary.kpis.find((k) => k.metric === metric);
    expect(kpi('torque')).toMatchObject({ unit: 'N·m', aggregate: 'max', current: Math.max(...values('torque')) });
    const vibration = values('vib rms');
    expect(kpi('vib rms')?.current).toBeCloseTo(vibration.reduce((sum, v) => sum + v, 0) / vibration.length, 6);
    expect(kpi('vib rms')?.range).toBeUndefined();
  }
});

test('the stream carries every tag of a site and of no other', async () => {
  for (const each of sites) {
    const facility = encodeURIComponent(each.id);
    const { tags } = await api<Dict>(`/dict?facility=${facility}`);
    const ids = new Map(tags.map(({ i, id }) => [i, id]));
    const events = stream(`${gateway.http}/api/v1/stream?facility=${facility}`);
    const find = () => events.events.find(({ event }) => event === 'snap')?.data as StreamSnap | undefined;
    const snap = await eventually(find, (data) => data !== undefined);
    events.close();
    const shown = new Map(snap?.i.map((i, k) => [ids.get(i), snap.v[k]]));
    const expected = served.filter((tag) => tag.site === each.id);
    expect(shown).toEqual(new Map(expected.map((tag) => [tag.id, tag.value()])));
    expect(snap).toMatchObject({ q: [], x: [], al: [] });
    expect(Object.keys(snap?.st ?? {}).sort()).toEqual(each.assets.map(({ path }) => path).sort());
  }
});

test('MQTT: a topic for every tag, spaces as _, the same asset name on other sites kept apart', async () => {
  const topicOf = ({ asset: path, signal }: Served) =>
    `penstock/demo/${path}/_data/${signal.metric}`.replaceAll(' ', '_');
  const broker = await listen(gateway.mqttUrl, '#');
  const data = () => broker.heard.filter(({ topic, retained }) => retained && topic.includes('/_data/'));
  await eventually(data, (heard) => heard.length >= served.length);
  await broker.close();
  const heard = new Map(data().map(({ topic, text }) => [topic, json(text) as { value: unknown; quality: string }]));
  expect(heard.size).toBe(served.length);
  for (const tag of served) {
    const said = heard.get(topicOf(tag));
    expect({ topic: topicOf(tag), ...said }).toMatchObject({ quality: 'good', value: tag.value() });
  }
  expect(broker.heard.some(({ topic }) => topic === 'penstock/demo/Zürich_Süd/Halle_2/Linie_Ä/Rührer_7/_meta')).toBe(
    true,
  );
});

test('a change reaches every tag, and history keeps them apart', async () => {
  const double = served.filter(({ signal }) => signal.type === 'double');
  const before = new Map(double.map((tag) => [tag.id, tag.value()]));
  phase = 1;
  for (const server of servers) server.update(Date.now());
  await allRight();
  for (const each of sites) {
    for (const signal of signals.filter(({ type }) => type === 'double')) {
      const facility = encodeURIComponent(each.id);
      const metric = encodeURIComponent(signal.metric);
      const url = `/dashboard/timeseries/${facility}?metric=${metric}&hours=1&bucket_minutes=1`;
      const expected = double
        .filter((tag) => tag.site === each.id && tag.signal === signal)
        .map((tag) => ({ asset: tag.asset, tag: tag.id, min: before.get(tag.id), max: tag.value() }));
      const numbersIn = (list: (number | null)[]) => list.filter((value) => value !== null);
      const summed = (answer: Timeseries) =>
        answer.series.map((series) => ({
          asset: series.asset,
          tag: series.tag,
          min: Math.min(...numbersIn(series.min)),
          max: Math.max(...numbersIn(series.max)),
        }));
      const answer = await eventually(
        () => api<Timeseries>(url),
        (got) => JSON.stringify(summed(got)) === JSON.stringify(expected),
      );
      expect(answer).toMatchObject({ facility: each.id, metric: signal.metric, unit: signal.unit });
    }
  }
});

test('nobody is told a site by halves: an unknown one is 404 and names those there are', async () => {
  const response = await fetch(`${gateway.http}/api/v1/dashboard/summary/${encodeURIComponent('Zürich')}`);
  expect(response.status).toBe(404);
  expect(await response.text()).toContain('Île d’Yeu');
});

test('every sample is accounted for', () => expectLedger(gateway.http));
