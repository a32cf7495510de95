// How often the journal is synced, on a manual clock: by itself, for whoever waits, with `batch`, and after a failure.
import { expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { Committer } from './commit.ts';
import type { Durability } from './segments.ts';

function bench(durability: Durability): {
  clock: ManualClock;
  committer: Committer;
  at: number[];
  said: (string | undefined)[];
  fail: { next: boolean };
} {
  const clock = new ManualClock();
  const at: number[] = [];
  const said: (string | undefined)[] = [];
  const fail = { next: false };
  const sync = (): Promise<void> => {
    at.push(clock.mono());
    return fail.next ? Promise.reject(new Error('EIO')) : Promise.resolve();
  };
  const committer = new Committer({
    log: { sync, waiting: 0 },
    clock,
    durability,
    done: (error) => said.push(error?.message),
  });
  return { clock, committer, at, said, fail };
}

test('one sync a second; for whoever waits at once, at most ten a second', async () => {
  const { clock, committer, at } = bench('interval');
  for (let i = 0; i < 40; i++) {
    committer.taken(false);
    await clock.advance(50);
  }
  expect(at).toEqual([0, 1000, 2000]);
  await clock.advance(1000);
  at.length = 0;
  for (let i = 0; i < 100; i++) {
    committer.taken(true);
    await clock.advance(10);
  }
  expect(at.length).toBeGreaterThanOrEqual(9);
  expect(at.length).toBeLessThanOrEqual(11);
  for (let i = 1; i < at.length; i++) expect((at[i] ?? 0) - (at[i - 1] ?? 0)).toBeGreaterThanOrEqual(100);
});

test('every block with batch; a failed sync is tried again by itself and said', async () => {
  const { clock, committer, at, said, fail } = bench('batch');
  for (let i = 0; i < 3; i++) {
    committer.taken(false);
    await clock.advance(5);
  }
  expect(at).toEqual([0, 5, 10]);
  fail.next = true;
  committer.taken(false);
  await clock.advance(0);
  await clock.advance(2500);
  expect(at).toEqual([0, 5, 10, 15, 1015, 2015]);
  fail.next = false;
  await clock.advance(1000);
  expect(said).toEqual([undefined, undefined, undefined, 'EIO', 'EIO', 'EIO', undefined]);
  await clock.advance(5000);
  expect(at.length).toBe(7);
  committer.taken(false);
  committer.close();
  await clock.advance(5000);
  expect(at.length).toBe(8);
});
