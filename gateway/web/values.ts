// Samples, alarms and tags as the wire shows them. Pure; used by the REST routes and the stream.
import type { Catalog, Site, Tag } from '../catalog.ts';
import { Flag, quality } from '../model.ts';
import type { Alarm, Present, Sample, Severity, Value } from '../model.ts';
import type { Facility, LiveValue, WireAlarm, WireValue } from './wire.ts';

/** JSON has no bigint and no NaN: the first becomes text past 2^53, the second null. */
export function wireValue(value: Value): WireValue {
  if (typeof value === 'bigint') return String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? null : value;
}

/** Nothing the device stands behind now: never seen, or made by the gateway because the device or the tag fell silent. */
export function isStale(sample: Sample | undefined): boolean {
  if (!sample) return true;
  // A repeat too is made, but as proof that the value still holds.
  return (sample.flags & (Flag.made | Flag.repeat)) === Flag.made && quality(sample.status) !== 'good';
}

/** When the shown value was true, ms. */
export function shownAt(sample: Sample): number {
  return Math.floor((sample.valueAt ?? sample.t) / 1000);
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
    text: typeof value === 'number' || typeof value === 'boolean' ? tag.names?.[Number(value)] : undefined,
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
