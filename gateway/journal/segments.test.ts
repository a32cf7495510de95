// The log on disk over its lives: kills, positions, margins, segments that go and stay. Real files; the contract that
// the log keeps runs here too. What becomes of damaged files stands in damage.test.ts.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Drop } from './consumers.ts';
import { FRAME, diskLogs, expectSum } from './bed.ts';
import { noneStored } from './books.ts';
import { logContract } from './contract.ts';
import type { FrameMeta } from './head.ts';
import { HEADER } from './header.ts';
import { decodePositions } from './positions.ts';
import { readEnds, sharedEnds } from './shared.ts';
import { faulty, fill, numbered, owedTo, segmentFiles } from './testing.ts';

const { place, open, leave } = diskLogs();

describe('segments of 8 MiB', () => logContract((cap, clock) => open({ cap, clock })));
describe('segments of one frame', () =>
  logContract((cap, clock) => open({ cap, clock, segmentBytes: 1, margin: { bytes: 0, ms: 0 } })));

test('a consumer that joined and was kept is owed the frames of a life that ended before its first sync', async () => {
  const first = open();
  first.add('a', first.start);
  await first.keep();
  fill(first, 1, 5);
  expect(first.first).toBe(1);
  leave(first);

  const second = open();
  second.add('a', second.start);
  expect(owedTo(second, 'a')).toEqual([1, 2, 3, 4, 5]);
  expectSum(second, 'a');
});

