// The page's pure parts: how values are written, how old the picture is, what the stream's frames amount to.
import { describe, expect, it, test } from 'vitest';
import type { StreamSnap, WireAlarm } from '../../gateway/web/wire.ts';
import { readAddress, writeAddress } from './address.ts';
import { formatAge, formatMarks, formatNumber, formatRange, formatTime, formatValue } from './format.ts';
import { Frames } from './frames.ts';
import { backoff, linkState, ServerTime, Wakefulness } from './freshness.ts';
import { liveKpi } from './kpi.ts';
import { tellApart } from './names.ts';
import { scale, sparkPath } from './scale.ts';
import { announce, countAlarms, filterAlarms, phase, worstBy } from './severity.ts';
import { EventParser } from './sse.ts';

const alarm = (over: Partial<WireAlarm>): WireAlarm => ({
  ...{
    key: 'k',
    event: '1',
    facility: 'north',
    kind: 'limit',
    severity: 'low',
    active: true,
    unacked: true,
    raisedAt: 0,
  },
  ...{ message: 'm' },
  ...over,
});

test.each([
  [1204, 0, '1,204'],
  [-0.04, 1, '0.0'],
  [-3.25, 1, '−3.3'],
  [Number.NaN, 1, '—'],
  [null, 1, '—'],
  [-6.02214e23, 1, '−6.02214e23'],
])('number %s with %s decimals', (value, decimals, text) => expect(formatNumber(value, decimals)).toBe(text));

test.each([
  [[4, 4.25, 4.5], '4.00 4.25 4.50'],
  [[-20, 0, 20], '−20 0 20'],
  [[1000, 1025], '1,000 1,025'],
  [[0, 2e-9, 4e-9], '0 2e−9 4e−9'],
  [[1.0025e-3, 1.005e-3].map((mark) => mark / 1e3), '1.0025e−6 1.0050e−6'],
  [[5.8e23, 6e23, 6.2e23], '5.8e23 6.0e23 6.2e23'],
  [[7], '7'],
  [[], ''],
])('marks %o', (marks, text) => expect(formatMarks(marks).join(' ')).toBe(text));

test('names too long for their place lose what they share, not what tells them apart', () => {
  const long = ['Line 4 extruder, upstream zone', 'Line 4 extruder, downstream zone'];
  expect(tellApart(long, 18)).toEqual(['…upstream zone', '…downstream zone']);
  expect(tellApart(['Pump 1', 'Pump 2'], 18)).toEqual(['Pump 1', 'Pump 2']);
  expect(tellApart(['A very long name of a pump'], 18)).toEqual(['A very long name…']);
});

test.each([
  [{ type: 'boolean' as const, decimals: 0 }, true, 'On'],
  [{ type: 'integer' as const, decimals: 0, names: { 2: 'Running' } }, 2, 'Running'],
  [{ type: 'integer' as const, decimals: 0, names: { 2: 'Running' } }, 7, '7'],
  [{ type: 'integer' as const, decimals: 0 }, '9007199254740993', '9,007,199,254,740,993'],
  [{ type: 'text' as const, decimals: 0 }, 'batch 12', 'batch 12'],
  [{ type: 'double' as const, decimals: 2 }, null, '—'],
])('value of %o', (tag, value, text) => expect(formatValue(tag, value)).toBe(text));

test.each([
  [400, '0.4 s'],
  [42_300, '42 s'],
  [180_000, '3 min'],
  [7_500_000, '2 h 05'],
  [90_000_000, '1 d 1 h'],
  [-5, '0.0 s'],
])('age %s ms', (ms, text) => expect(formatAge(ms)).toBe(text));

test('time in the plant’s zone; an unknown zone does not throw', () => {
  expect(formatTime(Date.UTC(2026, 0, 1, 12), 'Asia/Tokyo')).toBe('21:00:00');
  const [noon, now] = [Date.UTC(2026, 8, 1, 12), Date.UTC(2026, 10, 1)];
  expect(formatRange(noon, noon + 60_000, 'UTC', now)).toBe('01 Sept, 12:00:00–12:01:00');
  expect(formatRange(noon, noon + 3 * 86_400_000, 'UTC', now)).toBe('01 Sept, 12:00 – 04 Sept, 12:00');
  expect(formatRange(noon - 366 * 86_400_000, noon, 'UTC', now)).toBe('31 Aug 2025, 12:00 – 01 Sept 2026, 12:00');
  expect(formatRange(noon, noon + 60_000, 'UTC', now + 100 * 86_400_000)).toBe('01 Sept 2026, 12:00:00–12:01:00');
  expect(formatTime(0, 'Nowhere/None')).toMatch(/^\d\d:\d\d:\d\d$/);
});

