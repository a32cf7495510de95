// The log on disk when its files are torn, flipped, cut short, gone or of a newer program: what is lost is counted, and
// nothing else is lost.
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { FRAME, diskLogs, expectSum } from './bed.ts';
import { noneStored } from './books.ts';
import type { Drop } from './consumers.ts';
import type { FrameMeta } from './head.ts';
import { HEADER } from './header.ts';
import { decodePositions, encodePositions } from './positions.ts';
import { openSegments } from './segments.ts';
import type { DiskLog } from './segments.ts';
import { fill, owedTo, segmentFiles } from './testing.ts';

const { place, open, leave } = diskLogs();

/** Everything that is owed, read and delivered until nothing is left. */
const drained = (log: DiskLog, name: string): number[] => {
  const seqs: number[] = [];
  for (let found = log.read(name, 1e9); found.length > 0; found = log.read(name, 1e9)) {
    const metas = found.map(({ meta }) => meta);
    seqs.push(...metas.map(({ seq }) => seq));
    log.deliver(name, metas);
  }
  return seqs;
};
const fresh = (): Parameters<typeof encodePositions>[0] => ({
  next: 10,
  totals: { frames: 9, samples: 18 },
  consumers: new Map([
    ['a', { owed: [{ from: 1, to: Infinity }], ...noneStored(), dropped: 0, since: 0, before: noneStored() }],
  ]),
});

test('a torn or flipped byte anywhere in the last frame costs that frame alone', async () => {
  const log = open();
  fill(log, 1, 3);
  await log.sync();
  leave(log);
  const [path = ''] = segmentFiles(place().journal);
  const whole = readFileSync(path);
  const begin = whole.length - FRAME;
  for (let i = 0; i < FRAME; i++)
    for (const harm of ['tear', 'flip'] as const) {
      const bytes = Buffer.from(whole);
      if (harm === 'flip') bytes[begin + i] = (bytes[begin + i] ?? 0) ^ (1 << (i % 8));
      writeFileSync(path, harm === 'tear' ? bytes.subarray(0, begin + i) : bytes);
      const again = openSegments({ dataDir: place().dir, cap: 1e9 });
      again.add('x', 1);
      expect(owedTo(again, 'x')).toEqual([1, 2]);
      expect(again.health().truncated).toBe(harm === 'tear' ? i : FRAME);
      expect(again.start).toBe(3 + 2 ** 24);
      await again.close();
      rmSync(join(place().journal, 'positions'));
    }
});

test('a flipped byte anywhere in a sealed segment never costs another segment, and is counted', async () => {
  const segmentBytes = HEADER + FRAME * 3;
  const log = open({ segmentBytes });
  log.add('a', 1);
  fill(log, 1, 9);
  await log.sync();
  await log.close();
  leave(log);
  const [, path = ''] = segmentFiles(place().journal);
  const whole = readFileSync(path);
  for (let i = 0; i < whole.length; i++) {
    const bytes = Buffer.from(whole);
    bytes[i] = (bytes[i] ?? 0) ^ (1 << (i % 8));
    writeFileSync(path, bytes);
    const again = openSegments({ dataDir: place().dir, cap: 1e9, segmentBytes });
    again.add('a', again.start);
    const seqs = drained(again, 'a');
    for (const seq of [1, 2, 3, 7, 8, 9]) expect(seqs).toContain(seq);
    const lost = 9 - seqs.length;
    if (i < HEADER) expect(lost).toBe(0);
    // A broken length may hide the rest of its segment; any other byte costs its own frame.
    else expect(lost).toBe((i - HEADER) % FRAME < 4 ? 3 - Math.floor((i - HEADER) / FRAME) : 1);
    expect(again.account('a')).toMatchObject({ journalled: 18, delivered: 18 - lost * 2, dropped: lost * 2 });
    expect(again.health().damaged > 0).toBe(lost > 0);
    expectSum(again, 'a');
    await again.close();
    writeFileSync(path, whole);
    writeFileSync(join(place().journal, 'positions'), encodePositions(fresh()));
  }
});

test('damage that comes while running is found by reading, and what comes after it is still delivered', async () => {
  const log = open();
  log.add('a', 1);
  fill(log, 1, 5);
  await log.sync();
  const [path = ''] = segmentFiles(place().journal);
  const bytes = readFileSync(path);
  bytes[HEADER + FRAME * 2 + 20] = 255 - (bytes[HEADER + FRAME * 2 + 20] ?? 0);
  writeFileSync(path, bytes);
  expect(owedTo(log, 'a')).toEqual([1, 2]);
  log.deliver(
    'a',
    log.read('a', 1e9).map(({ meta }) => meta),
  );
  expect(owedTo(log, 'a')).toEqual([4, 5]);
  fill(log, 6, 2);
  expect(owedTo(log, 'a')).toEqual([4, 5, 6, 7]);
  expect(log.account('a')).toMatchObject({ delivered: 4, dropped: 2, backlog: { frames: 4 } });
  expectSum(log, 'a');
});

