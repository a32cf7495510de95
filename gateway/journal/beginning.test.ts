// Where sequences begin: above the wall clock's, above all that any journal has reached, and exact. Tables of cases.
import { expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { encodeFrame } from './testing.ts';
import { readHead } from './head.ts';
import { lowestSequence } from './beginning.ts';
import { openSegments } from './segments.ts';
import type { SegmentsOptions } from './segments.ts';
import { scratch } from '../test/rig.ts';

const YEAR = 365.25 * 86_400_000;

test.each<[string, number, number]>([
  ['1970', 0, 1],
  ['before 1970', -5000, 1],
  ['just before 2020', Date.UTC(2020, 0, 1) - 1, 1],
  ['the first second of 2020', Date.UTC(2020, 0, 1) + 999, 1],
  ['the next', Date.UTC(2020, 0, 1) + 1000, 2 ** 22 + 1],
  ['2026', Date.UTC(2026, 10, 21, 12), 217_425_600 * 2 ** 22 + 1],
  ['the last second of 2079', Date.UTC(2080, 0, 1) - 1, 1_893_455_999 * 2 ** 22 + 1],
  ['2080', Date.UTC(2080, 0, 1), 1],
  ['a clock gone mad', 8.64e15, 1],
  ['no time at all', NaN, 1],
])('%s', (_name, now, sequence) => expect(lowestSequence(now)).toBe(sequence));

test('is exact, with room for a million starts after the last moment it is taken from', () => {
  const last = lowestSequence(Date.UTC(2080, 0, 1) - 1);
  expect(last + 1e6 * 2 ** 24).toBeLessThan(2 ** 53);
});

test('lies above all that a journal of years of frames and restarts has reached, however it began', () => {
  const begun = Date.UTC(2026, 0, 1);
  // A frame each millisecond, and a start each minute.
  const reached = lowestSequence(begun) + (YEAR * 5 * 2 ** 24) / 60_000 + YEAR * 5;
  expect(lowestSequence(begun + 5 * YEAR)).toBeGreaterThan(reached);
});

test('a journal begins there, goes on from the highest it knows, and keeps frames of either kind', async () => {
  const { path: dataDir, remove } = scratch();
  const clock = new ManualClock(0);
  const open = (more: Partial<SegmentsOptions> = {}) =>
    openSegments({ dataDir, cap: 1e8, clock, lowest: lowestSequence(clock.now()), ...more });
  const put = async (log: ReturnType<typeof open>, sequence: number): Promise<void> => {
    const sample = { tag: 0, t: sequence, receivedAt: 1, value: 1, status: 0, flags: 0 };
    const batch = { origin: 'live' as const, source: 'line', samples: [sample], events: [] };
    const bytes = encodeFrame(batch, sequence, 1);
    const head = readHead(bytes);
    if (!head.ok) throw new Error(head.message);
    expect(head.meta.seq).toBe(sequence);
    log.append(bytes, head.meta);
    await log.sync();
  };
  // A small box whose clock is not set yet.
  const first = open();
  expect(first.start).toBe(1);
  first.add('a', 1);
  await put(first, 1);
  await first.close();
  const now = Date.UTC(2026, 10, 21, 12);
  clock.stepWall(now);
  const second = open();
  expect(second.start).toBe(lowestSequence(now));
  await put(second, second.start);
  await second.close();
  // The clock is away once more: what the journal remembers counts.
  clock.stepWall(-now);
  const third = open();
  expect(third.start).toBe(lowestSequence(now) + 1 + 2 ** 24);
  third.add('a', third.start);
  await put(third, third.start);
  expect(third.read('a', 1e9).map(({ meta }) => meta.seq)).toEqual([1, second.start, third.start]);
  const frames = third.read('a', 1e9).map(({ meta }) => meta);
  third.deliver('a', frames.slice(0, 2));
  await third.close();
  const last = open();
  last.add('a', last.start);
  expect(last.account('a')).toMatchObject({ journalled: 3, delivered: 2, dropped: 0, backlog: { samples: 1 } });
  expect(last.account('a').owed.at(-1)?.to).toBe(Infinity);
  await last.close();
  remove();
});
