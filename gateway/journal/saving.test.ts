// How often positions are written to their file, few of them or very many, on a manual clock.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { noneStored } from './books.ts';
import { diskFiles } from './files.ts';
import { loadPositions } from './positions.ts';
import type { Positions } from './positions.ts';
import { Saving } from './saving.ts';
import { scratch } from './testing.ts';

let place: ReturnType<typeof scratch>;
beforeEach(() => (place = scratch()));
afterEach(() => place.clear());

test.each([
  ['few ranges', 1, 60],
  ['very many, so that the file does not wear the storage out', 5000, 8],
])('%s: stored as often as that allows, and at once when asked', async (_name, count, most) => {
  const clock = new ManualClock();
  let stored = 0;
  const owed = Array.from({ length: count }, (_, i) => ({ from: i * 1000, to: i * 1000 + 1 }));
  const position = { owed, ...noneStored(), dropped: 0, since: 0, before: noneStored() };
  const positions = (): Positions => {
    stored++;
    return { next: stored, totals: { frames: 0, samples: 0 }, consumers: new Map([['a', position]]) };
  };
  const saving = new Saving({ files: diskFiles, folder: place.dir, clock, positions, trouble: '' });
  for (let second = 0; second < 60; second++) {
    saving.changed();
    await saving.store(false);
    await clock.advance(1000);
  }
  expect(stored).toBeLessThanOrEqual(most);
  expect(stored).toBeGreaterThanOrEqual(Math.floor(most / 2));
  const before = stored;
  saving.changed();
  await saving.store(true);
  expect(stored).toBe(before + 1);
  expect(loadPositions(diskFiles, place.dir).positions?.next).toBe(stored);
  await saving.store(true);
  expect(stored, 'nothing has changed').toBe(before + 1);
});
