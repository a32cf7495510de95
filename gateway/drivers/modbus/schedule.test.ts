// The grid, what is skipped, and what one wrong register costs: times are passed in, nothing waits.
import { describe, expect, test } from 'vitest';
import type { Block } from './plan.ts';
import { Schedule } from './schedule.ts';
import { placeOf } from './schema.ts';
import type { Place } from './schema.ts';
import { point } from './peer.ts';

const limits = { maxRegisters: 125, maxGap: 16, strict: false };
const places = (registers: readonly number[], interval = 1000): Place[] =>
  registers.map((register, tag) => placeOf(point(tag, `hr:${register}`, {}, interval))!);
const awake = () => 0;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('the grid', () => {
  test('everything at once, then every interval at one phase', () => {
    const schedule = new Schedule(places([0]), limits);
    schedule.start(5000);
    const dues: number[] = [];
    for (let i = 0; i < 4; i++) {
      const { block, due } = schedule.next(awake)!;
      dues.push(due);
      schedule.asked(block, due + 20);
    }
    expect(dues[0]).toBe(5000);
    expect(dues[1]).toBeGreaterThan(5000);
    expect(dues[1]).toBeLessThanOrEqual(6000);
    expect([dues[2]! - dues[1]!, dues[3]! - dues[2]!]).toEqual([1000, 1000]);
    expect(schedule.overruns).toBe(0);
  });

  test('places missed are skipped and counted', () => {
    const schedule = new Schedule(places([0]), limits);
    schedule.start(0);
    schedule.asked(schedule.next(awake)!.block, 0);
    const { block, due } = schedule.next(awake)!;
    schedule.asked(block, due + 3500);
    expect(schedule.next(awake)!.due).toBe(due + 4000);
    expect(schedule.overruns).toBe(3);
  });

  test('places left out while the unit rested are no overruns', () => {
    const schedule = new Schedule(places([0]), limits);
    schedule.start(0);
    schedule.asked(schedule.next(awake)!.block, 0);
    const { block } = schedule.next(awake)!;
    schedule.asked(block, 30_010, 30_000);
    expect(schedule.overruns).toBe(0);
  });

  test('a unit at rest is not due before its rest is over', () => {
    const schedule = new Schedule(places([0]), limits);
    schedule.start(0);
    expect(schedule.next(() => 700)!.due).toBe(700);
  });

  test('again comes between two places', () => {
    const schedule = new Schedule(places([0]), limits);
    schedule.start(0);
    const { block } = schedule.next(awake)!;
    schedule.asked(block, 10);
    schedule.again(block, 10, 100);
    expect(schedule.next(awake)!.due).toBe(110);
  });
});

/** Asks everything that is due at `now` of a device that refuses reads touching `bad`; returns requests and tags found refused. */
function cycle(schedule: Schedule, now: number, bad: ReadonlySet<number>) {
  let requests = 0;
  const refused: number[] = [];
  const served: number[] = [];
  for (let next = schedule.next(awake); next && next.due <= now; next = schedule.next(awake)) {
    const { block }: { block: Block } = next;
    requests++;
    schedule.asked(block, now);
    if (range(block.count).some((i) => bad.has(block.from + i))) {
      if (schedule.refuse(block, now)) refused.push(...block.places.map(({ tag }) => tag));
    } else {
      served.push(...block.places.map(({ tag }) => tag));
      schedule.healed(block, now);
    }
  }
  return { requests, refused, served: new Set(served) };
}

describe('a register the device does not have', () => {
  test.each([0, 1, 62, 63, 100, 124])('%i of 125 is found alone with at most 14 requests more', (wrong) => {
    const schedule = new Schedule(places(range(125)), limits);
    schedule.start(0);
    const { requests, refused, served } = cycle(schedule, 0, new Set([wrong]));
    expect(refused).toEqual([wrong]);
    expect(served.size).toBe(124);
    expect(requests - 1).toBeLessThanOrEqual(14);
  });

  test('a hole costs one request and no tag', () => {
    const schedule = new Schedule(places([0, 1, 2, 10, 11]), limits);
    schedule.start(0);
    expect(cycle(schedule, 0, new Set([5]))).toEqual({ requests: 3, refused: [], served: new Set([0, 1, 2, 3, 4]) });
  });

  test('is left alone for an hour, and the plan is whole again once it answers', () => {
    const schedule = new Schedule(places(range(20)), limits);
    schedule.start(0);
    cycle(schedule, 0, new Set([7]));
    let seven = 0;
    let now = 0;
    for (; now < 3_590_000; now += 10_000) if (cycle(schedule, now, new Set([7])).refused.length > 0) seven++;
    expect(seven).toBe(0);
    expect(cycle(schedule, 3_601_000, new Set()).served).toContain(7);
    expect(cycle(schedule, 3_603_000, new Set())).toMatchObject({ requests: 1, refused: [] });
  });

  test('that comes back leaves what was learned of the others', () => {
    const schedule = new Schedule(places(range(20)), limits);
    schedule.start(0);
    cycle(schedule, 0, new Set([7, 15]));
    expect(cycle(schedule, 3_601_000, new Set([15]))).toMatchObject({ refused: [15] });
    expect(cycle(schedule, 3_603_000, new Set([15]))).toMatchObject({ refused: [] });
  });

  test('is asked again on a new link', () => {
    const schedule = new Schedule(places([0]), limits);
    schedule.start(0);
    expect(cycle(schedule, 0, new Set([0])).refused).toEqual([0]);
    schedule.start(50);
    expect(cycle(schedule, 50, new Set([0])).refused).toEqual([0]);
  });
});
