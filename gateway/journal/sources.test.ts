// The accounts of the sources as the journal carries them: over kills, torn tails, dropped segments, damaged headers
// and files of version 1.
import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SourceCounts } from '../model.ts';
import type { FrameMeta } from './head.ts';
import { HEADER } from './header.ts';
import { encodePositions } from './positions.ts';
import { openSegments } from './segments.ts';
import type { DiskLog, SegmentsOptions } from './segments.ts';
import { Sources, decodeSources, encodeSources } from './sources.ts';
import { Line, accountsOf, asVersion1, faulty, fill, numbered, owedTo, scratch, segmentFiles } from './testing.ts';

let place: ReturnType<typeof scratch>;
beforeEach(() => (place = scratch()));
afterEach(() => place.clear());
const open = (options: Partial<SegmentsOptions> = {}): DiskLog =>
  openSegments({ dataDir: place.dir, cap: 1e6, segmentBytes: 700, margin: { bytes: 0, ms: 0 }, ...options });
const lines = (before?: ReadonlyMap<string, { told: SourceCounts }>): Line[] =>
  ['press', 'oven', 'import'].map((name) => new Line(name, before?.get(name)?.told));

test('every account comes back as it was written', () => {
  const n = fc.maxSafeNat();
  const counts = fc.record({ received: n, made: n, rejected: n, filtered: n, shed: n, journalled: n, merged: n });
  const account = fc.tuple(fc.string({ unit: 'grapheme' }), fc.record({ told: counts, counted: n }));
  fc.assert(
    fc.property(fc.array(account), (accounts) => {
      expect(decodeSources(encodeSources(new Sources(accounts))).all()).toEqual(new Map(accounts));
    }),
  );
});

test('the accounts go on over kills, from the last whole frame of each source, also when segments were dropped', async () => {
  const metas: FrameMeta[] = [];
  let dropped = 0;
  for (let life = 0; life < 5; life++) {
    const log = open({ cap: 4000 });
    expect(log.sources()).toEqual(accountsOf(metas));
    log.add('slow', 1);
    metas.push(...fill(log, log.start, 25, 2, lines(log.sources())));
    await log.sync();
    expect(log.sources()).toEqual(accountsOf(metas));
    dropped = log.account('slow').dropped;
  }
  expect(metas.length).toBe(125);
  expect(accountsOf(metas).get('press')).toMatchObject({ counted: 90, told: { journalled: 90 } });
  expect(dropped).toBeGreaterThan(100);
});

test('a torn tail takes with it what its frames told', async () => {
  const log = open();
  const metas = fill(log, 1, 10, 2, lines());
  await log.sync();
  const last = segmentFiles(place.journal).at(-1) ?? '';
  writeFileSync(last, readFileSync(last).subarray(0, -3));
  expect(open().sources()).toEqual(accountsOf(metas.slice(0, -1)));
});

test('when the last samples came is known at the next start, whatever came behind them', async () => {
  const log = open();
  expect(log.lastReceived).toBeUndefined();
  log.add('all', 1);
  const metas = fill(log, 1, 30, 2, lines());
  const { bytes, meta } = numbered(31, 0);
  log.append(bytes, meta);
  await log.close();
  expect(segmentFiles(place.journal).length).toBeGreaterThan(3);
  expect(open().lastReceived).toBe(metas.at(-1)?.receivedAt);
  const last = segmentFiles(place.journal).at(-1) ?? '';
  writeFileSync(last, readFileSync(last).subarray(0, -meta.size - 3));
  expect(open().lastReceived).toBe(metas.findLast(({ seq, samples }) => seq < 30 && samples > 0)?.receivedAt);
});

