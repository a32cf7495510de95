// A bucket without a sample: the value that held, or a gap.
import { expect, test } from 'vitest';
import type { AggregateSeries } from '../history.ts';
import { curve } from './curve.ts';

const minute = 60_000_000;
/** A letter a bucket: s with a sample (its number as figure), h held, g nothing known, b a bad sample that ends what held. */
function series(letters: string, width = minute): AggregateSeries {
  const all = [...letters];
  const of = (value: (letter: string, i: number) => number | null) => all.map(value);
  const sample = of((letter, i) => (letter === 's' ? i : null));
  const held = of((letter, i) => (letter === 's' || letter === 'g' ? (letter === 's' ? i : null) : 99));
  return {
    ...{ tag: 0, t: all.map((_letter, i) => i * width), end: all.length * width },
    ...{ count: all.map(() => 1), good: all.map((letter) => Number(letter === 's')) },
    share: all.map((letter) => ({ s: 1, h: 1, b: 0.5 })[letter] ?? 0),
    ...{ min: sample.map((v) => v && v - 0.5), max: sample.map((v) => v && v + 0.5), first: sample, last: sample },
    ...{ avg: sample, mean: held },
  };
}

test.each([
  ['ssss', [0, 1, 2, 3], 'samples'],
  ['shhs', [0, 0, 0, 3], 'a value that held goes on, to the digit'],
  ['hhs', [99, 99, 2], 'also one from before the range'],
  ['sbgg', [0, 0, null, null], 'until a bad sample; from then on it is a gap'],
  ['sggs', [0, null, null, 3], 'a gap'],
  ['sbgghs', [0, 0, null, null, 99, 5], 'what held before a gap holds no more after it'],
])('%s', (letters, drawn) => {
  const { avg } = curve(series(letters), 0);
  expect(avg).toEqual(drawn);
});

test('lowest and highest are the samples’ own, and a held value is both', () => {
  expect(curve(series('gsh'), 0)).toEqual({ min: [null, 0.5, 1], avg: [null, 1, 1], max: [null, 1.5, 1] });
});

test('where hours alone are left, an hour is as level as its figures, and a missing hour is a gap', () => {
  const quarter = 15 * minute;
  const hours = series(`gsgg${'gggg'}sggg`, quarter);
  const line = [null, 1, 1, 1, null, null, null, null, 8, 8, 8, 8];
  expect(curve(hours, 12 * quarter).avg).toEqual(line);
  expect(curve(hours, 12 * quarter).max.slice(0, 4)).toEqual([null, 1.5, 1.5, 1.5]);
  expect(curve(hours, 4 * quarter).avg.slice(8)).toEqual([8, null, null, null]);
});
