// What is kept how long: by age, by bytes, and what comes in too old or not to be kept at all.
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Life } from './bed.ts';
import { openQuery } from './history.ts';
import { rowId } from './chunks.ts';
import { allHeld, faultsIn, frameOf, sampleOf } from './testing.ts';
import type { Held } from './testing.ts';

const { signal } = new AbortController();

test('samples that cannot be kept are filtered, and counted', async () => {
  const life = new Life({ retention: 86_400_000 });
  const now = life.clock.micros();
  const odd = [now - 86_400e6 - 3600e6, -1, 0.5, NaN, 2 ** 60, 0].map((t) => sampleOf(0, t));
  const frame = frameOf(1, [...odd, sampleOf(-1, now), sampleOf(2 ** 22, now), sampleOf(0.5, now), sampleOf(1, now)]);
  expect(await life.store.write([frame], signal)).toEqual({ delivered: 1, filtered: 9, deadLettered: 0 });
  life.next = 2;
  await life.store.close();
  expect(life.store.settled).toEqual({ position: 2, delivered: 1, filtered: 9 });
  expect([...allHeld(life.dataDir)].map(([tag, held]) => [tag, held.size])).toEqual([[1, 1]]);
});

test('what retention has passed over since it was taken in changes no hour that has outlived its samples', async () => {
  const life = new Life({ retention: 6 * 3_600_000 });
  const start = Math.floor(life.clock.micros() / 3600e6) * 3600e6;
  await life.write(Array.from({ length: 100 }, (_none, i) => sampleOf(0, start + i * 30e6, i)));
  await life.pass(7200);
  // Late, and kept open by a journal that is not synced until its hour is gone.
  life.durable = life.next;
  await life.write([sampleOf(0, life.clock.micros(), 1)], [sampleOf(0, start + 1e6, 999)]);
  for (let hour = 0; hour < 7; hour++) {
    await life.pass(3600);
    await life.write([sampleOf(1, life.clock.micros(), 1)]);
  }
  await life.pass(120);
  life.durable = Infinity;
  await life.pass(120);
  const db = new DatabaseSync(join(life.dataDir, 'history.db'), { readOnly: true });
  const rows = db.prepare('SELECT n, max FROM hour WHERE id = ?').all(rowId(0, start));
  const chunks = db.prepare('SELECT count(*) AS n FROM chunk WHERE id < ?').get(rowId(0, start + 3600e6));
  db.close();
  expect([rows, chunks]).toEqual([[{ n: 100, max: 99 }], { n: 0 }]);
  await life.store.close();
});

test('what is older than the retention goes while samples come, its hours stay; a young file is not emptied by a wrong clock', async () => {
  const life = new Life({ retention: 86_400_000 });
  const start = life.clock.micros();
  for (let hour = 0; hour < 31; hour++) {
    await life.write(Array.from({ length: 100 }, (_, i) => sampleOf(i % 2, start + hour * 3600e6 + i * 30e6, i)));
    await life.pass(3600);
  }
  await life.pass(120);
  const held = allHeld(life.dataDir, life.memory).get(0) as Map<number, Held>;
  const oldest = Math.min(...held.keys());
  expect(oldest).toBe(start + 6 * 3600e6);
  const db = new DatabaseSync(join(life.dataDir, 'history.db'), { readOnly: true });
  const { n } = db.prepare('SELECT sum(n) AS n FROM hour').get() as { n: number };
  db.close();
  expect(n).toBe(31 * 100);
  expect(faultsIn(life.dataDir)).toEqual([]);
  expect(life.store.stats().removed).toBe(2 * 6);
  life.clock.stepWall(400 * 86_400_000);
  await life.pass(120);
  expect(allHeld(life.dataDir, life.memory).get(0)?.size).toBe(held.size);
  await life.store.close();
});

const YEARS = 20 * 365 * 86_400_000;
/** A sample every half minute, at the clock's time. */
async function live(life: Life, minutes: number): Promise<void> {
  for (let i = 0; i < minutes * 2; i++) {
    await life.write([sampleOf(0, life.clock.micros(), i)]);
    await life.pass(30);
  }
}

