// The time axis: round wall times in the plant's zone, also where clocks change.
import { expect, test } from 'vitest';
import { labels, marks, steps } from './axis.ts';
import { clockName, formatTime } from './format.ts';

const hour = 3_600_000;
const day = 24 * hour;
const berlin = 'Europe/Berlin';
const written = (from: number, to: number, step: number, zone: string) =>
  labels(marks(from, to, step, zone), step, zone).map((label) => label.replace('\n', ' | '));

test.each<[string, number, number, number, string, string[]]>([
  [
    'quarters of an hour off UTC',
    Date.UTC(2026, 5, 1, 0, 20),
    2 * hour,
    hour,
    'Asia/Kolkata',
    ['06:00 | 01 Jun', '07:00'],
  ],
  [
    'an hour that comes twice is named by its clocks',
    Date.UTC(2026, 9, 24, 23),
    4 * hour,
    hour,
    berlin,
    ['01:00 | 25 Oct', '02:00', '02:00 | CET', '03:00', '04:00'],
  ],
  [
    'an hour that never was is left out',
    Date.UTC(2026, 2, 29, 0),
    3 * hour,
    hour,
    berlin,
    ['01:00 | 29 Mar', '03:00 | CEST', '04:00', '05:00'],
  ],
  [
    'days begin at midnight on either side',
    Date.UTC(2026, 9, 24, 12),
    2 * day,
    day,
    berlin,
    ['25 Oct | 2026', '26 Oct'],
  ],
  ['weeks on Monday', Date.UTC(2026, 10, 20), 9 * day, 7 * day, 'UTC', ['23 Nov | 2026']],
  ['months, and the new year', Date.UTC(2025, 11, 15), 50 * day, 28 * day, berlin, ['Jan | 2026', 'Feb']],
  ['parts of a second', 1_500, 20, 10, 'UTC', ['00:00:01.500 | 01 Jan', '00:00:01.510', '00:00:01.520']],
])('%s', (_what, from, width, step, zone, expected) => {
  expect(steps).toContain(step);
  expect(written(from, from + width, step, zone)).toEqual(expected);
});

test('a time that comes twice says which it is', () => {
  const twice = Date.UTC(2026, 9, 25, 0, 30);
  expect([twice, twice + hour, twice + 2 * hour].map((ms) => formatTime(ms, berlin, 'minute', true))).toEqual([
    expect.stringMatching(/^25 Oct, 02:30 (CEST|GMT\+2)$/),
    expect.stringMatching(/^25 Oct, 02:30 (CET|GMT\+1)$/),
    '25 Oct, 03:30',
  ]);
  expect(clockName(twice, 'UTC')).toBe('UTC');
});
