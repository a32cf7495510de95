// What people write for a moment, as µs since the epoch. Pure; used for every time that comes in from outside.
import type { Micros } from '../../model.ts';
import type { Zone } from '../zone.ts';

/** Years first, as in ISO 8601; or days first, with dots. A slash means other days in other countries: only years first. */
const yearFirst =
  /^(\d{4})([-/])(\d\d)\2(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?$/i;
const dayFirst = /^(\d\d?)\.(\d\d?)\.(\d{4})(?:,? (\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?$/;
const epoch = /^(\d{9,19})(?:\.(\d{1,9}))?$/;

/** @param zone for times without an offset, a date alone among them; without it they are not understood */
export function instantOf(given: unknown, zone?: Zone): Micros | undefined {
  if (typeof given === 'number') return bySize(given);
  const written = writtenOf(given);
  if (!written) return sinceEpoch(given);
  const { local, micros, offset } = written;
  if (offset !== undefined) return (local - offset * 60_000) * 1000 + micros;
  return zone && zone.instant(local) * 1000 + micros;
}

/** How often the zone's clocks show what is given; 1 as well for what is no local time. */
export function timesOf(given: unknown, zone: Zone): 0 | 1 | 2 {
  const written = writtenOf(given);
  return written && written.offset === undefined ? zone.times(written.local) : 1;
}

interface Written {
  /** ms, as if what is written were UTC. */
  local: number;
  /** Those below the second. */
  micros: number;
  /** Minutes ahead of UTC, where it is said. */
  offset: number | undefined;
}

function writtenOf(given: unknown): Written | undefined {
  if (typeof given !== 'string') return undefined;
  const iso = yearFirst.exec(given);
  if (iso) {
    const [, year, , month, date, hour, minute, second, fraction, offset] = iso;
    return written([year, month, date, hour, minute, second], fraction, offset);
  }
  const dotted = dayFirst.exec(given);
  if (!dotted) return undefined;
  const [, date, month, year, hour, minute, second, fraction] = dotted;
  return written([year, month, date, hour, minute, second], fraction, undefined);
}

function written(
  fields: readonly (string | undefined)[],
  fraction = '',
  given: string | undefined,
): Written | undefined {
  const [year = 0, month = 0, date = 0, hour = 0, minute = 0, second = 0] = fields.map((field) => Number(field ?? 0));
  // 31 February would be taken for 3 March.
  if (hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12 || date < 1 || date > daysIn(year, month))
    return undefined;
  const offset = given === undefined ? undefined : minutesOf(given);
  if (Number.isNaN(offset)) return undefined;
  const micros = fraction === '' ? 0 : Number(fraction.slice(0, 6).padEnd(6, '0'));
  // The year 26 would be taken for 1926: its calendar is the same 400 years later.
  const local = Date.UTC(year + 400, month - 1, date, hour, minute, second) - 146_097 * 86_400_000;
  return { local, micros, offset };
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** NaN for what no clock on earth is ahead or behind. */
function minutesOf(offset: string): number {
  if (/^(z|utc)$/i.test(offset)) return 0;
  const digits = offset.replace(/\D/g, '').padEnd(4, '0');
  const [hours, rest] = [Number(digits.slice(0, 2)), Number(digits.slice(2))];
  if (hours > 14 || rest > 59) return NaN;
  return (hours * 60 + rest) * (offset.startsWith('-') ? -1 : 1);
}

/** Seconds, ms, µs or ns, told apart by their size: each of them means years from 1973 to 5138. */
function sinceEpoch(given: unknown): Micros | undefined {
  const match = typeof given === 'string' && epoch.exec(given);
  if (!match) return undefined;
  const [, whole = '', fraction = ''] = match;
  const power = whole.length <= 11 ? 6 : whole.length <= 14 ? 3 : whole.length <= 17 ? 0 : -3;
  if (power < 0) return Number(whole.slice(0, power));
  return Number(whole + fraction.slice(0, power).padEnd(power, '0'));
}

/** The same of a number, whose last digits are as exact as it can be. */
function bySize(given: number): Micros | undefined {
  if (!Number.isFinite(given)) return undefined;
  return Math.round(given < 1e11 ? given * 1e6 : given < 1e14 ? given * 1e3 : given < 1e17 ? given : given / 1e3);
}
