// What the store promises: every sample once, in time order, whatever dies and whatever comes late; sums that hold.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { Frame, Origin, Sample } from '../../model.ts';
import { WINDOW, rowId, tagOfRow, windowOf } from './chunks.ts';
import { decodeChunk, encodeChunk } from './codec.ts';
import { openQuery } from './history.ts';
import { openStore } from './store.ts';
import type { Store, StoreOptions } from './storing.ts';
import { openMemory } from './open.ts';
import { columnsOf, figureColumns } from './rows.ts';
import { indexOf, part } from './series.ts';
import { summarize } from './summary.ts';
import { allHeld, faultsIn, frameOf, sampleOf, windowsIn } from './testing.ts';
import type { Held } from './testing.ts';
import { compact } from './upkeep.ts';

/** PENSTOCK_SOAK times as many histories as a unit run's. */
const SOAK = Number(process.env.PENSTOCK_SOAK ?? 1);
const folders: string[] = [];
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-store-'));
  folders.push(dir);
  return dir;
};
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true });
});
const { signal } = new AbortController();

/** A gateway's history that can be killed: the journal's frames from the stored position on come again. */
class Life {
  readonly dataDir = folder();
  readonly clock = new ManualClock();
  readonly frames: Frame[] = [];
  readonly model = new Map<number, Map<number, Held>>();
  readonly options: Partial<StoreOptions>;
  memory = openMemory(1 << 20);
  store: Store;
  next = 1;
  durable = Infinity;

  constructor(options: Partial<StoreOptions> = {}) {
    this.options = options;
    this.store = this.open();
  }
  open(): Store {
    const { dataDir, clock, memory } = this;
    return openStore({ dataDir, clock, memory, durable: () => Math.min(this.durable, this.next), ...this.options });
  }
  write(...batches: Sample[][]): Promise<void> {
    return this.file('live', ...batches);
  }
  async file(origin: Origin, ...batches: Sample[][]): Promise<void> {
    const fresh = batches.map((samples) => frameOf(this.next++, samples, origin));
    this.frames.push(...fresh);
    for (const { tag, t, value, status } of batches.flat()) {
      let held = this.model.get(tag);
      if (!held) this.model.set(tag, (held = new Map()));
      held.set(t, { value, status });
    }
    await this.store.write(fresh, signal);
  }
  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 5) {
      await this.clock.advance(Math.min(5, left) * 1000);
      await this.store.tend();
    }
  }
  /** As `kill -9` does it: memory is gone, what was committed stays. */
  async kill(): Promise<void> {
    this.memory = openMemory(1 << 20);
    this.store = this.open();
    await this.store.write(
      this.frames.filter(({ seq }) => seq >= this.store.settled.position),
      signal,
    );
  }
  /** Samples journalled below the stored position must be those that the store counts. */
  balance(): { below: number; counted: number } {
    const { position, delivered, filtered } = this.store.settled;
    const below = this.frames.reduce((sum, { seq, samples }) => sum + (seq < position ? samples.length : 0), 0);
    return { below, counted: delivered + filtered };
  }
  check(): void {
    const held = allHeld(this.dataDir, this.memory);
    expect(sorted(held)).toEqual(sorted(this.model));
    expect(faultsIn(this.dataDir)).toEqual([]);
    const { below, counted } = this.balance();
    expect(counted).toBe(below);
  }
}
const sorted = (all: Map<number, Map<number, Held>>): unknown =>
  [...all]
    .filter(([, held]) => held.size > 0)
    .sort((a, b) => a[0] - b[0])
    .map(([tag, held]) => [tag, [...held].sort((a, b) => a[0] - b[0])]);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      samples: fc.array(
        fc.record({
          tag: fc.nat(3),
          back: fc.oneof({ weight: 3, arbitrary: fc.nat(8) }, fc.nat(2000)),
          value: fc.oneof(
            fc.integer({ min: -50, max: 50 }),
            fc.constantFrom(null, 0.5, -0, NaN, true, 'off', 2n ** 60n, 1.7e308, -1.7e308),
          ),
          bad: fc.nat(5),
        }),
        { maxLength: 40 },
      ),
    }),
  },
  { weight: 3, arbitrary: fc.record({ pass: fc.nat(1500) }) },
  {
    weight: 1,
    arbitrary: fc.record({ run: fc.integer({ min: 1, max: 2500 }), every: fc.constantFrom(1000, 250_000, 1e6) }),
  },
  { weight: 2, arbitrary: fc.constant({ kill: true }) },
  { weight: 1, arbitrary: fc.constant({ close: true }) },
);

