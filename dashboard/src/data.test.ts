// What the table and the chart draw: rows in order, the window over them, series with their gaps and live tail.
import { expect, test } from 'vitest';
import type { Dict, DictTag, Timeseries } from '../../gateway/web/wire.ts';
import { around, overlap, pan, shows, within, zoom } from './frame.ts';
import { buildTable, orderRows, windowRows, type RowOrder } from './rows.ts';
import {
  chooseAssets,
  crop,
  describe,
  extend,
  listMetrics,
  pointsFor,
  sayBucket,
  sayValue,
  shape,
  valueAt,
} from './series.ts';

function dict(assets: string[], metrics: (asset: string) => string[]): Dict {
  let i = 0;
  const tags = assets.flatMap((asset) =>
    metrics(asset).map((metric): DictTag => ({
      ...{ i: i++, id: `n/${asset}/${metric}`, asset: `n/${asset}`, metric, name: metric },
      ...{ type: 'double', unit: '', decimals: 0, staleAfter: 1 },
    })),
  );
  return {
    rev: 1,
    facility: 'n',
    tags,
    assets: assets.map((name) => ({ path: `n/${name}`, site: 'n', name, kind: 'pump', line: null })),
  };
}
const order: RowOrder = { sort: 'plant', text: '', statuses: new Map(), byAsset: new Map(), byTag: new Map() };

test('a column per metric while assets are alike, else a row per tag', () => {
  expect(buildTable(dict(['a', 'b'], () => ['flow', 'level']))).toMatchObject({
    shape: 'metrics',
    columns: [{ metric: 'flow' }, { metric: 'level' }],
  });
  const mixed = buildTable(dict(['a', 'b', 'c'], (asset) => [`only-${asset}`]));
  expect([mixed.shape, mixed.rows.length]).toEqual(['tags', 3]);
});

test('rows: filter by every word, the worst first, ties in plant order', () => {
  const table = buildTable(dict(['pump 1', 'pump 2', 'fan 3'], () => ['flow']));
  const names = (over: Partial<RowOrder>) => orderRows(table, { ...order, ...over }).map((row) => row.asset.name);
  expect(names({ text: 'PUMP 2' })).toEqual(['pump 2']);
  expect(
    names({ sort: 'severity', byAsset: new Map([['n/fan 3', 'low']]), statuses: new Map([['n/pump 2', 'down']]) }),
  ).toEqual(['fan 3', 'pump 2', 'pump 1']);
  expect(names({ sort: 'asset' })).toEqual(['fan 3', 'pump 1', 'pump 2']);
});

test.each([
  [1000, 0, 400, 0, 21],
  [1000, 2800, 400, 94, 121],
  [1000, 999_999, 400, 979, 1000],
  [3, 0, 400, 0, 3],
  [0, 50, 400, 0, 0],
])('of %s rows at %s px in %s px', (total, top, view, first, last) => {
  expect(windowRows(total, 28, top, view)).toEqual({ first, last, height: total * 28 });
});

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
  expect(data.gaps).toEqual([[minute, 3 * minute]]);
  expect(shape(series, ['n/a']).gaps).toEqual([[minute, 4 * minute]]);
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

test('live points follow the last bucket, not faster than asked; an asset without a value is a gap', () => {
  let tail = extend({ t: [], values: new Map() }, 4 * minute + 100, new Map([['n/a', 5]]), 1000);
  expect(extend(tail, 4 * minute + 900, new Map([['n/a', 6]]), 1000)).toBe(tail);
  tail = extend(tail, 4 * minute + 1100, new Map([['n/b', 7]]), 1000);
  const data = shape(series, ['n/a', 'n/b'], { tail });
  expect(data.t.slice(-2)).toEqual([4 * minute + 100, 4 * minute + 1100]);
  expect(data.lines.map((line) => line.avg.slice(-2))).toEqual([
    [5, null],
    [null, 7],
  ]);
  expect(series.t).toHaveLength(5);
});

test('chosen assets that do not exist fall back to the first four; the curve in words', () => {
  expect(chooseAssets(['x'], ['1', '2', '3', '4', '5'])).toEqual(['1', '2', '3', '4']);
  expect(chooseAssets(['5', 'x'], ['1', '5'])).toEqual(['5']);
  expect(describe(shape(series, ['n/a']), 'UTC')).toBe('Max 8 l (a, 00:03) · min 1 l (a, 00:00) · 1 gap without data');
  expect(describe(shape(series, []), 'UTC')).toBe('No data in this range.');
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
  expect(within(pan(frame, 9), 300_000)).toEqual({ from: 200_000, to: 300_000 });
  expect(within({ from: 150_000, to: 150_001 }, 300_000)).toMatchObject({ from: 145_001 });
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
  expect([320, 801, 9000].map(pointsFor)).toEqual([400, 1000, 2000]);
  expect([1 / 6, 5, 120].map(sayBucket)).toEqual(['10 s', '5 min', '2 h']);
});

test('values rarer than the buckets are one curve; a silence much longer than usual is a gap', () => {
  const every = (n: number, until = 24, again = 44) =>
    Array.from({ length: 60 }, (_none, k) => (k % n === 0 && (k < until || k > again) ? k : null));
  const of = (avg: (number | null)[]) => {
    const one = { ...series.series[0]!, avg, min: avg, max: avg };
    return shape({ ...series, t: avg.map((_value, n) => n * 10_000), bucketMinutes: 1 / 6, series: [one] }, ['n/a']);
  };
  const data = of(every(3));
  expect(data.lines[0]?.avg.slice(0, 5)).toEqual([0, undefined, undefined, 3, undefined]);
  expect(data.gaps).toEqual([[210_000, 450_000]]);
  expect([valueAt(data.lines[0]!, 5), valueAt(data.lines[0]!, 30)]).toEqual([3, null]);
  // Every two minutes: rare is what this tag is.
  expect(of(every(12, 60)).gaps).toEqual([]);
  expect(of(every(12, 13)).gaps).toEqual([[120_000, 480_000]]);
});
