// What stands in the messages: samples, states, alarms and events as JSON. Pure; used by the publisher.
import type { Asset, Tag } from '../catalog.ts';
import { Flag, Status, quality } from '../model.ts';
import type { Alarm, AssetState, GatewayEvent, Micros, Sample, Value } from '../model.ts';

/** A value's message. A value that JSON cannot say is null and not good; integers past 2^53 are strings. */
export function samplePayload(tag: Pick<Tag, 'unit' | 'names'>, sample: Sample): string {
  const unsayable = typeof sample.value === 'number' && !Number.isFinite(sample.value);
  const status = (unsayable && quality(sample.status) === 'good' ? Status.bad : sample.status) >>> 0;
  return JSON.stringify({
    value: jsonValue(sample.value),
    quality: quality(status),
    status,
    timestamp: isoOfMicros(sample.valueAt ?? sample.t),
    unit: tag.unit || undefined,
    text: tag.names && sample.value !== null ? tag.names[Number(sample.value)] : undefined,
    clock: sample.flags & Flag.skewed ? 'skewed' : undefined,
  });
}

export function statePayload(state: AssetState): string {
  return JSON.stringify({ status: state.status, comm: state.comm, since: iso(state.since) });
}

/** What an asset is and what its tags mean: published at the start and when the configuration changes. */
export function metaPayload(asset: Asset): string {
  const tags = asset.tags.map((tag) => [
    tag.metric,
    {
      id: tag.id,
      name: tag.name,
      type: tag.type,
      unit: tag.unit || undefined,
      decimals: tag.decimals,
      device: tag.device,
      interval: tag.interval,
      range: tag.range,
      limits: tag.alarm?.limits,
      names: tag.names,
    },
  ]);
  return JSON.stringify({
    name: asset.name,
    kind: asset.kind,
    line: asset.line ?? undefined,
    tags: Object.fromEntries(tags),
  });
}

export function alarmPayload(alarm: Alarm): string {
  return JSON.stringify(shownAlarm(alarm));
}

export function eventPayload(event: GatewayEvent): string {
  const head = { id: event.id, kind: event.kind, timestamp: iso(event.time) };
  switch (event.kind) {
    case 'alarm':
      return JSON.stringify({ ...head, transition: event.transition, alarm: shownAlarm(event.alarm) });
    case 'state':
      return JSON.stringify({
        ...head,
        asset: event.asset,
        status: event.state.status,
        comm: event.state.comm,
        since: iso(event.state.since),
      });
    case 'device':
      return JSON.stringify({ ...head, device: event.device, state: event.state, reason: event.reason });
    case 'clock':
      return JSON.stringify({ ...head, tag: event.tag, device: event.device, message: event.message });
    case 'loss': {
      const { consumer, samples, events, from, to, reason } = event;
      const [first, last] = [iso(Math.floor(from / 1000)), iso(Math.floor(to / 1000))];
      return JSON.stringify({ ...head, consumer, samples, events, from: first, to: last, reason });
    }
  }
}

/** Normal: nothing to show and nothing to acknowledge; its retained topic is cleared. */
export function isNormal(alarm: Alarm): boolean {
  return !alarm.active && !alarm.unacked && alarm.shelvedUntil === undefined;
}

function shownAlarm(alarm: Alarm): object {
  const { raisedAt, clearedAt, ackedAt, shelvedUntil, value, ...rest } = alarm;
  return {
    ...rest,
    value: value === undefined ? undefined : jsonValue(value),
    raisedAt: iso(raisedAt),
    clearedAt: clearedAt === undefined ? undefined : iso(clearedAt),
    ackedAt: ackedAt === undefined ? undefined : iso(ackedAt),
    shelvedUntil: shelvedUntil === undefined ? undefined : iso(shelvedUntil),
  };
}

function jsonValue(value: Value): number | boolean | string | null {
  if (typeof value === 'bigint') return BigInt.asIntN(54, value) === value ? Number(value) : value.toString();
  return typeof value === 'number' && !Number.isFinite(value) ? null : value;
}

/** ISO 8601 with milliseconds, UTC; null for a time that no calendar has. */
function iso(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
function isoOfMicros(t: Micros): string | null {
  return iso(Math.floor(t / 1000));
}
