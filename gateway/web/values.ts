// Samples, alarms and tags as the wire shows them. Pure; used by the REST routes and the stream.
import type { Asset, Catalog, Site, Tag } from '../catalog.ts';
import { Flag, quality } from '../model.ts';
import type { Alarm, Present, Sample, Severity, Value } from '../model.ts';
import type { Dict, DictTag, Facility, LiveValue, WireAlarm, WireValue } from './wire.ts';

/** JSON has no bigint and no NaN: the first becomes text past 2^53, the second null. */
export function wireValue(value: Value): WireValue {
  if (typeof value === 'bigint') return String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? null : value;
}

/** Nothing the device stands behind now: never seen, or made by the gateway because the device or the tag fell silent. */
export function isStale(sample: Sample | undefined): boolean {
  return !sample || ((sample.flags & Flag.made) !== 0 && quality(sample.status) !== 'good');
}

/** When the shown value was true, ms. */
export function shownAt(sample: Sample): number {
  return Math.floor((sample.valueAt ?? sample.t) / 1000);
}

/** As the pipeline counts it: neither value nor proof for this long, ms. */
export function staleAfter(tag: Tag): number {
  return Math.max(3 * tag.interval, 10_000);
}

export function liveValue(tag: Tag, present: Present, alarms: ReadonlyMap<string, Severity>): LiveValue {
  const sample = present.latest(tag.index);
  const value = sample ? wireValue(sample.value) : null;
  return {
    tag: tag.id,
    metric: tag.metric,
    name: tag.name,
    unit: tag.unit,
    decimals: tag.decimals,
    value,
    text: typeof value === 'number' ? tag.names?.[value] : undefined,
    quality: sample ? quality(sample.status) : 'bad',
    status: sample?.status ?? 0x80320000,
    timestamp: sample ? new Date(shownAt(sample)).toISOString() : null,
    stale: isStale(sample),
    range: tag.range,
    limits: tag.alarm?.limits,
    alarm: alarms.get(tag.id),
  };
}

export function wireAlarm(alarm: Alarm, catalog: Catalog): WireAlarm {
  const { name: _name, site, asset, ...rest } = alarm;
  return { ...rest, facility: site, asset, assetName: asset === undefined ? undefined : catalog.asset(asset)?.name };
}

/** Worst severity of the active alarms of each tag id. */
export function tagSeverities(alarms: readonly Alarm[]): Map<string, Severity> {
  const rank = { low: 0, medium: 1, high: 2, critical: 3 };
  const worst = new Map<string, Severity>();
  for (const { tag, active, severity, shelvedUntil } of alarms) {
    if (tag === undefined || !active || shelvedUntil !== undefined) continue;
    const before = worst.get(tag);
    if (!before || rank[severity] > rank[before]) worst.set(tag, severity);
  }
  return worst;
}

export function wireFacility(site: Site): Facility {
  const { id, name, location, timezone, assets } = site;
  return { id, name, location, timezone, assets: assets.length };
}

/** @param site undefined: all sites. */
export function dictOf(catalog: Catalog, site: Site | undefined): Dict {
  const assets = site ? site.assets : catalog.sites.flatMap((each) => each.assets);
  return {
    rev: catalog.revision,
    facility: site?.id ?? null,
    assets: assets.map(({ path, site: of, name, kind, line }: Asset) => ({ path, site: of, name, kind, line })),
    tags: assets.flatMap((asset) => asset.tags.map(dictTag)),
  };
}

function dictTag(tag: Tag): DictTag {
  const { index: i, id, asset, metric, name, type, unit, decimals, names, range } = tag;
  return {
    i,
    id,
    asset,
    metric,
    name,
    type,
    unit,
    decimals,
    names,
    range,
    limits: tag.alarm?.limits,
    staleAfter: staleAfter(tag),
  };
}
