// A small catalog for tests and the benchmark: tags are given by id, everything else has a default.
import { Catalog } from '../catalog.ts';
import type { PlantSpec, Tag } from '../catalog.ts';

export function tagOf(id: string, given: Partial<Tag> = {}): Tag {
  const parts = id.split('/');
  const metric = parts.at(-1)!;
  return {
    index: 0,
    id,
    site: parts[0]!,
    asset: parts.slice(0, -1).join('/'),
    metric,
    name: metric[0]!.toUpperCase() + metric.slice(1),
    type: 'double',
    unit: '',
    decimals: 1,
    device: `${parts[0]}-plc`,
    interval: 1000,
    ...given,
  };
}

/** Indexes follow the order of `tags`, or come from `indexes`. */
export function catalogOf(
  tags: Tag[],
  {
    revision = 1,
    indexes,
    assets = {},
    disabled = [],
  }: {
    revision?: number;
    indexes?: Map<string, number>;
    assets?: Record<string, Partial<PlantSpec['assets'][0]>>;
    disabled?: string[];
  } = {},
): Catalog {
  const sites = [...new Set(tags.map((tag) => tag.site))];
  const paths = [...new Set(tags.map((tag) => tag.asset))];
  const devices = [...new Set(tags.map((tag) => tag.device))];
  const spec: PlantSpec = {
    enterprise: 'demo',
    sites: sites.map((id) => ({ id, name: id, location: '', timezone: 'UTC' })),
    assets: paths.map((path) => ({
      path,
      site: path.split('/')[0]!,
      name: path,
      kind: 'pump',
      line: null,
      ...assets[path],
    })),
    metrics: [],
    tags: tags.map(({ index: _index, ...tag }) => ({ ...tag, address: {} })),
    devices: devices.map((name) => ({ name, protocol: 'modbus', enabled: !disabled.includes(name), connection: {} })),
  };
  return new Catalog(spec, indexes ?? new Map(tags.map((tag, index) => [tag.id, index])), revision);
}
