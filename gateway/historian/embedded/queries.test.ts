// What the oracle does not ask: hours whose samples are gone, buckets in progress, questions refused, called off or late.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { BucketWidth, Lacking } from '../../history.ts';
import type { Value } from '../../model.ts';
import { openQuery } from './history.ts';
import { lackOf, lacksToo } from './holes.ts';
import type { Query } from './history.ts';
import { openMemory } from './open.ts';
import { Pace } from './pace.ts';
import { openStore } from './store.ts';
import type { Store } from './storing.ts';
import { faultsIn, frameOf, sampleOf } from './testing.ts';

const { signal } = new AbortController();
const MINUTE = 60_000_000;
const HOUR = 60 * MINUTE;

const dataDir = mkdtempSync(join(tmpdir(), 'penstock-queries-'));
const clock = new ManualClock(Date.UTC(2026, 0, 1));
const start = clock.micros();
let store: Store;
let query: Query;
let seq = 1;
const write = (tag: number, at: number, value: Value, status = 0): Promise<unknown> =>
  store.write([frameOf(seq++, [sampleOf(tag, start + at, value, status)])], signal);

// 31 hours of tag 0: each minute its number in the hour. A day is kept, so six hours are gone but for their figures.
beforeAll(async () => {
  const memory = openMemory(1 << 20);
  store = openStore({ dataDir, clock, memory, durable: () => Infinity, retention: 86_400_000 });
  for (let minute = 0; minute < 31 * 60; minute++) {
    await write(0, minute * MINUTE, minute % 60);
    if (minute === 30) await write(6, minute * MINUTE, true);
    await clock.advance(60_000);
    await store.tend();
  }
  for (let i = 0; i < 10; i++) {
    await clock.advance(60_000);
    await store.tend();
  }
  query = openQuery(dataDir, clock, memory);
});
afterAll(async () => {
  query.close();
  await store.close();
  rmSync(dataDir, { recursive: true, force: true });
});