test('frames that had to be written again are told once, and forgotten ones are told too', async () => {
  const fault = faulty({ calls: ['sync'], nth: 3 });
  const log = open({ files: fault.files });
  log.add('all', 1);
  const them = lines();
  const metas = fill(log, 1, 4, 2, them);
  await log.sync();
  metas.push(...fill(log, 5, 4, 2, them));
  await expect(log.sync()).rejects.toThrow(/EIO/);
  metas.push(...fill(log, 9, 4, 2, them));
  await log.sync();
  expect(open().sources()).toEqual(accountsOf(metas));

  const full = faulty({ calls: ['write'], nth: 1, lasting: true });
  const { dir, clear } = scratch();
  const late = openSegments({ dataDir: dir, cap: 1e6, files: full.files, memoryBytes: 400 });
  const said = fill(late, 1, 30, 2, lines());
  await expect(late.sync()).rejects.toThrow(/EIO/);
  full.heal();
  await late.sync();
  expect(late.sources()).toEqual(accountsOf(said));
  expect(openSegments({ dataDir: dir, cap: 1e6 }).sources()).toEqual(accountsOf(said));
  clear();
});

test('a damaged header costs no account: those of an earlier segment and the frames since tell the same', async () => {
  const log = open();
  log.add('all', 1);
  const metas = fill(log, 1, 30, 2, lines());
  await log.close();
  const files = segmentFiles(place.journal);
  expect(files.length).toBeGreaterThan(3);
  const last = files.at(-1) ?? '';
  const whole = readFileSync(last);
  for (const i of [9, 13, 50, HEADER + 5]) {
    const bytes = Buffer.from(whole);
    bytes[i] = 255 - (bytes[i] ?? 0);
    writeFileSync(last, bytes);
    const again = open();
    again.add('all', 1);
    expect(owedTo(again, 'all').length, `byte ${i}`).toBe(30);
    expect(again.sources(), `byte ${i}`).toEqual(accountsOf(metas));
  }
});

/** As version 1 wrote it: no accounts, in neither header nor frames. */
function version1(base: number, count: number, previous: { base: number; count: number; size: number }): Buffer {
  const header = Buffer.alloc(HEADER);
  header.write('PENSTOCK', 'latin1');
  header.writeUInt16LE(1, 8);
  header.writeUInt16LE(HEADER, 10);
  const { base: last, count: frames, size } = previous;
  const before = [base, Date.UTC(2026, 0, 1), frames, frames * 2];
  const told = [last, last + frames, size, frames, frames * 2, last * 1000, (last + frames - 1) * 1000 + 1];
  [...before, ...told].forEach((value, i) => header.writeDoubleLE(value, 16 + i * 8));
  header.writeUInt32LE(crc32(header.subarray(0, HEADER - 4)), HEADER - 4);
  const frames1 = Array.from({ length: count }, (_, i) => asVersion1(numbered(base + i).bytes));
  return Buffer.concat([header, ...frames1]);
}

test('a journal of version 1 is read and goes on, and its sources begin to be counted', async () => {
  diskFolder();
  const none = { base: -1, count: 0, size: 0 };
  const first = version1(1, 3, none);
  writeFileSync(`${place.journal}/0000000000000001.seg`, first);
  const second = version1(4, 2, { base: 1, count: 3, size: first.length });
  writeFileSync(`${place.journal}/0000000000000004.seg`, second);
  const position = { delivered: 2, filtered: 0, deadLettered: 0, dropped: 0, since: 0 };
  const before = { delivered: 0, filtered: 0, deadLettered: 0 };
  const consumers = new Map([['a', { owed: [{ from: 2, to: Infinity }], ...position, before }]]);
  writeFileSync(
    `${place.journal}/positions`,
    encodePositions({ next: 6, totals: { frames: 5, samples: 10 }, consumers }),
  );
  const log = open();
  expect(log.start).toBe(6 + 2 ** 24);
  log.add('a', 1);
  expect(owedTo(log, 'a')).toEqual([2, 3, 4, 5]);
  expect(log.sources().size).toBe(0);
  const metas = fill(log, log.start, 9, 2, lines());
  expect(log.account('a')).toMatchObject({ journalled: 28, delivered: 2, backlog: { samples: 26 } });
  await log.close();
  const again = open();
  again.add('a', 1);
  expect(owedTo(again, 'a')).toEqual([2, 3, 4, 5, ...metas.map(({ seq }) => seq)]);
  expect(again.sources()).toEqual(accountsOf(metas));
  expect(again.account('a')).toMatchObject({ journalled: 28, delivered: 2, backlog: { samples: 26 } });
});
/** Makes the journal's folder. */
const diskFolder = (): void => void open().close();
