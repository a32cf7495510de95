// The figures of runs of samples: of a whole as of its parts, by the minute as together, against the plain definition.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Value } from '../../model.ts';
import { Damaged } from './bytes.ts';
import { MINUTE, packMinutes, unpackMinutes } from './minutes.ts';
import { seriesOf } from './series.ts';
import type { Kept } from './series.ts';
import { joined, nothing, summarize } from './summary.ts';

const BASE = Date.UTC(2026, 10, 20, 12) * 1000;
const BAD = 0x80050000;
const at = (seconds: number, value: Value, status = 0): Kept => ({ t: BASE + seconds * 1e6, value, status, flags: 0 });

test('the figures of a few samples, by hand', () => {
  const series = seriesOf([at(0, 2), at(10, 4), at(15, 9, BAD), at(20, null), at(30, -1), at(35, NaN), at(36, 3)]);
  expect(summarize(series)).toEqual({
    ...{ n: 7, good: 4, min: -1, max: 4, sum: 8, area: 2 * 10 + 4 * 5 - 5, known: 20e6 },
    ...{ t0: BASE, t1: BASE + 36e6, first: 2, last: 3, held: 3 },
  });
  expect(summarize(series, 2, 4)).toEqual({ ...nothing, n: 2, t0: BASE + 15e6, t1: BASE + 20e6 });
  expect(summarize(series, 3, 3)).toEqual(nothing);
});

test.each<[string, Value[], number]>([
  ['booleans count as 0 and 1', [true, false, true, true], 3],
  ['bigint as the nearest double', [2n ** 60n, 5n], 2 ** 60 + 5],
  ['text never', ['7', 'on'], 0],
  ['of kinds mixed the numbers', [7, 'on', true, null, Infinity], 8],
])('%s', (_name, values, sum) => {
  expect(summarize(seriesOf(values.map((value, i) => at(i, value)))).sum).toBe(sum);
});

/** Strictly later samples with gaps and bad ones among them. */
const samples = (most: number, step: number) =>
  fc
    .array(
      fc.record({
        after: fc.integer({ min: 1, max: step }),
        value: fc.oneof(
          { weight: 9, arbitrary: fc.integer({ min: -5000, max: 5000 }).map((x) => x / 100) },
          fc.constantFrom(null, NaN, 1e9),
        ),
        status: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constantFrom(BAD, 0x40000000)),
      }),
      { maxLength: most },
    )
    .map((list) => {
      let t = BASE + 50e6;
      return list.map(({ after, value, status }): Kept => ({ t: (t += after), value, status, flags: 0 }));
    });

test('the figures of a whole are those of its parts joined', () => {
  fc.assert(
    fc.property(samples(40, 60e6), fc.nat(40), fc.nat(40), (list, a, b) => {
      const whole = seriesOf(list);
      const [i, k] = [Math.min(a, b, list.length), Math.min(Math.max(a, b), list.length)];
      const parts = [summarize(whole, 0, i), summarize(whole, i, k), summarize(whole, k)];
      const all = parts.reduce(joined);
      const { area, sum, ...exact } = summarize(whole);
      expect(all).toMatchObject(exact);
      expect(all.area).toBeCloseTo(area, 3);
      expect(all.sum).toBeCloseTo(sum, 3);
    }),
  );
});

test('minutes hold the figures of their samples, and add up to the whole', () => {
  fc.assert(
    fc.property(samples(200, 4e6), (list) => {
      const series = seriesOf(list);
      const bytes = packMinutes(series);
      if (!bytes) return;
      const all = unpackMinutes(bytes);
      const first = Math.floor((list[0] as Kept).t / MINUTE);
      for (let i = 0; i < all.count; i++) {
        const within = list.filter(({ t }) => Math.floor(t / MINUTE) === first + i);
        const { n, good, min, max, first: begin, last, sum } = summarize(seriesOf(within));
        expect([all.n[i], all.good[i]]).toEqual([n, good]);
        expect(all.sum[i]).toBeCloseTo(sum, 3);
        if (good > 0) expect([all.min[i], all.max[i], all.first[i], all.last[i]]).toEqual([min, max, begin, last]);
      }
      const whole = summarize(series);
      const total = (column: Float64Array): number =>
        column.subarray(0, all.count).reduce((sum, each) => sum + each, 0);
      expect(total(all.known)).toBe(whole.known);
      expect(total(all.area)).toBeCloseTo(whole.area, 2);
    }),
  );
});

test('the held value is shared out among the minutes it reaches over', () => {
  const dense = Array.from({ length: 40 }, (_none, i) => at(i / 2, i % 2 ? 5 : 1));
  const all = unpackMinutes(packMinutes(seriesOf([...dense, at(150, 7)])) ?? new Uint8Array());
  expect([...all.known.subarray(0, all.count)]).toEqual([60e6, 60e6, 30e6]);
  expect([...all.area.subarray(0, all.count)]).toEqual([60 + 4 * 9.5 + 4 * 40.5, 300, 150]);
});

test('sparse samples have no minutes, damaged minutes are refused', () => {
  expect(packMinutes(seriesOf([]))).toBeUndefined();
  expect(packMinutes(seriesOf([at(0, 1), at(59, 2)]))).toBeUndefined();
  const bytes = packMinutes(seriesOf(Array.from({ length: 900 }, (_none, i) => at(i, i / 10)))) as Uint8Array;
  expect(bytes.length).toBeLessThan(200);
  for (let end = 0; end < bytes.length; end++) expect(() => unpackMinutes(bytes.subarray(0, end))).toThrow(Damaged);
});
