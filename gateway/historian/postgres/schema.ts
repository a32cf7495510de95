// The tables in PostgreSQL, as SQL: made up front, in days; as hypertables where TimescaleDB is installed. Pure.
// Run by prepare.ts. The key is (tag, ts), in this order so that one index serves both the upsert and a tag's history.
import { eventColumns } from '../events.ts';

export const sampleTables = ['readings', 'readings_integer', 'readings_text'] as const;
export type SampleTable = (typeof sampleTables)[number];
export type Table = SampleTable | 'events';
export const tables: readonly Table[] = [...sampleTables, 'events'];

const DAY = 86_400_000;
/** Days of partitions made before they are needed. */
const AHEAD = 3;

const valueTypes: Record<SampleTable, string> = {
  readings: 'double precision',
  readings_integer: 'bigint',
  readings_text: 'text',
};

/** Name and type of each column, in PostgreSQL's own words; what `drift` compares. */
export function columnsOf(table: Table): [name: string, type: string][] {
  const time: [string, string] = ['ts', 'timestamp with time zone'];
  if (table === 'events')
    return [
      time,
      ['id', 'text'],
      ...eventColumns.map((name): [string, string] => [name, name === 'detail' ? 'jsonb' : 'text']),
    ];
  return [
    time,
    ['tag', 'text'],
    ['site', 'text'],
    ['asset', 'text'],
    ['metric', 'text'],
    ['value', valueTypes[table]],
    ['status', 'bigint'],
    // Of two values for one (tag, ts) the one with the higher sequence stays, in whatever order they come.
    ['seq', 'bigint'],
  ];
}

export const keyOf = (table: Table): [string, string] => (table === 'events' ? ['id', 'ts'] : ['tag', 'ts']);

/** What the server offers: `compress` is not in TimescaleDB's Apache edition. */
export interface Server {
  timescale: boolean;
  compress: boolean;
}

/** The statements that make a table which is not there yet. */
export function creation(table: Table, { timescale, compress }: Server): string[] {
  const key = keyOf(table);
  const columns = columnsOf(table).map(
    ([name, type]) => `${name} ${type}${key.includes(name) || name === 'seq' ? ' NOT NULL' : ''}`,
  );
  const body = `CREATE TABLE ${table} (${columns.join(', ')}, PRIMARY KEY (${key.join(', ')}))`;
  if (!timescale) return [`${body} PARTITION BY RANGE (ts)`, `CREATE INDEX ON ${table} USING brin (ts)`];
  const by = table === 'events' ? 'kind' : 'tag';
  const order = table === 'events' ? 'ts, id' : 'ts';
  return [
    body,
    `SELECT create_hypertable('${table}', 'ts', chunk_time_interval => INTERVAL '1 day', if_not_exists => TRUE)`,
    ...(compress
      ? [
          `ALTER TABLE ${table} SET (timescaledb.compress, timescaledb.compress_segmentby = '${by}', timescaledb.compress_orderby = '${order}')`,
          `SELECT add_compression_policy('${table}', INTERVAL '7 days', if_not_exists => TRUE)`,
        ]
      : []),
  ];
}

/** The UTC day a time lies in, as days since the epoch. */
export const dayOf = (micros: number): number => Math.floor(micros / (DAY * 1000));

/** The days whose partitions should be there at `now` (ms). */
export function daysAhead(now: number): number[] {
  const today = dayOf(now * 1000);
  return Array.from({ length: AHEAD + 1 }, (_, i) => today + i);
}

const dateOf = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10);

export interface Partition {
  name: string;
  statements: string[];
}

/** A day's partition. */
export const partition = (table: Table, day: number): Partition =>
  partitionOf(table, dateOf(day).replaceAll('-', ''), day, day + 1);

/**
 * Where a day's rows may lie, the first choice first: a year that was over before the last one is one partition, because an
 * import of decades would make thousands, and each is a lock of every statement that looks through all.
 * @param now ms since the epoch
 */
export function partitionsFor(table: Table, day: number, now: number): Partition[] {
  const year = new Date(day * DAY).getUTCFullYear();
  if (year >= new Date(now).getUTCFullYear() - 1) return [partition(table, day)];
  const begin = (of: number): number => dayOf(Date.UTC(of, 0, 1) * 1000);
  return [partitionOf(table, String(year), begin(year), begin(year + 1)), partition(table, day)];
}

/** Made beside the table and then attached: that locks out neither readers nor writers of other days. */
function partitionOf(table: Table, of: string, from: number, to: number): Partition {
  const name = `${table}_p${of}`;
  const bounds = `FROM ('${dateOf(from)} 00:00:00+00') TO ('${dateOf(to)} 00:00:00+00')`;
  return {
    name,
    statements: [
      `CREATE TABLE IF NOT EXISTS ${name} (LIKE ${table} INCLUDING ALL)`,
      `ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES ${bounds}`,
    ],
  };
}

export interface Found {
  /** `p` partitioned, `r` plain (a hypertable is one), else something that is no table. */
  relkind: string;
  columns: ReadonlyMap<string, string>;
  /** Columns of each unique index. */
  keys: readonly string[][];
  /** Columns that must be given a value and that we do not know. */
  required: readonly string[];
}

/** What is wrong with a table that is there, in one sentence; undefined when it can be written. Further columns are welcome. */
export function drift(table: Table, found: Found): string | undefined {
  const wrong: string[] = [];
  if (found.relkind !== 'r' && found.relkind !== 'p') wrong.push('it is no table');
  for (const [name, type] of columnsOf(table)) {
    const is = found.columns.get(name);
    if (is === undefined) wrong.push(`column ${name} (${type}) is missing`);
    // json holds an event as well as jsonb does.
    else if (is !== type && !(type === 'jsonb' && is === 'json') && !(type === 'text' && is === 'character varying'))
      wrong.push(`column ${name} is ${is}, it must be ${type}`);
  }
  const key = keyOf(table);
  const fits = (columns: readonly string[]): boolean =>
    columns.length === key.length && key.every((name) => columns.includes(name));
  if (!found.keys.some(fits)) wrong.push(`it has no unique key on (${key.join(', ')})`);
  for (const name of found.required) wrong.push(`column ${name} must be given a value and the gateway has none`);
  if (wrong.length === 0) return undefined;
  return `table ${table} is not as the gateway needs it: ${wrong.join('; ')}. Alter it, or rename it and let the gateway make a new one`;
}
