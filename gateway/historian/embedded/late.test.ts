// What comes out of its time: late and doubled samples, imports behind live ones, stragglers over many windows. Each is there
// once, the newest wins, and nobody waits long for them.
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Sample } from '../../model.ts';
import { Life } from './bed.ts';
import { WINDOW, windowOf } from './chunks.ts';
import { openMemory } from './open.ts';
import { allHeld, sampleOf, windowsIn } from './testing.ts';

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
