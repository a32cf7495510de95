// What the chart draws: history's gaps stay gaps, live points follow by the same rule, samples hold until the next.
import { expect, test } from 'vitest';
import type { Timeseries } from '../../gateway/web/wire.ts';
import { describe, hasValues, describePoint, partsOf, sayValue } from './describe.ts';
import type { Reading } from './frames.ts';
import { around, overlap, pan, shows, within, zoom } from './frame.ts';
import { samplesOf, type RawAnswer } from './samples.ts';
import { chooseAssets, crop, listMetrics, pointsFor, sayBucket, shape, valueAt } from './series.ts';
import { after, drawable, extend, filed, liveEvery, noTail, reach, type Tail } from './tail.ts';

const minute = 60_000;
const series: Timeseries = {
  ...{ facility: 'n', metric: 'flow', name: 'Flow', unit: 'l', decimals: 0, bucketMinutes: 1 },
  ...{
    from: new Date(0).toISOString(),
    to: new Date(5 * minute).toISOString(),
    t: [0, 1, 2, 3, 4].map((n) => n * minute),
  },
  series: ['a', 'b'].map((name, n) => ({
    ...{ asset: `n/${name}`, name, tag: `n/${name}/flow`, limits: { h: 9 + n } },
    ...{ min: [1, 1, null, null, 1], avg: [2, 2, null, n ? 3 : null, 2], max: [3, 3, null, 8, 3] },
  })),
};

test('gaps stay gaps: null where one line has none, hatched where no line has any', () => {
  const data = shape(series, ['n/a', 'n/b']);
  expect(data.lines[0]?.avg).toEqual([2, 2, null, null, 2]);
  expect(data.gaps).toEqual([[2 * minute, 3 * minute]]);
  expect(shape(series, ['n/a']).gaps).toEqual([[2 * minute, 4 * minute]]);
  expect(data.limits).toBeUndefined();
  expect(shape(series, ['n/b']).limits).toEqual({ h: 10 });
});

test('a fifth line keeps the hues to four and takes a dash', () => {
  const many = { ...series, series: [1, 2, 3, 4, 5].map((n) => ({ ...series.series[0]!, asset: `${n}` })) };
  expect(shape(many, ['1', '2', '3', '4', '5']).lines.map((line) => [line.hue, line.dash.length > 0])).toEqual([
    [0, false],
    [1, false],
    [2, false],
    [3, false],
    [0, true],
  ]);
});

test('nothing behind the last value is a gap up to the present, not beyond it', () => {
  const none = { ...series, series: series.series.map((one) => ({ ...one, avg: [2, 2, 2, null, null] })) };
  expect(shape(none, ['n/a'], { asOf: 4.5 * minute }).gaps).toEqual([[3 * minute, 4.5 * minute]]);
  expect(shape(none, ['n/a'], { asOf: 3 * minute }).gaps).toEqual([]);
});

const tailOf = (points: [number, number | null][]): Tail => ({
  t: points.map(([t]) => t),
  values: new Map([['n/a', points.map(([, value]) => value)]]),
});

test('live points follow the last bucket, not faster than asked; an asset without a value is a gap', () => {
  let tail = extend(noTail, 4 * minute + 100, new Map([['n/a', 5]]), 1000);
  expect(extend(tail, 4 * minute + 900, new Map([['n/a', 6]]), 1000)).toBe(tail);
  tail = extend(tail, 4 * minute + 1100, new Map([['n/b', 7]]), 1000);
  const data = shape(series, ['n/a', 'n/b'], { tail });
  expect(data.t.slice(-2)).toEqual([4 * minute + 100, 4 * minute + 1100]);
  expect(data.lines.map((line) => line.avg.slice(-2))).toEqual([
    [5, null],
    [null, 7],
  ]);
  expect(series.t).toHaveLength(5);
  // The answer has come that holds the first of them.
  expect(after(tail, 4 * minute + 500).t).toEqual([4 * minute + 1100]);
  expect(after(tail, 5 * minute)).toBe(noTail);
});

test('no line across a time in which the page heard nothing', () => {
  const [t, every] = [4 * minute + 1000, liveEvery(1)];
  const before = extend(noTail, t, new Map([['n/a', 5]]), every);
  expect(extend(before, t + reach(every), new Map([['n/a', 6]]), every).t).toHaveLength(2);
  const again = extend(before, t + reach(every) + 1, new Map([['n/a', 6]]), every);
  expect(again.t).toEqual([t + reach(every) + 1]);
  // Answered at 4:20, heard again at 5:30: between the two nothing is known.
  const late = shape(series, ['n/a'], { tail: tailOf([[5.5 * minute, 6]]), asOf: 4 * minute + 20_000 });
  expect(late.t.slice(-2)).toEqual([4 * minute + 20_000, 5.5 * minute]);
  expect(late.lines[0]?.avg.slice(-3)).toEqual([2, null, 6]);
  expect(late.gaps.at(-1)).toEqual([4 * minute + 20_000, 5.5 * minute]);
  const soon = shape(series, ['n/a'], { tail: tailOf([[4 * minute + 22_000, 6]]), asOf: 4 * minute + 20_000 });
  expect(soon.lines[0]?.avg.slice(-2)).toEqual([2, 6]);
  // A clock set back begins anew.
  expect(extend(before, t - 5000, new Map([['n/a', 6]]), every).t).toEqual([t - 5000]);
});

