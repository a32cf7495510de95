// The questions of deep history as PostgreSQL's SQL. Pure; used by reader.ts. Times come as µs in bigints.
import type { Summary } from '../embedded/summary.ts';
import type { RemoteTag } from '../remote.ts';
import type { SampleTable } from './schema.ts';

export const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint`;
/** Of a time written by `isoMicros`: as a constant it tells the planner which partitions to leave out, and unlocked. */
export const time = (parameter: string): string => `${parameter}::timestamptz`;
export const isoMicros = (t: number): string =>
  `${new Date(Math.floor(t / 1000)).toISOString().slice(0, -1)}${String(((t % 1000) + 1000) % 1000).padStart(3, '0')}Z`;

/** Where a tag's values may lie: a whole number beyond 64 bits is in the table of texts. */
export function tablesOf({ type }: RemoteTag): SampleTable[] {
  return type === 'integer'
    ? ['readings_integer', 'readings_text']
    : type === 'text'
      ? ['readings_text']
      : ['readings'];
}

/** Samples of the tag $1 from $2 to before $3: ts, t, value as text, status. */
export function samplesOf(tag: RemoteTag): string {
  const of = (table: SampleTable): string =>
    `SELECT ts, ${micros('ts')} AS t, value::text AS value, status, seq FROM ${table}
     WHERE tag = $1 AND ts >= ${time('$2')} AND ts < ${time('$3')}`;
  const [one, other] = tablesOf(tag);
  // Of a time that is in two tables (a whole number corrected from beyond 64 bits) the later one counts.
  return one && other
    ? `SELECT DISTINCT ON (ts) * FROM (${of(one)} UNION ALL ${of(other)}) AS two ORDER BY ts, seq DESC`
    : of(one ?? 'readings');
}

/** Those of them whose value or severity is not that of the one before; at most $4. */
export function changesOf(tag: RemoteTag): string {
  return `SELECT t, value, status FROM (
      SELECT ts, t, value, status, lag(value) OVER by_time AS was, lag(status) OVER by_time AS before
      FROM (${samplesOf(tag)}) AS found WINDOW by_time AS (ORDER BY ts)) AS compared
    WHERE before IS NULL OR status >> 30 <> before >> 30 OR value IS DISTINCT FROM was ORDER BY ts LIMIT $4`;
}

/** Rows of the tags $1 from $2 to before $3, with what counts in figures as v; texts never do. */
const figures = (table: SampleTable, more = ''): string => {
  const v =
    table === 'readings_text'
      ? 'NULL::double precision'
      : `CASE WHEN status >> 30 = 0 AND value > '-Infinity' AND value < 'Infinity' THEN value END`;
  const value = table === 'readings_integer' ? 'value::double precision AS value' : 'value';
  return `SELECT tag, t, ${v} AS v${more} FROM (SELECT tag, ${micros('ts')} AS t, ${value}, status FROM ${table}
    WHERE tag = ANY($1::text[]) AND ts >= ${time('$2')} AND ts < ${time('$3')}) AS found`;
};

/** $4: starts of the buckets, as a bigint[]. The first is bucket 1. */
export function figuresOf(table: SampleTable, held: boolean): string {
  const rows = figures(table, ', width_bucket(t, $4::bigint[]) AS k');
  const lasting = `SELECT *, lead(t) OVER (PARTITION BY tag, k ORDER BY t) - t AS dt FROM (${rows}) AS placed`;
  const times = held ? ', sum(v * dt) AS area, sum(dt) FILTER (WHERE v IS NOT NULL) AS known' : '';
  const good = 'FILTER (WHERE v IS NOT NULL)';
  return `SELECT tag, k, count(*) AS n, count(v) AS good, min(v) AS min, max(v) AS max, sum(v) AS sum${times},
      min(t) AS t0, max(t) AS t1, min(ARRAY[t, v]) ${good} AS first, max(ARRAY[t, v]) ${good} AS last
    FROM (${held ? lasting : rows}) AS lasting GROUP BY tag, k ORDER BY tag, k`;
}

/** A row of `figuresOf`. */
export function summaryOf(row: Record<string, unknown>): Summary {
  const or = (value: unknown, otherwise: number): number =>
    value === null || value === undefined ? otherwise : Number(value);
  const [, first = NaN] = (row.first ?? []) as number[];
  const [at, last = NaN] = (row.last ?? []) as number[];
  const t1 = Number(row.t1);
  return {
    ...{ n: Number(row.n), good: Number(row.good), min: or(row.min, NaN), max: or(row.max, NaN), sum: or(row.sum, 0) },
    ...{ area: or(row.area, 0) / 1e6, known: or(row.known, 0), t0: Number(row.t0), t1 },
    ...{ first, last, held: at === t1 ? last : NaN },
  };
}

/** $4: the limit. */
export function sidesOf(table: SampleTable): string {
  const good = 'FILTER (WHERE v IS NOT NULL)';
  return `SELECT tag, sum(dt) FILTER (WHERE v > $4::double precision) AS above,
      sum(dt) FILTER (WHERE v < $4::double precision) AS below, sum(dt) ${good} AS known,
      min(t) AS t0, max(t) AS t1, max(ARRAY[t, v]) ${good} AS last
    FROM (SELECT *, lead(t) OVER (PARTITION BY tag ORDER BY t) - t AS dt FROM (${figures(table)}) AS placed) AS lasting
    GROUP BY tag`;
}
