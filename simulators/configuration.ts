// Describes the simulated sites to the gateway, in its config format: plant.yaml and one device file per site.
// The committed config/demo is what this writes; a test compares the two. Called by simulators/main.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Document } from 'yaml';
import type { PlantAsset, PlantSite, Signal } from './plant.ts';
import { usualPort } from './arguments.ts';
import { registerMap } from './modbus/map.ts';
import { nodeFor } from './opcua/nodes.ts';
import { plants } from './plants/index.ts';

const heading = '# Written by `npm run simulate -- --config config/demo`; change the simulators instead.\n';

/** Path in the config folder → text. */
export function configFiles(sites: readonly PlantSite[] = plants.map(({ site }) => site)): Map<string, string> {
  const files = new Map([['plant.yaml', plantFile(sites)]]);
  for (const site of sites) files.set(`devices/${site.id}.yaml`, deviceFile(site));
  return files;
}

/** Writes them below `folder`; returns the paths inside it. */
export async function writeConfig(folder: string): Promise<string[]> {
  const files = configFiles();
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return [...files.keys()];
}

/** The environment variable that moves a site's port; whoever starts the simulators has the same rule. */
export function portVariable(siteId: string): string {
  return `PENSTOCK_SIM_${siteId.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
}

function plantFile(sites: readonly PlantSite[]): string {
  const document = new Document({});
  const flow = (value: object): unknown => document.createNode(value, { flow: true });
  const assets = sites.flatMap((site) => site.assets);
  const shared = sharedMetrics(assets);
  document.set(
    'sites',
    sites.map(({ id, name, location, timezone }) => ({ id, name, location, timezone })),
  );
  const metrics = [...shared].map(([id, metric]) => [id, flow(metric)]);
  document.set('metrics', document.createNode(Object.fromEntries(metrics)));
  const described = assets.map((asset) => {
    const { path, name, kind, line, status } = asset;
    return {
      ...{ path, name, kind },
      ...(line === null ? {} : { line }),
      ...(status ? { status: flow(status) } : {}),
      metrics: Object.fromEntries(
        asset.signals.map((signal) => [signal.metric, metricOf(asset, signal, shared, flow)]),
      ),
    };
  });
  document.set('assets', document.createNode(described));
  return text(document);
}

type Shared = Pick<Signal, 'name' | 'unit' | 'decimals' | 'aggregate'>;

function sharedOf({ name, unit, decimals, aggregate }: Signal): Shared {
  return { name, unit, decimals, ...(aggregate ? { aggregate } : {}) };
}

/** What all assets say of a metric, by metric id; where they differ the first one counts and the others say so. */
function sharedMetrics(assets: readonly PlantAsset[]): Map<string, Shared> {
  const shared = new Map<string, Shared>();
  for (const signal of assets.flatMap((asset) => asset.signals)) {
    if (!shared.has(signal.metric)) shared.set(signal.metric, sharedOf(signal));
  }
  return shared;
}

function metricOf(asset: PlantAsset, signal: Signal, shared: Map<string, Shared>, flow: (value: object) => unknown) {
  const common: Partial<Shared> = shared.get(signal.metric) ?? {};
  const own = Object.entries(sharedOf(signal)).filter(([key, value]) => common[key as keyof Shared] !== value);
  const { range, limits, deadband, onDelay, offDelay, names } = signal;
  const down = Object.entries(asset.status?.metric === signal.metric ? asset.status.map : {})
    .filter(([, status]) => status === 'down')
    .map(([value]) => flow({ value: Number(value), severity: 'high', message: `${asset.name} is down` }));
  return {
    ...Object.fromEntries(own),
    ...(range ? { range: flow([range.low, range.high]) } : {}),
    ...(limits ? { limits: flow(limits) } : {}),
    ...(deadband === undefined ? {} : { deadband }),
    ...(onDelay ? { onDelay: duration(onDelay) } : {}),
    ...(offDelay ? { offDelay: duration(offDelay) } : {}),
    ...(names ? { names } : {}),
    ...(down.length > 0 ? { states: down } : {}),
  };
}

function deviceFile(site: PlantSite): string {
  const placeholder = `\${${portVariable(site.id)}:-${usualPort(site.id)}}`;
  const document = new Document({});
  const flow = (value: object): unknown => document.createNode(value, { flow: true });
  const modbus = site.protocol === 'modbus';
  document.set('device', `${site.id}-${modbus ? 'plc' : 'server'}`);
  document.set('protocol', site.protocol);
  document.set(
    'connection',
    modbus
      ? { host: '127.0.0.1', port: placeholder }
      : // 0: every change, so that two close together are both reported.
        { endpoint: `opc.tcp://127.0.0.1:${placeholder}`, samplingInterval: 0 },
  );
  document.set('interval', duration(site.interval));
  document.set('tags', modbus ? registers(site).map(flow) : nodes(site).map(flow));
  return text(document);
}

function nodes(site: PlantSite): object[] {
  return site.assets.flatMap((asset) =>
    asset.signals.map((signal) => ({
      tag: `${asset.path}/${signal.metric}`,
      ...(signal.type === 'double' ? {} : { type: signal.type }),
      node: nodeFor(site, asset, signal),
    })),
  );
}

function registers(site: PlantSite): object[] {
  return registerMap(site).entries.map((entry) => {
    const { tag, type, unitId, table, address, encoding, order, bit, length, scale, sentinel } = entry;
    return {
      tag,
      // An integer register may hold an integer or a scaled quantity; the other encodings say it by themselves.
      ...(/^u?int/.test(encoding) ? { type } : {}),
      unitId,
      register: `${table}:${address}`,
      encoding,
      ...(/(32|64)$/.test(encoding) ? { order } : {}),
      ...(bit === undefined ? {} : { bit }),
      ...(length === undefined ? {} : { length }),
      ...(scale === undefined ? {} : { scale }),
      ...(sentinel === undefined ? {} : { sentinels: [sentinel] }),
    };
  });
}

function duration(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** As Prettier leaves it: short lists without inner spaces. */
function text(document: Document): string {
  const body = document.toString({ lineWidth: 0, singleQuote: true, flowCollectionPadding: true });
  return heading + body.replaceAll(/\[ ([^[\]{}]*) \]/g, '[$1]');
}