describe('hours whose samples are gone', () => {
  test('answer in their hours', async () => {
    const [series] = await query.aggregate({ tags: [0], from: start, to: start + 8 * HOUR, width: 'hour' });
    expect(series).toMatchObject({
      count: Array(8).fill(60),
      min: Array(8).fill(0),
      max: Array(8).fill(59),
      avg: Array(8).fill(29.5),
      share: Array(8).fill(1),
    });
    const [days] = await query.aggregate({ tags: [0], from: start, to: start + 30 * HOUR, width: 'day' });
    expect(days?.count).toEqual([24 * 60, 6 * 60]);
    expect(days?.mean?.map((mean) => mean?.toFixed(6))).toEqual(['29.500000', '29.500000']);
    const [kpi] = await query.kpis([0], start, start + 30 * HOUR);
    expect(kpi).toMatchObject({ n: 1800, min: 0, max: 59, avg: 29.5 });
  });
  test('have no samples and no states, and stand whole in the bucket that holds their first one', async () => {
    expect((await query.raw(0, start, start + 5 * HOUR, 10)).t).toEqual([]);
    const raw = await query.raw(0, start, start + 30 * HOUR, 10);
    expect(raw.t[0]).toBe(start + 6 * HOUR);
    const [states] = await query.states([0], start, start + 6 * HOUR + MINUTE, 10);
    expect(states?.spans).toEqual([
      { from: start, to: start + 6 * HOUR, value: null, quality: 'none' },
      { from: start + 6 * HOUR, to: start + 6 * HOUR + MINUTE, value: 0, quality: 'good' },
    ]);
    const [series] = await query.aggregate({ tags: [0], from: start, to: start + 2 * HOUR, width: HOUR / 2 });
    expect(series?.count).toEqual([60, 0, 60, 0]);
    expect(Math.max(...(series?.share ?? []))).toBeLessThanOrEqual(1);
  });
  test('count for a limit only when they were all on one side', async () => {
    const time = async (limit: number) => (await query.limitTime([0], start, start + 5 * HOUR, limit))[0];
    const held = 5 * HOUR;
    expect(await time(60)).toEqual({ tag: 0, above: 0, below: held, known: held });
    expect(await time(-1)).toEqual({ tag: 0, above: held, below: 0, known: held });
    // Between two hours the last value holds for a minute: that much is known.
    expect(await time(30)).toMatchObject({ tag: 0, above: 5 * MINUTE, below: 0, known: 5 * MINUTE });
  });
  test('are said to be known by the hour alone where that does not answer the question, and up to when', async () => {
    const cut = start + 1.5 * HOUR;
    const kpis = async (from: number, to: number) => (await query.kpis([0], from, to))[0];
    const limit = async (value: number) => (await query.limitTime([0], start, start + 7 * HOUR, value))[0];
    const cells = async (width: BucketWidth, zone = 'UTC') =>
      (await query.aggregate({ tags: [0], from: start, to: start + 7 * HOUR, width, zone }))[0];
    const [raw, states] = [
      await query.raw(0, cut, start + 7 * HOUR, 10),
      (await query.states([0], start, start + 4 * HOUR, 10))[0],
    ];
    const words = `raw samples before ${new Date((start + 6 * HOUR) / 1000).toISOString()} were removed by retention, what is older is known by the hour alone`;
    const until = (lacking: Lacking | undefined) => {
      expect(lacking?.incomplete).toBe(words);
      return ((lacking?.incompleteUntil ?? NaN) - start) / HOUR;
    };
    expect([until(raw), until(states), until(await limit(30))]).toEqual([6, 4, 6]);
    expect([until(await cells(HOUR / 2)), until(await cells('hour', 'Asia/Kolkata'))]).toEqual([6, 6]);
    expect(until((await query.buckets([0], start, start + 7 * HOUR, HOUR / 2))[0])).toBe(6);
    // What held before it began is no more than an hour's figure.
    const [later] = await query.states([0], start + 5 * HOUR, start + 5 * HOUR + 1, 10);
    expect(later?.spans).toEqual([{ from: start + 5 * HOUR, to: start + 5 * HOUR + 1, value: null, quality: 'none' }]);
    const [silent] = await query.states([6], start + 2 * HOUR, start + 3 * HOUR, 10);
    expect([until(silent), silent?.spans.map(({ quality }) => quality)]).toEqual([3, ['none']]);
    // The hour that the question cuts.
    expect([until(await kpis(cut, start + 8 * HOUR)), until(await kpis(start, cut))]).toEqual([2, 1.5]);
    const [known] = await query.limitTime([0], cut, start + 2 * HOUR, 100);
    expect([until(known), known?.known]).toEqual([2, 0]);

    const whole = [
      await query.raw(0, start + 6 * HOUR, start + 7 * HOUR, 10),
      await query.raw(0, start - 9 * HOUR, start, 10),
      await query.raw(0, -9 * HOUR, start, 10),
      await query.raw(7, start, start + 7 * HOUR, 10),
      (await query.states([0], start + 6 * HOUR, start + 7 * HOUR, 10))[0],
      (await query.states([7], start, start + 7 * HOUR, 10))[0],
      ...[
        await limit(60),
        await cells('hour'),
        await cells('day', 'Europe/Berlin'),
        await kpis(start, start + 8 * HOUR),
      ],
      (await query.buckets([0], start, start + 8 * HOUR, 2 * HOUR))[0],
    ];
    expect(whole.map((one) => one?.incomplete)).toEqual(whole.map(() => undefined));
  });
});

test('a bucket in progress is shared by what has passed of it, one to come is empty', async () => {
  const now = clock.micros();
  const from = Math.floor(now / HOUR) * HOUR;
  const [series] = await query.aggregate({ tags: [0], from, to: from + 3 * HOUR, width: 'hour' });
  expect(series).toMatchObject({ share: [1, 0, 0], mean: [59, null, null], count: [0, 0, 0] });
});

