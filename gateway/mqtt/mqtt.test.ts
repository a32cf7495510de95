// The whole room with real sockets: broker, publisher, presence, looked at by clients from outside.
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import mqtt from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import { Catalog } from '../catalog.ts';
import type { PlantSpec } from '../catalog.ts';
import { systemClock } from '../clock.ts';
import { Status as Codes } from '../model.ts';
import type { Alarm, AssetState, GatewayEvent, Present, Sample } from '../model.ts';
import { Status } from '../status.ts';
import { needs } from '../test/needs.ts';
import { Broker, isLoopback, maxPacket } from './broker.ts';
import { createMqtt } from './mqtt.ts';
import type { Mqtt } from './mqtt.ts';
import { Presence } from './presence.ts';

const ends: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function catalogOf(assets: Record<string, string[]>, revision = 1): Catalog {
  const sites = [...new Set(Object.keys(assets).map((path) => path.split('/')[0] ?? ''))];
  const tags = Object.entries(assets).flatMap(([asset, metrics]) =>
    metrics.map((metric) => ({
      id: `${asset}/${metric}`,
      site: asset.split('/')[0] ?? '',
      asset,
      metric,
      name: metric,
      type: 'double' as const,
      unit: 'bar',
      decimals: 1,
      device: 'plc',
      interval: 1000,
      address: {},
    })),
  );
  const spec: PlantSpec = {
    enterprise: 'demo',
    sites: sites.map((id) => ({ id, name: id, location: '', timezone: 'UTC' })),
    assets: Object.keys(assets).map((path) => ({
      path,
      site: path.split('/')[0] ?? '',
      name: path,
      kind: 'pump',
      line: null,
    })),
    metrics: [],
    tags,
    devices: [{ name: 'plc', protocol: 'modbus', enabled: true, connection: {} }],
  };
  return new Catalog(spec, new Map(tags.map((tag, i) => [tag.id, i])), revision);
}

const sample = (tag: number, value: number, change: Partial<Sample> = {}): Sample => {
  const t = systemClock.micros();
  return { tag, t, receivedAt: t, value, status: Codes.good, flags: 0, ...change };
};
const live = (samples: Sample[], events: GatewayEvent[] = []) => ({
  origin: 'live' as const,
  source: 'plc',
  samples,
  events,
});

const alarm: Alarm = {
  key: 'north/pump-1/flow',
  name: 'flow',
  site: 'north',
  asset: 'north/pump-1',
  tag: 'north/pump-1/flow',
  kind: 'limit',
  level: 'h',
  severity: 'high',
  active: true,
  unacked: true,
  event: 'e1',
  raisedAt: Date.UTC(2026, 0, 1),
  value: 81,
  limit: 80,
  message: 'Flow is high',
};

interface Room {
  room: Mqtt;
  port: number;
  status: Status;
  present: { samples: Map<number, Sample>; alarms: Alarm[]; states: Map<string, AssetState> };
  catalog: Catalog;
}

async function open(assets: Record<string, string[]> = { 'north/pump-1': ['flow', 'level'] }): Promise<Room> {
  const quiet = () => {};
  const status = new Status({ debug: quiet, info: quiet, warn: quiet, error: quiet });
  const catalog = catalogOf(assets);
  const held = { samples: new Map<number, Sample>(), alarms: [] as Alarm[], states: new Map<string, AssetState>() };
  const present: Present = {
    latest: (tag) => held.samples.get(tag),
    alarms: () => held.alarms,
    states: () => held.states,
  };
  held.samples.set(0, sample(0, 1.5));
  held.states.set('north/pump-1', { status: 'operational', comm: 'ok', since: Date.UTC(2026, 0, 1) });
  const settings = {
    host: '127.0.0.1',
    port: 0,
    prefix: 'penstock',
    gatewayId: 'gw1',
    insecure: false,
    qos: 0 as const,
  };
  const room = createMqtt({ catalog, clock: systemClock, status, present, version: '1.2.3', settings });
  const { port } = await room.listen();
  ends.push(() => room.close());
  return { room, port, status, present: held, catalog };
}

