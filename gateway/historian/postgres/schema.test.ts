// The statements that make the tables, and what is said of tables that are there and differ. Tables of cases.
import { expect, test } from 'vitest';
import { makeDays } from './prepare.ts';
import { columnsOf, creation, dayOf, daysAhead, drift, keyOf, partition, tables } from './schema.ts';
import { Refused } from './session.ts';
import type { Found, Table } from './schema.ts';

const plain = { timescale: false, compress: false };

test.each<[Table, object, RegExp[], RegExp[]]>([
  [
    'readings',
    plain,
    [/PARTITION BY RANGE \(ts\)/, /PRIMARY KEY \(tag, ts\)/, /value double precision/],
    [/hypertable/],
  ],
  ['readings_integer', plain, [/value bigint/], [/hypertable/]],
  ['events', plain, [/PRIMARY KEY \(id, ts\)/, /detail jsonb/, /PARTITION BY/], [/hypertable/]],
  [
    'readings_text',
    { timescale: true, compress: false },
    [/value text/, /create_hypertable\('readings_text', 'ts', chunk_time_interval => INTERVAL '1 day'/],
    [/PARTITION BY/, /compress/],
  ],
  [
    'readings',
    { timescale: true, compress: true },
    [/create_hypertable/, /compress_segmentby = 'tag'/, /add_compression_policy\('readings', INTERVAL '7 days'/],
    [/PARTITION BY/],
  ],
  ['events', { timescale: true, compress: true }, [/compress_segmentby = 'kind'/, /compress_orderby = 'ts, id'/], []],
])('%s is made with %o', (table, server, has, hasNot) => {
  const text = creation(table, server as typeof plain).join(';\n');
  for (const each of has) expect(text).toMatch(each);
  for (const each of hasNot) expect(text).not.toMatch(each);
});

test.each([
  [0, 0],
  [-1, -1],
  [Date.UTC(2026, 11, 31, 23, 59, 59, 999) * 1000 + 999, 20818],
  [Date.UTC(2027, 0, 1) * 1000, 20819],
])('%d µs lie in day %d', (micros, day) => expect(dayOf(micros)).toBe(day));

test('a partition is a day in UTC, today and some days ahead are made before they are needed', () => {
  const { name, statements } = partition('events', dayOf(Date.UTC(2028, 1, 29, 13) * 1000));
  expect(name).toBe('events_p20280229');
  expect(statements.at(-1)).toContain("FROM ('2028-02-29 00:00:00+00') TO ('2028-03-01 00:00:00+00')");
  const today = dayOf(Date.UTC(2026, 0, 1) * 1000);
  expect(daysAhead(Date.UTC(2026, 0, 1, 23, 59))).toEqual([today, today + 1, today + 2, today + 3]);
});

const found = (table: Table, change: (given: { columns: Map<string, string> }) => Partial<Found> | void): Found => {
  const given = { columns: new Map(columnsOf(table)) };
  const changed = change(given);
  return { relkind: 'p', keys: [[...keyOf(table)].reverse()], required: [], ...given, ...changed };
};
test.each<[string, Table, (given: { columns: Map<string, string> }) => Partial<Found> | void, RegExp | undefined]>([
  ['as made', 'readings', () => {}, undefined],
  ['plain, a further column', 'events', (t) => (t.columns.set('note', 'text'), { relkind: 'r' }), undefined],
  ['json for jsonb', 'events', (t) => void t.columns.set('detail', 'json'), undefined],
  ['varchar for text', 'readings', (t) => void t.columns.set('tag', 'character varying'), undefined],
  ['without a column', 'readings', (t) => void t.columns.delete('seq'), /column seq \(bigint\) is missing/],
  [
    'another type',
    'readings',
    (t) => void t.columns.set('value', 'text'),
    /value is text, it must be double precision/,
  ],
  ['a narrower type', 'readings_integer', (t) => void t.columns.set('value', 'integer'), /value is integer/],
  ['no key', 'readings', () => ({ keys: [] }), /no unique key on \(tag, ts\)/],
  ['a wider key', 'readings', () => ({ keys: [['tag', 'ts', 'seq']] }), /no unique key/],
  ['a view', 'readings', () => ({ relkind: 'v' }), /it is no table/],
  ['a column that must be given', 'readings', () => ({ required: ['plant'] }), /plant must be given a value/],
])('a table that is there: %s', (_name, table, change, fault) => {
  const said = drift(table, found(table, change));
  if (fault) expect(said).toMatch(fault);
  else expect(said).toBeUndefined();
});

test('every fault of a table is said at once', () => {
  const fault = drift('readings', { relkind: 'r', columns: new Map(), keys: [], required: [] });
  for (const [name] of columnsOf('readings')) expect(fault).toContain(`column ${name} `);
  expect(tables).toHaveLength(4);
});

test.each([
  ['53200', /^out of luck$/],
  ['42804', /^out of luck \(events_p20280229\): rename that table, or make it fit$/],
])('a partition that is refused with %s says whose turn it is', async (code, words) => {
  const asked: string[] = [];
  const session = {
    sound: true,
    close: () => {},
    async query(text: string) {
      asked.push(text);
      if (text.includes('ATTACH')) throw new Refused('out of luck', code, '');
      return [];
    },
  };
  const now = Date.UTC(2028, 1, 29);
  await expect(makeDays(session, [{ table: 'events', days: [dayOf(now * 1000)] }], now)).rejects.toThrow(words);
  expect(asked.at(-1)).toBe('ROLLBACK');
});