test.each<[Reading, number | null, string]>([
  [{ v: 5, at: 0, q: 0, stale: false }, 5, 'a good value'],
  [{ v: true, at: 0, q: 0, stale: false }, 1, 'a switch that is on'],
  [{ v: 5, at: 0, q: 0, stale: true }, null, 'stale'],
  [{ v: 5, at: 0, q: 2, stale: false }, null, 'its device is lost'],
  [{ v: 5, at: 0, q: 1, stale: false }, null, 'kept over a start, and not heard since'],
  [{ v: 'x', at: 0, q: 0, stale: false }, null, 'no number'],
])('a live point of %o is %s: %s', (reading, value, _why) => expect(drawable(reading)).toBe(value));

test('a value filed into history leaves no gap behind it and no line; one that is lost does', () => {
  const stale = { v: 5, at: 0, stale: true };
  expect(filed({ ...stale, q: 1 }, 5, false)).toBe(true);
  expect(filed({ ...stale, q: 1 }, null, false)).toBe(false);
  expect(filed({ ...stale, q: 1 }, 5, true)).toBe(false);
  expect(filed({ ...stale, q: 2 }, 5, false)).toBe(false);
  const t = 4 * minute + 100;
  const drawn = (value: null | undefined) => {
    const tail = extend(extend(noTail, t, new Map([['n/a', value]]), 1000), t + 1000, new Map([['n/a', value]]), 1000);
    const { lines, gaps } = shape(series, ['n/a'], { tail });
    return [lines[0]?.avg.slice(-2), lines[0] && valueAt(lines[0], lines[0].avg.length - 1), gaps.slice(1)];
  };
  expect(drawn(undefined)).toEqual([[undefined, undefined], 2, []]);
  expect(drawn(null)).toEqual([[null, null], null, [[t, t + 1000]]]);
});

test('samples: each holds until the next, a bad one ends it, what held before the range leads', () => {
  const buckets: Timeseries = {
    ...series,
    ...{ from: new Date(0).toISOString(), to: new Date(10_000).toISOString(), t: [0, 5000], bucketMinutes: 1 / 12 },
    series: series.series.map((one, n) => ({ ...one, min: [9, 9], avg: [n ? null : 9, 9], max: [9, 9] })),
  };
  const raw: RawAnswer = {
    next: null,
    series: [
      {
        tag: 'n/a/flow',
        t: ['02.000', '06.000250'].map((s) => `1970-01-01T00:00:${s}Z`),
        value: [3, 4],
        status: [0, 0],
      },
      {
        tag: 'n/b/flow',
        t: ['01.000', '05.000'].map((s) => `1970-01-01T00:00:${s}Z`),
        value: [7, 8],
        status: [0x80310000, 0],
      },
    ],
  };
  const data = shape(samplesOf(buckets, raw, 8000), ['n/a', 'n/b']);
  expect(data.t).toEqual([0, 1000, 2000, 5000, 6000.25, 8000]);
  expect(data.lines[0]?.avg).toEqual([9, undefined, 3, undefined, 4, 4]);
  expect(data.lines[1]?.avg).toEqual([null, null, null, 8, undefined, 8]);
  expect(valueAt(data.lines[0]!, 3)).toBe(3);
  expect(data.gaps).toEqual([]);
  expect(shape(samplesOf(buckets, raw, 8000), ['n/b']).gaps).toEqual([[0, 5000]]);
  expect(describePoint(data, 4, 'UTC')).toBe('01 Jan, 00:00:06.000: a 4 l; b 8 l');
});

test('samples: what is damaged is no hold; the buckets say from where nothing is known', () => {
  const buckets: Timeseries = {
    ...series,
    ...{ from: new Date(0).toISOString(), to: new Date(5000).toISOString(), t: [0, 1000, 2000, 3000, 4000] },
    series: series.series.slice(0, 1).map((one) => ({ ...one, min: [], avg: [3, null, null, 4, null], max: [] })),
  };
  const t = ['00.500', '03.200'].map((s) => `1970-01-01T00:00:${s}Z`);
  const raw: RawAnswer = { next: null, series: [{ tag: 'n/a/flow', t, value: [3, 4], status: [0, 0] }] };
  const drawn = (until: number) => {
    const { lines, ...data } = shape(samplesOf(buckets, raw, until), ['n/a']);
    return data.t.map((at, n) => [at, lines[0]?.avg[n]]);
  };
  const known = [...[0, 500].map((at) => [at, 3]), [1000, null], [3200, 4]];
  expect(drawn(9000)).toEqual([...known, [4000, null], [5000, null]]);
  // A bucket that has not begun knows nothing yet.
  expect(drawn(3900)).toEqual([...known, [3900, 4]]);
});

