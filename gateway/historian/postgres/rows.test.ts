// Which table and column a value becomes, and which of two for one tag and time stays.
import { expect, test } from 'vitest';
import type { Frame, Sample, Value, ValueType } from '../../model.ts';
import { locking, partsOf } from './parts.ts';
import { rowsOf, tableOf } from './rows.ts';
import type { SampleTable } from './schema.ts';

test.each<[Value, ValueType, SampleTable]>([
  [1.5, 'double', 'readings'],
  [true, 'boolean', 'readings'],
  [7, 'integer', 'readings_integer'],
  [2n ** 63n - 1n, 'integer', 'readings_integer'],
  [-(2n ** 63n), 'integer', 'readings_integer'],
  [2n ** 63n, 'integer', 'readings_text'],
  [1.5, 'integer', 'readings'],
  ['on', 'text', 'readings_text'],
  [null, 'double', 'readings'],
  [null, 'boolean', 'readings'],
  [null, 'integer', 'readings_integer'],
  [null, 'text', 'readings_text'],
])('%s of a tag of type %s is kept in %s', (value, type, table) => expect(tableOf(value, type)).toBe(table));

const sample = (tag: number, t: number, value: Value): Sample => ({
  tag,
  t,
  receivedAt: t,
  value,
  status: 0,
  flags: 0,
});
const frame = (seq: number, samples: Sample[]): Frame => ({
  seq,
  revision: 1,
  origin: 'live',
  source: 's',
  samples,
  events: [],
});
const names = [
  { index: 0, id: 'n/p/a', site: 'n', asset: 'n/p', metric: 'a', type: 'double' as const, unit: '' },
  { index: 1, id: 'n/p/b', site: 'n', asset: 'n/p', metric: 'b', type: 'text' as const, unit: '' },
];

test('of one tag and time the highest sequence stays, in whatever order the frames stand', () => {
  const frames = [
    frame(5, [sample(0, 1, 50), sample(0, 2, 51)]),
    frame(9, [sample(0, 1, 90)]),
    frame(7, [sample(0, 1, 70)]),
  ];
  const { readings } = rowsOf(frames, (index) => names[index]);
  expect(readings.map(({ t, value, seq }) => [t, value, seq])).toEqual([
    [1, 90, 9],
    [2, 51, 5],
  ]);
});

test('within one frame the later of two counts', () => {
  const { readings } = rowsOf([frame(1, [sample(0, 1, 1), sample(0, 1, 2)])], (index) => names[index]);
  expect(readings.map(({ value }) => value)).toEqual([2]);
});

test('a tag nobody knows is counted, a NUL is shown as ␀ and counted', () => {
  const rows = rowsOf(
    [frame(1, [sample(1, 1, 'a\0b\0'), sample(1, 2, 'ab'), sample(7, 1, 1)])],
    (index) => names[index],
  );
  expect(rows.readings_text.map(({ value }) => value)).toEqual(['a␀b␀', 'ab']);
  expect([rows.unknown, rows.replaced]).toEqual([1, 1]);
});

test('a transaction ends before its days are too many for the locks of a server; statements of one day share theirs', () => {
  const DAY = 86_400e6;
  const partsFor = (days: number, each: number) =>
    partsOf(
      rowsOf(
        [
          frame(
            1,
            Array.from({ length: days * each }, (_none, i) => sample(0, Math.floor(i / each) * DAY + (i % each), i)),
          ),
        ],
        (index) => names[index],
      ),
    );
  const commits = (parts: ReturnType<typeof partsFor>): number => {
    const full = locking();
    return parts.filter((part) => full(part)).length;
  };
  expect(partsFor(100, 3).map(({ rows }) => rows.length)).toEqual(Array(5).fill(60));
  expect(commits(partsFor(100, 3))).toBe(4);
  expect(commits(partsFor(1, 250_000))).toBe(0);
});
