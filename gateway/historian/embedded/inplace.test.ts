// history.db moved away, removed, replaced, emptied or damaged while its store runs: it says so once and for as long as that
// lasts, takes nothing that would be lost, and a start has it all.
import { closeSync, copyFileSync, existsSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { Life } from './bed.ts';
import { sampleOf } from './testing.ts';

/** Samples of some minutes, so that windows are due. */
async function minutes(life: Life, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await life.write(Array.from({ length: 20 }, (_none, k) => sampleOf(k % 3, life.clock.micros() + k, i)));
    await life.pass(60);
  }
}

test.each<[string, RegExp, (path: string) => void]>([
  ['removed', /was moved away or removed while the gateway runs/, (path) => rmSync(path)],
  [
    'replaced by a copy',
    /is another file than the one/,
    (path) => {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
  ],
  ['emptied', /was emptied while/, (path) => truncateSync(path)],
])('a file that is %s takes nothing more, and the position stays', async (_how, words, mischief) => {
  const life = new Life();
  await minutes(life, 40);
  const { settled } = life.store;
  expect(settled.position).toBeGreaterThan(1);
  mischief(join(life.dataDir, 'history.db'));
  await minutes(life, 40);
  expect(life.store.stats()).toMatchObject({ trouble: expect.stringMatching(words), broken: true });
  await life.store.close();
  expect(life.store.settled).toEqual(settled);
});

test('a file that was moved away and comes back goes on, and lacks nothing', async () => {
  const life = new Life();
  await minutes(life, 40);
  const path = join(life.dataDir, 'history.db');
  renameSync(path, `${path}.away`);
  await minutes(life, 40);
  expect(life.store.stats().broken).toBe(true);
  renameSync(`${path}.away`, path);
  await minutes(life, 40);
  expect(life.store.stats()).toMatchObject({ trouble: '', broken: false });
  life.check();
  await life.kill();
  life.check();
  await life.store.close();
});

test('a start without the file makes a new one of what the journal holds, and keeps the latest commits of the old one', async () => {
  const said: string[] = [];
  const life = new Life({ say: (message) => said.push(message) });
  await minutes(life, 20);
  const path = join(life.dataDir, 'history.db');
  renameSync(path, `${path}.away`);
  const { size } = statSync(`${path}-wal`);
  await life.kill();
  const [kept] = readdirSync(life.dataDir).filter((name) => /^history\.damaged-.*-wal$/.test(name));
  expect(said).toEqual([expect.stringContaining(`were moved to ${kept}: it belongs beside that file`)]);
  expect(statSync(join(life.dataDir, kept as string)).size).toBe(size);
  life.check();
  renameSync(join(life.dataDir, kept as string), `${path}.away-wal`);
  const old = new DatabaseSync(`${path}.away`, { readOnly: true });
  expect(old.prepare('SELECT position FROM account').get()?.position).toBeGreaterThan(1);
  old.close();
  await life.store.close();
});

test('a file that turns out to be damaged says so until the next start, also while nothing needs that part', async () => {
  const life = new Life();
  await minutes(life, 40);
  await life.store.close();
  const path = join(life.dataDir, 'history.db');
  const size = statSync(path).size;
  life.store = life.open();
  // All pages but the first, as a broken disk has them.
  const bytes = Buffer.alloc(size - 4096, 0xa5);
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, 4096);
  closeSync(fd);
  await minutes(life, 40);
  expect(life.store.stats()).toMatchObject({
    trouble: expect.stringMatching(/history.db is damaged on disk/),
    broken: true,
  });
  await life.pass(10);
  expect(life.store.stats()).toMatchObject({
    trouble: expect.stringMatching(/history.db is damaged on disk/),
    broken: true,
  });
  await life.kill();
  expect(existsSync(path)).toBe(true);
  expect(life.store.stats()).toMatchObject({ trouble: '', broken: false });
  await life.store.close();
});