test('chosen assets that do not exist fall back to the first four; the curve in words', () => {
  expect(chooseAssets(['x'], ['1', '2', '3', '4', '5'])).toEqual(['1', '2', '3', '4']);
  expect(chooseAssets(['5', 'x'], ['1', '5'])).toEqual(['5']);
  expect(describe(shape(series, ['n/a']), 'UTC')).toBe('Max 8 l (a, 00:03) · min 1 l (a, 00:00) · no data 00:02–00:04');
  expect(describe(shape(series, []), 'UTC')).toBe('No data in this range.');
  expect(partsOf({ step: minute })).toBe('minute');
});

test('metrics to draw: key figures first; a state is drawn in steps by its highest, with its names', () => {
  const tag = { i: 0, id: '', asset: 'n/a', name: 'x', type: 'double' as const, unit: '', decimals: 0, staleAfter: 1 };
  const names = { 0: 'idle', 1: 'runs' };
  const dict = {
    ...{ rev: 1, facility: 'n', assets: [] },
    tags: [
      { ...tag, metric: 'state', type: 'integer' as const, names },
      { ...tag, metric: 'flow' },
      { ...tag, metric: 'open', type: 'boolean' as const },
      { ...tag, metric: 'batch', type: 'text' as const },
      { ...tag, metric: 'level' },
    ],
  };
  const kpi = { metric: 'level' } as Parameters<typeof listMetrics>[1][number];
  expect(listMetrics(dict, [kpi]).map((one) => one.metric)).toEqual(['level', 'state', 'flow', 'open']);
  const steps = shape(series, ['n/a'], { names });
  expect(steps.lines[0]?.avg).toEqual(series.series[0]?.max);
  expect(sayValue(steps, 1)).toBe('runs');
  expect(sayValue(steps, null)).toBe('—');
});

test('a frame of time: moved, narrowed about a place, kept in what there is, fetched with margins', () => {
  const frame = { from: 100_000, to: 200_000 };
  expect(pan(frame, -0.5)).toEqual({ from: 50_000, to: 150_000 });
  expect(zoom(frame, 0.5, 0)).toEqual({ from: 100_000, to: 150_000 });
  expect(zoom(frame, 2)).toEqual({ from: 50_000, to: 250_000 });
  // At a year and at two seconds turning the wheel on leaves the picture where it is.
  const year = { from: 0, to: 366 * 86_400_000 };
  expect([0, 0.7, 1].map((share) => zoom(year, 2.7, share))).toEqual([year, year, year]);
  expect(zoom({ from: 5000, to: 7000 }, 0.4, 0.9)).toEqual({ from: 5000, to: 7000 });
  expect(within(pan(frame, 9), 300_000)).toEqual({ from: 200_000, to: 300_000 });
  expect(within({ from: 150_000, to: 150_001 }, 300_000)).toMatchObject({ from: 149_001, to: 151_001 });
  expect(around(frame, 220_000)).toEqual({ from: 50_000, to: 220_000 });
  expect([overlap(frame, pan(frame, 0.9)), overlap(frame, pan(frame, 1))]).toEqual([true, false]);
});

test.each([
  [{ from: 50_000, to: 250_000 }, 1000, true],
  [{ from: 150_000, to: 250_000 }, 1000, false],
  [{ from: 50_000, to: 150_000 }, 1000, false],
  // Up to now is all there can be.
  [{ from: 50_000, to: 190_000 }, 1000, true],
  [{ from: 50_000, to: 250_000 }, 6000, false],
])('what is loaded (%o in buckets of %i ms) shows the frame: %s', (loaded, bucket, is) => {
  expect(shows(loaded, bucket, { from: 100_000, to: 200_000 }, 50, 190_000)).toBe(is);
});

test('the part shown, and widths in words', () => {
  const data = crop(shape(series, ['n/a']), { from: minute, to: 3 * minute });
  expect([data.t, data.lines[0]?.max]).toEqual([
    [minute, 2 * minute, 3 * minute],
    [3, null, 8],
  ]);
  // Between two points the value goes on, but for where there is none, and beyond what was answered.
  const between = (from: number) => crop(shape(series, ['n/a']), { from, to: from + 1000 });
  expect([between(minute + 1000), between(2 * minute + 1000), between(9 * minute)].map(hasValues)).toEqual([
    true,
    false,
    false,
  ]);
  expect(between(minute + 1000)).toMatchObject({ t: [minute], lines: [{ max: [3] }] });
  expect([320, 801, 9000].map(pointsFor)).toEqual([400, 1000, 2000]);
  expect([0, 1 / 6, 5, 120, 2880].map(sayBucket)).toEqual(['samples', '10 s', '5 min', '2 h', '2 d']);
});
