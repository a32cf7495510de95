// The statements that make the tables, and what is said of tables that are there and differ.
import { expect, test } from 'vitest';
import { createStatement, drift, shapes, tables } from './schema.ts';
import type { FoundTable, Table } from './schema.ts';

const right = (table: Table): FoundTable => ({
  id: 1,
  view: false,
  columns: new Map(shapes[table].columns),
  keys: new Set(shapes[table].keys),
  time: 'ts',
  wal: true,
  dedup: true,
});
const changed = (table: Table, name: string, type?: string): FoundTable => {
  const columns = new Map<string, string>(shapes[table].columns);
  if (type === undefined) columns.delete(name);
  else columns.set(name, type);
  return { ...right(table), columns };
};

test('a statement makes what the check asks for', () => {
  expect(createStatement('readings')).toBe(
    'CREATE TABLE IF NOT EXISTS readings (ts TIMESTAMP, tag SYMBOL, site SYMBOL, asset SYMBOL, metric SYMBOL, value DOUBLE, status LONG) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, tag)',
  );
  for (const table of tables) expect(drift(table, right(table))).toBe('');
});

test.each<[string, Table, FoundTable, RegExp]>([
  ['a column missing', 'readings', changed('readings', 'status'), /no column status: run ALTER TABLE readings ADD/],
  [
    'another type',
    'readings_integer',
    changed('readings_integer', 'value', 'INT'),
    /column value of type INT, not LONG/,
  ],
  ['no keys', 'events', { ...right('events'), dedup: false }, /DEDUP ENABLE UPSERT KEYS\(ts, id\)/],
  ['other keys', 'readings', { ...right('readings'), keys: new Set(['ts']) }, /DEDUP ENABLE UPSERT KEYS\(ts, tag\)/],
  ['another time', 'readings', { ...right('readings'), time: 'at' }, /is kept by at and not by ts: rename that table/],
  [
    'a view',
    'readings',
    { ...right('readings'), view: true },
    /^readings is a view there, which takes no rows: make that/,
  ],
  ['no log', 'readings', { ...right('readings'), wal: false }, /no write-ahead log/],
])('%s is one sentence with what to do', (_name, table, found, sentence) => {
  expect(drift(table, found)).toMatch(sentence);
  expect(drift(table, found)).not.toContain('\n');
});

test('further columns are nobody’s harm', () => {
  expect(drift('readings', changed('readings', 'note', 'VARCHAR'))).toBe('');
});