/** A log of three segments of three frames that no run has read yet; `dropped` hears of losses. */
async function unread(dropped: (drop: Drop) => void): Promise<{ log: DiskLog; metas: FrameMeta[] }> {
  const segmentBytes = HEADER + FRAME * 3;
  const first = open({ segmentBytes });
  first.add('a', 1);
  const metas = fill(first, 1, 9);
  await first.close();
  leave(first);
  const log = open({ segmentBytes, dropped });
  log.add('a', log.start);
  return { log, metas };
}
/** Spoils the frame at this place of a segment. */
function spoil(segment: number, frame: number): void {
  const path = segmentFiles(place().journal)[segment] ?? '';
  const bytes = readFileSync(path);
  const at = bytes.length - FRAME * (3 - frame) + 20;
  bytes[at] = 255 - (bytes[at] ?? 0);
  writeFileSync(path, bytes);
}

test('damage in two segments that is found at one time is one loss with the times of both', async () => {
  const drops: Drop[] = [];
  const { log, metas } = await unread((drop) => drops.push(drop));
  log.deliver('a', [metas[3] as FrameMeta]);
  spoil(0, 1);
  spoil(1, 1);
  expect(owedTo(log, 'a')).toEqual([1]);
  const lost = { from: 1000, to: 6001 };
  expect(drops).toEqual([{ consumer: 'a', samples: 4, ...lost, reason: 'files of the journal are damaged' }]);
  expect(log.account('a')).toMatchObject({ journalled: 18, delivered: 2, dropped: 4, lost, backlog: { frames: 6 } });
  expect(drained(log, 'a')).toEqual([1, 3, 6, 7, 8, 9]);
  expectSum(log, 'a');
});

test('damage that is found while a segment is dropped counts once', async () => {
  const drops: Drop[] = [];
  const { log, metas } = await unread((drop) => drops.push(drop));
  log.deliver('a', [metas[0] as FrameMeta]);
  spoil(0, 1);
  log.limit((HEADER + FRAME * 3) * 2);
  expect(drops.map(({ samples, reason }) => [samples, reason])).toEqual([
    [2, 'files of the journal are damaged'],
    [2, 'the journal was full'],
  ]);
  expect(log.account('a')).toMatchObject({ delivered: 2, dropped: 4, backlog: { frames: 6, samples: 12 } });
  expect(owedTo(log, 'a')).toEqual([4, 5, 6, 7, 8, 9]);
  expectSum(log, 'a');
});

test('a sealed segment that is gone, or cut short, is seen and counted', async () => {
  const segmentBytes = HEADER + FRAME * 3;
  const log = open({ segmentBytes });
  log.add('a', 1);
  fill(log, 1, 12);
  await log.close();
  leave(log);
  const [, second = '', third = ''] = segmentFiles(place().journal);
  truncateSync(second, HEADER + FRAME + 5);
  writeFileSync(third, '');
  const again = open({ segmentBytes });
  again.add('a', again.start);
  expect(owedTo(again, 'a')).toEqual([1, 2, 3, 4, 10, 11, 12]);
  expect(again.account('a')).toMatchObject({ journalled: 24, dropped: 10, backlog: { samples: 14 } });
});

test('positions that cannot be read mean that everything kept is sent again, and it says so', async () => {
  const log = open();
  log.add('a', 1);
  const metas = fill(log, 1, 3);
  log.deliver('a', metas);
  await log.close();
  leave(log);
  const path = join(place().journal, 'positions');
  const bytes = readFileSync(path);
  for (let i = 0; i < bytes.length; i++) {
    const harmed = Buffer.from(bytes);
    harmed[i] = (harmed[i] ?? 0) ^ 2;
    if (decodePositions(harmed) !== undefined) expect(decodePositions(harmed)).toEqual(decodePositions(bytes));
  }
  writeFileSync(path, bytes.subarray(0, 40));
  const again = open();
  expect(again.health().trouble).toMatch(/positions/);
  again.add('a', 1);
  expect(owedTo(again, 'a')).toEqual([1, 2, 3]);
});

test('a journal of a newer program is refused in words', async () => {
  const log = open();
  fill(log, 1, 1);
  await log.close();
  leave(log);
  const [path = ''] = segmentFiles(place().journal);
  const bytes = readFileSync(path);
  bytes.writeUInt16LE(9, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER - 4)), HEADER - 4);
  writeFileSync(path, bytes);
  expect(() => openSegments({ dataDir: place().dir, cap: 1e9 })).toThrow(/version 9.*newer/);
});
