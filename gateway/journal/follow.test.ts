// Another thread's view of the journal's files while the writer cuts, drops and rewrites them.
import { appendFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { diskFiles } from './files.ts';
import type { Files } from './files.ts';
import { Follower } from './follow.ts';
import type { FollowerOptions, Reading } from './follow.ts';
import { openSegments } from './segments.ts';
import type { DiskLog, SegmentsOptions } from './segments.ts';
import { readEnds, sharedEnds } from './shared.ts';
import { faulty, fill, numbered, scratch } from './testing.ts';

let place: ReturnType<typeof scratch>;
let logs: DiskLog[];
beforeEach(() => {
  place = scratch();
  logs = [];
});
afterEach(async () => {
  for (const log of logs) await log.close();
  place.clear();
});

function both(
  options: Partial<SegmentsOptions> = {},
  how: Partial<FollowerOptions> = {},
): { log: DiskLog; follower: Follower } {
  const shared = sharedEnds();
  const log = openSegments({ dataDir: place.dir, cap: 1e9, segmentBytes: 4000, shared, ...options });
  logs.push(log);
  const follower = new Follower({ files: diskFiles, folder: place.journal, ends: () => readEnds(shared), ...how });
  return { log, follower };
}
const seqs = ({ frames }: Reading): number[] => frames.map(({ meta }) => meta.seq);
const all = [{ from: 1, to: Infinity }];
const run = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const written = (log: DiskLog, from: number, count: number, samples = 2): void => {
  fill(log, from, count, samples);
  // Reading puts what waits in memory into the file.
  void log.first;
};

test('reads what is written, over many segments, in parts of the size asked for', () => {
  const { log, follower } = both();
  expect(follower.read(all, 1e9)).toEqual({ frames: [], reached: 1, suspect: false });
  written(log, 1, 400);
  expect(readdirSync(place.journal).filter((name) => name.endsWith('.seg')).length).toBeGreaterThan(4);
  const whole = follower.read(all, 1e9);
  expect(seqs(whole)).toEqual(run(1, 401));
  expect(whole).toMatchObject({ reached: 401, suspect: false });
  expect(whole.frames.every(({ meta, bytes }) => Buffer.compare(bytes, numbered(meta.seq).bytes) === 0)).toBe(true);

  const size = numbered(1).bytes.length;
  expect(seqs(follower.read(all, size * 3))).toEqual([1, 2, 3]);
  expect(seqs(follower.read(all, 1))).toEqual([1]);
  let next = 1;
  for (let i = 0; i < 500 && next < 401; i++)
    next = (seqs(follower.read([{ from: next, to: Infinity }], size * 7)).at(-1) ?? Infinity) + 1;
  expect(next).toBe(401);
});

test('reads only the ranges asked for, and of them only what is wanted', () => {
  const { log, follower } = both();
  written(log, 1, 300);
  const ranges = [
    { from: 3, to: 5 },
    { from: 140, to: 142 },
    { from: 299, to: Infinity },
  ];
  expect(seqs(follower.read(ranges, 1e9))).toEqual([3, 4, 140, 141, 299, 300]);
  const odd = follower.read(ranges, 1e9, ({ seq }) => seq % 2 === 1);
  expect(seqs(odd)).toEqual([3, 141, 299]);
  expect(odd.reached).toBe(301);
});

test('frames larger than any buffer are read whole', () => {
  const { log, follower } = both({ segmentBytes: 8e6 });
  fill(log, 1, 3);
  fill(log, 4, 2, 200_000);
  written(log, 6, 3);
  expect(numbered(4, 200_000).bytes.length).toBeGreaterThan(500_000);
  expect(seqs(follower.read(all, 1e9))).toEqual(run(1, 9));
});

test('never reads beyond what is said to be written, whatever the file holds', () => {
  const { log, follower } = both({ segmentBytes: 1e6 });
  written(log, 1, 10);
  const [name = ''] = readdirSync(place.journal).filter((file) => file.endsWith('.seg'));
  const next = numbered(11).bytes;
  // Half a frame, as a write on its way would show.
  appendFileSync(join(place.journal, name), next.subarray(0, next.length / 2));
  const found = follower.read(all, 1e9);
  expect(seqs(found)).toEqual(run(1, 11));
  expect(found).toMatchObject({ reached: 11, suspect: false });
});

test('a look is bounded in bytes and says how far it came', () => {
  const { log, follower } = both({ segmentBytes: 1e6 }, { most: 20_000 });
  written(log, 1, 3000);
  let reached = 1;
  for (let looks = 0; reached < 3001; looks++) {
    expect(looks).toBeLessThan(60);
    const found = follower.read([{ from: reached, to: Infinity }], 1e9, ({ seq }) => seq === 2999);
    expect(found.reached).toBeGreaterThan(reached);
    expect(seqs(found)).toEqual(found.reached > 2999 ? [2999] : []);
    ({ reached } = found);
  }
});

test('segments that are dropped or taken away are passed over', () => {
  const { log, follower } = both({ cap: 16_000, segmentBytes: 2000 });
  log.add('slow', 1);
  written(log, 1, 50);
  expect(seqs(follower.read(all, 1e9))).toEqual(run(1, 51));
  for (let i = 51; i < 1000; i += 50) written(log, i, 50);
  const { first } = follower.ends();
  expect(first).toBe(log.first);
  expect(first).toBeGreaterThan(500);
  const kept = [{ from: first, to: Infinity }];
  expect(seqs(follower.read(kept, 1e9))).toEqual(run(first, 1001));
  const names = readdirSync(place.journal).filter((file) => parseInt(file, 10) > first);
  rmSync(join(place.journal, names.sort()[0] ?? ''));
  const left = seqs(follower.read(kept, 1e9));
  expect(left.length).toBeLessThan(1001 - first);
  expect(left.at(-1)).toBe(1000);
});

test('what a failed sync has cut off and written anew is found in its new place', async () => {
  const clock = new ManualClock();
  const disk = faulty({ calls: ['sync'], nth: 2 });
  const { log, follower } = both({ files: disk.files, clock, segmentBytes: 1e6 });
  written(log, 1, 1000);
  await log.sync();
  written(log, 1001, 3000);
  expect(seqs(follower.read(all, 1e9))).toEqual(run(1, 4001));
  const { generation } = follower.ends();
  await expect(log.sync()).rejects.toThrow('EIO');
  // Until it is written again it counts as not written.
  expect(seqs(follower.read(all, 1e9))).toEqual(run(1, 1001));
  expect(follower.ends().generation).toBeGreaterThan(generation);
  await clock.advance(2000);
  await log.sync();
  written(log, 4001, 10);
  expect(follower.read(all, 1e9)).toMatchObject({ suspect: false, reached: 4011 });
  expect(seqs(follower.read(all, 1e9))).toEqual(run(1, 4011));
});

test('any flipped byte of a frame costs that frame, or its segment, and is suspect; nothing false is read', () => {
  const { log, follower } = both({ segmentBytes: 1500 });
  written(log, 1, 60);
  const [, name = ''] = readdirSync(place.journal)
    .filter((file) => file.endsWith('.seg'))
    .sort();
  const path = join(place.journal, name);
  const whole = readFileSync(path);
  const base = parseInt(name, 10);
  const size = numbered(base).bytes.length;
  const next = parseInt(readdirSync(place.journal).sort()[2] ?? '', 10);
  for (let at = 112 + size; at < 112 + 2 * size; at++) {
    const spoilt = Buffer.from(whole);
    spoilt[at] = 255 - (spoilt[at] ?? 0);
    writeFileSync(path, spoilt);
    const found = follower.read(all, 1e9);
    expect(found.suspect).toBe(true);
    const inLength = at < 112 + size + 4;
    expect(seqs(found)).toEqual(
      inLength ? [...run(1, base + 1), ...run(next, 61)] : run(1, 61).filter((seq) => seq !== base + 1),
    );
  }
  writeFileSync(path, Buffer.concat([whole, Buffer.from('what a failed truncation has left behind')]));
  expect(follower.read(all, 1e9)).toMatchObject({ suspect: false, reached: 61 });
});

test('files that cannot be read are an error, not an empty answer', () => {
  const broken: Files = {
    ...diskFiles,
    read() {
      throw Object.assign(new Error('EIO: read failed'), { code: 'EIO' });
    },
  };
  const { log, follower } = both({}, { files: broken });
  written(log, 1, 3);
  expect(() => follower.read(all, 1e9)).toThrow('EIO');
});
