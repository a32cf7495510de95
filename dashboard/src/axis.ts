// The time axis in the plant's zone: where its marks stand, and what is written at them, also over a change of clocks,
// when an hour comes twice or not at all. Pure; chart.ts hands it to uPlot, which knows only the browser's own zone.
import { clockName } from './format.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const month = 28 * day;

/** Distances of marks that people can read, ms; from `month` on whole months. */
export const steps = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 4, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14].map((n) => n * day),
  ...[1, 2, 3, 6, 12].map((n) => n * month),
];

const clocks = new Map<string, Intl.DateTimeFormat>();

/** Wall time minus UTC, ms; undefined is the browser's zone. */
export function offsetAt(ms: number, zone: string | undefined): number {
  if (zone === undefined) return -new Date(ms).getTimezoneOffset() * minute;
  let clock = clocks.get(zone);
  if (!clock) {
    const numeric = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
    const time = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const;
    clocks.set(zone, (clock = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...numeric, ...time })));
  }
  const at = Math.floor(ms / second) * second;
  const field: Record<string, number> = {};
  for (const { type, value } of clock.formatToParts(at)) field[type] = Number(value);
  const { year = 0, month: of = 1, day: date = 1, hour: h = 0, minute: m = 0, second: s = 0 } = field;
  return Date.UTC(year, of - 1, date, h, m, s) - at;
}

/** The instant of a wall time; one that does not exist is as much later as the clocks went forward. */
function instantOf(wall: number, zone: string | undefined): number {
  const guess = wall - offsetAt(wall, zone);
  return wall - offsetAt(guess, zone);
}

/** Stretches of [from, to] with one offset each. */
function stretches(from: number, to: number, zone: string | undefined): { from: number; to: number; offset: number }[] {
  const found = [];
  let begun = from;
  for (let offset = offsetAt(from, zone); ;) {
    let [known, changed] = [begun, begun];
    while (changed < to && offsetAt(changed, zone) === offset) {
      known = changed;
      changed = Math.min(to, changed + day);
    }
    const other = offsetAt(changed, zone);
    if (other === offset) return [...found, { from: begun, to: to + 1, offset }];
    while (changed - known > second) {
      const middle = known + Math.floor((changed - known) / 2 / second) * second;
      if (offsetAt(middle, zone) === offset) known = middle;
      else changed = middle;
    }
    // Clocks change at a whole minute.
    changed = Math.round(changed / minute) * minute;
    found.push({ from: begun, to: changed, offset });
    begun = changed;
    offset = other;
  }
}

/** Marks at round wall times of [from, to]; `step` is one of `steps`. */
export function marks(from: number, to: number, step: number, zone: string | undefined): number[] {
  if (!(to > from)) return [];
  const wall = from + offsetAt(from, zone);
  const found: number[] = [];
  if (step >= month) {
    const apart = Math.round(step / month);
    const start = new Date(wall);
    for (let n = Math.floor(start.getUTCMonth() / apart) * apart; ; n += apart) {
      const at = instantOf(Date.UTC(start.getUTCFullYear(), n, 1), zone);
      if (at > to) return found;
      if (at >= from) found.push(at);
    }
  }
  if (step >= day) {
    // Weeks begin on Monday; the epoch was a Thursday.
    const origin = step % (7 * day) === 0 ? -3 * day : 0;
    for (let at = Math.floor((wall - origin) / step) * step + origin; ; at += step) {
      const midnight = instantOf(at, zone);
      if (midnight > to) return found;
      if (midnight >= from) found.push(midnight);
    }
  }
  for (const { from: begun, to: until, offset } of stretches(from, to, zone)) {
    let at = Math.ceil((begun + offset) / step) * step - offset;
    for (; at < until; at += step) found.push(at);
  }
  return found;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => String(n).padStart(2, '0');

/** What is written at marks: the time, and below it the date where it changes, the year, or the clocks' new name. */
export function labels(at: readonly number[], step: number, zone: string | undefined): string[] {
  let before: { date: string; year: number; offset: number } | undefined;
  return at.map((ms) => {
    const offset = offsetAt(ms, zone);
    const wall = new Date(ms + offset);
    const year = wall.getUTCFullYear();
    const date = `${two(wall.getUTCDate())} ${months[wall.getUTCMonth()]}`;
    const below: string[] = [];
    if (step >= day && before?.year !== year) below.push(String(year));
    if (step < day && before?.date !== date) below.push(date);
    if (step < day && before && before.offset !== offset) below.push(clockName(ms, zone));
    before = { date, year, offset };
    const time = `${two(wall.getUTCHours())}:${two(wall.getUTCMinutes())}`;
    const seconds = two(wall.getUTCSeconds());
    const fine = step < second ? `.${String(wall.getUTCMilliseconds()).padStart(3, '0')}` : '';
    const text =
      step >= month
        ? (months[wall.getUTCMonth()] ?? '')
        : step >= day
          ? date
          : step >= minute
            ? time
            : `${time}:${seconds}${fine}`;
    return below.length > 0 ? `${text}\n${below.join(' ')}` : text;
  });
}
