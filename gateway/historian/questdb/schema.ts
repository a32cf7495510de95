// The tables in QuestDB: what they are called, what is in them, how they are made, and what is wrong with ones found.
// Pure; used by the encoder (lines.ts), by watch.ts before rows are sent, and by the reader.
import { eventColumns } from '../events.ts';

/** `readings` holds doubles, and booleans as 0 and 1. Integers beyond 64 bits stand in `readings_text`, their status in both. */
export type Table = 'readings' | 'readings_integer' | 'readings_text' | 'events';

type ColumnType = 'TIMESTAMP' | 'SYMBOL' | 'DOUBLE' | 'LONG' | 'VARCHAR';
export interface Shape {
  /** The designated timestamp first. */
  columns: readonly (readonly [name: string, type: ColumnType])[];
  keys: readonly string[];
}
/** A table as the server has it. */
export interface FoundTable {
  /** Never used again for another. */
  id: number;
  /** Not a table at all, although it is listed among them. */
  view: boolean;
  columns: ReadonlyMap<string, string>;
  keys: ReadonlySet<string>;
  /** Its designated timestamp; empty without one. */
  time: string;
  wal: boolean;
  dedup: boolean;
}

const readings = (value: ColumnType): Shape => ({
  columns: [
    ['ts', 'TIMESTAMP'],
    ['tag', 'SYMBOL'],
    ['site', 'SYMBOL'],
    ['asset', 'SYMBOL'],
    ['metric', 'SYMBOL'],
    ['value', value],
    ['status', 'LONG'],
  ],
  keys: ['ts', 'tag'],
});
const words: readonly string[] = ['message', 'detail'];

export const shapes: Readonly<Record<Table, Shape>> = {
  readings: readings('DOUBLE'),
  readings_integer: readings('LONG'),
  readings_text: readings('VARCHAR'),
  events: {
    columns: [
      ['ts', 'TIMESTAMP'],
      ['id', 'VARCHAR'],
      ...eventColumns.map((name) => [name, words.includes(name) ? 'VARCHAR' : 'SYMBOL'] as const),
    ],
    keys: ['ts', 'id'],
  },
};
export const tables = Object.keys(shapes) as Table[];

/** No TTL: it would delete what is meant to be the deep history. */
export function createStatement(table: Table): string {
  const { columns, keys } = shapes[table];
  const list = columns.map(([name, type]) => `${name} ${type}`).join(', ');
  return `CREATE TABLE IF NOT EXISTS ${table} (${list}) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(${keys.join(', ')})`;
}

/** One sentence on the first thing wrong with a table and what to do; empty when rows can be sent. Further columns are nobody's harm. */
export function drift(table: Table, found: FoundTable): string {
  const { columns, keys } = shapes[table];
  if (found.view)
    return `${table} is a view there, which takes no rows: make that under another name and drop it, and a right table is made`;
  for (const [name, type] of columns) {
    const is = found.columns.get(name);
    if (is === undefined)
      return `the table ${table} has no column ${name}: run ALTER TABLE ${table} ADD COLUMN ${name} ${type}`;
    if (is !== type)
      return `the table ${table} has a column ${name} of type ${is}, not ${type}: rename that table, and a right one is made`;
  }
  if (found.time !== 'ts')
    return `the table ${table} is kept by ${found.time || 'no time'} and not by ts: rename that table, and a right one is made`;
  const same = keys.length === found.keys.size && keys.every((key) => found.keys.has(key));
  if (!found.wal) return `the table ${table} has no write-ahead log: rename that table, and a right one is made`;
  if (!found.dedup || !same)
    return `the table ${table} would keep repeated rows twice: run ALTER TABLE ${table} DEDUP ENABLE UPSERT KEYS(${keys.join(', ')})`;
  return '';
}
