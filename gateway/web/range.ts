// The times and widths of a query, as people write them in an address or on a command line. Pure.
// Used by the history routes and the export; a wrong one is a Refusal that says what is right.
import type { BucketWidth } from '../history.ts';
import type { Micros } from '../model.ts';
import { Refusal } from './errors.ts';
import { instantOf } from './intake/times.ts';
import { utc, zoneOf } from './zone.ts';
import type { Zone } from './zone.ts';

export interface Range {
  from: Micros;
  to: Micros;
  zone: Zone;
}

const units: Record<string, Micros> = { ms: 1000, s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6, w: 7 * 86_400e6 };

/** @param now µs. @param standard µs before the end when no beginning is given; the end is now when none is given */
export function rangeOf(
  asked: { from?: string; to?: string; zone?: string },
  now: Micros,
  standard: Micros = units.d as Micros,
): Range {
  const zone = asked.zone === undefined ? utc : zoneOf(asked.zone);
  if (!zone)
    throw new Refusal(400, `there is no time zone "${asked.zone}"; it is a name such as Europe/Berlin`, 'zone');
  const to = asked.to === undefined ? now : momentOf(asked.to, 'to', now, zone);
  const from = asked.from === undefined ? to - standard : momentOf(asked.from, 'from', now, zone);
  if (from >= to) throw new Refusal(400, 'from must lie before to', 'from');
  return { from, to, zone };
}

function momentOf(text: string, field: string, now: Micros, zone: Zone): Micros {
  const ago = /^now(?:-(\d{1,9}(?:\.\d+)?)(ms|s|m|h|d|w))?$/.exec(text);
  // A plus that nobody encoded arrives as a space.
  const written = text.replace(/^(.*T.*) (\d\d:?\d\d)$/, '$1+$2');
  const moment = ago ? now - Number(ago[1] ?? 0) * (units[ago[2] ?? 's'] ?? 0) : instantOf(written, zone);
  if (moment !== undefined && !Number.isSafeInteger(Math.round(moment)))
    throw new Refusal(
      400,
      `${field} is "${text}", which is too far: times may lie between the years 1685 and 2255`,
      field,
    );
  if (moment === undefined)
    throw new Refusal(400, `${field} is "${text}"; it must be ISO 8601, now, or such as now-24h`, field);
  return Math.round(moment);
}

const calendar = ['hour', 'day', 'week', 'month', 'year'] as const;
const names = new Map<string, BucketWidth>([
  ...calendar.map((unit) => [unit, unit] as const),
  ...([
    ['1d', 'day'],
    ['1w', 'week'],
    ['1M', 'month'],
    ['1y', 'year'],
  ] as const),
]);

/** `5m`, `1h`, `250ms`, or a unit of the calendar; a day, week, month or year is the zone's own, whatever it lasts. */
export function widthOf(text: string): BucketWidth {
  const named = names.get(text);
  if (named !== undefined) return named;
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const width = match ? Number(match[1]) * (units[match[2] ?? ''] ?? 0) : 0;
  if (width < 1000 || !Number.isSafeInteger(width))
    throw new Refusal(400, `width is "${text}"; it must be such as 30s, 5m or 1h, or ${calendar.join(', ')}`, 'width');
  return width;
}