test('a repeated value goes on, a bad one ends it until the next good one', async () => {
  const at = clock.micros() - start;
  await write(1, at, 5);
  await write(1, at + MINUTE, 5);
  await write(1, at + 2 * MINUTE, 5, 0x80050000);
  await write(1, at + 4 * MINUTE, 7);
  await clock.advance(10 * 60_000);
  const [from, to] = [start + at - MINUTE, start + at + 5 * MINUTE];
  const [states] = await query.states([1], from, to, 100);
  expect(states?.spans.map(({ value, quality, from, to }) => [value, quality, (to - from) / MINUTE])).toEqual([
    [null, 'none', 1],
    [5, 'good', 2],
    [null, 'bad', 2],
    [7, 'good', 1],
  ]);
  expect(states?.durations).toEqual([
    { value: 5, time: 2 * MINUTE, times: 1 },
    { value: 7, time: MINUTE, times: 1 },
  ]);
  const [series] = await query.aggregate({ tags: [1], from, to, width: 6 * MINUTE });
  expect(series?.good.reduce((a, b) => a + b, 0)).toBe(3);
  expect(await query.limitTime([1], from, to, 6)).toEqual([
    { tag: 1, above: MINUTE, below: 2 * MINUTE, known: 3 * MINUTE },
  ]);
  const [page] = await query.states([1], from, to, 2);
  expect(page).toMatchObject({ more: true, durations: [{ value: 5, time: 2 * MINUTE, times: 1 }] });
  expect(page?.spans.at(-1)?.to).toBe(start + at + 2 * MINUTE);
});

test('a time asked for that begins within the minute of a chunk’s first sample holds all of it', async () => {
  const begun = Math.ceil((clock.micros() - start) / (15 * MINUTE)) * 15 * MINUTE + MINUTE / 2;
  const samples = Array.from({ length: 800 }, (_none, i) => sampleOf(3, start + begun + i * 1_000_000, i % 10));
  await store.write([frameOf(seq++, samples)], signal);
  for (let left = 45; left > 0; left--) {
    await clock.advance(60_000);
    await store.tend();
  }
  for (const before of [1_000_000, MINUTE / 2, 40_000_000]) {
    const from = start + begun - before;
    const [series] = await query.aggregate({ tags: [3], from, to: from + 30 * MINUTE + 7, width: 5 * MINUTE });
    expect(series?.count.reduce((a, b) => a + b)).toBe(800);
    expect(series?.first.find((value) => value !== null)).toBe(0);
    const [part] = await query.aggregate({
      tags: [3],
      from: from + 2 * before,
      to: from + 2 * before + 1e8,
      width: 'hour',
    });
    expect(part?.count).toEqual([100]);
  }
});

describe('refused with the reason', () => {
  const ask = { tags: [0], from: 0, to: HOUR, width: MINUTE };
  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['times that are no microseconds', () => query.raw(0, 0.5, 1, 1), /whole microseconds/],
    ['too many rows', () => query.raw(0, 0, 1, 1e6), /limit must be from 1 to 100000/],
    ['no rows', () => query.raw(0, 0, 1, 0), /limit must be/],
    [
      'too many cells',
      () => query.buckets([0, 1], 0, 1e12, 1e6),
      /2 tags × 1000000 buckets are more than 100000 cells/,
    ],
    ['too many buckets', () => query.aggregate({ ...ask, width: 1 }), /more than 100000 buckets/],
    ['a width of nothing', () => query.aggregate({ ...ask, width: 0 }), /above 0/],
    ['a zone nobody knows', () => query.aggregate({ ...ask, zone: 'Mars/Base' }), /no time zone called Mars\/Base/],
    ['too many spans', () => query.states([0, 1], 0, 1, 1e5), /cells/],
    ['too many tags', () => query.kpis(Array<number>(20_001).fill(0), 0, 1), /20001 tags are more than 20000/],
    ['a limit that is none', () => query.limitTime([0], 0, 1, NaN), /must be a number/],
  ])('%s', async (_name, question, reason) => {
    await expect(question()).rejects.toThrow(reason);
    await expect(question()).rejects.toThrow(RangeError);
  });
});

