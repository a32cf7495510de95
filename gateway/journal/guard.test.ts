// What the guard of the disk does at each step as space goes and comes, over a real log with a size that the test sets.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Drop } from './consumers.ts';
import type { DiskStep } from './disk.ts';
import { diskFiles } from './files.ts';
import type { Files } from './files.ts';
import { DiskGuard } from './guard.ts';
import { HEADER } from './header.ts';
import { openSegments } from './segments.ts';
import type { DiskLog } from './segments.ts';
import { accountsOf, faulty, fill, Line, numbered, owedTo, scratch, segmentFiles } from './testing.ts';

let place: ReturnType<typeof scratch>;
beforeEach(() => (place = scratch()));
afterEach(() => place.clear());

const TOTAL = 10_000_000;
const RESERVE = 98_304;
const SEGMENT = HEADER + numbered(1, 20).bytes.length * 4;

/** A log and a guard over a disk of 10 MB with as much free as told. */
function bed(files: Files = diskFiles): {
  log: DiskLog;
  guard: DiskGuard;
  clock: ManualClock;
  steps: DiskStep[];
  drops: Drop[];
  calls: { shrink: number };
  /** Looks with so many percent free, and lets what follows come to rest; `reserve`: one is to be had, or not. */
  look(percent: number, reserve?: boolean): Promise<void>;
} {
  const clock = new ManualClock();
  const steps: DiskStep[] = [];
  const drops: Drop[] = [];
  const calls = { shrink: 0 };
  let free = TOTAL / 2;
  const over: Files = { ...files, space: () => ({ free, total: TOTAL }) };
  const log = openSegments({
    dataDir: place.dir,
    cap: 1e6,
    segmentBytes: SEGMENT,
    clock,
    files: over,
    dropped: (drop) => void drops.push(drop),
  });
  const guard = new DiskGuard({
    files: over,
    folder: place.journal,
    clock,
    log,
    cap: 1e6,
    least: SEGMENT * 3,
    shrink: () => void calls.shrink++,
    entered: (step) => void steps.push(step),
  });
  const look = async (percent: number, reserve = true): Promise<void> => {
    free = (TOTAL * percent) / 100;
    await clock.advance(5000);
    guard.look();
    await log.sync().catch(() => {});
    const settled = (): boolean => guard.state.reserve || guard.state.step === 'stop' || guard.state.trouble !== '';
    if (reserve) await expect.poll(settled).toBe(true);
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { log, guard, clock, steps, drops, calls, look };
}
const holds = (log: DiskLog): void => {
  for (const name of log.consumers()) {
    const { journalled, delivered, filtered, deadLettered, dropped, backlog } = log.account(name);
    expect(delivered + filtered + deadLettered + dropped + backlog.samples).toBe(journalled);
  }
  for (const { told, counted } of log.sources().values()) expect(counted).toBe(told.journalled);
};
const reserved = (): number => {
  const path = join(place.journal, 'reserve');
  return existsSync(path) ? statSync(path).size : 0;
};

test('a disk that fills up and is freed: each step does its part, and every sample is accounted for', async () => {
  const { log, guard, steps, drops, calls, look } = bed();
  log.add('historian', 1, { own: { position: 0, delivered: 0 } });
  log.add('slow', 1);
  const line = [new Line('press')];
  const metas = fill(log, 1, 40, 20, line);
  await look(50);
  expect(reserved()).toBe(RESERVE);
  log.deliver('historian', metas);
  log.deliver('slow', metas.slice(0, 20));
  await look(14);
  expect(guard.state).toMatchObject({ step: 'warn', reason: expect.stringMatching(/filling up/) as string });
  expect(segmentFiles(place.journal).length).toBeGreaterThan(9);
  expect({ drops, shrink: calls.shrink, reserved: reserved() }).toEqual({ drops: [], shrink: 0, reserved: RESERVE });

  await look(7);
  expect(calls.shrink).toBe(1);
  expect(segmentFiles(place.journal).length).toBeLessThan(9);
  expect(drops).toEqual([]);
  expect(owedTo(log, 'slow').length).toBe(20);

  await look(3);
  expect(segmentFiles(place.journal).length).toBe(3);
  expect(reserved()).toBe(0);
  expect(drops[0]).toMatchObject({ consumer: 'slow', reason: expect.stringMatching(/full/) as string });
  expect(drops.reduce((sum, { samples }) => sum + samples, 0)).toBe(log.account('slow').dropped);
  expect(guard.state.reason).toMatch(/no longer stored/);
  holds(log);
  // Events go on: their frames hold no samples.
  fill(log, 41, 5, 0, line);
  await log.sync();
  expect(owedTo(log, 'slow').slice(-5)).toEqual([41, 42, 43, 44, 45]);

  await look(5.9);
  expect(guard.state.step).toBe('stop');
  await look(6.1);
  expect(reserved()).toBe(RESERVE);
  await look(18);
  expect(guard.state).toMatchObject({ step: 'ok', reason: '', trouble: '' });
  expect(steps).toEqual(['warn', 'drop', 'stop', 'drop', 'ok']);
  const more = fill(log, 46, 40, 20, line);
  await log.sync();
  expect(segmentFiles(place.journal).length).toBeGreaterThan(10);
  holds(log);
  const sources = log.sources();
  expect(sources.get('press')?.counted).toBe(accountsOf([...metas, ...more]).get('press')?.counted);
  await log.close();
  const again = openSegments({ dataDir: place.dir, cap: 1e6 });
  expect(again.sources()).toEqual(sources);
  again.add('slow', 1);
  holds(again);
});

test('no reserve is taken where that would bring the last step about', async () => {
  const { guard, look } = bed();
  await look(4.5, false);
  expect(guard.state).toMatchObject({ step: 'drop', reserve: false, trouble: '' });
  expect(reserved()).toBe(0);
});

test('a reserve that cannot be had or given back, at each place: nothing else suffers, and it is said and tried again', async () => {
  let struckAll = 0;
  for (let nth = 1; ; nth++) {
    const fault = faulty({ calls: ['open', 'write', 'sync', 'syncFolder', 'remove'], nth, code: 'ENOSPC' });
    const { log, guard, look } = bed(fault.files);
    log.add('slow', 1);
    await look(50);
    const early = guard.state.trouble;
    if (early) expect(early).toMatch(/no reserve.*ENOSPC/);
    expect(reserved()).toBe(early ? 0 : RESERVE);
    await look(3);
    if (guard.state.trouble) expect(guard.state.trouble).toMatch(/ENOSPC/);
    await look(2);
    expect(reserved()).toBe(0);
    fill(log, 1, 6, 2, [new Line('press')]);
    await log.sync().catch(() => {});
    await look(50);
    await look(50);
    expect(guard.state).toMatchObject({ step: 'ok', reserve: true, trouble: '' });
    expect(reserved()).toBe(RESERVE);
    await log.sync();
    expect(owedTo(log, 'slow')).toEqual([1, 2, 3, 4, 5, 6]);
    holds(log);
    await log.close();
    const struck = fault.count() >= nth;
    for (const name of readdirSync(place.dir)) expect(name).toBe('journal');
    place.clear();
    place = scratch();
    if (!struck) break;
    struckAll++;
  }
  expect(struckAll).toBeGreaterThan(8);
});