test(
  'every sample is held once through late, doubled and repeated ones, kills and closings; the sums hold at all times',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const life = new Life();
        for (const each of steps) {
          const now = life.clock.micros();
          if ('samples' in each)
            await life.write(
              each.samples.map(({ tag, back, value, bad }) =>
                sampleOf(tag, now - back * 1_700_000, value, bad === 0 ? 0x80050000 : 0),
              ),
            );
          else if ('run' in each)
            await life.write(Array.from({ length: each.run }, (_, i) => sampleOf(0, now + i * each.every, i)));
          else if ('pass' in each) await life.pass(each.pass);
          else if ('kill' in each) await life.kill();
          else {
            await life.store.close();
            expect(life.store.settled.position).toBe((life.frames.at(-1)?.seq ?? -1) + 1);
            await life.kill();
          }
          expect(life.balance().counted).toBe(life.balance().below);
        }
        life.check();
        await life.kill();
        life.check();
        await life.store.close();
        life.memory = openMemory(1 << 16);
        life.check();
      }),
      { numRuns: 20 * SOAK },
    );
  },
  30_000 * SOAK,
);

test('a second of tags becomes a chunk each a while after its window, not all at once, and its hour gets a row', async () => {
  const life = new Life();
  const start = life.clock.micros();
  const tags = 200;
  for (let second = 0; second < 900; second += 30) {
    for (let t = second; t < second + 30; t += 10)
      await life.write(Array.from({ length: tags }, (_, tag) => sampleOf(tag, start + t * 1e6, t)));
    await life.pass(30);
  }
  await life.pass(10);
  expect(windowsIn(life.dataDir)).toEqual([]);
  await life.pass(10);
  const begun = windowsIn(life.dataDir).length;
  expect(begun).toBeGreaterThan(0);
  expect(begun).toBeLessThan(tags);
  await life.pass(60);
  expect(windowsIn(life.dataDir)).toEqual(Array(tags).fill(1));
  expect(life.store.settled).toEqual({ position: life.next, delivered: tags * 90, filtered: 0 });
  const hours = (): number => {
    const db = new DatabaseSync(join(life.dataDir, 'history.db'), { readOnly: true });
    const { n } = db.prepare('SELECT count(*) AS n FROM hour').get() as { n: number };
    db.close();
    return n;
  };
  expect(hours()).toBe(0);
  await life.pass(2800);
  expect(hours()).toBe(tags);
  life.check();
  await life.store.close();
});

test('a late sample is merged into its chunk; of two with the same time the higher sequence stays', async () => {
  const life = new Life();
  const start = life.clock.micros();
  await life.write(Array.from({ length: 900 }, (_, i) => sampleOf(0, start + i * 1e6, i)));
  await life.pass(1000);
  expect(windowsIn(life.dataDir)).toEqual([1]);
  await life.write([sampleOf(0, start + 1000e6, 1)]);
  await life.write([sampleOf(0, start + 5e6, 'late'), sampleOf(0, start + 5.5e6, 5.5)]);
  await life.write([sampleOf(0, start + 5e6, 'later')]);
  life.check();
  expect(
    allHeld(life.dataDir, life.memory)
      .get(0)
      ?.get(start + 5e6)?.value,
  ).toBe('later');
  await life.store.close();
  expect(windowsIn(life.dataDir)).toEqual([1]);
  life.check();
});

