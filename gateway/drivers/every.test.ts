// The ticker on a manual clock: the grid is kept, what was missed is skipped and counted, and it ends when told.
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { every, phaseOf, sleep } from './every.ts';
import type { Tick } from './every.ts';

describe('every', () => {
  test('ticks on the grid, however long the work takes within a period', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const seen: Tick[] = [];
    const done = (async () => {
      for await (const tick of every(clock, 1000, stop.signal, 250)) {
        seen.push(tick);
        await sleep(clock, 400, stop.signal);
      }
    })();
    await clock.advance(3500);
    stop.abort();
    await done;
    expect(seen.map((tick) => tick.due)).toEqual([250, 1250, 2250, 3250]);
    expect(seen.every((tick) => tick.missed === 0)).toBe(true);
  });

  test('skips what was missed, counts it and stays on the grid', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const seen: Tick[] = [];
    const done = (async () => {
      for await (const tick of every(clock, 1000, stop.signal)) {
        seen.push(tick);
        if (tick.n === 1) await sleep(clock, 3500, stop.signal);
      }
    })();
    await clock.advance(0);
    await clock.advance(6000);
    stop.abort();
    await done;
    // The work of tick 1 lasts until 4500: 2 and 3 are skipped, 4 comes late, 5 on time again.
    expect(seen.map((tick) => [tick.n, tick.missed])).toEqual([
      [0, 0],
      [1, 0],
      [4, 2],
      [5, 0],
      [6, 0],
    ]);
  });

  test('ends when aborted while waiting, and at once when aborted before', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    let ticks = 0;
    const done = (async () => {
      for await (const _tick of every(clock, 1000, stop.signal)) ticks++;
    })();
    await clock.advance(10);
    stop.abort();
    await done;
    expect(ticks).toBe(1);
    for await (const _tick of every(clock, 1000, stop.signal)) ticks++;
    expect(ticks).toBe(1);
  });

  test('refuses a period that could spin', async () => {
    await expect(every(new ManualClock(), 0, new AbortController().signal).next()).rejects.toThrow(RangeError);
  });

  test('phases of many names fill the period evenly', () => {
    const thirds = [0, 0, 0];
    for (let i = 0; i < 300; i++) thirds[Math.floor(phaseOf(`device-${i}`, 3))]!++;
    for (const count of thirds) expect(count).toBeGreaterThan(60);
    expect(phaseOf('a', 1000)).toBe(phaseOf('a', 1000));
  });
});
