// The truth test: for a minute every value on MQTT, on the stream and in history is compared with what the simulators
// served, on both protocols, directly and through a proxy that delays, splits and cuts.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configFiles } from '../../simulators/configuration.ts';
import { plants } from '../../simulators/plants/index.ts';
import { startProxy } from '../../simulators/proxy.ts';
import type { Dict } from '../web/wire.ts';
import { expectLedger } from './ledger.ts';
import { eventually, get, historyOf, json, listen, scratch, startGateway, startSimulator, stream } from './rig.ts';
import type { Gateway, SimulatorProcess } from './rig.ts';
import { judge, missing, truthOf } from './truth.ts';
import type { Seen } from './truth.ts';

/** One plant of registers, one of nodes, and the fast one. */
const sites = plants
  .map(({ site }) => site)
  .filter((site) => site.protocol === 'modbus' || site.interval < 1000 || site.assets.length === 4);
const queueing = new Set(sites.filter((site) => site.protocol === 'opcua').map((site) => site.id));
const seconds = 60;

const folder = scratch();
const config = join(folder.path, 'config');
const truthFile = join(folder.path, 'truth.ndjson');
const proxies: Awaited<ReturnType<typeof startProxy>>[] = [];
let simulator: SimulatorProcess;
let direct: Gateway;
let proxied: Gateway;

beforeAll(async () => {
  for (const [path, text] of configFiles(sites)) {
    mkdirSync(dirname(join(config, path)), { recursive: true });
    writeFileSync(join(config, path), text);
  }
  simulator = await startSimulator([
    '--sites',
    sites.map((site) => site.id).join(','),
    '--port-base',
    '0',
    '--truth',
    truthFile,
  ]);
  const throughProxy: Record<string, string> = {};
  for (const [name, port] of Object.entries(simulator.env)) {
    const proxy = await startProxy({ target: { host: '127.0.0.1', port: Number(port) } });
    proxy.set({ delayMs: 20, jitterMs: 60, splitBytes: 7 });
    proxies.push(proxy);
    throughProxy[name] = String(proxy.port);
  }
  [direct, proxied] = await Promise.all([
    startGateway('run', ['--config', config], join(folder.path, 'direct'), simulator.env),
    startGateway('run', ['--config', config], join(folder.path, 'proxied'), throughProxy),
  ]);
});

afterAll(async () => {
  await Promise.all([direct?.stop(), proxied?.stop()]);
  await simulator?.stop();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  folder.remove();
});

/** Everything good that the three ways out showed, with the tag's id and µs. */
async function watch(gateway: Gateway, from: number, to: number) {
  const dict = await get<Dict>(`${gateway.http}/api/v1/dict`);
  const ids = new Map(dict.tags.map((tag) => [tag.i, tag.id]));
  const broker = await listen(gateway.mqttUrl, '#');
  const live = stream(`${gateway.http}/api/v1/stream?hz=4`);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, to / 1000 - Date.now()) + 3000));

  const byTopic = new Map([...ids.values()].map((id) => [id.replace(/\/([^/]+)$/, '/_data/$1'), id]));
  const mqtt: Seen[] = broker.heard.flatMap(({ topic, text }) => {
    const id = byTopic.get(topic.split('/').slice(2).join('/'));
    const payload = json(text) as { value: unknown; quality: string; timestamp: string } | undefined;
    return id && payload?.quality === 'good'
      ? [{ tag: id, t: Date.parse(payload.timestamp) * 1000, v: payload.value }]
      : [];
  });
  const bad = new Set<number>();
  const sse: Seen[] = live.events.flatMap(({ event, data }) => {
    if (event !== 'snap' && event !== 'd') return [];
    const { t, i, v, a, q } = data as {
      t: number;
      i: number[];
      v: unknown[];
      a: (number | null)[];
      q: [number, number][];
    };
    for (const [tag, grade] of q)
      if (grade === 0) bad.delete(tag);
      else bad.add(tag);
    return i.flatMap((tag, k) =>
      bad.has(tag) || a[k] === null ? [] : [{ tag: ids.get(tag) ?? '', t: (t - (a[k] ?? 0)) * 1000, v: v[k] }],
    );
  });
  live.close();
  await broker.close();

  const history: Seen[] = [];
  for (const id of ids.values())
    for (const { t, value, status } of await historyOf(gateway.http, id, from, to))
      if (status < 0x4000_0000) history.push({ tag: id, t, v: value });
  return { mqtt, sse, history, tags: [...ids.values()] };
}

test(
  'for a minute nothing wrong leaves the gateway, and a cut loses nothing that the protocol queues',
  { timeout: 150_000 },
  async () => {
    for (const gateway of [direct, proxied]) {
      await eventually(
        () => get<{ state: string }[]>(`${gateway.http}/api/v1/devices`),
        (devices) => devices.length === sites.length && devices.every((device) => device.state === 'online'),
        30_000,
      );
    }
    const from = Math.ceil(Date.now() / 1000 + 2) * 1_000_000;
    const to = from + seconds * 1_000_000;
    const watching = Promise.all([watch(direct, from, to), watch(proxied, from, to)]);
    for (const at of [15, 35]) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, from / 1000 + at * 1000 - Date.now())));
      for (const proxy of proxies) proxy.set({ refuse: true });
      for (const proxy of proxies) proxy.cut();
      await new Promise((resolve) => setTimeout(resolve, 3000));
      for (const proxy of proxies) proxy.set({ refuse: false });
    }
    const results = await watching;
    const truth = truthOf(readFileSync(truthFile, 'utf8'));
    for (const [way, { mqtt, sse, history, tags }] of [
      ['direct', results[0]],
      ['proxied', results[1]],
    ] as const) {
      const inWindow = ({ t }: Seen) => t >= from && t < to;
      const slack = 2_500_000;
      const timed = (tag: string) => queueing.has(tag.split('/')[0] ?? '');
      const verdicts = {
        mqtt: judge(truth, mqtt.filter(inWindow), timed, slack),
        sse: judge(truth, sse.filter(inWindow), timed, slack),
        history: judge(truth, history, timed, slack),
      };
      const lost = missing(truth, history, tags.filter(timed), from, to - 5_000_000);
      for (const [where, { compared, wrong }] of Object.entries(verdicts)) {
        console.log(
          `${way} ${where}: ${compared} compared, ${wrong.length} wrong${where === 'history' ? `, ${lost.length} missing` : ''}`,
        );
        expect(wrong.slice(0, 5), `${way} ${where}`).toEqual([]);
        expect(compared, `${way} ${where}`).toBeGreaterThan(tags.length * 5);
      }
      expect(lost.slice(0, 5), way).toEqual([]);
    }
    for (const { http } of [direct, proxied]) await expectLedger(http);
  },
);