test('a tag of few samples has one chunk an hour, one of many a chunk for each quarter', async () => {
  const life = new Life();
  const start = life.clock.micros();
  for (let minute = 0; minute < 62; minute++) {
    const at = start + minute * 60e6;
    await life.write(
      Array.from({ length: 60 }, (_, i) => sampleOf(0, at + i * 1e6, i)),
      Array.from({ length: 4 }, (_, i) => sampleOf(1, at + i * 15e6, i)),
    );
    await life.pass(60);
  }
  const db = new DatabaseSync(join(life.dataDir, 'history.db'), { readOnly: true });
  expect(db.prepare('SELECT n FROM chunk ORDER BY id').all()).toEqual([900, 900, 900, 900, 240].map((n) => ({ n })));
  db.close();
  life.check();
  await life.store.close();
  life.check();
});

test('a file of the first version is read and written on; its parts are joined when it is compacted', async () => {
  const life = new Life();
  const start = life.clock.micros();
  await life.write(Array.from({ length: 1000 }, (_, i) => sampleOf(i % 2, start + i * 5e6, i % 2 ? -0 : i)));
  await life.store.close();
  const db = new DatabaseSync(join(life.dataDir, 'history.db'));
  const rows = db.prepare('SELECT id, data FROM chunk').all() as { id: number; data: Uint8Array }[];
  const insert = db.prepare(`INSERT INTO chunk(id, ${figureColumns}, data) VALUES(${Array(14).fill('?').join(', ')})`);
  db.exec('DELETE FROM chunk; PRAGMA user_version=1');
  for (const { id, data } of rows) {
    const series = decodeChunk(data);
    for (let from = 0, to; from < series.n; from = to) {
      to = indexOf(series, windowOf(series.t[from] as number) + WINDOW);
      const piece = part(series, from, to);
      const [held = 0, ...columns] = columnsOf(summarize(piece), piece).reverse();
      insert.run(rowId(tagOfRow(id), piece.t[0] as number), ...columns.reverse(), held & 3, encodeChunk(piece));
    }
  }
  life.check();
  life.store = life.open();
  expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 2 });
  await life.write(Array.from({ length: 10 }, (_, i) => sampleOf(0, start + (i + 0.5) * 300e6, 'late')));
  const query = openQuery(life.dataDir, life.clock, life.memory);
  expect((await query.kpis([1], start, start + 5000e6))[0]).toMatchObject({ n: 500, last: { value: -0 } });
  query.close();
  await life.store.close();
  life.check();
  expect([...compact(db)].at(-1)).toBeGreaterThan(0);
  expect(db.prepare('SELECT count(*) AS n FROM chunk').get()).toEqual({ n: 4 });
  db.close();
  life.check();
});

test('a chunk that cannot be read any more is set aside, and keeps nobody from storing', async () => {
  const life = new Life();
  const start = life.clock.micros();
  await life.write(Array.from({ length: 900 }, (_, i) => sampleOf(0, start + i * 1e6, i)));
  await life.pass(1000);
  const db = new DatabaseSync(join(life.dataDir, 'history.db'));
  db.exec('UPDATE chunk SET data = zeroblob(100)');
  await life.write([sampleOf(0, start + 5.5e6, 'late')]);
  await life.store.close();
  expect(db.prepare('SELECT count(*) AS n FROM damaged').get()).toEqual({ n: 1 });
  db.close();
  expect(life.store.stats().damaged).toBe(1);
  expect([...(allHeld(life.dataDir).get(0) ?? [])]).toEqual([[start + 5.5e6, { value: 'late', status: 0 }]]);
});

