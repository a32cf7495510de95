// Where buckets begin: at local wall times, through changes of clocks and days that never were. Pure but for the zones'
// rules, which Intl knows. Called by the queries; the pages ask for days, weeks and months of the plant's own time.
import type { BucketWidth } from '../../history.ts';
import type { Micros } from '../../model.ts';

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
/** Times with samples begin and end here: beyond, no change of clocks is looked for. */
const FIRST = 0;
const LAST = 2 ** 32 * SECOND;
/** Of a bucket in a zone: one much wider would have its changes looked for in centuries without a sample. */
const WIDEST = 10 * 366 * DAY;
/** Days are counted from a Monday, so that seven of them are a week. */
const MONDAY = -3 * DAY;

/** Starts of the buckets that touch [from, to), in order, and where the last one ends. */
export interface Boundaries {
  t: Micros[];
  end: Micros;
}

/** A stretch of time with one offset from UTC: wall time = time + offset. */
interface Stretch {
  start: Micros;
  offset: Micros;
}

const formats = new Map<string, Intl.DateTimeFormat>();
function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    const numeric = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
    const clock = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const;
    try {
      format = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...numeric, ...clock });
    } catch {
      throw new RangeError(`there is no time zone called ${zone}: give an IANA name such as Europe/Berlin`);
    }
    formats.set(zone, format);
  }
  return format;
}

/** Wall time minus UTC at a time, µs; whole seconds. */
function offsetAt(zone: string, time: Micros): Micros {
  const seconds = Math.floor(time / SECOND);
  const fields: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(seconds * 1000)) fields[type] = Number(value);
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = fields;
  return Date.UTC(year, month - 1, day, hour, minute, second) * 1000 - seconds * SECOND;
}

const changes = new Map<string, Stretch[]>();
const SPAN = 25 * DAY;
/** The stretches that begin in a span of days; looked for once. */
function changesIn(zone: string, span: number): Stretch[] {
  const key = `${span} ${zone}`;
  let found = changes.get(key);
  if (!found) {
    found = [];
    let before = offsetAt(zone, span * SPAN - SECOND);
    for (let day = span * SPAN; day < (span + 1) * SPAN; day += DAY) {
      const after = offsetAt(zone, day + DAY - SECOND);
      if (after !== before) {
        let [low, high] = [day - SECOND, day + DAY - SECOND];
        while (high - low > SECOND) {
          const middle = low + Math.floor((high - low) / 2 / SECOND) * SECOND;
          if (offsetAt(zone, middle) === before) low = middle;
          else high = middle;
        }
        found.push({ start: high, offset: after });
      }
      before = after;
    }
    changes.set(key, found);
  }
  return found;
}

function stretches(zone: string | undefined, from: Micros, to: Micros): Stretch[] {
  if (zone === undefined || zone === 'UTC') return [{ start: from, offset: 0 }];
  const begin = Math.min(Math.max(from, FIRST), LAST);
  const end = Math.min(to, LAST);
  const list: Stretch[] = [{ start: from, offset: offsetAt(zone, begin) }];
  for (let span = Math.floor(begin / SPAN); span * SPAN <= end; span++)
    for (const each of changesIn(zone, span)) if (each.start > begin && each.start <= end) list.push(each);
  return list;
}

/** Wall times at which buckets begin: the last at or before a wall time, and the one after that. */
interface Ruler {
  floor(wall: Micros): Micros;
  next(start: Micros): Micros;
}

function rulerOf(width: BucketWidth): Ruler {
  if (width === 'month' || width === 'year') {
    const step = width === 'month' ? 1 : 12;
    const at = (wall: Micros, months: number): Micros => {
      const date = new Date(Math.floor(wall / 1000));
      const month = step === 1 ? date.getUTCMonth() : 0;
      return Date.UTC(date.getUTCFullYear(), month + months, 1) * 1000;
    };
    return { floor: (wall) => at(wall, 0), next: (start) => at(start, step) };
  }
  const size = sizeOf(width);
  if (size > DAY)
    return {
      floor: (wall) => MONDAY + Math.floor((wall - MONDAY) / size) * size,
      next: (start) => start + size,
    };
  const day = (wall: Micros): Micros => Math.floor(wall / DAY) * DAY;
  return {
    floor: (wall) => day(wall) + Math.floor((wall - day(wall)) / size) * size,
    next: (start) => Math.min(start + size, day(start) + DAY),
  };
}

/** About how wide a bucket is, µs. */
function sizeOf(width: BucketWidth): Micros {
  if (typeof width === 'number') return width;
  return { hour: HOUR, day: DAY, week: 7 * DAY, month: 31 * DAY, year: 366 * DAY }[width];
}

/**
 * The buckets of a width in a zone's wall time (UTC by default). Up to a day wide, they are counted from each midnight;
 * wider, in days from a Monday. An hour that comes twice has its buckets twice, if they are no wider than an hour; a
 * wall time that is left out begins when the clock jumps over it. Before 1970 and after 2106, where no sample can be, clocks
 * do not change. Throws RangeError when there would be more than `most`, or one of a zone's were wider than ten years.
 */
export function boundaries(from: Micros, to: Micros, width: BucketWidth, zone?: string, most = 100_000): Boundaries {
  const size = sizeOf(width);
  if (!Number.isSafeInteger(size) || size < 1)
    throw new RangeError(
      'the bucket width must be a whole number of microseconds above 0, or hour, day, week, month, year',
    );
  if (size > WIDEST && zone !== undefined && zone !== 'UTC')
    throw new RangeError(
      'a bucket in a time zone is at most ten years wide: ask for a narrower one, or leave the zone out',
    );
  if ((to - from) / size > most)
    throw new RangeError(`more than ${most} buckets: widen the bucket or ask for a shorter time`);
  if (!(from < to)) return { t: [], end: from };
  const ruler = rulerOf(width);
  const repeats = size <= HOUR;
  // Far enough back to meet a start, whatever the clocks did in between.
  const back = repeats ? 2 * size : size + 2 * DAY;
  const t: Micros[] = [];
  const list = stretches(zone, from - back - DAY, to + size + 2 * DAY);
  let highest = -Infinity;
  let first = -Infinity;
  for (const [i, { start, offset }] of list.entries()) {
    const end = list[i + 1]?.start ?? Infinity;
    if (end <= from - back) continue;
    const before = i === 0 ? offset : (list[i - 1] as Stretch).offset;
    const since = Math.max(start, from - back);
    let wall = ruler.floor(since + offset);
    const jumped = since === start && i > 0 && offset > before && wall >= start + before;
    if (!jumped && wall < since + offset) wall = ruler.next(wall);
    for (; ; wall = ruler.next(wall)) {
      const time = Math.max(since, wall - offset);
      if (time >= end) break;
      if (!repeats && wall <= highest) continue;
      highest = Math.max(highest, wall);
      if (time <= from) first = time;
      else if (time < to) t.push(time);
      else return { t: first === -Infinity ? t : [first, ...t], end: time };
    }
  }
  throw new Error('time has no end');
}

/** Buckets of one width counted from the epoch, whatever the calendar. */
export function fixed(from: Micros, to: Micros, width: Micros): Boundaries {
  const first = Math.floor(from / width) * width;
  const count = Math.max(0, Math.ceil((to - first) / width));
  return { t: Array.from({ length: count }, (_none, i) => first + i * width), end: first + count * width };
}
