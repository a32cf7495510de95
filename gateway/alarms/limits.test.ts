// Limits with their deadband, delays on the samples' time, and ids that sort.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dueAt, expire, hold, newDelay, pause, turn } from './delay.ts';
import { change } from './limits.ts';
import type { Level } from './limits.ts';
import { eventIds } from './message.ts';
import { judge, newWatch } from './watch.ts';

/** The level after these values, one after the other, without delays. */
function levelAfter(values: number[], deadband: number): Level | null {
  const severity = { ll: 'high', l: 'low', h: 'low', hh: 'high' } as const;
  const watch = newWatch({
    index: 0,
    id: 'north/pump-1/flow',
    site: 'north',
    asset: 'north/pump-1',
    metric: 'flow',
    name: 'Flow',
    type: 'double',
    unit: '',
    decimals: 1,
    device: 'plc',
    interval: 1000,
    alarm: { limits: { ll: 5, l: 10, h: 80, hh: 90 }, deadband, onDelay: 0, offDelay: 0, severity },
  })!;
  values.forEach((value, t) => judge(watch, { tag: 0, t, receivedAt: t, value, status: 0, flags: 0 }, t, () => {}));
  return watch.level;
}
const typical = { none: 50, ll: 3, l: 8, h: 85, hh: 95 };

describe('levels with a deadband of 2', () => {
  test.each<[number, Level | null, Level | null]>([
    [50, null, null],
    [79.9, null, null],
    [80, null, 'h'],
    [78.1, 'h', 'h'],
    [78, 'h', null],
    [90, 'h', 'hh'],
    [88.1, 'hh', 'hh'],
    [88, 'hh', 'h'],
    [78.5, 'hh', 'h'],
    [77, 'hh', null],
    [10, null, 'l'],
    [11.9, 'l', 'l'],
    [12, 'l', null],
    [5, 'l', 'll'],
    [6.9, 'll', 'll'],
    [7, 'll', 'l'],
    [3, 'hh', 'll'],
    [95, 'll', 'hh'],
  ])('%s coming from %s is %s', (value, before, level) =>
    expect(levelAfter([typical[before ?? 'none'], value], 2)).toBe(level),
  );
  test('without a deadband the limit itself still counts', () => {
    expect(levelAfter([85, 80], 0)).toBe('h');
    expect(levelAfter([85, 79.999], 0)).toBe(null);
  });
  test('a value that swings within the deadband never chatters', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 78.01, max: 89.9, noNaN: true })), (values) => {
        expect(levelAfter([80, ...values], 2)).toBe('h');
      }),
    );
  });
});

test.each([
  [null, 'h', 'raise'],
  ['h', 'hh', 'escalate'],
  ['hh', 'h', 'ease'],
  ['ll', null, 'clear'],
  ['h', 'l', 'cross'],
  ['h', 'h', 'none'],
] as const)('from %s to %s: %s', (from, to, what) => expect(change(from, to)).toBe(what));

describe('a delay of 5 s on, 3 s off', () => {
  const delays = { onDelay: 5000, offDelay: 3000 };
  const S = 1_000_000;
  const sample = (delay: ReturnType<typeof newDelay>, condition: boolean, t: number, mono = 0): boolean[] => [
    hold(delay, t, mono, delays),
    turn(delay, condition, t, delays),
  ];
  test('8 s between two samples of one burst count', () => {
    const delay = newDelay();
    expect(sample(delay, true, 100 * S)).toEqual([false, false]);
    expect(sample(delay, false, 108 * S)).toEqual([true, false]);
    expect(delay).toMatchObject({ on: true, condition: false, since: 108 * S });
  });
  test('4 s do not', () => {
    const delay = newDelay();
    sample(delay, true, 100 * S);
    expect(sample(delay, false, 104 * S)).toEqual([false, false]);
    expect(dueAt(delay, delays)).toBe(Infinity);
  });
  test('the monotonic clock stands in from the last sample on', () => {
    const delay = newDelay();
    sample(delay, true, 100 * S, 50_000);
    sample(delay, true, 102 * S, 50_100);
    expect(dueAt(delay, delays)).toBe(53_100);
    expect(expire(delay, 53_000, delays)).toBe(false);
    expect(expire(delay, 53_100, delays)).toBe(true);
  });
  test('time without quality does not count', () => {
    const delay = newDelay();
    sample(delay, true, 100 * S);
    pause(delay, 102 * S);
    expect(dueAt(delay, delays)).toBe(Infinity);
    expect(expire(delay, 1e9, delays)).toBe(false);
    expect(sample(delay, true, 200 * S)).toEqual([false, false]);
    expect(sample(delay, true, 202 * S)).toEqual([false, false]);
    expect(sample(delay, true, 203 * S)).toEqual([true, false]);
  });
  test('a sample from before the last neither counts nor takes away', () => {
    const delay = newDelay();
    sample(delay, true, 100 * S);
    sample(delay, true, 99 * S);
    expect(delay.elapsed).toBe(0);
  });
});

test('ids are unique and sort, whatever the clock does and over a restart', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2e12 }), { minLength: 2 }), fc.nat(), (times, cut) => {
      let at = 0;
      let next = eventIds(() => times[at]!);
      const ids: string[] = [];
      for (; at < times.length; at++) {
        if (at === cut % times.length) next = eventIds(() => times[at]!, ids.at(-1));
        ids.push(next());
      }
      expect([...ids].sort()).toEqual(ids);
      expect(new Set(ids).size).toBe(ids.length);
    }),
  );
});
