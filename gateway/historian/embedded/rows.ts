// A chunk's figures as columns of history.db and back. Used by the store, which writes them, and by queries.
import { SECOND, windowOf } from './chunks.ts';
import { indexOf, part, valueAt } from './series.ts';
import type { Series } from './series.ts';
import type { Summary } from './summary.ts';

/** Names of the columns that hold figures, in the order of `columnsOf`. */
export const figureColumns = 't0, t1, n, good, min, max, sum, area, known, first, last, held';

const columns = figureColumns.split(', ');

/** What `held` says beside its two bits: SQLite keeps whole numbers without the sign of zero. */
const Held = { no: 0, exactly: 1, decoded: 2, firstIsMinusZero: 4, lastIsMinusZero: 8 } as const;
const HELD = 3;

/** The columns; `series` is what the figures were made of, and absent for an hour. NaN becomes NULL. */
export function columnsOf(summary: Summary, series?: Series): number[] {
  const { t0, t1, n, good, min, max, sum, area, known, first, last, held } = summary;
  const exact = series === undefined || saidBy(last, series);
  let holds: number = Number.isNaN(held) ? Held.no : exact ? Held.exactly : Held.decoded;
  if (Object.is(first, -0)) holds += Held.firstIsMinusZero;
  if (Object.is(last, -0)) holds += Held.lastIsMinusZero;
  return [t0, t1, n, good, min, max, sum, area, known, first, last, holds];
}

/** Whether `last` alone says the last sample. */
function saidBy(last: number, series: Series): boolean {
  const i = series.n - 1;
  return series.status[i] === 0 && typeof valueAt(series, i) === 'number' && !Object.is(last, -0);
}

/** Whether a row's `held` is that of its samples; the first version of the file said nothing of −0. */
export const sameHeld = (stored: unknown, held: number): boolean => stored === held || stored === (held & HELD);

/** The figures of a row as an array that begins with `figureColumns`. */
export function summaryIn(row: readonly unknown[]): Summary {
  const [t0, t1, n, good, min, max, sum, area, known, first, last, held] = row as (number | null)[];
  const holds = held as number;
  const end = holds & Held.lastIsMinusZero ? -0 : (last ?? NaN);
  return {
    n: n as number,
    good: good as number,
    min: min ?? NaN,
    max: max ?? NaN,
    sum: sum as number,
    area: area as number,
    known: known as number,
    t0: t0 as number,
    t1: t1 as number,
    first: holds & Held.firstIsMinusZero ? -0 : (first ?? NaN),
    last: end,
    held: (holds & HELD) === Held.no ? NaN : end,
  };
}

/** The same of a row with the columns' names. */
export const summaryOf = (row: Record<string, unknown>): Summary => summaryIn(columns.map((name) => row[name]));

/** What `held` and `last` say of the last sample: its value exactly if it is a number of status 0, else undefined: then decode. */
export function lastOf(held: unknown, last: unknown): number | undefined {
  return held !== null && ((held as number) & HELD) === Held.exactly ? (last as number) : undefined;
}

/**
 * A run of samples in pieces of at most `most`: cut between windows, or else seconds. A second that holds more stays whole.
 */
export function pieces(series: Series, most: number): Series[] {
  const { t, n } = series;
  const second = (i: number): number => Math.floor((t[i] as number) / SECOND);
  const parts: Series[] = [];
  for (let from = 0; from < n;) {
    let to = Math.min(n, from + most);
    if (to < n) {
      const window = indexOf(series, windowOf(t[to] as number));
      if (window > from) to = window;
      while (to > from && second(to) === second(to - 1)) to--;
      if (to === from) for (to = from + 1; to < n && second(to) === second(from); to++);
    }
    parts.push(part(series, from, to));
    from = to;
  }
  return parts;
}
