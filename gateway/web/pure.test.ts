// Tables of the pure parts: a site's figures, who may talk to the server, values as the wire shows them.
import { describe, expect, test } from 'vitest';
import type { BucketSeries } from '../history.ts';
import { alarmOf, plant } from './bed.ts';
import { bindingFault, hostAllowed, hostName, originAllowed } from './guards.ts';
import { combine, course, rangeOf, widthMinutes, windowOf } from './kpi.ts';
import { tagSeverities, wireAlarm, wireValue } from './values.ts';

const series = (avg: (number | null)[], n: number[] = avg.map((v) => (v === null ? 0 : 1))): BucketSeries => ({
  tag: 0,
  t: avg.map((_v, i) => i),
  n,
  min: avg.map((v) => (v === null ? null : v - 1)),
  avg,
  max: avg.map((v) => (v === null ? null : v + 1)),
});

describe('a site’s figures', () => {
  test.each([
    ['mean', [2, 4], 3],
    ['sum', [2, 4], 6],
    ['max', [2, 4], 4],
    ['sum', [], null],
  ] as const)('%s of %j is %j', (aggregate, values, result) => expect(combine(values, aggregate)).toBe(result));

  const two = [series([1, 2, null]), series([10, null, null])];
  test.each([
    ['mean', two, [5.5, 2, null]],
    // The last has only begun: who has not reported in it yet is not gone, and no drop.
    ['mean', [series([1, 2]), series([10, null])], [5.5, null]],
    ['mean', [series([1, 2, 3]), series([10, null, null])], [5.5, 2, 3]],
    ['mean', [series([1])], [1]],
    // A sum without one of its parts would be a drop that never was.
    ['sum', two, [11, null, null]],
    ['max', two, [11, null, null]],
    // An asset that never reports takes nobody with it.
    ['sum', [series([1, 2]), series([null, null])], [1, 2]],
    ['sum', [], []],
  ] as const)('course by %s', (aggregate, given, result) => expect(course(given, aggregate)).toEqual(result));

  test('a window: by mean the extremes of any asset, by sum those of the site', () => {
    const given = [series([1, 3], [1, 3]), series([10, 20])];
    // The first asset has three samples in its second bucket and one in the first: they count alike.
    expect(windowOf(given, 'mean')).toEqual({ avg: (2 + 15) / 2, min: 0, max: 21 });
    expect(windowOf(given, 'sum')).toEqual({ avg: 17, min: 11, max: 23 });
    expect(windowOf([series([null])], 'sum')).toEqual({ avg: null, min: null, max: null });
  });

  test('a range only when every asset has one', () => {
    const tags = plant().list.filter((tag) => tag.metric === 'flow');
    expect(rangeOf(tags, 'sum')).toEqual({ low: 20, high: 160 });
    expect(rangeOf(tags, 'mean')).toEqual({ low: 10, high: 80 });
    expect(rangeOf(plant().list, 'mean')).toBeUndefined();
  });

  test.each([
    [24, 10, 5, 5],
    [1, 1000, 2, 2],
    [48, 1000, 5, 60],
    [48, 100_000, 5, 1440],
  ])('%i h of %i tags: buckets of at least %i min become %i', (hours, tags, least, width) =>
    expect(widthMinutes(hours, tags, least)).toBe(width),
  );
});

describe('guards', () => {
  test.each([
    ['localhost:80', 'localhost'],
    ['[::1]:80', '::1'],
    ['GATE', 'gate'],
    ['a b', undefined],
    ['user@host', undefined],
    ['host:80:80', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('the name in Host %j is %j', (header, name) => expect(hostName(header)).toBe(name));

  test.each([
    ['127.0.0.1', true],
    ['127.8.0.1', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['192.168.0.4', false],
    ['127.0.0.1.evil.test', false],
    ['', false],
  ])('binding %j without users: %j', (host, fine) => {
    expect(bindingFault('it', host, false, 'web.insecure') === undefined).toBe(fine);
    expect(bindingFault('it', host, true, 'web.insecure')).toBeUndefined();
  });

  test('by address a wide gateway may be reached, by a name only if it is listed', () => {
    const wide = { host: '0.0.0.0', hosts: ['gate'], insecure: true };
    expect(['10.0.0.7:80', 'gate', 'localhost', 'evil.test'].map((host) => hostAllowed(host, wide))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(hostAllowed('10.0.0.7', { ...wide, host: '127.0.0.1', insecure: false })).toBe(false);
  });

  test.each([
    [undefined, 'gate:80', true],
    ['http://gate:8080', 'gate:8080', true],
    ['http://gate', 'GATE:80', true],
    ['http://gate:8080', 'gate', false],
    ['null', 'gate', false],
    ['http://evil.test', 'gate', false],
    ['http://gate', undefined, false],
  ])('a write from %j to %j: %j', (origin, host, allowed) => expect(originAllowed(origin, host)).toBe(allowed));
});

describe('on the wire', () => {
  test.each([
    [1.5, 1.5],
    [NaN, null],
    [-Infinity, null],
    [2n ** 60n, '1152921504606846976'],
    [false, false],
    ['a', 'a'],
    [null, null],
  ])('%s is %j', (value, shown) => expect(wireValue(value)).toBe(shown));

  test('an alarm names its asset; a shelved or returned one colours no value', () => {
    const alarm = alarmOf('e1');
    expect(wireAlarm(alarm, plant())).toMatchObject({ facility: alarm.site, assetName: alarm.asset });
    expect(wireAlarm(alarm, plant())).not.toHaveProperty('site');
    expect([...tagSeverities([{ ...alarm, severity: 'low' }, alarm]).values()]).toEqual(['high']);
    expect(
      tagSeverities([
        { ...alarm, shelvedUntil: 5 },
        { ...alarm, active: false },
      ]).size,
    ).toBe(0);
  });
});
