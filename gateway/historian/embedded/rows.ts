// A chunk's figures as columns of history.db and back. Used by the store, which writes them, and by queries.
import { part, valueAt } from './series.ts';
import type { Series } from './series.ts';
import type { Summary } from './summary.ts';

/** Names of the columns that hold figures, in the order of `columnsOf`. */
export const figureColumns = 't0, t1, n, good, min, max, sum, area, known, first, last, held';

const Held = { no: 0, exactly: 1, decoded: 2 } as const;

/** The columns; `series` is what the figures were made of, and absent for an hour. NaN becomes NULL. */
export function columnsOf(summary: Summary, series?: Series): number[] {
  const { t0, t1, n, good, min, max, sum, area, known, first, last, held } = summary;
  const exact = series === undefined || saidBy(last, series);
  const holds = Number.isNaN(held) ? Held.no : exact ? Held.exactly : Held.decoded;
  return [t0, t1, n, good, min, max, sum, area, known, first, last, holds];
}

/** Whether `last` alone says the last sample; SQLite keeps whole numbers without the sign of zero. */
function saidBy(last: number, series: Series): boolean {
  const i = series.n - 1;
  return series.status[i] === 0 && typeof valueAt(series, i) === 'number' && !Object.is(last, -0);
}

const figure = (column: unknown): number => (typeof column === 'number' ? column : NaN);

/** The figures of a row that holds all of `figureColumns`. */
export function summaryOf(row: Record<string, unknown>): Summary {
  const last = figure(row.last);
  return {
    n: figure(row.n),
    good: figure(row.good),
    min: figure(row.min),
    max: figure(row.max),
    sum: figure(row.sum),
    area: figure(row.area),
    known: figure(row.known),
    t0: figure(row.t0),
    t1: figure(row.t1),
    first: figure(row.first),
    last,
    held: row.held === Held.no ? NaN : last,
  };
}

/** The same of a row as an array that begins with `figureColumns`. */
export function summaryIn(row: readonly unknown[]): Summary {
  const [t0, t1, n, good, min, max, sum, area, known, first, last, held] = row as (number | null)[];
  return {
    n: n as number,
    good: good as number,
    min: min ?? NaN,
    max: max ?? NaN,
    sum: sum ?? NaN,
    area: area ?? NaN,
    known: known as number,
    t0: t0 as number,
    t1: t1 as number,
    first: first ?? NaN,
    last: last ?? NaN,
    held: held === Held.no ? NaN : (last ?? NaN),
  };
}

/** What the row says of the last sample: its value exactly if it is a number of status 0, else undefined: then decode. */
export function lastOf(row: Record<string, unknown>): number | undefined {
  return row.held === Held.exactly ? figure(row.last) : undefined;
}

/**
 * A run of samples in pieces of at most `most`, cut between seconds only; a second that holds more stays whole, up to
 * `limit` samples, and what is beyond that is left out.
 */
export function pieces(series: Series, most: number, limit: number): { parts: Series[]; left: number } {
  const { t, n } = series;
  const second = (i: number): number => Math.floor((t[i] as number) / 1_000_000);
  const parts: Series[] = [];
  let left = 0;
  for (let from = 0; from < n;) {
    let to = Math.min(n, from + most);
    while (to < n && to > from && second(to) === second(to - 1)) to--;
    if (to === from) for (to = from + 1; to < n && second(to) === second(from); to++);
    const end = Math.min(to, from + limit);
    parts.push(part(series, from, end));
    left += to - end;
    from = to;
  }
  return { parts, left };
}
