// How values, ages and times are written. Pure; every component calls it. Digits come from the tag's own decimals,
// and nothing a device can send (NaN, a string where a number was promised, null) makes it throw.
import type { DictTag, WireValue } from '../../gateway/web/wire.ts';

export const none = '—';

const numbers = new Map<number, Intl.NumberFormat>();

/** A number with a fixed count of decimals, thousands grouped. */
export function formatNumber(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return none;
  const digits = Math.min(10, Math.max(0, Math.trunc(decimals) || 0));
  let format = numbers.get(digits);
  if (!format) {
    format = new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
    numbers.set(digits, format);
  }
  const text = format.format(value);
  return /^-[0.,]*$/.test(text) ? text.slice(1) : text.replace('-', '−');
}

/** A tag's value in words: an enumeration's name, On/Off, text as it stands, or the number without its unit. */
export function formatValue(tag: Pick<DictTag, 'type' | 'decimals' | 'names'>, value: WireValue): string {
  if (value === null) return none;
  if (typeof value === 'boolean') return tag.names?.[value ? 1 : 0] ?? (value ? 'On' : 'Off');
  if (typeof value === 'number') return tag.names?.[value] ?? formatNumber(value, tag.decimals);
  // A string of digits in an integer tag is an integer past 2^53.
  if (tag.type === 'integer' && /^-?\d+$/.test(value)) return BigInt(value).toLocaleString('en-US').replace('-', '−');
  return value;
}

/** The unit beside a value; none for words. */
export function unitFor(tag: Pick<DictTag, 'type' | 'names' | 'unit'>, value: WireValue): string {
  return value === null || tag.names || tag.type === 'boolean' || tag.type === 'text' ? '' : tag.unit;
}

/** A short age: `0.4 s`, `42 s`, `3 min`, `2 h 05`, `4 d`. Milliseconds in. */
export function formatAge(ms: number): string {
  if (!Number.isFinite(ms)) return none;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')}`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** A plant's zone that this browser knows, else undefined (its own zone). */
export function knownZone(zone: string | undefined): string | undefined {
  if (!zone) return undefined;
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: zone });
    return zone;
  } catch {
    return undefined;
  }
}

/** Wall time in the plant's zone. `parts`: time to the second, to the minute, or with the date. */
export function formatTime(
  ms: number,
  zone: string | undefined,
  parts: 'second' | 'minute' | 'date' = 'second',
): string {
  if (!Number.isFinite(ms)) return none;
  const known = knownZone(zone);
  const key = `${known ?? ''} ${parts}`;
  let format = clocks.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: known,
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
      ...(parts === 'second' ? { second: '2-digit' } : {}),
      ...(parts === 'date' ? { day: '2-digit', month: 'short' } : {}),
    });
    clocks.set(key, format);
  }
  return format.format(ms);
}

/** `1 asset`, `3 assets`. */
export function count(n: number, word: string): string {
  return `${formatNumber(n, 0)} ${word}${n === 1 ? '' : 's'}`;
}
