// What people write for a moment, as µs since the epoch. Pure; used for every time that comes in from outside.
import type { Micros } from '../../model.ts';
import type { Zone } from '../zone.ts';

/** Years first, as in ISO 8601; or days first, with dots. A slash means other days in other countries: only years first. */
const yearFirst =
  /^(\d{4})([-/])(\d\d)\2(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(?: ?(Z|[+-]\d\d(?::?\d\d)?))?$/i;
const dayFirst = /^(\d\d?)\.(\d\d?)\.(\d{4})(?:,? (\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?$/;
const epoch = /^(\d{9,19})(?:\.(\d{1,9}))?$/;

/** @param zone for times without an offset; without it only a date alone is understood then, as UTC. A number is ms. */
export function instantOf(given: unknown, zone?: Zone): Micros | undefined {
  if (typeof given === 'number') return Number.isFinite(given) ? Math.round(given * 1000) : undefined;
  if (typeof given !== 'string') return undefined;
  const iso = yearFirst.exec(given);
  if (iso) {
    const [, year, , month, date, hour, minute, second, fraction, offset] = iso;
    return instant([year, month, date, hour, minute, second], fraction, offset, zone);
  }
  const dotted = dayFirst.exec(given);
  if (dotted) {
    const [, date, month, year, hour, minute, second, fraction] = dotted;
    return zone && instant([year, month, date, hour, minute, second], fraction, undefined, zone);
  }
  return sinceEpoch(given);
}

type Fields = readonly (string | undefined)[];

function instant(fields: Fields, fraction = '', offset: string | undefined, zone?: Zone): Micros | undefined {
  const year = Number(fields[0]);
  const month = Number(fields[1]);
  const date = Number(fields[2]);
  const hour = Number(fields[3] ?? 0);
  const minute = Number(fields[4] ?? 0);
  const second = Number(fields[5] ?? 0);
  // 31 February would be taken for 3 March.
  if (hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12 || date < 1 || date > daysIn(year, month))
    return undefined;
  const local = Date.UTC(year, month - 1, date, hour, minute, second);
  const micros = fraction === '' ? 0 : Number(fraction.slice(0, 6).padEnd(6, '0'));
  if (offset !== undefined) return (local - minutesOf(offset) * 60_000) * 1000 + micros;
  if (zone) return zone.instant(local) * 1000 + micros;
  return fields[3] === undefined ? local * 1000 : undefined;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function minutesOf(offset: string): number {
  if (offset === 'Z' || offset === 'z') return 0;
  const digits = offset.replace(/\D/g, '').padEnd(4, '0');
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return offset.startsWith('-') ? -minutes : minutes;
}

/** Seconds, ms, µs or ns, told apart by their size: each of them means years from 1973 to 5138. */
function sinceEpoch(text: string): Micros | undefined {
  const match = epoch.exec(text);
  if (!match) return undefined;
  const [, whole = '', fraction = ''] = match;
  const power = whole.length <= 11 ? 6 : whole.length <= 14 ? 3 : whole.length <= 17 ? 0 : -3;
  if (power < 0) return Number(whole.slice(0, power));
  return Number(whole + fraction.slice(0, power).padEnd(power, '0'));
}
