// From checked files to the plant: fills defaults in, checks what a schema cannot say (references, order of limits,
// names that meet in one topic) and hands on the PlantSpec that the catalog is built from. Pure.
import type { AlarmRule, Metric, PlantSpec, Scale } from '../catalog.ts';
import type { MachineStatus } from '../model.ts';
import type { Point, Protocol } from '../driver.ts';
import { pathText } from './read.ts';
import type { ConfigError, ConfigFile } from './read.ts';
import { nearest } from './shape.ts';
import { duration } from './formats.ts';
import { tagFields } from './plant.ts';
import type { DeviceFile, DeviceTag, PlantFile } from './plant.ts';

type Fault = (file: ConfigFile, path: (string | number)[], message: string) => void;
type Spec = PlantSpec;
type AssetMetric = NonNullable<NonNullable<PlantFile['assets']>[number]['metrics']>[string];

const defaultSeverity: AlarmRule['severity'] = { ll: 'high', l: 'medium', h: 'medium', hh: 'high' };
const defaultInterval = 1000;

/** A site's id from its name: case folded away, spaces to hyphens; letters of any script stay. */
export function siteId(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[+#/$\s]+/g, '-')
    .replace(/^[_$-]+|-+$/g, '');
}

/** A decimal scale as integers, so that 215 × 0.1 is 21.5 and not 21.500000000000004. */
export function exactScale(scale: number, offset: number): Scale {
  const text = String(scale);
  const exponent = /e-(\d+)$/.exec(text);
  const digits = exponent
    ? Number(exponent[1]) + (text.split('e')[0]?.split('.')[1]?.length ?? 0)
    : (text.split('.')[1]?.length ?? 0);
  if (digits === 0 || digits > 15) return { multiply: scale, divide: 1, offset };
  const divide = 10 ** digits;
  return { multiply: Math.round(scale * divide), divide, offset };
}

/** @param whole no file was left out: then what refers to nothing is an error */
export function buildSpec(
  enterprise: string,
  plants: readonly (ConfigFile & { value: PlantFile })[],
  devices: readonly (ConfigFile & { value: DeviceFile })[],
  protocols: ReadonlyMap<string, Protocol>,
  errors: ConfigError[],
  whole: boolean,
): Spec {
  const fault: Fault = (file, path, message) =>
    errors.push({ file: file.file, line: file.line(path), path: pathText(path), message });
  const dangling: Fault = (...args) => void (whole && fault(...args));
  const spec: Spec = { enterprise, sites: [], assets: [], metrics: [], tags: [], devices: [] };
  const metrics = new Map<string, Metric>();
  const details = new Map<
    string,
    { file: ConfigFile; path: (string | number)[]; metric: AssetMetric; used: boolean }
  >();
  const sites = once('site', fault);
  const assets = once('asset', fault);

  for (const file of plants) {
    file.value.sites?.forEach((site, i) => {
      const id = site.id ?? siteId(site.name);
      const timezone = site.timezone ?? 'UTC';
      if (!isTimezone(timezone))
        fault(
          file,
          ['sites', i, 'timezone'],
          `"${timezone}" is no time zone; use an IANA name such as Europe/Amsterdam`,
        );
      if (sites(file, ['sites', i], id))
        spec.sites.push({ id, name: site.name, location: site.location ?? '', timezone });
    });
    for (const [id, metric] of Object.entries(file.value.metrics ?? {})) {
      metrics.set(id, {
        id,
        name: metric.name ?? titled(id),
        unit: metric.unit ?? '',
        decimals: metric.decimals ?? 2,
        aggregate: metric.aggregate,
      });
    }
  }
  for (const file of plants) {
    file.value.assets?.forEach((asset, i) => {
      const at = ['assets', i];
      const site = asset.path.split('/')[0] ?? '';
      if (!spec.sites.some((s) => s.id === site)) {
        const near = nearest(
          site,
          spec.sites.map((s) => s.id),
        );
        dangling(
          file,
          [...at, 'path'],
          `begins with "${site}", which is no site${near ? `; did you mean ${near}?` : ''}`,
        );
      }
      if (!assets(file, [...at, 'path'], asset.path)) return;
      const status = asset.status && { metric: asset.status.metric, map: numbered<MachineStatus>(asset.status.map) };
      spec.assets.push({
        path: asset.path,
        site,
        name: asset.name ?? titled(last(asset.path)),
        kind: asset.kind ?? '',
        line: asset.line ?? null,
        status,
      });
      for (const [id, metric] of Object.entries(asset.metrics ?? {})) {
        checkMetric(file, [...at, 'metrics', id], metric, fault);
        details.set(`${asset.path}/${id}`, { file, path: [...at, 'metrics', id], metric, used: false });
        if (!metrics.has(id)) metrics.set(id, { id, name: titled(id), unit: '', decimals: 2 });
      }
    });
  }

  const assetPaths = new Set(spec.assets.map((asset) => asset.path));
  const deviceNames = once('device', fault);
  const tagIds = once('tag', fault);
  for (const file of devices) {
    const { device, protocol: protocolName, tags, enabled = true, connection } = file.value;
    if (!deviceNames(file, ['device'], device)) continue;
    if (ownSources.includes(device))
      fault(file, ['device'], `is "${device}", as the ledger calls a source of the gateway's own; choose another name`);
    const protocol = protocols.get(protocolName);
    if (!protocol) continue;
    spec.devices.push({ name: device, protocol: protocolName, enabled, connection });
    const points: Point[] = [];
    if (tags.some((tag) => tag.interval === undefined))
      checkInterval(file, ['interval'], duration(file.value.interval) ?? defaultInterval, fault);
    tags.forEach((tag, i) => {
      const at = ['tags', i];
      if (!tagIds(file, [...at, 'tag'], tag.tag)) return;
      const asset = tag.tag.slice(0, tag.tag.lastIndexOf('/'));
      if (!assetPaths.has(asset)) {
        const near = nearest(asset, [...assetPaths]);
        dangling(
          file,
          [...at, 'tag'],
          `belongs to "${asset}", which is no asset${near ? `; did you mean ${near}?` : ': add it to the assets of plant.yaml'}`,
        );
        if (whole) return;
      }
      const detail = details.get(tag.tag);
      if (detail) detail.used = true;
      if (tag.clamp && tag.clamp[0] >= tag.clamp[1])
        fault(file, [...at, 'clamp'], `is [${tag.clamp.join(', ')}]; the first must be below the second`);
      const address = addressOf(tag);
      const interval = duration(tag.interval ?? file.value.interval) ?? defaultInterval;
      if (tag.interval !== undefined) checkInterval(file, [...at, 'interval'], interval, fault);
      const type = tag.type ?? protocol.valueType(address);
      points.push({ tag: i, id: tag.tag, type, interval, address });
      spec.tags.push(tagSpec(tag, asset, device, type, interval, address, metrics, detail?.metric));
    });
    for (const complaint of protocol.check?.(connection, points) ?? []) {
      const path = complaint.path
        .split(/[.[\]]+/)
        .filter(Boolean)
        .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
      fault(file, path, complaint.message);
    }
  }
  for (const { file, path, used } of details.values()) {
    if (!used) dangling(file, path, 'has no tag in any device file: add the tag, or take this entry out');
  }
  const tagPaths = new Set(spec.tags.map((tag) => tag.id));
  for (const file of plants)
    file.value.assets?.forEach(({ path, status }, i) => {
      if (status && !tagPaths.has(`${path}/${status.metric}`))
        dangling(file, ['assets', i, 'status'], `of ${path}: names the metric "${status.metric}", which has no tag`);
    });
  spec.metrics = [...metrics.values()];
  return spec;
}

function tagSpec(
  tag: DeviceTag,
  asset: string,
  device: string,
  type: Spec['tags'][number]['type'],
  interval: number,
  address: Record<string, unknown>,
  metrics: Map<string, Metric>,
  detail: AssetMetric | undefined,
): Spec['tags'][number] {
  const id = last(tag.tag);
  const metric = metrics.get(id) ?? { id, name: titled(id), unit: '', decimals: 2 };
  metrics.set(id, metric);
  const limits = detail?.limits ?? {};
  const hasLimits = Object.keys(limits).length > 0;
  return {
    id: tag.tag,
    site: tag.tag.split('/')[0] ?? '',
    asset,
    metric: id,
    name: detail?.name ?? metric.name,
    type,
    unit: detail?.unit ?? metric.unit,
    decimals: detail?.decimals ?? metric.decimals,
    device,
    interval,
    scale:
      tag.scale !== undefined || tag.offset !== undefined ? exactScale(tag.scale ?? 1, tag.offset ?? 0) : undefined,
    clamp: tag.clamp && { low: tag.clamp[0], high: tag.clamp[1] },
    sentinels: tag.sentinels,
    names: detail?.names && numbered<string>(detail.names),
    range: detail?.range && { low: detail.range[0], high: detail.range[1] },
    alarm: hasLimits
      ? {
          limits,
          deadband: detail?.deadband ?? 0,
          onDelay: duration(detail?.onDelay ?? 0) ?? 0,
          offDelay: duration(detail?.offDelay ?? 0) ?? 0,
          severity: { ...defaultSeverity, ...detail?.severity },
        }
      : undefined,
    alarmStates: detail?.states,
    aggregate: detail?.aggregate ?? metric.aggregate,
    storeDeadband: tag.storeDeadband,
    formerly: tag.formerly,
    address,
  };
}

function checkMetric(file: ConfigFile, path: (string | number)[], metric: AssetMetric, fault: Fault): void {
  if (metric.range && metric.range[0] >= metric.range[1]) {
    fault(file, [...path, 'range'], `is [${metric.range.join(', ')}]; the first must be below the second`);
  }
  const order = (['ll', 'l', 'h', 'hh'] as const).filter((level) => metric.limits?.[level] !== undefined);
  for (let i = 1; i < order.length; i++) {
    const [low, high] = [order[i - 1] ?? 'll', order[i] ?? 'hh'];
    const [a, b] = [metric.limits?.[low] ?? 0, metric.limits?.[high] ?? 0];
    if (a >= b) fault(file, [...path, 'limits'], `${low} is ${a} and ${high} is ${b}; they must rise: ll < l < h < hh`);
  }
  const { l, h } = metric.limits ?? {};
  if (l !== undefined && h !== undefined && l < h && (metric.deadband ?? 0) >= h - l) {
    fault(
      file,
      [...path, 'deadband'],
      `is ${metric.deadband}; it must be smaller than h − l = ${h - l}, or no alarm could clear`,
    );
  }
}

function checkInterval(file: ConfigFile, path: (string | number)[], interval: number, fault: Fault): void {
  if (interval < 10) fault(file, path, `is ${interval} ms; the shortest is 10 ms`);
}

/** Where samples come from that no device said: in the ledger they stand beside the devices. */
const ownSources = ['gateway', 'import', 'ingest', 'seed'];

/** Says a name that stands twice, also when only case or spaces differ: topics of both would be one. */
function once(what: string, fault: Fault): (file: ConfigFile, path: (string | number)[], name: string) => boolean {
  const seen = new Map<string, string>();
  return (file, path, name) => {
    const key = name.normalize('NFC').replace(/ /g, '_').toLowerCase();
    const before = seen.get(key);
    if (before === undefined) {
      seen.set(key, `"${name}" of ${file.file}:${file.line(path) ?? '?'}`);
      return true;
    }
    fault(file, path, `the ${what} "${name}" is there already, as ${before}; case and spaces do not make a difference`);
    return false;
  };
}

function addressOf(tag: DeviceTag): Record<string, unknown> {
  return Object.fromEntries(Object.entries(tag).filter(([key]) => !(key in tagFields)));
}

const last = (path: string) => path.slice(path.lastIndexOf('/') + 1);
const titled = (id: string) => (id.charAt(0).toUpperCase() + id.slice(1)).replace(/[_-]+/g, ' ');
const numbered = <T>(map: Record<string, T>) =>
  Object.fromEntries(Object.entries(map).map(([k, v]) => [Number(k), v])) as Record<number, T>;

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
