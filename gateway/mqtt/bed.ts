// A test bed: the whole room on a free port over a small catalog, and clients from outside that keep what they hear. All
// of it is closed when the test is over. Used by the tests of this folder that need sockets.
import mqtt from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import { Catalog } from '../catalog.ts';
import type { PlantSpec } from '../catalog.ts';
import { systemClock } from '../clock.ts';
import { Status as Codes } from '../model.ts';
import type { Alarm, AssetState, GatewayEvent, Present, Sample } from '../model.ts';
import { Status } from '../status.ts';
import { createMqtt } from './mqtt.ts';
import type { Mqtt } from './mqtt.ts';

export function catalogOf(assets: Record<string, string[]>, revision = 1): Catalog {
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

export const sample = (tag: number, value: number, change: Partial<Sample> = {}): Sample => {
  const t = systemClock.micros();
  return { tag, t, receivedAt: t, value, status: Codes.good, flags: 0, ...change };
};
export const live = (samples: Sample[], events: GatewayEvent[] = []) => ({
  origin: 'live' as const,
  source: 'plc',
  samples,
  events,
});

export const alarm: Alarm = {
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

export interface Room {
  room: Mqtt;
  port: number;
  status: Status;
  present: { samples: Map<number, Sample>; alarms: Alarm[]; states: Map<string, AssetState> };
  catalog: Catalog;
}

/** The whole room on a free port, one asset in its catalog; closed when the test is over. */
export async function open(assets: Record<string, string[]> = { 'north/pump-1': ['flow', 'level'] }): Promise<Room> {
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
  onTestFinished(() => room.close());
  return { room, port, status, present: held, catalog };
}

/** A client from outside, and what it has heard. */
export interface Reader {
  client: MqttClient;
  /** Last message by topic; cleared topics are ''. */
  last: Map<string, string>;
  heard: { topic: string; text: string; retain: boolean }[];
  until(holds: () => boolean, within?: number): Promise<void>;
}

export async function reader(port: number, filter = '#', options: IClientOptions = {}): Promise<Reader> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options });
  client.on('error', () => {});
  onTestFinished(() => void client.end(true));
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
export async function fill(flood: Reader, status: Status): Promise<void> {
  const filler = Buffer.alloc(60_000, 65);
  await until(() => {
    flood.client.publish('filler', filler, { qos: 0 });
    return status.value('penstock_mqtt_dropped_total') > 0;
  }, 10_000);
}

/** Asks every 10 ms. */
export async function until(holds: () => boolean, within = 30_000): Promise<void> {
  for (const end = performance.now() + within; !holds(); await new Promise((resolve) => setTimeout(resolve, 10)))
    if (performance.now() > end) throw new Error(`did not hold within ${within} ms: ${holds}`);
}
export const parsed = (text: string | undefined) => JSON.parse(text ?? 'null') as Record<string, unknown>;

export const flow = 'penstock/demo/north/pump-1/_data/flow';
export const gatewayStatus = 'penstock/demo/north/_gateway/gw1/status';
