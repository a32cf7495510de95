// Where buckets begin, as tables: both changes of clocks, zones off the hour, a day that never was, weeks and months.
import { describe, expect, test, vi } from 'vitest';
import type { BucketWidth } from '../../history.ts';
import { boundaries, fixed } from './calendar.ts';

const at = (iso: string): number => Date.parse(iso.length < 12 ? `${iso}T00:00Z` : `${iso}Z`) * 1000;
const iso = (t: number): string => new Date(t / 1000).toISOString().slice(0, 16);
const HOUR = 3_600_000_000;

describe('starts of buckets, in UTC', () => {
  test.each<[string, string, string, BucketWidth, string | undefined, string[]]>([
    [
      'five minutes',
      '2026-01-01T10:02',
      '2026-01-01T10:11',
      HOUR / 12,
      undefined,
      ['2026-01-01T10:00', '2026-01-01T10:05', '2026-01-01T10:10', '2026-01-01T10:15'],
    ],
    [
      'a width that does not divide the day begins anew at midnight',
      '2026-01-01T20:00',
      '2026-01-02T03:00',
      10 * HOUR,
      'UTC',
      ['2026-01-01T20:00', '2026-01-02T00:00', '2026-01-02T10:00'],
    ],
    [
      'days of Berlin over the 23 hours of spring',
      '2026-03-28T12:00',
      '2026-03-30T12:00',
      'day',
      'Europe/Berlin',
      ['2026-03-27T23:00', '2026-03-28T23:00', '2026-03-29T22:00', '2026-03-30T22:00'],
    ],
    [
      'hours of that night: two o’clock is left out',
      '2026-03-29T00:00',
      '2026-03-29T02:30',
      'hour',
      'Europe/Berlin',
      ['2026-03-29T00:00', '2026-03-29T01:00', '2026-03-29T02:00', '2026-03-29T03:00'],
    ],
    [
      'two hours of wall time there: the jump begins two o’clock',
      '2026-03-28T23:00',
      '2026-03-29T03:00',
      2 * HOUR,
      'Europe/Berlin',
      ['2026-03-28T23:00', '2026-03-29T01:00', '2026-03-29T02:00', '2026-03-29T04:00'],
    ],
    [
      'six hours of wall time: the first has five',
      '2026-03-28T23:30',
      '2026-03-29T05:00',
      6 * HOUR,
      'Europe/Berlin',
      ['2026-03-28T23:00', '2026-03-29T04:00', '2026-03-29T10:00'],
    ],
    [
      'days of Berlin over the 25 hours of autumn',
      '2026-10-24T23:00',
      '2026-10-26T00:00',
      'day',
      'Europe/Berlin',
      ['2026-10-24T22:00', '2026-10-25T23:00', '2026-10-26T23:00'],
    ],
    [
      'hours of that night: two o’clock comes twice',
      '2026-10-24T23:30',
      '2026-10-25T02:30',
      'hour',
      'Europe/Berlin',
      ['2026-10-24T23:00', '2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00', '2026-10-25T03:00'],
    ],
    [
      'half hours of it too',
      '2026-10-25T00:00',
      '2026-10-25T02:00',
      HOUR / 2,
      'Europe/Berlin',
      ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'],
    ],
    [
      'six hours of wall time in autumn: the first has seven',
      '2026-10-24T22:00',
      '2026-10-25T08:00',
      6 * HOUR,
      'Europe/Berlin',
      ['2026-10-24T22:00', '2026-10-25T05:00', '2026-10-25T11:00'],
    ],
    [
      'hours of India begin at the half',
      '2026-01-01T10:00',
      '2026-01-01T12:00',
      'hour',
      'Asia/Kolkata',
      ['2026-01-01T09:30', '2026-01-01T10:30', '2026-01-01T11:30', '2026-01-01T12:30'],
    ],
    [
      'days of Newfoundland',
      '2026-03-07T12:00',
      '2026-03-09T12:00',
      'day',
      'America/St_Johns',
      ['2026-03-07T03:30', '2026-03-08T03:30', '2026-03-09T02:30', '2026-03-10T02:30'],
    ],
    [
      'its clocks went back over midnight in 2010: that day began once',
      '2010-11-06T12:00',
      '2010-11-08T12:00',
      'day',
      'America/St_Johns',
      ['2010-11-06T02:30', '2010-11-07T02:30', '2010-11-08T03:30', '2010-11-09T03:30'],
    ],
    [
      'Samoa had no 30 December 2011',
      '2011-12-29T12:00',
      '2012-01-01T00:00',
      'day',
      'Pacific/Apia',
      ['2011-12-29T10:00', '2011-12-30T10:00', '2011-12-31T10:00', '2012-01-01T10:00'],
    ],
    [
      'a midnight left out begins at one',
      '2017-10-14T12:00',
      '2017-10-16T12:00',
      'day',
      'America/Sao_Paulo',
      ['2017-10-14T03:00', '2017-10-15T03:00', '2017-10-16T02:00', '2017-10-17T02:00'],
    ],
    [
      'half an hour forward on Lord Howe',
      '2026-10-03T14:00',
      '2026-10-03T17:00',
      'hour',
      'Australia/Lord_Howe',
      ['2026-10-03T13:30', '2026-10-03T14:30', '2026-10-03T15:30', '2026-10-03T16:00', '2026-10-03T17:00'],
    ],
    [
      'weeks begin on Monday',
      '2026-11-20',
      '2026-12-01',
      'week',
      'Europe/Berlin',
      ['2026-11-15T23:00', '2026-11-22T23:00', '2026-11-29T23:00', '2026-12-06T23:00'],
    ],
    [
      'and so do seven days',
      '2026-11-20',
      '2026-11-24',
      7 * 24 * HOUR,
      undefined,
      ['2026-11-16T00:00', '2026-11-23T00:00', '2026-11-30T00:00'],
    ],
    [
      'months',
      '2026-01-31T23:30',
      '2026-04-01',
      'month',
      'Europe/Berlin',
      ['2026-01-31T23:00', '2026-02-28T23:00', '2026-03-31T22:00', '2026-04-30T22:00'],
    ],
    [
      'years',
      '2023-06-01',
      '2025-01-01',
      'year',
      undefined,
      ['2023-01-01T00:00', '2024-01-01T00:00', '2025-01-01T00:00'],
    ],
    ['nothing of an empty time', '2026-01-01', '2026-01-01', 'day', undefined, ['2026-01-01T00:00']],
  ])('%s', (_name, from, to, width, zone, starts) => {
    const { t, end } = boundaries(at(from), at(to), width, zone);
    expect([...t, end].map(iso)).toEqual(starts);
  });
});

