// The catalog: every site, asset, device and tag of one configuration, immutable, with a revision.
// Built by config/ at start and at each reload from plain specs plus the indexes that state/ assigned;
// every room receives it through its own `use(catalog)`.
import type { MachineStatus, Severity, ValueType } from './model.ts';

export interface Limits {
  ll?: number;
  l?: number;
  h?: number;
  hh?: number;
}

/** How a tag's limits are judged; all in the tag's unit and ms. */
export interface AlarmRule {
  limits: Limits;
  /** A raised limit clears only this far inside it. */
  deadband: number;
  onDelay: number;
  offDelay: number;
  /** Severity per limit. */
  severity: { ll: Severity; l: Severity; h: Severity; hh: Severity };
}

export interface Scale {
  /** value = raw × multiply ÷ divide + offset; a decimal scale of 0.1 is multiply 1, divide 10, so 215 becomes 21.5 exactly. */
  multiply: number;
  divide: number;
  offset: number;
}

export interface Tag {
  /** Dense integer, never reused; the key on the way through the program. */
  index: number;
  /** The whole path below the enterprise; the key in every store. */
  id: string;
  site: string;
  /** Asset path: the id without its last part. */
  asset: string;
  metric: string;
  /** What people read: the metric's name. */
  name: string;
  type: ValueType;
  unit: string;
  /** Digits after the point when shown. */
  decimals: number;
  device: string;
  /** Requested ms between readings. */
  interval: number;
  scale?: Scale;
  clamp?: { low?: number; high?: number };
  /** Raw values that mean "no value". */
  sentinels?: number[];
  /** Names of an enumeration's values. */
  names?: Record<number, string>;
  /** The normal operating range, for range bars; not an alarm by itself. */
  range?: { low: number; high: number };
  alarm?: AlarmRule;
  /** Values that are an alarm in themselves (a fault bit, a state), with what to say. */
  alarmStates?: { value: number; severity: Severity; message: string }[];
  /** How sites sum it up; absent: not a KPI. */
  aggregate?: 'mean' | 'sum' | 'max';
  /** Fewer journalled samples: absolute, in the unit. Off when absent. */
  storeDeadband?: number;
}

/** ms with neither value nor proof of life after which a tag is stale. */
export function staleAfter(tag: Pick<Tag, 'interval'>): number {
  return Math.max(3 * tag.interval, 10_000);
}

export interface Asset {
  /** Path below the enterprise: site, (area, line), asset. */
  path: string;
  site: string;
  name: string;
  kind: string;
  line: string | null;
  tags: Tag[];
  /** The tag that states the machine's status, and what its values mean. */
  status?: { tag: Tag; map: Record<number, MachineStatus> };
}

export interface Site {
  id: string;
  name: string;
  location: string;
  timezone: string;
  assets: Asset[];
}

export interface Device {
  name: string;
  protocol: string;
  enabled: boolean;
  /** As the config gave them, secrets resolved. */
  connection: Record<string, unknown>;
  /** Each tag's address fields as the config gave them, by tag index. */
  addresses: Map<number, Record<string, unknown>>;
  tags: Tag[];
}

export interface Metric {
  id: string;
  name: string;
  unit: string;
  decimals: number;
  aggregate?: 'mean' | 'sum' | 'max';
}

/** Everything the configuration says of the plant, before the tags have indexes. */
export interface PlantSpec {
  enterprise: string;
  sites: Omit<Site, 'assets'>[];
  assets: (Omit<Asset, 'tags' | 'status'> & { status?: { metric: string; map: Record<number, MachineStatus> } })[];
  metrics: Metric[];
  tags: (Omit<Tag, 'index'> & { address: Record<string, unknown>; formerly?: string })[];
  devices: Omit<Device, 'addresses' | 'tags'>[];
}

export class Catalog {
  readonly revision: number;
  readonly enterprise: string;
  /** By index; an index whose tag is gone is undefined. */
  readonly tags: readonly (Tag | undefined)[];
  /** The tags that exist, in index order. */
  readonly list: readonly Tag[];
  readonly sites: readonly Site[];
  readonly devices: readonly Device[];
  readonly metrics: readonly Metric[];
  readonly #byId = new Map<string, Tag>();
  readonly #assets = new Map<string, Asset>();
  readonly #sites = new Map<string, Site>();
  readonly #devices = new Map<string, Device>();

  /** @param indexes each tag id's index, as assigned durably. Throws if one is missing: that is a defect, not a config error. */
  constructor(spec: PlantSpec, indexes: ReadonlyMap<string, number>, revision: number) {
    this.revision = revision;
    this.enterprise = spec.enterprise;
    this.metrics = spec.metrics;
    const sites: Site[] = spec.sites.map((site) => ({ ...site, assets: [] }));
    for (const site of sites) this.#sites.set(site.id, site);
    for (const asset of spec.assets) {
      const { status: _status, ...rest } = asset;
      const built: Asset = { ...rest, tags: [] };
      this.#assets.set(asset.path, built);
      this.#sites.get(asset.site)?.assets.push(built);
    }
    const devices: Device[] = spec.devices.map((device) => ({ ...device, addresses: new Map(), tags: [] }));
    for (const device of devices) this.#devices.set(device.name, device);
    const tags: (Tag | undefined)[] = [];
    for (const { address, formerly: _formerly, ...rest } of spec.tags) {
      const index = indexes.get(rest.id);
      if (index === undefined) throw new Error(`no index was assigned to tag ${rest.id}`);
      const tag: Tag = { ...rest, index };
      tags[index] = tag;
      this.#byId.set(tag.id, tag);
      this.#assets.get(tag.asset)?.tags.push(tag);
      const device = this.#devices.get(tag.device);
      device?.tags.push(tag);
      device?.addresses.set(index, address);
    }
    for (const asset of spec.assets) {
      if (!asset.status) continue;
      const built = this.#assets.get(asset.path);
      const tag = this.#byId.get(`${asset.path}/${asset.status.metric}`);
      if (built && tag) built.status = { tag, map: asset.status.map };
    }
    this.tags = Array.from(tags);
    this.list = this.tags.filter((tag) => tag !== undefined);
    this.sites = sites;
    this.devices = devices;
  }

  byId(id: string): Tag | undefined {
    return this.#byId.get(id);
  }
  asset(path: string): Asset | undefined {
    return this.#assets.get(path);
  }
  site(id: string): Site | undefined {
    return this.#sites.get(id);
  }
  device(name: string): Device | undefined {
    return this.#devices.get(name);
  }
}
