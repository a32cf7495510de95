// How values, ages and times are written. Pure; every component calls it. Digits come from the tag's own decimals,
// and nothing a device can send (NaN, a string where a number was promised, null) makes it throw.
import type { DictTag, WireValue } from '../../gateway/web/wire.ts';

export const none = '—';

const numbers = new Map<number, Intl.NumberFormat>();

/** From here on a number's last digits are no longer its own. */
const vast = 1e16;

function powerOfTen(value: number, digits: number): string {
  return value.toExponential(digits).replace('e+', 'e').replaceAll('-', '−');
}

/** A number with a fixed count of decimals, thousands grouped; a vast one as `6.02214e23`. */
export function formatNumber(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return none;
  if (Math.abs(value) >= vast) return powerOfTen(value, 5);
  const digits = Math.min(10, Math.max(0, Math.trunc(decimals) || 0));
  let format = numbers.get(digits);
  if (!format) {
    format = new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
    numbers.set(digits, format);
  }
  const text = format.format(value);
  return /^-[0.,]*$/.test(text) ? text.slice(1) : text.replace('-', '−');
}

/** Marks of an axis, evenly apart: each with as many digits as tell it exactly, vast and tiny ones as powers of ten. */
export function formatMarks(marks: readonly number[]): string[] {
  const step = Math.abs((marks[1] ?? 1) - (marks[0] ?? 0)) || 1;
  const tens = Math.floor(Math.log10(step) + 1e-9);
  // Steps are 1, 2, 2.5 or 5 times a power of ten.
  const fine = Math.abs(step / 10 ** tens - 2.5) < 0.01 ? 1 : 0;
  const most = Math.max(...marks.map(Math.abs));
  if (most < vast && fine - tens <= 6) return marks.map((mark) => formatNumber(mark, Math.max(0, fine - tens)));
  const digits = Math.min(15, Math.max(0, Math.floor(Math.log10(most)) - tens + fine));
  return marks.map((mark) => (Math.abs(mark) < step / 2 ? '0' : powerOfTen(mark, digits)));
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

const zones = new Map<string, string | undefined>();

/** A plant's zone that this browser knows, else undefined (its own zone). */
export function knownZone(zone: string | undefined): string | undefined {
  if (!zone) return undefined;
  if (!zones.has(zone)) {
    try {
      new Intl.DateTimeFormat('en-GB', { timeZone: zone });
      zones.set(zone, zone);
    } catch {
      zones.set(zone, undefined);
    }
  }
  return zones.get(zone);
}

export type TimeParts = 'milli' | 'second' | 'minute';

function clock(ms: number, zone: string | undefined, parts: TimeParts | 'name', dated: boolean | 'year'): string {
  const key = `${zone ?? ''} ${parts} ${dated}`;
  let format = clocks.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
      ...(parts === 'second' || parts === 'milli' ? { second: '2-digit' } : {}),
      ...(parts === 'milli' ? { fractionalSecondDigits: 3 } : {}),
      ...(parts === 'name' ? { timeZoneName: 'short' } : {}),
      ...(dated ? { day: '2-digit', month: 'short' } : {}),
      ...(dated === 'year' ? { year: 'numeric' } : {}),
    });
    clocks.set(key, format);
  }
  return format.format(ms);
}

/** What the zone's clocks are called at a time: `CET`, `CEST`, `GMT+9`. */
export function clockName(ms: number, zone: string | undefined): string {
  return clock(ms, knownZone(zone), 'name', false).replace(/^\S+\s/, '');
}

/** A stretch of time (ms); its day is said once when it is within one, its years where they are not this one's. */
export function formatRange(from: number, to: number, zone: string | undefined, now: number): string {
  const parts = to - from < 600_000 ? 'second' : 'minute';
  const [year, ...others] = [now, from, to].map(
    (ms) => /\d{4}/.exec(clock(ms, knownZone(zone), 'minute', 'year'))?.[0],
  );
  const dated = others.every((other) => other === year) ? true : 'year';
  const [begin, end] = [formatTime(from, zone, parts, dated), formatTime(to, zone, parts, dated)];
  const [day = '', time = ''] = end.split(', ');
  return begin.startsWith(`${day}, `) ? `${begin}–${time}` : `${begin} – ${end}`;
}

/** Wall time in the plant's zone. With its date, a time that comes twice, when clocks go back, says which of the two it is. */
export function formatTime(
  ms: number,
  zone: string | undefined,
  parts: TimeParts = 'second',
  dated: boolean | 'year' = false,
): string {
  if (!Number.isFinite(ms)) return none;
  const known = knownZone(zone);
  const text = clock(ms, known, parts, dated);
  const twice =
    dated !== false && [-3_600_000, 3_600_000].some((hour) => clock(ms + hour, known, parts, dated) === text);
  return twice ? `${text} ${clockName(ms, known)}` : text;
}

/** `1 asset`, `3 assets`. */
export function count(n: number, word: string): string {
  return `${formatNumber(n, 0)} ${word}${n === 1 ? '' : 's'}`;
}

const isoTimes = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
/** ms after which a time of day alone would be taken for today's. */
const recent = 12 * 3_600_000;

/** A sentence of the gateway with its ISO times told as wall time in the plant's zone. @param now ms since the epoch */
export function tellTimes(sentence: string, zone: string | undefined, now: number): string {
  return sentence.replace(isoTimes, (iso) => {
    const ms = Date.parse(iso);
    return formatTime(ms, zone, 'minute', !(Math.abs(now - ms) < recent));
  });
}