describe('freshness', () => {
  test('a sleep that the monotonic clock did not count is noticed, and the server’s time goes on by it', () => {
    const [night, wakefulness, time] = [8 * 3_600_000, new Wakefulness(), new ServerTime()];
    time.observe(1_000_000, 100);
    const looks = [
      [5000, 0],
      [5500, 500],
      [6100, 1000],
      [6100 + night, 1500],
      // Nobody slept: a clock that is set back, and one that counted the sleep.
      [2000, 2000],
      [2500 + night, 2500 + night],
    ].map(([wall = 0, mono = 0]) => wakefulness.look(wall, mono));
    expect(looks).toEqual([0, 0, 0, night - 500, 0, 0]);
    time.slept(night);
    expect(time.now(200)).toBe(1_000_100 + night);
    // It was this machine's clock alone that was set by as much.
    time.observe(1_000_200, 300);
    expect(time.now(300)).toBe(1_000_200);
  });
  it('takes the frame with the least delay, follows drift and a clock set back', () => {
    const time = new ServerTime();
    time.observe(1_000_000, 0);
    time.observe(1_000_700, 1000);
    expect(time.now(1000)).toBeCloseTo(1_001_000, 0);
    time.observe(1_003_200, 3000);
    expect(time.now(3000)).toBe(1_003_200);
    time.observe(500_000, 4000);
    expect(time.now(4000)).toBe(500_000);
  });
  it.each([
    [undefined, 9000, 1, 'connecting'],
    [1000, 3900, 1, 'live'],
    [1000, 4001, 1, 'stale'],
    [1000, 3900, 4, 'live'],
    [1000, 9000, 0.25, 'live'],
  ] as const)('last frame %s at %s with %s Hz: %s', (last, now, hz, state) =>
    expect(linkState(last, now, hz)).toBe(state),
  );
  it('backs off up to 15 s', () => {
    expect([1, 2, 3, 9].map((n) => backoff(n, () => 0.5))).toEqual([1000, 2000, 4000, 15_000]);
  });
});

test('events are cut wherever the chunks are', () => {
  const text = ': hb\r\nid: b-1\r\nevent: al\r\ndata: {"a":\r\ndata: 1}\r\n\r\nid: b-2\ndata: x\n\n';
  const whole = [
    { id: 'b-1', event: 'al', data: '{"a":\n1}' },
    { id: 'b-2', event: 'message', data: 'x' },
  ];
  for (const size of [1, 3, 7, 1000]) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
    expect(events).toEqual(whole);
  }
});

describe('frames', () => {
  const snap: StreamSnap = {
    t: 1000,
    i: [1, 2],
    v: [5, null],
    a: [100, null],
    q: [[2, 2]],
    x: [2],
    al: [],
    st: { 'n/a': 'down' },
  };
  it('keeps what a delta does not name', () => {
    const frames = new Frames();
    frames.snap(snap);
    expect(frames.readings.get(1)).toEqual({ v: 5, at: 900, q: 0, stale: false });
    expect(frames.readings.get(2)).toEqual({ v: null, at: null, q: 2, stale: true });
    frames.drain();
    frames.delta({ t: 2000, i: [2], v: [7], a: [0], q: [[2, 0]], y: [2], x: [1] });
    expect(frames.readings.get(2)).toEqual({ v: 7, at: 2000, q: 0, stale: false });
    expect(frames.readings.get(1)).toEqual({ v: 5, at: 900, q: 0, stale: true });
    expect(frames.drain()).toMatchObject({ alarms: false, statuses: false });
  });
  it('forgets what a new snapshot does not name, and says so', () => {
    const frames = new Frames();
    frames.snap(snap);
    frames.drain();
    frames.snap({ ...snap, i: [1], v: [6], a: [0] });
    expect(frames.readings.has(2)).toBe(false);
    expect(frames.drain().tags.sort()).toEqual([1, 2]);
  });
  it('drops an alarm that is normal again and ignores an older occurrence', () => {
    const frames = new Frames();
    frames.alarm({ op: 'raise', a: alarm({ event: '2' }) });
    frames.alarm({ op: 'clear', a: alarm({ event: '1', active: false, unacked: false }) });
    expect(frames.alarms.size).toBe(1);
    expect(frames.drain().fresh).toHaveLength(1);
    frames.alarm({ op: 'clear', a: alarm({ event: '2', active: false, unacked: true }) });
    expect(frames.alarms.size).toBe(1);
    frames.alarm({ op: 'ack', a: alarm({ event: '2', active: false, unacked: false }) });
    expect(frames.alarms.size).toBe(0);
  });
});

