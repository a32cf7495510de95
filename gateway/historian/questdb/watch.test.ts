// What is looked at on a server before it is written to, and what is said of each thing that is not right.
import { expect, test } from 'vitest';
import type { Rows } from './http.ts';
import { createStatement, shapes, tables } from './schema.ts';
import { setBack, swallowed } from './seen.ts';
import { watch } from './watch.ts';
import type { Seen } from './watch.ts';

const rows = (...records: Record<string, unknown>[]): Rows => ({
  columns: Object.keys(records[0] ?? {}).map((name) => ({ name, type: '' })),
  dataset: records.map((record) => Object.values(record)),
});
/** A server as its answers show it. */
function serverWith(of: {
  mode?: string;
  made?: boolean;
  wal?: Record<string, unknown>[];
  start?: string | Error;
  old?: boolean;
  version?: string;
}): {
  query(statement: string): Promise<Rows>;
  asked: string[];
} {
  const { mode = 'sync', wal = [], start = '2026-01-01T00:00:00Z' } = of;
  let { made = true } = of;
  const asked: string[] = [];
  return {
    asked,
    query(statement) {
      asked.push(statement);
      if (of.old && /commit.mode|wal_tables/.test(statement))
        return Promise.reject(new Error('QuestDB at x answered 400: unknown'));
      if (statement.includes('build()'))
        return Promise.resolve(rows({ build: `Build Information: QuestDB ${of.version ?? '9.3.4'}, JDK 17.0.1` }));
      if (statement.startsWith('CREATE')) made = true;
      if (statement.startsWith('CREATE')) return Promise.resolve(rows());
      if (statement.includes('postmaster'))
        return start instanceof Error ? Promise.reject(start) : Promise.resolve(rows({ start }));
      if (statement.includes('commit.mode')) return Promise.resolve(rows({ value: mode }));
      if (statement.includes('wal_tables')) return Promise.resolve(rows(...wal));
      if (statement.includes('FROM tables()'))
        return Promise.resolve(
          rows(
            ...(made ? tables : []).map((table_name) => ({
              id: tables.indexOf(table_name) + 7,
              table_name,
              designatedTimestamp: 'ts',
              walEnabled: true,
              dedup: true,
            })),
          ),
        );
      const table = tables.find((name) => statement.endsWith(` ${name}`));
      const { columns, keys } = shapes[table ?? 'readings'];
      return Promise.resolve(
        rows(...columns.map(([column, type]) => ({ column, type, upsertKey: keys.includes(column) }))),
      );
    },
  };
}
const signal = new AbortController().signal;
const behind = (by: number): Record<string, unknown> => ({
  ...{ name: 'readings', suspended: false, writerTxn: 100, sequencerTxn: 100 + by },
  ...{ errorTag: '', errorMessage: '' },
});

test.each<[string, Parameters<typeof serverWith>[0], RegExp, number]>([
  ['all well', {}, /^$/, 0],
  ['no durable commits', { mode: 'nosync' }, /commit.mode is nosync.*power cut; set it to sync$/, 0],
  ['a little behind', { wal: [behind(5)] }, /^$/, 0.1],
  ['far behind', { wal: [behind(40)] }, /40 transactions behind/, 0.8],
  [
    'suspended',
    { wal: [{ ...behind(3), suspended: true, errorTag: 'DISK FULL', errorMessage: 'no space' }] },
    /^the table readings \(DISK FULL: no space\) is suspended in QuestDB: .*run ALTER TABLE readings RESUME WAL$/,
    1,
  ],
  [
    'two suspended',
    {
      wal: [
        { ...behind(3), suspended: true },
        { ...behind(0), name: 'events', suspended: true },
      ],
    },
    /^the tables readings and events are suspended in QuestDB: .*run ALTER TABLE readings RESUME WAL and ALTER TABLE events RESUME WAL$/,
    1,
  ],
  ['others behind', { wal: [{ ...behind(1e6), name: 'trades' }] }, /^$/, 0],
])('%s', async (_name, of, trouble, pressure) => {
  const care = watch(serverWith(of));
  await care.prepare(signal);
  expect(care.trouble()).toMatch(trouble);
  expect(care.pressure()).toBeCloseTo(pressure);
});

test('makes every table that is missing, and none that is there', async () => {
  const empty = serverWith({ made: false });
  await watch(empty).prepare(signal);
  expect(empty.asked.filter((statement) => statement.startsWith('CREATE'))).toEqual(tables.map(createStatement));
  const full = serverWith({});
  await watch(full).prepare(signal);
  expect(full.asked.filter((statement) => statement.startsWith('CREATE'))).toEqual([]);
});

test('a version that does not say how it does is used all the same; an unreachable one is not', async () => {
  const old = watch(serverWith({ start: new Error('QuestDB at x answered 400: unknown function'), old: true }));
  await old.prepare(signal);
  expect(old.seen()).toMatchObject({ started: '', taken: {} });
  expect(old.trouble()).toMatch(/^cairo.commit.mode is unknown: .*set it to sync$/);
  const mute: Parameters<typeof serverWith>[0] = { wal: [behind(0)] };
  const care = watch(serverWith(mute));
  await care.prepare(signal);
  const before = care.seen();
  mute.old = true;
  await care.prepare(signal);
  expect([setBack(before, care.seen()), swallowed(before, care.seen(), new Map([['readings', 3]]))]).toEqual(['', '']);
  const away = watch(serverWith({ start: new Error('QuestDB at x cannot be reached') }));
  await expect(away.prepare(signal)).rejects.toThrow('cannot be reached');
});

test('a version that would refuse every row is said, and nothing is asked of it or made there', async () => {
  const server = serverWith({ version: '8.3.3', made: false });
  await expect(watch(server).prepare(signal)).rejects.toThrow(/^QuestDB: it is version 8.3.3, 9.0 or newer is needed/);
  expect(server.asked).toHaveLength(1);
  for (const version of ['10.0.1', 'Enterprise 3.2.4', 'Enterprise Pro 4.0.0', '[DEVELOPMENT]'])
    await watch(serverWith({ version })).prepare(signal);
  const older = watch(serverWith({ version: 'Enterprise 2.2.4' })).prepare(signal);
  await expect(older).rejects.toThrow(/^QuestDB: it is version Enterprise 2.2.4, Enterprise 3.0 or newer is needed/);
});

test.each<[Record<string, number>, Record<string, number>, boolean]>([
  [{ readings: 5 }, { readings: 8 }, false],
  [{ readings: 5 }, { readings: 7 }, true],
  [{}, { readings: 1 }, false],
])('tables at %j, three requests, then at %j: some of them went nowhere: %s', (before, now, some) => {
  const at = (taken: Record<string, number>): Seen => ({ started: 'a', made: {}, taken });
  const how = swallowed(at(before), at(now), new Map([['readings', 3]]));
  expect(how).toMatch(some ? /^has confirmed more than the table readings took in/ : /^$/);
});

test.each<[object, object, string]>([
  [{}, { taken: { readings: 5 } }, ''],
  [{ taken: { readings: 5 } }, { started: 'b', taken: { readings: 5 } }, 'was started anew'],
  [{ taken: { readings: 5 } }, { taken: { readings: 4 } }, 'has lost transactions of the table readings'],
  [{ made: { events: 1 } }, { made: { events: 1, readings: 2 } }, ''],
  [{ made: { readings: 2 } }, { made: { readings: 7 } }, 'has another table readings than before'],
])('%j then %j', (before, now, how) => {
  const server = { started: 'a', taken: {}, made: {} };
  expect(setBack({ ...server, ...before }, { ...server, ...now })).toBe(how);
});
