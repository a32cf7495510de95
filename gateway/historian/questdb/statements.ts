// The questions of deep history as QuestDB's SQL. Pure; used by reader.ts, which asks them over the PostgreSQL wire.
// Times go and come as µs in LONGs, so that no driver turns them into a local zone. QuestDB calls doubles equal that are
// 1e-10 apart, so none is compared here: the sign of a difference is exact.
import type { Micros } from '../../model.ts';
import type { Summary } from '../embedded/summary.ts';
import type { RemoteTag } from '../remote.ts';
import type { Table } from './schema.ts';

export type SampleTable = Exclude<Table, 'events'>;
/** Below it a StatusCode is good; what it goes into is the severity. */
const GOOD = 2 ** 30;

export const tableOf = ({ type }: RemoteTag): SampleTable =>
  type === 'integer' ? 'readings_integer' : type === 'text' ? 'readings_text' : 'readings';
/** A range of times as it stands in a statement, the first two parameters. */
export const RANGE = 'ts >= cast($1 AS timestamp) AND ts < cast($2 AS timestamp)';
export const AT = 'cast(ts AS long)';
/** `$3, $4, …` */
export const named = (count: number, first: number): string =>
  Array.from({ length: count }, (_, i) => `$${first + i}`).join(', ');

/** What counts in figures; texts never do. */
const figure = (table: SampleTable): string =>
  table === 'readings_text'
    ? 'cast(null AS double)'
    : `CASE WHEN status < ${GOOD} AND value IS NOT NULL THEN cast(value AS double) ELSE cast(null AS double) END`;

/** Buckets of one width that follow each other: the first, how many before it, and the width. */
export interface Run {
  start: Micros;
  first: number;
  width: Micros;
}
/** Most widths of buckets told apart in one statement. */
export const RUNS = 60;

/** Buckets as runs of one width each; the last one ends where it likes. */
export function runsOf(t: readonly Micros[]): Run[] {
  const runs: Run[] = [];
  for (let i = 0; i < t.length; i++) {
    const start = t[i] as Micros;
    const next = t[i + 1];
    const last = runs.at(-1);
    if (last && (next === undefined || next - start === last.width)) continue;
    runs.push({ start, first: i, width: next === undefined ? Number.MAX_SAFE_INTEGER : next - start });
  }
  return runs;
}

/** The number of a time's bucket. */
function place(runs: readonly Run[]): string {
  const within = ({ start, first, width }: Run): string =>
    width === Number.MAX_SAFE_INTEGER ? String(first) : `(${AT} - ${start}) / ${width} + ${first}`;
  const last = runs.at(-1);
  if (!last) return '0';
  const cases = runs.slice(0, -1).map((run, i) => `WHEN ${AT} < ${(runs[i + 1] as Run).start} THEN ${within(run)}`);
  return cases.length === 0 ? within(last) : `CASE ${cases.join(' ')} ELSE ${within(last)} END`;
}

/** Parameters: from, to, ids of tags. */
export function figuresOf(table: SampleTable, tags: number, runs: readonly Run[], held: boolean): string {
  const rows = `SELECT tag, ts, ${AT} AS t, ${figure(table)} AS v, ${place(runs)} AS k
    FROM ${table} WHERE ${RANGE} AND tag IN (${named(tags, 3)})`;
  const lasting = `SELECT tag, k, t, v, lead(t) OVER (PARTITION BY tag, k ORDER BY ts) - t AS dt FROM (${rows})`;
  const times = held ? ', sum(v * dt) AS area, sum(CASE WHEN v IS NULL THEN 0 ELSE dt END) AS known' : '';
  return `SELECT tag, k, count() AS n, count(v) AS good, min(v) AS min, max(v) AS max, sum(v) AS sum${times},
      min(t) AS t0, max(t) AS t1, first_not_null(v) AS first, last_not_null(v) AS last, last(v) AS held
    FROM (${held ? lasting : rows}) GROUP BY tag, k ORDER BY tag, k`;
}

/** A row of `figuresOf`. */
export function summaryOf(row: Record<string, unknown>): Summary {
  const or = (value: unknown, otherwise: number): number =>
    value === null || value === undefined ? otherwise : Number(value);
  return {
    ...{ n: Number(row.n), good: Number(row.good), min: or(row.min, NaN), max: or(row.max, NaN), sum: or(row.sum, 0) },
    ...{ area: or(row.area, 0) / 1e6, known: or(row.known, 0), t0: Number(row.t0), t1: Number(row.t1) },
    ...{ first: or(row.first, NaN), last: or(row.last, NaN), held: or(row.held, NaN) },
  };
}

/** Parameters: from, to, the limit, ids of tags. */
export function sidesOf(table: SampleTable, tags: number): string {
  const side = (sign: number): string =>
    `sum(CASE WHEN v IS NOT NULL AND sign(v - cast($3 AS double)) = ${sign} THEN dt ELSE 0 END)`;
  return `SELECT tag, ${side(1)} AS above, ${side(-1)} AS below, sum(CASE WHEN v IS NULL THEN 0 ELSE dt END) AS known,
      min(t) AS t0, max(t) AS t1, last(v) AS held
    FROM (SELECT tag, t, v, lead(t) OVER (PARTITION BY tag ORDER BY ts) - t AS dt
      FROM (SELECT tag, ts, ${AT} AS t, ${figure(table)} AS v
        FROM ${table} WHERE ${RANGE} AND tag IN (${named(tags, 4)})))
    GROUP BY tag`;
}

/** Parameters: from, to, id of the tag. */
export function changesOf(table: SampleTable, limit: number): string {
  const one = `SELECT ts, ${AT} AS t, value, status FROM ${table} WHERE ${RANGE} AND tag = $3`;
  const severity = `status / ${GOOD} <> before / ${GOOD}`;
  // There is no window function over texts.
  if (table === 'readings_text')
    return `SELECT t, value, status FROM (
        SELECT a.t AS t, a.value AS value, a.status AS status, b.value AS was, b.status AS before
        FROM (${one}) a LT JOIN (${one}) b)
      WHERE before IS NULL OR ${severity} OR value <> was OR (value IS NULL) <> (was IS NULL) LIMIT ${limit}`;
  const differs = table === 'readings' ? 'sign(value - was) <> 0' : 'value <> was';
  return `SELECT t, value, status FROM (
      SELECT t, value, status, lag(value) OVER (ORDER BY ts) AS was, lag(status) OVER (ORDER BY ts) AS before
      FROM (${one}))
    WHERE before IS NULL OR ${severity} OR ${differs} OR (value IS NULL) <> (was IS NULL) LIMIT ${limit}`;
}