describe('alarms', () => {
  const list = [
    alarm({ key: 'a', severity: 'low', raisedAt: 9, tag: 't' }),
    alarm({ key: 'b', severity: 'critical', raisedAt: 1, tag: 't' }),
    alarm({ key: 'c', severity: 'critical', raisedAt: 2, shelvedUntil: 100, tag: 's' }),
    alarm({ key: 'd', severity: 'low', raisedAt: 10, active: false }),
  ];
  it('sorts by severity, then the newest, and hides the shelved', () => {
    expect(filterAlarms(list, 'all', 50).map((one) => one.key)).toEqual(['b', 'd', 'a']);
    expect(filterAlarms(list, 'all', 101).map((one) => one.key)).toEqual(['c', 'b', 'd', 'a']);
    expect(filterAlarms(list, 'shelved', 50).map((one) => one.key)).toEqual(['c']);
    expect(countAlarms(list, 50)).toMatchObject({ all: 3, critical: 1, low: 2, shelved: 1 });
  });
  it('knows phase, worst and what to announce', () => {
    expect(list.map((one) => phase(one, 50))).toEqual(['unacknowledged', 'unacknowledged', 'shelved', 'returned']);
    expect([...worstBy(list, 50, (one) => one.tag)]).toEqual([['t', 'critical']]);
    expect(announce(list)).toBe('2 new critical alarms, 2 new low alarms');
  });
});

test('scale: value against band and limits', () => {
  expect(scale(5, undefined, { h: 3 })).toBeUndefined();
  expect(scale(50, { low: 0, high: 100 })).toMatchObject({ pointer: 0.5, inside: true, beyond: false });
  expect(scale(500, { low: 0, high: 100 }, { h: 80 })).toMatchObject({ pointer: 1, inside: false, beyond: true });
  expect(scale(null, { low: 0, high: 100 })?.pointer).toBeNull();
  expect(sparkPath([1, null, 2, 3], 30, 10)).toBe('M0.0 10.0M20.0 5.0L30.0 0.0');
});

test('figure over live values counts only good and fresh ones', () => {
  const tags = [1, 2, 3].map((i) => ({
    i,
    id: `${i}`,
    asset: 'a',
    metric: 'm',
    name: 'm',
    type: 'double' as const,
    unit: '',
    decimals: 0,
    staleAfter: 1,
  }));
  const good = { at: 0, q: 0 as const, stale: false };
  const readings = new Map([
    [1, { ...good, v: 10 }],
    [2, { ...good, v: 20 }],
    [3, { ...good, v: 900, stale: true }],
  ]);
  expect(liveKpi('mean', tags, readings)).toEqual({ current: 15, reporting: 2, of: 3 });
  expect(liveKpi('sum', tags, readings).current).toBe(30);
  expect(liveKpi('max', tags, new Map()).current).toBeNull();
});

test('the address keeps the place and forgives nonsense', () => {
  const place = {
    facility: 'north',
    metric: 'flow',
    hours: 24 as const,
    bucket: 15 as const,
    assets: ['north/a b', 'north/ü'],
  };
  expect(readAddress(writeAddress(place))).toEqual(place);
  expect(readAddress('?h=13&b=x')).toMatchObject({ hours: 12, bucket: 0, assets: [] });
});