test('values so large that no double holds their sum are kept, and keep nobody from storing', async () => {
  const life = new Life();
  const start = life.clock.micros();
  await life.write(Array.from({ length: 900 }, (_, i) => sampleOf(0, start + i * 1e6, i % 4 < 2 ? 1.7e308 : -1.7e308)));
  await life.pass(4000);
  expect(life.store.stats()).toMatchObject({ trouble: '', open: 0 });
  life.check();
  const query = openQuery(life.dataDir, life.clock, life.memory);
  const [kpi] = await query.kpis([0], start, start + 3600e6);
  expect(kpi).toMatchObject({ n: 900, min: -1.7e308, max: 1.7e308, avg: null });
  query.close();
  await life.store.close();
});

test.each([
  ['a chunk holds', 500, 2, 5],
  ['two bytes count', 10, 48, 5],
])(
  'more samples a second than %s stay in one chunk, the next second begins another',
  async (_name, step, each, times) => {
    const life = new Life();
    life.memory = openMemory(1 << 23);
    life.store = life.open();
    const start = life.clock.micros();
    for (let i = 0; i < times; i++)
      await life.write(
        Array.from({ length: 500 * each }, (_, k) => sampleOf(0, start + (i * 500 * each + k) * step, k % 100)),
      );
    await life.store.close();
    expect(windowsIn(life.dataDir)).toEqual([Math.ceil((500 * each * times * step) / 1e6)]);
    life.check();
  },
);

test('memory never passes its bound: the longest open are closed early, and their pieces joined again', async () => {
  const life = new Life();
  const start = life.clock.micros();
  const { blocks } = life.memory;
  for (let second = 0; second < 880; second += 20) {
    for (let t = second; t < second + 20; t++)
      await life.write(Array.from({ length: 60 }, (_, tag) => sampleOf(tag, start + t * 1e6, t)));
    await life.pass(20);
    expect(life.store.stats().memory).toBeLessThanOrEqual(blocks.byteLength);
  }
  expect(windowsIn(life.dataDir).length).toBeGreaterThan(0);
  life.check();
  await life.kill();
  life.check();
  await life.pass(2000);
  expect(windowsIn(life.dataDir)).toEqual(Array(60).fill(1));
  life.check();
  await life.store.close();
});

test('a frame larger than all memory goes straight into chunks', async () => {
  const life = new Life();
  const start = life.clock.micros();
  life.memory = openMemory(30_000);
  life.store = life.open();
  await life.write([sampleOf(1, start, 1)]);
  const many = Array.from({ length: 5000 }, (_, i) => sampleOf(i % 3, start + i * 1e5, i));
  await life.write(many);
  await life.write([sampleOf(1, start + 1e9, 1)]);
  life.check();
  await life.kill();
  life.check();
  await life.store.close();
});

test('nothing is committed that a power cut could take back from the journal', async () => {
  const life = new Life();
  const start = life.clock.micros();
  await life.write([sampleOf(0, start, 1)]);
  life.durable = 1;
  await life.pass(2000);
  expect(life.store.settled.position).toBeLessThanOrEqual(1);
  expect(windowsIn(life.dataDir)).toEqual([]);
  life.durable = 2;
  await life.pass(60);
  expect(life.store.settled).toEqual({ position: 2, delivered: 1, filtered: 0 });
  await life.store.close();
});

test('the journal is relieved: with half of its cap held for open chunks the oldest are closed', async () => {
  let pinned = 0;
  const life = new Life({ pinned: () => pinned });
  const start = life.clock.micros();
  for (let i = 0; i < 20; i++) await life.write([sampleOf(i, start + i, 1)]);
  await life.pass(20);
  expect(life.store.settled.position).toBeLessThanOrEqual(1);
  pinned = 0.5;
  await life.pass(5);
  expect(life.store.settled.position).toBe(life.next);
  await life.store.close();
});

