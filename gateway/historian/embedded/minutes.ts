// A chunk's figures minute by minute, in few bytes: the store keeps them beside the chunk, the queries read them where
// a bucket is made of whole minutes. A value held from before counts in the minute's area, as far as its chunk reaches.
import type { Micros } from '../../model.ts';
import { Packer, Unpacker } from './bytes.ts';
import { packIntegers, unpackIntegers } from './integers.ts';
import { packNumbers, unpackNumbers } from './numbers.ts';
import { figureAt } from './series.ts';
import type { Series } from './series.ts';

export const MINUTE = 60_000_000;
const SECOND = 1_000_000;
/** With fewer samples a minute than this, decoding them is as quick. */
const FEWEST = 8;
/** Minutes that a chunk's samples can fill so densely; damaged bytes could say anything. */
const MOST = 8192;

/** One entry for each minute from that of the chunk's first sample to that of its last; as in `Summary`, but 0 for none. */
export interface Minutes {
  count: number;
  n: Float64Array;
  good: Float64Array;
  /** µs. */
  known: Float64Array;
  first: Float64Array;
  last: Float64Array;
  min: Float64Array;
  max: Float64Array;
  sum: Float64Array;
  /** Value × seconds. */
  area: Float64Array;
}

function empty(count: number): Minutes {
  const column = (): Float64Array => new Float64Array(count);
  return {
    count,
    ...{ n: column(), good: column(), known: column(), first: column(), last: column() },
    ...{ min: column(), max: column(), sum: column(), area: column() },
  };
}

const minuteOf = (t: Micros): number => Math.floor(t / MINUTE);

/** The figures of each minute. */
export function minutesOf(series: Series): Minutes {
  const { n, t } = series;
  const start = minuteOf(t[0] as number);
  const all = empty(n === 0 ? 0 : minuteOf(t[n - 1] as number) - start + 1);
  const add = (column: Float64Array, minute: number, value: number): void => {
    column[minute] = (column[minute] as number) + value;
  };
  let held = NaN;
  let since = 0;
  for (let i = 0; i < n; i++) {
    const now = t[i] as number;
    const minute = minuteOf(now) - start;
    while (held === held && since < now) {
      const of = minuteOf(since) - start;
      const until = Math.min(now, (start + of + 1) * MINUTE);
      add(all.known, of, until - since);
      add(all.area, of, (held * (until - since)) / SECOND);
      since = until;
    }
    held = figureAt(series, i);
    since = now;
    add(all.n, minute, 1);
    if (held !== held) continue;
    const fresh = all.good[minute] === 0;
    add(all.good, minute, 1);
    if (fresh) all.first[minute] = held;
    if (fresh || held < (all.min[minute] as number)) all.min[minute] = held;
    if (fresh || held > (all.max[minute] as number)) all.max[minute] = held;
    all.last[minute] = held;
    add(all.sum, minute, held);
  }
  return all;
}

/** A sum of decimals without the dust that adding doubles leaves; any other as it is. `size`: of what was added, in all. */
function swept(sum: number, size: number): number {
  for (let power = 1; power <= 1e6; power *= 10) {
    const decimal = Math.round(sum * power) / power;
    if (Math.abs(decimal - sum) <= size * 1e-14) return decimal;
  }
  return sum;
}

/** The figures of each minute as bytes; undefined where the samples themselves are as quick to read. */
export function packMinutes(series: Series): Uint8Array | undefined {
  const { n, t } = series;
  if (n === 0 || n < FEWEST * (minuteOf(t[n - 1] as number) - minuteOf(t[0] as number) + 1)) return undefined;
  const all = minutesOf(series);
  const { count } = all;
  const packer = new Packer(32 * count);
  packer.uint(count);
  packIntegers(packer, all.n, count);
  packIntegers(
    packer,
    all.n.map((each, i) => each - (all.good[i] as number)),
    count,
  );
  packIntegers(packer, all.known, count);
  const { first, last, min, max, good, sum, area } = all;
  const ends = new Float64Array(4 * count);
  for (const [i, column] of [first, last, min, max].entries()) ends.set(column, i * count);
  packNumbers(packer, ends, 4 * count);
  const size = (i: number): number => Math.max(Math.abs(min[i] as number), Math.abs(max[i] as number));
  const sums = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    sums[i] = swept(sum[i] as number, size(i) * (good[i] as number));
    sums[count + i] = swept(area[i] as number, size(i) * 60);
  }
  packNumbers(packer, sums.subarray(0, count), count);
  packNumbers(packer, sums.subarray(count), count);
  return packer.bytes.slice(0, packer.length);
}

const scratch = { ...empty(64), ends: new Float64Array(256), size: 64 };

/** What `packMinutes` gave, valid until the next call; throws `Damaged` for anything else. */
export function unpackMinutes(bytes: Uint8Array): Minutes {
  const from = new Unpacker(bytes);
  const count = from.uint(MOST);
  if (count > scratch.size) Object.assign(scratch, empty(count), { ends: new Float64Array(4 * count), size: count });
  const { n, good, known, ends, first, last, min, max, sum, area } = scratch;
  for (const column of [n, good, known]) unpackIntegers(from, count, column);
  for (let i = 0; i < count; i++) good[i] = (n[i] as number) - (good[i] as number);
  unpackNumbers(from, 4 * count, ends);
  for (let i = 0; i < count; i++) {
    first[i] = ends[i] as number;
    last[i] = ends[count + i] as number;
    min[i] = ends[2 * count + i] as number;
    max[i] = ends[3 * count + i] as number;
  }
  unpackNumbers(from, count, sum);
  unpackNumbers(from, count, area);
  from.end();
  scratch.count = count;
  return scratch;
}