test('a value of too many kinds has no states', async () => {
  const at = clock.micros() - start;
  const samples = Array.from({ length: 1500 }, (_none, i) => sampleOf(2, start + at + i * 1000, i));
  await store.write([frameOf(seq++, samples)], signal);
  await expect(query.states([2], start, start + at + HOUR, 5000)).rejects.toThrow(/more than 1000 different values/);
  expect((await query.states([2], start, start + at + HOUR, 100))[0]?.spans.length).toBe(100);
});

test('tags that never were, and times before anything, are answered with nothing', async () => {
  const to = clock.micros();
  expect(await query.latest([77, -1, 2 ** 30])).toEqual([]);
  expect((await query.raw(77, 0, to, 10)).t).toEqual([]);
  expect(await query.kpis([77], 0, to)).toEqual([{ tag: 77, n: 0, min: null, avg: null, max: null, last: null }]);
  const [series] = await query.aggregate({ tags: [0], from: 0, to: HOUR, width: 'hour' });
  expect(series).toMatchObject({ count: [0], share: [0], mean: [null], first: [null] });
});

describe('a chunk that is damaged on disk', () => {
  // Two hours of tag 3 (numbers) and 4 (text), a sample a second; of each the first chunk of the second hour is damaged.
  const folder = mkdtempSync(join(tmpdir(), 'penstock-queries-'));
  const at = clock.micros() - 2 * HOUR - (clock.micros() % HOUR);
  const told: string[] = [];
  let reading: Query;
  beforeAll(async () => {
    const writing = openStore({ dataDir: folder, clock, memory: openMemory(1 << 20), durable: () => Infinity });
    writing.use([{ index: 3, id: 'north/pump/flow', type: 'double' }]);
    const samples = Array.from({ length: 7200 }, (_none, i) => [
      sampleOf(3, at + i * 1e6, i % 7),
      sampleOf(4, at + i * 1e6, i < 3600 ? 'a' : 'b'),
      sampleOf(5, at + i * 1e6, 5),
    ]);
    await writing.write([frameOf(1, samples.flat())], signal);
    await writing.close();
    const db = new DatabaseSync(join(folder, 'history.db'));
    db.prepare('UPDATE chunk SET data = zeroblob(80) WHERE t0 = ? AND id / 4294967296 < 5').run(at + HOUR);
    db.close();
    reading = openQuery(folder, clock, undefined, ({ tag }) => told.push(tag));
  });
  afterAll(() => {
    reading.close();
    rmSync(folder, { recursive: true });
  });
  const iso = (t: number): string => new Date(t / 1000).toISOString();
  const range = [at + HOUR - 60e6, at + HOUR + 20 * MINUTE] as const;
  const said = (tag: string) => ({
    incomplete: `the samples of ${tag} from ${iso(at + HOUR)} to ${iso(at + HOUR + 899e6)} are damaged on disk and left out: penstock history verify lists all such`,
  });
  const flow = said('north/pump/flow');

  test('is left out of the samples and fine buckets of its tag, which say so; others are whole', async () => {
    const { t, ...raw } = await reading.raw(3, ...range, 5000);
    expect(t).toEqual(
      [...Array(60).keys(), ...[...Array(300).keys()].map((i) => 960 + i)].map((i) => range[0] + i * 1e6),
    );
    expect(raw).toMatchObject(flow);
    const query = { tags: [3, 5], from: range[0], to: range[1], width: 15e6 };
    const [fine, other] = await reading.aggregate(query);
    const expected = Array.from({ length: 84 }, (_none, i) => (i < 4 || i >= 64 ? 1 : 0));
    expect(fine?.count).toEqual(expected.map((there) => 15 * there));
    // What came last before them holds no longer, and nothing is known of what they would have said.
    expect(fine?.share).toEqual(expected);
    expect(fine).toMatchObject(flow);
    expect([other?.incomplete, other?.count]).toEqual([undefined, Array(84).fill(15)]);
    const [curve] = await reading.buckets([3], ...range, 15e6);
    expect([curve?.n, curve?.incomplete]).toEqual([fine?.count, flow.incomplete]);
    expect(await reading.limitTime([3], ...range, 7)).toEqual([
      { tag: 3, above: 0, below: 20 * MINUTE + 60e6, known: 20 * MINUTE + 60e6 },
    ]);
    expect(await reading.limitTime([3], ...range, 3)).toMatchObject([{ known: 6 * MINUTE, ...flow }]);
  });
  test('is a time of which nothing is known among the states, and before a question', async () => {
    const [states] = await reading.states([4], ...range, 500);
    expect(states?.spans.map(({ value, quality, from, to }) => [value, quality, (to - from) / MINUTE])).toEqual([
      ['a', 'good', 1],
      [null, 'none', 15],
      ['b', 'good', 5],
    ]);
    expect(states).toMatchObject(said('tag 4'));
    const [later] = await reading.states([4], at + HOUR + 10 * MINUTE, at + HOUR + 16 * MINUTE, 500);
    expect(later?.spans.map(({ value }) => value)).toEqual([null, 'b']);
    const [kpi] = await reading.kpis([4], at + HOUR, at + HOUR + 10 * MINUTE);
    expect(kpi).toMatchObject({ last: null, ...said('tag 4') });
    expect(reading.before(4, at + HOUR + MINUTE)).toBeUndefined();
  });
  test('costs nothing where its figures say enough, nor where it is not asked for', async () => {
    const [hours] = await reading.aggregate({ tags: [3], from: at, to: at + 2 * HOUR, width: 'hour' });
    expect([hours?.count, hours?.incomplete]).toEqual([[3600, 3600], undefined]);
    for (const [from, to, n] of [
      [at, at + HOUR, 3600] as const,
      [at + HOUR + 15 * MINUTE, at + 2 * HOUR, 2700] as const,
    ]) {
      const raw = await reading.raw(3, from, to, 5000);
      expect([raw.t.length, raw.incomplete]).toEqual([n, undefined]);
    }
  });
  test('is told once, and found by verify', () => {
    expect(told).toEqual(['north/pump/flow', 'tag 4']);
    expect(faultsIn(folder).filter((fault) => fault.includes('cannot be read'))).toHaveLength(2);
  });
  test('of its minutes alone costs nothing: its samples say the same', async () => {
    const ask = () => reading.aggregate({ tags: [5], from: at, to: at + HOUR, width: MINUTE });
    const before = await ask();
    const db = new DatabaseSync(join(folder, 'history.db'));
    const { changes } = db.prepare("UPDATE chunk SET minutes = x'ff' WHERE id / 4294967296 = 5").run();
    db.close();
    expect(changes).toBeGreaterThan(0);
    expect(await ask()).toEqual(before);
  });
});