test('a clock years ahead for hours, with samples filed by it, removes nothing and loses nothing that comes after', async () => {
  const life = new Life({ retention: 86_400_000 });
  await live(life, 90);
  life.clock.stepWall(YEARS);
  await live(life, 90);
  await life.kill();
  await live(life, 30);
  life.clock.stepWall(-YEARS);
  await live(life, 90);
  life.check();
  expect(life.store.stats()).toMatchObject({ removed: 0, filtered: 0 });
  // One that stays is right: the machine was off for long.
  life.clock.stepWall(YEARS + 10 * 86_400_000);
  await live(life, 7 * 60);
  expect(life.store.stats().removed).toBeGreaterThan(0);
  expect(Math.min(...(allHeld(life.dataDir, life.memory).get(0)?.keys() ?? []))).toBeGreaterThan(
    life.clock.micros() - 86_400e6 - 6 * 3600e6,
  );
  await life.store.close();
});

test('a longer retention holds for imports too, unless samples of that time were removed', async () => {
  const day = 86_400_000;
  const life = new Life({ retention: day });
  const old = life.clock.micros() - 10 * day * 1000;
  await life.pass(120);
  const taken = async (retention: number, t: number): Promise<boolean> => {
    life.options.retention = retention;
    await life.kill();
    const { filtered } = life.store.stats();
    await life.file('import', [sampleOf(0, t)]);
    await life.write([sampleOf(1, life.clock.micros())]);
    await life.pass(120);
    return life.store.stats().filtered === filtered;
  };
  expect(await taken(day, old)).toBe(false);
  expect(await taken(30 * day, old)).toBe(true);
  // Made short again it costs the sample, and stores elsewhere alone know that time.
  expect(await taken(day, old + 1)).toBe(false);
  expect(life.store.stats().removed).toBe(1);
  expect(await taken(30 * day, old + 2)).toBe(false);
  await life.store.close();
});

test('a clock that stands ahead is right in the end, also where no run is long enough', async () => {
  const life = new Life({ retention: 86_400_000 });
  await live(life, 10);
  life.clock.stepWall(YEARS);
  for (let run = 0; run < 3; run++) {
    await live(life, 150);
    expect(life.store.stats().removed > 0).toBe(run === 2);
    await life.kill();
  }
  await life.store.close();
});

test('a history whose clock was years ahead when it began takes in what comes once the clock is right', async () => {
  const life = new Life({ retention: 3_600_000 });
  life.clock.stepWall(YEARS);
  await life.store.close();
  rmSync(join(life.dataDir, 'history.db'));
  life.store = life.open();
  await live(life, 150);
  expect(life.store.stats().removed).toBeGreaterThan(0);
  life.clock.stepWall(-YEARS);
  await live(life, 10);
  expect(life.store.stats().filtered).toBe(0);
  await life.store.close();
});

test('a history that began before its clock was set removes what is old, and says since when it has everything, once it is', async () => {
  const life = new Life({ retention: 3_600_000 });
  const now = life.clock.now();
  await life.store.close();
  rmSync(join(life.dataDir, 'history.db'));
  life.clock.stepWall(40_000 - now);
  life.store = life.open();
  await live(life, 10);
  const since = (): number => {
    const query = openQuery(life.dataDir, life.clock, life.memory);
    const found = query.since();
    query.close();
    return found;
  };
  expect(since()).toBe(40e6);
  life.clock.stepWall(now);
  await life.kill();
  await live(life, 150);
  expect(since()).toBeGreaterThan(now * 1000);
  expect(since()).toBeLessThan(now * 1000 + 20 * 60e6);
  expect(life.store.stats().removed).toBeGreaterThan(0);
  await life.store.close();
});

/** Full of one tag, with samples that take room. */
async function noisyHours(life: Life, hours: number): Promise<void> {
  const start = life.clock.micros();
  for (let hour = 0; hour < hours; hour++) {
    await life.write(
      Array.from({ length: 3600 }, (_, i) => sampleOf(0, start + hour * 3600e6 + i * 1e6, Math.sin(hour * i))),
    );
    await life.pass(3600);
  }
}

