// What is asked of a history by hand: figures, a look at every chunk that finds any damage, and small chunks joined.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ManualClock } from '../../clock.ts';
import { openStore } from './store.ts';
import { rowId, tagOfRow } from './chunks.ts';
import { decodeChunk, encodeChunk } from './codec.ts';
import { openMemory } from './open.ts';
import { columnsOf, figureColumns } from './rows.ts';
import { part } from './series.ts';
import { summarize } from './summary.ts';
import { allHeld, faultsIn, frameOf, sampleOf } from './testing.ts';
import { inWords } from './unreadable.ts';
import { compact, stats } from './upkeep.ts';

const { signal } = new AbortController();
const clock = new ManualClock();
const start = clock.micros();
let dataDir = '';
let db: DatabaseSync;

/** Two tags of 400 samples in one window, stored in four pieces of which none is joined. */
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'penstock-upkeep-'));
  for (let piece = 0; piece < 4; piece++) {
    const store = openStore({ dataDir, clock, memory: openMemory(1 << 20), durable: () => Infinity });
    const samples = Array.from({ length: 800 }, (_, i) =>
      sampleOf(i % 2, start + (piece * 200 + Math.floor(i / 4)) * 1e6 + (i % 4), i / 10, i === 7 ? 0x80000000 : 0),
    );
    await store.write([frameOf(piece + 1, samples)], signal);
    await store.close();
  }
  db = new DatabaseSync(join(dataDir, 'history.db'));
});
afterEach(() => {
  db.close();
  rmSync(dataDir, { recursive: true, force: true });
});

test('the figures of a file', () => {
  const { bytes, data, minutes, perSample, ...rest } = stats(db);
  expect(rest).toEqual({ tags: 2, chunks: 4, samples: 3200, from: start, to: start + 799e6 + 3, hours: 0, free: 0 });
  expect(perSample).toBe(bytes / 3200);
  expect(data).toBeGreaterThan(0);
  expect(minutes).toBeGreaterThan(0);
});

test('damage of any kind is found, and nothing in a whole file', () => {
  expect(faultsIn(dataDir)).toEqual([]);
  db.exec('CREATE TABLE kept AS SELECT * FROM chunk ORDER BY id LIMIT 1');
  const { id } = db.prepare('SELECT id FROM kept').get() as { id: number };
  const cases: [string, RegExp][] = [
    ['UPDATE chunk SET max = max + 1 WHERE id = ?', /other figures/],
    ['UPDATE chunk SET n = n + 1 WHERE id = ?', /other figures/],
    ['UPDATE chunk SET held = 2 WHERE id = ?', /other figures/],
    ['UPDATE chunk SET id = id + 1 WHERE id = ?', /wrong place/],
    ['UPDATE chunk SET data = substr(data, 1, 20) WHERE id = ?', /cannot be read/],
    ['UPDATE chunk SET minutes = substr(minutes, 1, 20) WHERE id = ?', /cannot be read/],
    ['UPDATE chunk SET minutes = (SELECT minutes FROM chunk ORDER BY id DESC LIMIT 1) WHERE id = ?', /minutes/],
  ];
  for (const [sql, said] of cases) {
    db.prepare(sql).run(id);
    expect(faultsIn(dataDir)).toEqual([expect.stringMatching(said)]);
    db.prepare('DELETE FROM chunk WHERE id IN (?, ?)').run(id, id + 1);
    db.exec('INSERT INTO chunk SELECT * FROM kept');
  }
  expect(faultsIn(dataDir)).toEqual([]);
});

/** Every chunk cut into pieces of 100 samples. */
function cut(): void {
  const rows = db.prepare('SELECT id, data FROM chunk').all() as { id: number; data: Uint8Array }[];
  const insert = db.prepare(`INSERT INTO chunk(id, ${figureColumns}, data) VALUES(${Array(14).fill('?').join(', ')})`);
  db.exec('DELETE FROM chunk');
  for (const { id, data } of rows) {
    const series = decodeChunk(data);
    for (let from = 0; from < series.n; from += 100) {
      const piece = part(series, from, Math.min(series.n, from + 100));
      const at = rowId(tagOfRow(id), piece.t[0] as number);
      insert.run(at, ...columnsOf(summarize(piece), piece), encodeChunk(piece));
    }
  }
}

test('chunks that fit into one are joined, and hold the same', () => {
  const before = allHeld(dataDir);
  cut();
  expect(allHeld(dataDir)).toEqual(before);
  const steps = [...compact(db)];
  expect(steps.at(-1)).toBe(stats(db).samples / 100 - 4);
  expect(allHeld(dataDir)).toEqual(before);
  expect(faultsIn(dataDir)).toEqual([]);
  expect(stats(db).free).toBe(0);
});

test('a damaged chunk stays, its neighbours too, and all others are joined', () => {
  cut();
  const ids = db.prepare('SELECT id FROM chunk ORDER BY id').all() as { id: number }[];
  const [, second] = ids;
  db.prepare("UPDATE chunk SET data = x'00' WHERE id = ?").run(second?.id ?? 0);
  const fewer = [...compact(db)].at(-1) ?? 0;
  expect(fewer).toBeGreaterThan(0);
  expect(stats(db).chunks).toBe(ids.length - fewer);
  expect(db.prepare('SELECT data FROM chunk WHERE id = ?').get(second?.id ?? 0)?.data).toEqual(new Uint8Array([0]));
  expect(faultsIn(dataDir)).toEqual([expect.stringMatching(/cannot be read/)]);
});

test('a disk without room for joining is said in words, and costs nothing', () => {
  cut();
  const before = allHeld(dataDir);
  const exec = db.exec.bind(db);
  let left = 1;
  const spy = vi.spyOn(db, 'exec').mockImplementation((sql) => {
    if (sql === 'COMMIT' && left-- <= 0) throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
    exec(sql);
  });
  expect(() => [...compact(db), ...compact(db)]).toThrow(/^the disk is full .* Make room and begin again$/);
  spy.mockRestore();
  expect(allHeld(dataDir)).toEqual(before);
  expect(faultsIn(dataDir)).toEqual([]);
});

test.each([
  ['a full disk', 'PRAGMA max_page_count=2', /^history\.db cannot be written, its disk is full \(.*\): make room/],
  [
    'one that is read-only',
    'PRAGMA query_only=1',
    /^history\.db cannot be written \(.*read.?only.*\): look at its disk/,
  ],
])('%s is said with what to do', (_what, pragma, words) => {
  db.exec(`CREATE TABLE other(a); ${pragma}`);
  const write = (): void => {
    try {
      db.exec('INSERT INTO other VALUES(zeroblob(900000))');
    } catch (error) {
      throw inWords(error);
    }
  };
  expect(write).toThrow(words);
});