interface Reader {
  client: MqttClient;
  /** Last message by topic; cleared topics are ''. */
  last: Map<string, string>;
  heard: { topic: string; text: string; retain: boolean }[];
  until(holds: () => boolean, within?: number): Promise<void>;
}

async function reader(port: number, filter = '#', options: IClientOptions = {}): Promise<Reader> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options });
  client.on('error', () => {});
  ends.push(() => void client.end(true));
  const last = new Map<string, string>();
  const heard: Reader['heard'] = [];
  client.on('message', (topic, payload, packet) => {
    last.set(topic, payload.toString());
    heard.push({ topic, text: payload.toString(), retain: packet.retain });
  });
  if (filter) await client.subscribeAsync(filter, { qos: 0 });
  return { client, last, heard, until: (holds, within) => until(holds, within) };
}

/** Publishes until somebody's connection takes no more. */
async function fill(flood: Reader, status: Status): Promise<void> {
  const filler = Buffer.alloc(60_000, 65);
  await until(() => {
    flood.client.publish('filler', filler, { qos: 0 });
    return status.value('penstock_mqtt_dropped_total') > 0;
  }, 10_000);
}

/** A way to a port that can be cut. */
async function cuttable(port: number): Promise<{ port: number; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  ends.push(() => {
    cut();
    server.close();
  });
  const address = server.address();
  return { port: address && typeof address === 'object' ? address.port : 0, cut };
}

async function until(holds: () => boolean, within = 30_000): Promise<void> {
  for (const end = performance.now() + within; !holds(); await new Promise((resolve) => setTimeout(resolve, 10)))
    if (performance.now() > end) throw new Error(`did not hold within ${within} ms: ${holds}`);
}
const parsed = (text: string | undefined) => JSON.parse(text ?? 'null') as Record<string, unknown>;

const flow = 'penstock/demo/north/pump-1/_data/flow';
const gatewayStatus = 'penstock/demo/north/_gateway/gw1/status';

