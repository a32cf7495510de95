// Main's journal, the log and a pump with its consumer as one chain, on a manual clock: what goes in on main arrives, and
// main hears of room and durability.
import { crc32 } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Batch, Frame } from '../model.ts';
import { diskFiles } from './files.ts';
import { headsIn } from './head.ts';
import { MainJournal } from './journal.ts';
import { pump, sourceOf } from './pump.ts';
import { openSegments } from './segments.ts';
import type { DiskLog } from './segments.ts';
import { fill, numbered, scratch } from './testing.ts';

/** A log on disk with the historian as its consumer. */
function opened(clock: ManualClock): DiskLog {
  const place = scratch();
  onTestFinished(() => place.clear());
  const log = openSegments({ dataDir: place.dir, cap: 1e6, clock, files: diskFiles });
  onTestFinished(() => log.close());
  log.add('history', 1);
  return log;
}

/** Of a source of its own: live batches of one source may share a frame. */
const batch = (value: number): Batch => ({
  origin: 'live',
  source: `line-${value}`,
  samples: [{ tag: 1, t: value, receivedAt: value, value, status: 0, flags: 0 }],
  events: [],
});

test('a failing consumer gets the same frames again, in order, and main hears of room and durability', async () => {
  const clock = new ManualClock();
  const log = opened(clock);
  let taken = 0;
  const journal: MainJournal = new MainJournal({
    clock,
    start: 1,
    cap: 400,
    send(bytes) {
      taken += bytes.length;
      for (const head of headsIn(bytes)) log.append(head.bytes, head.meta);
      void log.sync().then(() => journal.acknowledged({ durable: log.durable, taken, backlog: log.backlog() }));
    },
  });
  const tried: number[][] = [];
  const consumer = {
    write(frames: readonly Frame[]): Promise<void> {
      tried.push(frames.map((frame) => frame.seq));
      return tried.length < 3 ? Promise.reject(new Error('not now')) : Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const stop = new AbortController();
  const history = pump({ source: sourceOf(log, 'history'), consumer, clock, bytes: 1e6, pause: 0, random: () => 1 });
  expect([1, 2, 3, 4, 5].map((value) => journal.append(batch(value)))).toEqual([1, 2, 3, 4, 5]);
  await journal.durable(5);
  let roomy = false;
  const room = journal.room(stop.signal).then(() => (roomy = true));
  await clock.advance(0);
  expect(roomy).toBe(false);
  const running = history.run(stop.signal);
  for (const step of [0, 600, 1200, 10]) await clock.advance(step);
  expect(tried).toEqual([
    [1, 2, 3, 4, 5],
    [1, 2, 3, 4, 5],
    [1, 2, 3, 4, 5],
  ]);
  expect(history.health()).toMatchObject({ failures: 2, tries: 0, lastError: '' });
  expect(log.account('history')).toMatchObject({ delivered: 5, backlog: { frames: 0 } });
  journal.append(batch(6));
  await journal.durable(6);
  journal.acknowledged({ durable: log.durable, taken, backlog: 0 });
  await room;
  stop.abort();
  await running;
  journal.close();
  expect(() => journal.append(batch(7))).toThrow(/closed/);
});

test('a frame that does not decode is counted as dropped, and the ones around it are delivered', async () => {
  const clock = new ManualClock();
  const log = opened(clock);
  fill(log, 1, 1);
  const { bytes, meta } = numbered(2);
  // Whole as the disk kept it, and yet no samples: as another program could have written it.
  bytes.fill(255, bytes.length - 20);
  Buffer.from(bytes.buffer, bytes.byteOffset).writeUInt32LE(crc32(bytes.subarray(8)), 4);
  log.append(bytes, meta);
  fill(log, 3, 1);
  const got: number[] = [];
  const consumer = {
    write: (frames: readonly Frame[]) => Promise.resolve(void got.push(...frames.map((frame) => frame.seq))),
    close: () => Promise.resolve(),
  };
  const stop = new AbortController();
  const history = pump({ source: sourceOf(log, 'history'), consumer, clock, bytes: 1e6, pause: 0 });
  const running = history.run(stop.signal);
  await clock.advance(10);
  stop.abort();
  await running;
  expect(got).toEqual([1, 3]);
  expect(history.health().damaged).toBe(1);
  const times = { from: meta.from, to: meta.to };
  expect(log.account('history')).toMatchObject({ journalled: 6, delivered: 4, dropped: 2, lost: times });
});
