// What the store promises: every sample once, in time order, whatever dies and whatever comes late; sums that hold.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../../clock.ts';
import { folder } from '../../test/folder.ts';
import { Life } from './bed.ts';
import { WINDOW, rowId, tagOfRow, windowOf } from './chunks.ts';
import { decodeChunk, encodeChunk } from './codec.ts';
import { openQuery } from './history.ts';
import { openStore } from './store.ts';
import { openMemory } from './open.ts';
import { columnsOf, figureColumns } from './rows.ts';
import { indexOf, part } from './series.ts';
import { summarize } from './summary.ts';
import { allHeld, sampleOf, windowsIn } from './testing.ts';
import { compact } from './upkeep.ts';

/** PENSTOCK_SOAK times as many histories as a unit run's. */
const SOAK = Number(process.env.PENSTOCK_SOAK ?? 1);

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

test('the journal is relieved also by tags whose newest frame is never durable yet, and a kill then doubles nothing', async () => {
  const life = new Life({ pinned: () => 0.5 });
  const start = life.clock.micros();
  for (let i = 0; i < 40; i++) {
    life.durable = life.next;
    await life.write([0, 1, 2].map((tag) => sampleOf(tag, start + i * 100_000, i)));
    await life.pass(1);
  }
  expect(life.store.settled.position).toBeGreaterThan(life.next - 5);
  life.check();
  await life.kill();
  life.check();
  await life.store.close();
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

test.each([
  ['no database', Buffer.from('a text somebody put here\n'.repeat(400))],
  ['half a database', undefined],
])('a file that is %s makes way for a new one, which gets what the journal still holds', async (_what, bytes) => {
  const said: string[] = [];
  const life = new Life({ say: (message) => said.push(message) });
  await life.write(
    Array.from({ length: 4000 }, (_, i) => sampleOf(i % 40, life.clock.micros() + i * 1e5, Math.sin(i))),
  );
  await life.pass(1200);
  await life.store.close();
  const path = join(life.dataDir, 'history.db');
  writeFileSync(path, bytes ?? readFileSync(path).subarray(0, 30_000));
  await life.kill();
  life.check();
  await life.store.close();
  expect(said).toEqual([
    expect.stringMatching(/is damaged on disk .* moved to history\.damaged-\d{8}T\d+Z\.db, and a new/),
  ]);
  expect(readdirSync(life.dataDir).filter((name) => name.startsWith('history.damaged-'))).toHaveLength(1);
});

test('what SQLite finds malformed while it runs is said with what to do; another program’s file is left alone', async () => {
  const life = new Life();
  await life.write([sampleOf(0, life.clock.micros(), 1)]);
  await life.pass(1200);
  await life.store.close();
  const path = join(life.dataDir, 'history.db');
  const db = new DatabaseSync(path);
  const page = Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'chunk'").get()?.rootpage);
  db.close();
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, (page - 1) * 4096, page * 4096));
  life.store = life.open();
  await life.write([sampleOf(0, life.clock.micros(), 1)]);
  await life.pass(1200);
  expect(life.store.stats().trouble).toMatch(/^history\.db is damaged on disk .* move history\.db away/);
  const dataDir = folder();
  const other = new DatabaseSync(join(dataDir, 'history.db'));
  other.exec('CREATE TABLE chunk(a)');
  other.close();
  const options = { dataDir, clock: new ManualClock(), memory: openMemory(1 << 16), durable: () => Infinity };
  expect(() => openStore(options)).toThrow(/is a database of another program: move it away/);
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