describe('the plain namespace', () => {
  test('is there for whoever comes late: values, state, description, presence, alarms', async () => {
    const { room, port, present } = await open();
    present.alarms.push(alarm);
    room.use(catalogOf({ 'north/pump-1': ['flow', 'level'] }, 2));
    room.offer(live([sample(1, 4.5)]));
    const first = await reader(port);
    await first.until(() => first.last.has('penstock/demo/north/pump-1/_data/level') && first.last.has(gatewayStatus));
    const late = await reader(port);
    await late.until(() => late.last.size >= 6);
    expect(late.heard.every((message) => message.retain)).toBe(true);
    expect(parsed(late.last.get(flow))).toMatchObject({ value: 1.5, quality: 'good', unit: 'bar' });
    expect(parsed(late.last.get('penstock/demo/north/pump-1/_data/level'))).toMatchObject({ value: 4.5 });
    expect(parsed(late.last.get('penstock/demo/north/pump-1/_state'))).toEqual({
      status: 'operational',
      comm: 'ok',
      since: '2026-01-01T00:00:00.000Z',
    });
    expect(parsed(late.last.get('penstock/demo/north/pump-1/_meta'))).toMatchObject({
      kind: 'pump',
      tags: { flow: { unit: 'bar', device: 'plc' } },
    });
    expect(parsed(late.last.get('penstock/demo/north/pump-1/_alarm/flow'))).toMatchObject({
      active: true,
      raisedAt: '2026-01-01T00:00:00.000Z',
    });
    expect(parsed(late.last.get(gatewayStatus))).toMatchObject({ online: true, version: '1.2.3' });
  });

  test('an alarm’s topic appears, and is cleared when it is normal; its events are not retained', async () => {
    const { room, port } = await open();
    const seen = await reader(port);
    const topic = 'penstock/demo/north/pump-1/_alarm/flow';
    room.offer(live([], [{ kind: 'alarm', id: '1', time: 1, transition: 'raise', alarm }]));
    await seen.until(() => seen.last.has(topic) && seen.last.has('penstock/demo/north/pump-1/_event'));
    expect(parsed(seen.last.get('penstock/demo/north/pump-1/_event'))).toMatchObject({
      kind: 'alarm',
      transition: 'raise',
      alarm: { key: alarm.key },
    });
    room.offer(
      live(
        [],
        [{ kind: 'alarm', id: '2', time: 2, transition: 'clear', alarm: { ...alarm, active: false, unacked: false } }],
      ),
    );
    await seen.until(() => seen.last.get(topic) === '');
    const late = await reader(port);
    await late.until(() => late.last.has(gatewayStatus));
    expect([...late.last.keys()].filter((key) => /_alarm|_event/.test(key))).toEqual([]);
  });

  test('a lost device is told below the gateway, in the sites it has tags in', async () => {
    const { room, port } = await open({ 'north/pump-1': ['flow'], 'south/pump-1': ['flow'] });
    const seen = await reader(port);
    room.offer(live([], [{ kind: 'device', id: '1', time: 1, device: 'plc', state: 'offline', reason: 'refused' }]));
    const places = ['north', 'south'].map((site) => `penstock/demo/${site}/_gateway/gw1/_event`);
    await seen.until(() => places.every((place) => seen.last.has(place)));
    const comm: Alarm = { ...alarm, asset: undefined, tag: undefined, name: 'comm.plc', kind: 'comm', device: 'plc' };
    room.offer(live([], [{ kind: 'alarm', id: '2', time: 2, transition: 'raise', alarm: comm }]));
    await seen.until(() => seen.last.has('penstock/demo/north/_gateway/gw1/_alarm/comm.plc'));
  });

  test('a new configuration clears the topics that are gone and keeps the others', async () => {
    const { room, port } = await open();
    room.offer(live([sample(0, 2), sample(1, 3)]));
    const seen = await reader(port);
    await seen.until(() => seen.last.has('penstock/demo/north/pump-1/_data/level'));
    room.use(catalogOf({ 'north/pump-1': ['flow'] }, 2));
    await seen.until(() => seen.last.get('penstock/demo/north/pump-1/_data/level') === '');
    const late = await reader(port);
    await late.until(() => late.last.has(flow));
    expect(late.last.has('penstock/demo/north/pump-1/_data/level')).toBe(false);
  });

  test('only live batches are shown, and late samples are not', async () => {
    const { room, port } = await open();
    const seen = await reader(port, 'penstock/demo/north/pump-1/_data/#');
    await seen.until(() => seen.last.has(flow));
    room.offer({ ...live([sample(0, 77)]), origin: 'backfill' });
    room.offer(live([sample(0, 78, { flags: 2 })]));
    room.offer(live([sample(1, 5)]));
    await seen.until(() => seen.last.has('penstock/demo/north/pump-1/_data/level'));
    expect(seen.heard.map((message) => parsed(message.text)['value'])).toEqual([1.5, 5]);
  });

  test('in a burst the newest value of each tag wins and the rest is counted', async () => {
    const metrics = Array.from({ length: 100 }, (_, i) => `m${i}`);
    const { room, port, status } = await open({ 'north/pump-1': metrics });
    const seen = await reader(port, 'penstock/demo/north/pump-1/_data/#');
    for (let i = 0; i < 20_000; i += 100) room.offer(live(metrics.map((_, tag) => sample(tag, i + tag))));
    await seen.until(() =>
      metrics.every(
        (metric, tag) =>
          parsed(seen.last.get(`penstock/demo/north/pump-1/_data/${metric}`))?.['value'] === 19_900 + tag,
      ),
    );
    expect(status.value('penstock_mqtt_merged_total')).toBeGreaterThan(15_000);
    expect(seen.heard.length).toBeLessThan(5_000);
  });

  test('reaches a newcomer whole whose connection is full just then', async () => {
    const metrics = Array.from({ length: 1000 }, (_, i) => `m${i}`);
    const { room, port, status } = await open({ 'north/pump-1': metrics });
    room.offer(live(metrics.map((_, tag) => sample(tag, tag))));
    await until(() => status.value('penstock_mqtt_published_total') >= 1000);
    const seen = await reader(port, 'filler');
    const stream = seen.client.stream as Socket;
    stream.pause();
    const flood = await reader(port, '');
    await fill(flood, status);
    seen.client.subscribe('penstock/demo/north/pump-1/_data/#', { qos: 0 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    stream.resume();
    await seen.until(() => metrics.every((metric) => seen.last.has(`penstock/demo/north/pump-1/_data/${metric}`)));
  });

  needs('mosquitto_sub')('mosquitto_sub sees the retained plant', async () => {
    const { port } = await open();
    const first = await reader(port);
    await first.until(() => first.last.has(flow) && first.last.has(gatewayStatus));
    const child = spawn('mosquitto_sub', [
      '-p',
      String(port),
      '-t',
      '#',
      '-v',
      '-C',
      '4',
      '-W',
      '5',
      '--retained-only',
    ]);
    let text = '';
    child.stdout.on('data', (part: Buffer) => (text += part.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    expect(text).toContain(`${flow} {"value":1.5,"quality":"good"`);
    expect(text).toContain(`${gatewayStatus} {"online":true`);
  });
});

describe('presence', () => {
  test('says goodbye at a stop', async () => {
    const { room, port } = await open();
    const seen = await reader(port, gatewayStatus);
    await seen.until(() => parsed(seen.last.get(gatewayStatus))?.['online'] === true);
    await room.close();
    expect(parsed(seen.last.get(gatewayStatus))).toEqual({ online: false, reason: 'shutdown' });
  });

  test('turns false by the will when the session’s socket breaks, and comes back by itself', async () => {
    const status = new Status({ debug() {}, info() {}, warn() {}, error() {} });
    const broker = new Broker({ host: '127.0.0.1', port: 0, prefix: 'penstock', insecure: false }, status);
    const at = await broker.listen();
    ends.push(() => broker.close());
    const way = await cuttable(at.port);
    const seen = await reader(at.port, gatewayStatus);
    const { credentials } = broker;
    const presence = new Presence({
      host: '127.0.0.1',
      port: way.port,
      credentials,
      topic: gatewayStatus,
      since: 'x',
      version: '1',
      status,
    });
    ends.push(() => presence.close(500));
    await seen.until(() => seen.heard.length === 1);
    way.cut();
    await seen.until(() => seen.heard.length === 3);
    expect(seen.heard.map((message) => parsed(message.text))).toEqual([
      { online: true, since: 'x', version: '1' },
      { online: false, reason: 'connection_lost' },
      { online: true, since: 'x', version: '1' },
    ]);
  });
});

describe('the broker', () => {
  test('keeps clients out of the gateway’s topics, and takes commands only unretained', async () => {
    const { port, status } = await open();
    const seen = await reader(port, 'penstock/#');
    const forger = await reader(port, '');
    const closed = new Promise<void>((resolve) => forger.client.once('close', () => resolve()));
    forger.client.publish(flow, '{"value":999}', { retain: true });
    await closed;
    expect(status.value('penstock_mqtt_refused_total', { reason: 'namespace' })).toBe(1);
    const operator = await reader(port, '');
    await operator.client.publishAsync('penstock/demo/north/pump-1/_cmd/flow', 'old', { retain: true, qos: 1 });
    await operator.client.publishAsync('penstock/demo/north/pump-1/_cmd/flow', 'new', { qos: 1 });
    await operator.client.publishAsync('elsewhere/note', 'hello', { qos: 1 });
    await seen.until(() => seen.last.has('penstock/demo/north/pump-1/_cmd/flow'));
    const commands = seen.heard.filter((message) => message.topic.includes('_cmd')).map((message) => message.text);
    expect(commands).toEqual(['new']);
    const late = await reader(port);
    await late.until(() => late.last.has(gatewayStatus) && late.last.has(flow));
    expect([...late.last.keys()].filter((topic) => topic.includes('_cmd') || topic.startsWith('$'))).toEqual([]);
    expect(parsed(late.last.get(flow))).toMatchObject({ value: 1.5 });
  });

  test('disconnects a client whose packet is too long, before it is all in memory', async () => {
    const { port, status } = await open();
    const good = await reader(port, 'big/#');
    await good.client.publishAsync('big/fits', Buffer.alloc(maxPacket - 100, 65), { qos: 1 });
    await good.until(() => good.last.has('big/fits'));
    const sender = await reader(port, '');
    const closed = new Promise<void>((resolve) => sender.client.once('close', () => resolve()));
    sender.client.publish('big/too', Buffer.alloc(maxPacket + 1, 65));
    await closed;
    expect(status.value('penstock_mqtt_refused_total', { reason: 'size' })).toBe(1);
    expect(good.last.has('big/too')).toBe(false);
  });

  test('a frozen subscriber does not hold up a healthy one', async () => {
    const metrics = Array.from({ length: 50 }, (_, i) => `m${i}`);
    const { room, port, status } = await open({ 'north/pump-1': metrics });
    const frozen = await reader(port, '#');
    (frozen.client.stream as Socket).pause();
    const flood = await reader(port, '');
    const healthy = await reader(port, 'penstock/demo/north/pump-1/_data/#');
    await fill(flood, status);
    for (let round = 1; round <= 20; round++) {
      room.offer(live(metrics.map((_, tag) => sample(tag, round))));
      await healthy.until(
        () => parsed(healthy.last.get('penstock/demo/north/pump-1/_data/m49'))?.['value'] === round,
        2000,
      );
    }
  });

  test('loses no message that a later one overtakes, and gives each once to overlapping subscriptions', async () => {
    const { port, room } = await open();
    const seen = await reader(port, 'penstock/#');
    await seen.client.subscribeAsync('penstock/demo/#', { qos: 0 });
    await seen.until(() => seen.last.has(gatewayStatus) && seen.last.has(flow));
    const from = seen.heard.length;
    const state = { status: 'down', comm: 'ok', since: 0 } as const;
    for (let i = 0; i < 50; i++) {
      room.offer(
        live(
          [sample(0, i)],
          [{ kind: 'state', id: `s${i}`, time: i, asset: 'north/pump-1', state: { ...state, since: i } }],
        ),
      );
      await new Promise((resolve) => setImmediate(resolve));
    }
    const events = () => seen.heard.slice(from).filter((message) => message.topic.endsWith('/_event'));
    await seen.until(
      () =>
        parsed(seen.last.get(flow))['value'] === 49 &&
        parsed(seen.last.get('penstock/demo/north/pump-1/_state'))['status'] === 'down' &&
        events().length >= 50,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(events().map((message) => parsed(message.text)['id'])).toEqual(
      Array.from({ length: 50 }, (_, i) => `s${i}`),
    );
    expect(parsed(seen.last.get('penstock/demo/north/pump-1/_state'))['since']).toBe('1970-01-01T00:00:00.049Z');
  });

  test('binds to loopback only, and says which port is busy', async () => {
    expect(['127.0.0.1', '127.1.2.3', '::1', 'localhost'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', ''].some(isLoopback)).toBe(false);
    const { port, status } = await open();
    const settings = { host: '127.0.0.1', port, prefix: 'penstock', insecure: false };
    const second = new Broker(settings, status);
    await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const other = await second.listen(0);
    expect(other.port).not.toBe(port);
    await second.close();
    await expect(new Broker({ ...settings, host: '0.0.0.0' }, status).listen()).rejects.toMatchObject({
      code: 'EINSECURE',
    });
  });

  test('survives garbage', async () => {
    const { port } = await open();
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\u0000\u0000', '\u0010\u0005abcde', '\u00f0'.repeat(64)]) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(Buffer.from(bytes, 'latin1'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    const seen = await reader(port);
    await seen.until(() => seen.last.has(flow));
  });

  test('ends in bounded time with clients connected, frozen ones too', async () => {
    const { room, port } = await open();
    const frozen = await reader(port);
    (frozen.client.stream as Socket).pause();
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    await room.close();
    await room.close();
    const again = connect(port, '127.0.0.1');
    await expect(
      new Promise((resolve, reject) => again.once('connect', resolve).once('error', reject)),
    ).rejects.toThrow();
    socket.destroy();
  });
});