/** Filed while live samples of the same tags are open, of an hour a day ago. */
async function importBeside(life: Life, samples: number, live: number): Promise<void> {
  const now = life.clock.micros();
  await life.write(...Array.from({ length: live }, (_, i) => [sampleOf(i % 3, now + i, i)]));
  for (let done = 0; done < samples; done += 1000)
    await life.file(
      'import',
      Array.from({ length: 1000 }, (_, i) => sampleOf(i % 3, now - 86_400e6 + (done + i) * 1e5, i)),
    );
  await life.write([sampleOf(0, now + live, 'newest')]);
}

test.each([
  ['a large one', 12_000, 30, true],
  ['a small one', 3000, 30, false],
  ['one that live samples outweigh', 12_000, 13_000, false],
])('an import behind live samples is settled within seconds: %s', async (_what, samples, live, settled) => {
  const life = new Life();
  life.memory = openMemory(1 << 23);
  life.store = life.open();
  await importBeside(life, samples, live);
  const newest = life.next - 1;
  await life.pass(2);
  expect(life.store.settled.position > newest - 1).toBe(settled);
  expect(life.balance().counted).toBe(life.balance().below);
  life.check();
  await life.kill();
  life.check();
  await life.pass(4000);
  life.check();
  await life.store.close();
});

test('an import is settled no further than the journal is synced, and it is synced for that', async () => {
  let syncs = 0;
  const life = new Life({
    sync: () => {
      syncs++;
      life.durable = life.next - 2;
      return Promise.resolve();
    },
  });
  life.memory = openMemory(1 << 23);
  life.store = life.open();
  life.durable = 1;
  await importBeside(life, 12_000, 30);
  await life.pass(1);
  expect(syncs).toBe(1);
  expect(life.store.settled.position).toBeLessThanOrEqual(life.durable);
  life.durable = Infinity;
  await life.kill();
  life.check();
  await life.store.close();
});

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

test('a transaction that fails loses nothing and doubles nothing', async () => {
  const life = new Life();
  const start = life.clock.micros();
  await life.write(Array.from({ length: 300 }, (_, i) => sampleOf(i % 3, start + i * 1e6, i)));
  const other = new DatabaseSync(join(life.dataDir, 'history.db'));
  other.exec(
    `CREATE TRIGGER full BEFORE INSERT ON chunk WHEN new.id >= 4294967296 BEGIN SELECT RAISE(ABORT, 'disk full'); END`,
  );
  await life.pass(1000);
  expect(life.store.stats().trouble).toMatch(/disk full/);
  expect(life.store.settled.position).toBeLessThanOrEqual(1);
  life.check();
  await life.write(Array.from({ length: 300 }, (_, i) => sampleOf(i % 3, start + (1000 + i) * 1e6, i)));
  other.exec('DROP TRIGGER full');
  other.close();
  await life.pass(10);
  expect(life.store.stats().trouble).toBe('');
  life.check();
  await life.store.close();
  expect(life.store.settled).toEqual({ position: 3, delivered: 600, filtered: 0 });
  life.check();
});

test('stragglers over hundreds of windows hold up nobody for long; killed amid them each is there once, the newest wins', async () => {
  // The disk stops taking anything after so many looks at what is durable.
  let looks = Infinity;
  const durable = (): number => {
    if (looks-- <= 0) throw new Error('killed');
    return Infinity;
  };
  const life = new Life({ durable });
  const now = life.clock.micros();
  const early = windowOf(now) - 300 * WINDOW;
  const scattered = (value: number): Sample[] =>
    Array.from({ length: 600 }, (_none, i) => sampleOf(0, early + (((i * 7) % 300) * WINDOW + i * 1e6), value + i));
  await life.write(scattered(0));
  await life.pass(1000);
  expect(windowsIn(life.dataDir)).toHaveLength(300 / 4);
  await life.write([sampleOf(0, life.clock.micros())], scattered(1000), scattered(2000), [
    sampleOf(0, early + 3e6, 'on'),
  ]);
  await life.clock.advance(1_000_000);
  looks = 5;
  await life.store.tend();
  const db = new DatabaseSync(join(life.dataDir, 'history.db'), { readOnly: true });
  const { n } = db.prepare('SELECT count(*) AS n FROM chunk WHERE max >= 2000').get() as { n: number };
  db.close();
  expect(n).toBeGreaterThan(10);
  expect(n).toBeLessThan(70);
  life.check();
  looks = Infinity;
  await life.kill();
  life.check();
  const before = life.store.stats().commits;
  await life.pass(1000);
  expect(life.store.stats()).toMatchObject({ open: 0, trouble: '' });
  expect(life.store.stats().commits - before).toBeGreaterThan(8);
  life.check();
  await life.store.close();
});