test('everything written is there after the process was killed, for each consumer from where it stood', async () => {
  const first = open({ segmentBytes: HEADER + FRAME * 3 });
  expect(first.start).toBe(1);
  first.add('a', 1);
  first.add('b', 1);
  const metas = fill(first, 1, 10);
  first.deliver('a', [...metas.slice(0, 2), metas[4] as FrameMeta]);
  await first.sync();
  leave(first);
  expect(segmentFiles(place().journal).length).toBe(4);

  const second = open({ segmentBytes: HEADER + FRAME * 3 });
  expect(second.start).toBe(11 + 2 ** 24);
  second.add('a', second.start);
  second.add('b', second.start);
  expect(owedTo(second, 'a')).toEqual([3, 4, 6, 7, 8, 9, 10]);
  expect(owedTo(second, 'b')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(second.account('a')).toMatchObject({ journalled: 20, delivered: 6, dropped: 0, backlog: { samples: 14 } });
  fill(second, second.start, 2);
  expect(owedTo(second, 'b').slice(-3)).toEqual([10, second.start, second.start + 1]);
  second.deliver(
    'b',
    second.read('b', 1e9).map(({ meta }) => meta),
  );
  expect(second.account('b').owed).toEqual([{ from: second.start + 2, to: Infinity }]);
  await second.close();

  const third = open();
  third.add('b', third.start);
  expect(third.account('b')).toMatchObject({ journalled: 24, delivered: 24, backlog: { frames: 0 } });
  expect(third.start).toBe(second.start + 2 + 2 ** 24);
});

test('when a consumer settled a write last is known after a restart', async () => {
  const clock = new ManualClock(5000);
  const first = open({ clock });
  first.add('a', 1);
  first.deliver('a', fill(first, 1, 3));
  await first.sync();
  leave(first);
  clock.advance(60_000);
  const second = open({ clock });
  second.add('a', second.start);
  expect(second.account('a').settledAt).toBe(5000);
});

test('events in what is dropped at the cap are counted and told, also over a restart', async () => {
  const drops: Drop[] = [];
  const options = { cap: (HEADER + FRAME) * 4, segmentBytes: 1, margin: { bytes: 0, ms: 0 } };
  const log = open({ ...options, dropped: (drop) => drops.push(drop) });
  log.add('slow', 1);
  log.add('history', 1, { own: { position: 0, delivered: 0 } });
  const events = [7, 8].map(
    (time) => ({ kind: 'device', id: `e${time}`, time, device: 'plc', state: 'online' }) as const,
  );
  const first = [numbered(1, 0, { events }), numbered(2, 2, { events })];
  for (const { bytes, meta } of first) log.append(bytes, meta);
  log.deliver(
    'history',
    first.map(({ meta }) => meta),
  );
  log.deliver('history', fill(log, 3, 8));
  await log.sync();
  const lost = { consumer: 'slow', events: 2, reason: 'the journal was full' };
  expect(drops.filter(({ consumer }) => consumer === 'slow').slice(0, 2)).toEqual([
    { ...lost, samples: 0, from: 7000, to: 8000 },
    { ...lost, samples: 2, from: 2000, to: 8000 },
  ]);
  expect(drops.filter(({ consumer, events }) => consumer === 'history' && events)).toEqual([]);
  expect(log.account('slow').droppedEvents).toBe(4);
  await log.close();
  leave(log);
  expect(open(options).account('slow').droppedEvents).toBe(4);
});

test('a position is stored only as far as frames are durable', async () => {
  const first = open();
  first.add('a', 1);
  const metas = fill(first, 1, 3);
  await first.sync();
  first.deliver('a', [...metas, ...fill(first, 4, 2)]);
  expect(first.account('a').delivered).toBe(10);
  const stored = first.account('a');
  await first.close();
  leave(first);
  // The file as it would stand had the power gone before frames 4 and 5 were synced.
  const path = join(place().journal, 'positions');
  const positions = decodePositions(readFileSync(path));
  expect(positions?.consumers.get('a')?.delivered).toBe(stored.delivered);
});

test('what the store that keeps its own position still needs goes last', async () => {
  const log = open({ cap: (HEADER + FRAME) * 4, segmentBytes: 1, margin: { bytes: 0, ms: 0 } });
  log.add('history', 1, { own: { position: 0, delivered: 0 } });
  log.add('slow', 1);
  const metas = fill(log, 1, 4);
  await log.sync();
  log.deliver('history', metas.slice(2, 4));
  fill(log, 5, 2);
  await log.sync();
  expect(owedTo(log, 'history')).toEqual([1, 2, 5, 6]);
  expect(owedTo(log, 'slow')).toEqual([1, 2, 5, 6]);
  expect(log.account('slow')).toMatchObject({ journalled: 12, dropped: 4, lost: { from: 3000, to: 4001 } });
  expect(log.account('history')).toMatchObject({ delivered: 4, dropped: 0 });
  expect(segmentFiles(place().journal).length).toBe(4);
});

test('delivered segments stay for the margin and then go; the store says itself where it stands after a kill', async () => {
  const options = { segmentBytes: HEADER + FRAME * 2, margin: { bytes: (HEADER + FRAME * 2) * 3, ms: 3_600_000 } };
  const log = open(options);
  log.add('history', 1, { own: { position: 0, delivered: 0 } });
  log.deliver('history', fill(log, 1, 20).slice(0, 17));
  await log.sync();
  expect(segmentFiles(place().journal).length).toBe(5);
  leave(log);
  const again = open(options);
  again.add('history', again.start, { own: { position: 19, delivered: 36 } });
  expect(owedTo(again, 'history')).toEqual([19, 20]);
  expect(again.account('history')).toMatchObject({
    journalled: 40,
    delivered: 36,
    dropped: 0,
    backlog: { samples: 4 },
  });
  expect(readdirSync(place().journal)).toContain('positions');
});

test('while a store elsewhere is away, what it got last stays: it may have lost it when it is back', async () => {
  const clock = new ManualClock();
  const log = open({ clock, segmentBytes: 1, margin: { bytes: 1e6, ms: 60_000 } });
  log.add('far', 1);
  const each = async (from: number, n: number, away: boolean): Promise<void> => {
    for (let seq = from; seq < from + n; seq++) {
      const frames = fill(log, seq, 1);
      if (!away) log.deliver('far', frames);
      await clock.advance(10_000);
      await log.sync();
    }
  };
  await each(1, 20, false);
  const { first } = log;
  expect([first > 10, first < 17]).toEqual([true, true]);
  await each(21, 400, true);
  expect(log.first).toBeLessThan(first + 3);
  log.deliver(
    'far',
    log.read('far', 1e9).map(({ meta }) => meta),
  );
  await each(421, 1, false);
  expect(log.first).toBeGreaterThan(400);
});

test('what a store has taken in and not stored by its own word stays, and comes again after a kill', async () => {
  const options = { segmentBytes: HEADER + FRAME * 2, margin: { bytes: 0, ms: 0 } };
  const log = open(options);
  log.add('history', 1, { own: { position: 0, delivered: 0 } });
  log.hold('history', { position: 5, delivered: 8 });
  log.deliver('history', fill(log, 1, 20));
  await log.sync();
  expect(log.account('history')).toMatchObject({ delivered: 40, backlog: { samples: 0 } });
  expect(segmentFiles(place().journal).length).toBe(8);
  expect(log.held('history')).toBe((8 * (HEADER + FRAME * 2)) / 1e9);
  leave(log);
  const again = open(options);
  again.add('history', again.start, { own: { position: 5, delivered: 8 } });
  expect(again.account('history')).toMatchObject({
    journalled: 40,
    delivered: 8,
    dropped: 0,
    backlog: { samples: 32 },
  });
  again.deliver(
    'history',
    again.read('history', 1e9).map(({ meta }) => meta),
  );
  again.hold('history', { position: 21, delivered: 39, filtered: 1 });
  await again.sync();
  expect(segmentFiles(place().journal).length).toBe(1);
});

test('a frame larger than a segment has one of its own', async () => {
  const log = open({ segmentBytes: 4096 });
  log.add('a', 1);
  fill(log, 1, 2);
  fill(log, 3, 1, 20_000);
  fill(log, 4, 2);
  await log.sync();
  expect(owedTo(log, 'a')).toEqual([1, 2, 3, 4, 5]);
  expect(log.read('a', 1).map(({ meta }) => meta.seq)).toEqual([1]);
  log.deliver(
    'a',
    log.read('a', FRAME * 2).map(({ meta }) => meta),
  );
  expect(log.read('a', 10).map(({ meta }) => meta.seq)).toEqual([3]);
  expect(segmentFiles(place().journal).length).toBe(3);
});

test('positions of version 1 are read, and written as version 2', async () => {
  const log = open();
  log.add('a', 1);
  const metas = fill(log, 1, 4);
  log.deliver('a', metas.slice(0, 1));
  await log.close();
  leave(log);
  const path = join(place().journal, 'positions');
  const old = {
    version: 1,
    next: 5,
    totals: { frames: 4, samples: 8 },
    consumers: [
      { name: 'a', owed: [[2, null]], delivered: 2, dropped: 0, since: 0, before: 0 },
      { name: 'own', owed: [[3, null]], delivered: 4, dropped: 0, since: 0, before: 100 },
    ],
  };
  const body = JSON.stringify(old);
  writeFileSync(path, `${body}\n${crc32(body).toString(16)}\n`);
  const again = open();
  again.add('a', again.start);
  again.add('own', again.start, { own: { position: 4, delivered: 105, filtered: 1 } });
  again.deliver('a', metas.slice(1, 2), { delivered: 0, filtered: 1, deadLettered: 1 });
  expect(again.account('own')).toMatchObject({ delivered: 5, filtered: 1, backlog: { samples: 2 } });
  await again.close();
  const stored = decodePositions(readFileSync(path))?.consumers.get('a');
  expect(stored).toMatchObject({ delivered: 2, filtered: 1, deadLettered: 1, before: noneStored() });
  expect(JSON.parse(readFileSync(path, 'utf8').split('\n')[0] ?? '')).toMatchObject({ version: 2 });
});

test('a consumer of an earlier run holds what it is owed until it is added or removed', async () => {
  const options = { cap: (HEADER + FRAME) * 100, segmentBytes: 1, margin: { bytes: 0, ms: 0 } };
  const log = open(options);
  for (const name of ['a', 'b', 'c']) log.add(name, 1);
  const metas = fill(log, 1, 4);
  log.deliver('a', metas);
  await log.close();
  leave(log);
  const again = open(options);
  expect(again.consumers()).toEqual(['a', 'b', 'c']);
  again.add('a', again.start);
  again.deliver('a', fill(again, again.start, 2));
  await again.sync();
  expect(segmentFiles(place().journal).length).toBe(6);
  again.add('b', again.start);
  expect(again.account('b')).toMatchObject({ journalled: 12, backlog: { samples: 12 } });
  again.remove('b');
  again.remove('c');
  await again.sync();
  expect(segmentFiles(place().journal).length).toBe(1);
  await again.close();
  leave(again);
  const third = open(options);
  expect(third.consumers()).toEqual(['a']);
});

test('other threads see how far the log is, and that frames have moved after a failed sync', async () => {
  const shared = sharedEnds();
  expect(readEnds(shared)).toEqual({ written: 0, durable: 0, first: 0, generation: 0 });
  const fault = faulty({ calls: ['sync'], nth: 2 });
  const log = open({ shared, files: fault.files, segmentBytes: 1, margin: { bytes: 0, ms: 0 } });
  log.add('a', 1);
  expect(readEnds(shared)).toEqual({ written: 1, durable: 1, first: 1, generation: 0 });
  const metas = fill(log, 1, 2);
  expect(log.read('a', 1e6).length).toBe(2);
  expect(readEnds(shared)).toEqual({ written: 3, durable: 1, first: 1, generation: 0 });
  await expect(log.sync()).rejects.toThrow(/EIO/);
  expect(readEnds(shared)).toEqual({ written: 2, durable: 2, first: 1, generation: 1 });
  log.deliver('a', metas);
  await log.sync();
  expect(readEnds(shared)).toEqual({ written: 3, durable: 3, first: 2, generation: 1 });
});