test('a clock at its beginning for a while, as after a power cut, opens nothing for good that had to make room', async () => {
  const life = new Life({ bytes: 200_000 });
  const start = life.clock.micros();
  await noisyHours(life, 12);
  const { floor } = life.store.stats();
  expect(floor).toBeGreaterThan(start + 3600e6);
  const now = life.clock.now();
  await life.store.close();
  life.clock.stepWall(40_000 - now);
  life.store = life.open();
  await life.write([sampleOf(0, life.clock.micros())]);
  await life.pass(120);
  expect(life.store.stats()).toMatchObject({ floor: 0, filtered: 0 });
  await life.kill();
  life.clock.stepWall(now - life.clock.now());
  await life.write([sampleOf(0, life.clock.micros())]);
  await life.pass(120);
  expect(life.store.stats().floor).toBe(floor);
  await life.file('import', [sampleOf(0, start + 60e6)]);
  expect(life.store.stats().filtered).toBe(1);
  const query = openQuery(life.dataDir, life.clock, life.memory);
  expect((await query.raw(0, start, floor, 10)).incomplete).toMatch(/^raw samples before .* were removed by retention/);
  expect((await query.kpis([0], start, start + 3600e6))[0]?.n).toBe(3600);
  query.close();
  await life.store.close();
});

test('a clock some hours ahead for a while hides nothing of what comes after, also once its time has come', async () => {
  const life = new Life({ retention: 3_600_000 });
  await live(life, 90);
  life.clock.stepWall(2 * 3_600_000);
  await live(life, 5);
  life.clock.stepWall(-2 * 3_600_000);
  for (let i = 0; i < 12; i++) {
    await live(life, 20);
    expect(life.store.stats()).toMatchObject({ filtered: 0 });
    expect(life.store.stats().floor).toBeLessThanOrEqual(life.clock.micros() - 3600e6);
  }
  await life.store.close();
});

test('hourly figures never fill the file alone: beyond its bytes they are shortened as samples are', async () => {
  const day = 86_400_000;
  const life = new Life({ retention: 2 * day, rollups: 20 * day, bytes: 150_000 });
  const start = life.clock.micros();
  for (let hour = 0; hour < 24 * 6; hour++) {
    await life.write(
      Array.from({ length: 80 }, (_, i) => sampleOf(i % 20, start + hour * 3600e6 + i * 40e6, Math.sin(hour * i))),
    );
    await life.clock.advance(3_600_000);
    for (let i = 0; i < 3; i++) await life.pass(5);
  }
  await life.pass(120);
  const db = new DatabaseSync(join(life.dataDir, 'history.db'), { readOnly: true });
  const [hours, chunks] = ['hour', 'chunk'].map((table) => {
    const { oldest } = db.prepare(`SELECT min(t0) AS oldest FROM ${table}`).get() as { oldest: number };
    return (life.clock.micros() - oldest) / 3600e6;
  }) as [number, number];
  db.close();
  expect(life.store.stats().bytes).toBeLessThan(180_000);
  expect(chunks).toBeGreaterThan(2);
  expect(hours).toBeGreaterThan(chunks);
  const query = openQuery(life.dataDir, life.clock, life.memory);
  const end = life.clock.micros();
  const [all] = await query.kpis([0], start, end);
  const words = /^samples and hourly figures before (.*) were removed by retention$/.exec(all?.incomplete ?? '');
  expect(Date.parse(words?.[1] ?? '')).toBeGreaterThan(start / 1000 + 3_600_000);
  expect((await query.raw(0, start, end, 10)).incomplete).toMatch(/^raw samples before .*; samples and hourly figures/);
  const from = Math.ceil(end - hours * 3600e6);
  expect((await query.kpis([0], Math.floor(from / 3600e6) * 3600e6, end))[0]?.incomplete).toBe(undefined);
  query.close();
  expect(faultsIn(life.dataDir)).toEqual([]);
  await life.store.close();
});

test('beyond its bytes the oldest hours go; shrinking gives the disk its pages back', async () => {
  const life = new Life({ bytes: 400_000 });
  await noisyHours(life, 24);
  expect(life.store.stats().bytes).toBeLessThan(600_000);
  expect(life.store.stats().removed).toBeGreaterThan(0);
  const before = allHeld(life.dataDir).get(0)?.size ?? 0;
  const earlier = life.store.stats().floor;
  life.store.shrink();
  await life.pass(10);
  const { floor, filtered } = life.store.stats();
  expect(floor).toBeGreaterThan(earlier);
  await life.write([sampleOf(0, floor - 1), sampleOf(0, floor)]);
  expect(life.store.stats().filtered).toBe(filtered + 1);
  expect(allHeld(life.dataDir).get(0)?.size).toBeLessThan(before);
  const db = new DatabaseSync(join(life.dataDir, 'history.db'), { readOnly: true });
  expect(db.prepare('PRAGMA freelist_count').get()).toEqual({ freelist_count: 0 });
  db.close();
  expect(faultsIn(life.dataDir)).toEqual([]);
  await life.store.close();
});