test('a tag that never rests, with stragglers in every frame, is closed up to what is durable; its position follows', async () => {
  // The newest frame is never durable when somebody looks.
  const life: Life = new Life({ durable: () => life.next - 1 });
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
  for (let at = 0; at < 2400; at += 5) {
    const now = life.clock.micros();
    for (let i = 0; i < 5; i++)
      await life.write([
        ...[0, 1].map((tag) => sampleOf(tag, now + i * 1e6, random(50))),
        ...[0, 2].map((tag) => sampleOf(tag, now - random(1500) * 1e6, random(50))),
        ...(random(40) === 0 ? [sampleOf(0, now - random(1e9), 'on')] : []),
      ]);
    await life.pass(5);
    if (at === 1500) await life.kill();
    if (at % 600 === 0) life.check();
  }
  expect(life.next - life.store.settled.position).toBeLessThan(1800);
  const { open } = life.store.stats();
  expect(open).toBeLessThan(4 * 1800);
  life.check();
  await life.kill();
  life.check();
  await life.store.close();
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

test('beyond its bytes the oldest hours go; shrinking gives the disk its pages back', async () => {
  const life = new Life({ bytes: 400_000 });
  const start = life.clock.micros();
  for (let hour = 0; hour < 24; hour++) {
    await life.write(
      Array.from({ length: 3600 }, (_, i) => sampleOf(0, start + hour * 3600e6 + i * 1e6, Math.sin(hour * i))),
    );
    await life.pass(3600);
  }
  expect(life.store.stats().bytes).toBeLessThan(600_000);
  expect(life.store.stats().removed).toBeGreaterThan(0);
  const before = allHeld(life.dataDir).get(0)?.size ?? 0;
  life.store.shrink();
  await life.pass(10);
  expect(allHeld(life.dataDir).get(0)?.size).toBeLessThan(before);
  const db = new DatabaseSync(join(life.dataDir, 'history.db'), { readOnly: true });
  expect(db.prepare('PRAGMA freelist_count').get()).toEqual({ freelist_count: 0 });
  db.close();
  expect(faultsIn(life.dataDir)).toEqual([]);
  await life.store.close();
});

test('an older file is set aside, and its count goes on', async () => {
  const dataDir = folder();
  const old = new DatabaseSync(join(dataDir, 'history.db'));
  old.exec('CREATE TABLE sample(t INTEGER); CREATE TABLE kv(key TEXT PRIMARY KEY, value INTEGER)');
  old.exec("INSERT INTO kv VALUES('position', 7), ('delivered', 99)");
  old.close();
  const said: string[] = [];
  const options = { dataDir, clock: new ManualClock(), memory: openMemory(1 << 16), durable: () => Infinity };
  const store = openStore({ ...options, say: (message) => said.push(message) });
  expect(store.settled).toEqual({ position: 7, delivered: 99, filtered: 0 });
  await store.close();
  const again = openStore({ ...options, say: (message) => said.push(message) });
  await again.close();
  expect(said).toEqual([expect.stringContaining('history.rows.db')]);
  const newer = new DatabaseSync(join(dataDir, 'history.db'));
  newer.exec('PRAGMA user_version=99');
  newer.close();
  expect(() => openStore(options)).toThrow(/newer version/);
});