test('several damaged chunks of an answer are one sentence; with another lack it is both', () => {
  const hole = (from: number) => ({ tag: 'a', from: from * 1e6, to: from * 1e6 + 5e5 });
  expect(lackOf([])).toEqual({});
  const lack = lackOf([hole(9), hole(1), hole(1)]);
  expect(lack.incomplete).toMatch(
    /^the samples of a from 1970-01-01T00:00:01.000Z to 1970-01-01T00:00:09.500Z \(in 2 chunks\) are damaged/,
  );
  const away = { incomplete: 'no answer', incompleteUntil: 5 };
  expect(lacksToo({}, away)).toEqual(away);
  expect(lacksToo(lack, {})).toEqual({});
  expect(lacksToo(lack, away)).toEqual({ incomplete: `${lack.incomplete}; no answer` });
});

test('a question called off ends at its next break, one that takes too long with a reason', async () => {
  const stop = new AbortController();
  let mono = 0;
  const pace = new Pace(() => (mono += 5), stop.signal);
  await pace.rest();
  stop.abort();
  await expect(pace.rest().then(() => pace.rest())).rejects.toThrow(/abort/);
  expect(() => new Pace(() => 0, stop.signal)).toThrow(/abort/);
  const late = new Pace(() => (mono += 6000));
  await expect(late.rest().then(() => late.rest())).rejects.toThrow(/longer than 10 s/);
  await expect(query.raw(0, 0, 1, 1, stop.signal)).rejects.toThrow(/abort/);
});