test('any width in any zone: buckets follow each other, touch the time asked, and are no wider than they should be', () => {
  const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kolkata', 'Pacific/Apia', 'Australia/Lord_Howe'];
  for (const zone of zones)
    for (const width of [7e6, 60e6, 15 * 60e6, HOUR, 5 * HOUR, 24 * HOUR, 3 * 24 * HOUR])
      for (let day = 0; day < 366; day += width < HOUR ? 61 : 11) {
        const from = at('2011-01-01') + day * 24 * HOUR + 12_345_678;
        const to = from + 40 * Math.min(width, 24 * HOUR);
        const { t, end } = boundaries(from, to, width, zone);
        expect(t[0]).toBeLessThanOrEqual(from);
        expect(t.at(-1)).toBeLessThan(to);
        expect(end).toBeGreaterThanOrEqual(to);
        for (const [i, start] of t.entries()) {
          const next = t[i + 1] ?? end;
          expect(next).toBeGreaterThan(start);
          expect(next - start).toBeLessThanOrEqual(width + (width > 7e6 ? HOUR : 0));
          if (i > 0) expect(start).toBeGreaterThan(from);
        }
      }
});

test('where no sample can be, clocks do not change and are not looked at', () => {
  const looks = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
  const years = boundaries(at('2110-06-01'), at('2249-12-01'), 'year', 'Europe/Berlin');
  expect([years.t.length, years.t.map(iso).at(-1)]).toEqual([140, '2248-12-31T23:00']);
  // The days of the last 25, and the offset before them.
  expect(looks.mock.calls.length).toBeLessThan(30);
  looks.mockRestore();
  const months = boundaries(at('1920-06-10'), at('1920-08-10'), 'month', 'Europe/Berlin');
  expect(months.t.map(iso)).toEqual(['1920-05-31T23:00', '1920-06-30T23:00', '1920-07-31T23:00']);
  const over = boundaries(at('1969-10-10'), at('1970-01-10'), 'month', 'Asia/Kolkata');
  expect(over.t.map(iso)).toEqual(['09-30', '10-31', '11-30', '12-31'].map((day) => `1969-${day}T18:30`));
});

test('what makes no sense is refused with the reason', () => {
  expect(() => boundaries(0, 1e9, 1e6, 'Europe/Belin')).toThrow(/no time zone called Europe\/Belin/);
  expect(() => boundaries(0, 1e9, 0)).toThrow(/above 0/);
  expect(() => boundaries(0, 1e12, 1)).toThrow(/more than 100000 buckets/);
  const wide = 2_000_000 * HOUR;
  expect(() => boundaries(0, 1e12, wide, 'Europe/Berlin')).toThrow(/at most ten years wide: ask for a narrower one/);
  expect(boundaries(0, 1e12, wide, 'UTC').t).toHaveLength(1);
});

test('fixed buckets count from the epoch', () => {
  expect(fixed(14, 29, 7)).toEqual({ t: [14, 21, 28], end: 35 });
  expect(fixed(15, 28, 7)).toEqual({ t: [14, 21], end: 28 });
  expect(fixed(20, 20, 7)).toEqual({ t: [14], end: 21 });
});
