// The gateway was away: what history then hears of each tag, and that nothing else does.
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { Flag, Status } from '../model.ts';
import type { Micros, Sample } from '../model.ts';
import { bed, device, FLOW, LEVEL } from './bed.ts';
import type { Bed } from './bed.ts';
import type { Remembered } from './junction.ts';

const S = 1_000_000;
const clock = (): ManualClock => new ManualClock(Date.UTC(2026, 0, 2));
const NOW = clock().micros();
const HOUR_AGO = NOW - 3600 * S;

function restarted(latest: Remembered[], ended?: Micros): Bed {
  const it = bed(undefined, {}, clock());
  it.pipeline.restore({ latest, ended });
  return it;
}
const level = (t: Micros, status = 0): Remembered => ({ tag: LEVEL, t, value: 7, status });

describe('a start files the end of the run before', () => {
  const cases: [string, Remembered, Micros | undefined, Micros | undefined][] = [
    ['after hours: where the run ended', level(HOUR_AGO - S), HOUR_AGO, HOUR_AGO],
    ['the end is not known: behind the newest', level(HOUR_AGO), undefined, HOUR_AGO + 1],
    ['the newest is the last frame itself: not over it', level(HOUR_AGO), HOUR_AGO, HOUR_AGO + 1],
    ['the newest is ahead of the end: behind it', level(HOUR_AGO + 5 * S), HOUR_AGO, HOUR_AGO + 5 * S + 1],
    ['uncertain before it', level(HOUR_AGO, Status.uncertainLastUsable), HOUR_AGO, HOUR_AGO + 1],
    ['bad before it: known already', level(HOUR_AGO, Status.badNoCommunication), HOUR_AGO, undefined],
    ['away no longer than a tag may be silent', level(NOW - 11 * S), NOW - 10 * S, undefined],
    ['away a little longer', level(NOW - 11 * S), NOW - 10 * S - 1, NOW - 10 * S - 1],
    ['a clock that stands before the end', level(NOW), NOW + 3600 * S, undefined],
    ['a clock that was lost with the power', level(NOW), NOW + 90_000 * S, NOW + 90_000 * S],
  ];
  test.each(cases)('%s', (_, newest, ended, t) => {
    const it = restarted([newest], ended);
    const made = { value: 7, status: Status.badNoCommunication, flags: Flag.made, valueAt: newest.t };
    expect(it.samples()).toEqual(t === undefined ? [] : [{ tag: LEVEL, t, receivedAt: NOW, ...made }]);
    expect(it.pipeline.ledger().get(device)).toMatchObject(
      t === undefined ? { made: 0, journalled: 0 } : { made: 1, journalled: 1 },
    );
  });
});

test('history alone hears of it: not the live path, no alarm, and the present is the value restored', () => {
  const newest = [level(HOUR_AGO), { tag: FLOW, t: HOUR_AGO, value: 50, status: 0 }];
  const it = restarted(newest, HOUR_AGO);
  expect(it.journal).toMatchObject([
    { origin: 'live', source: device, events: [], counts: { made: 2, journalled: 2 } },
  ]);
  expect([it.live, it.told()]).toEqual([[], []]);
  const shown = { value: 7, status: Status.uncertainLastUsable, valueAt: HOUR_AGO };
  expect(it.pipeline.latest(LEVEL)).toMatchObject(shown);
});

test('a clock set forward, as after a start without a battery for it, or a machine that slept: a gap, said once', async () => {
  const it = bed(undefined, {}, clock());
  it.pipeline.start();
  it.pipeline.online(device);
  it.says(LEVEL, 7);
  it.says(FLOW, 50, { status: Status.badNoCommunication });
  await it.clock.advance(3000);
  it.pipeline.alive(device, [LEVEL], it.clock.micros());
  it.clock.stepWall(8000);
  it.says(LEVEL, 7);
  const [, short] = it.samples(LEVEL);
  expect(short).toMatchObject({ t: NOW + 11 * S, flags: 0 });
  it.clock.stepWall(3600_000);
  it.says(LEVEL, 8);
  expect(it.samples(LEVEL).slice(2)).toMatchObject([
    { t: NOW + 11 * S + 1, value: 7, status: Status.badNoCommunication, flags: Flag.made, valueAt: NOW + 11 * S },
    { t: NOW + 3611 * S, value: 8, status: 0 },
  ]);
  expect(it.samples(FLOW).length).toBe(1);
  const said = it.events().flatMap((event) => (event.kind === 'clock' ? event.message : []));
  expect(said).toEqual([8, 3600].map((s) => `the gateway's own clock was set forward by ${s} s, or the machine slept`));
  const { received, made, journalled } = it.pipeline.ledger().get(device)!;
  expect(received + made).toBe(journalled);
  await it.clock.advance(3000);
  it.says(LEVEL, 9);
  expect(it.samples(LEVEL).length).toBe(5);
});

test('the clock was set forward before the device answered: the time since the run before is unknown too, said once', async () => {
  const it = restarted([level(NOW - 3 * S)], NOW - 2 * S);
  await it.clock.advance(1000);
  it.pipeline.start();
  it.clock.stepWall(8 * 3600_000);
  it.pipeline.online(device);
  it.clock.stepWall(3600_000);
  it.says(LEVEL, 7);
  expect(it.samples(LEVEL)).toMatchObject([
    { t: NOW, status: Status.badNoCommunication, flags: Flag.made, valueAt: NOW - 3 * S },
    { t: NOW + (9 * 3600 + 1) * S, value: 7, status: 0 },
  ]);
});

test.each<[string, (it: Bed) => void]>([
  ['a proof', (it) => it.pipeline.alive(device, [LEVEL], it.clock.micros())],
  ['the same once more', (it) => it.says(LEVEL, 7, { at: NOW })],
])('after a step of the clock a value that does not change holds again from %s on', (_, proof) => {
  const it = bed(undefined, {}, clock());
  it.pipeline.start();
  it.pipeline.online(device);
  it.says(LEVEL, 7, { at: NOW });
  it.clock.stepWall(3600_000);
  proof(it);
  proof(it);
  expect(it.samples(LEVEL)).toMatchObject([
    { t: NOW, value: 7 },
    { t: NOW + 1, status: Status.badNoCommunication },
    { t: NOW + 3600 * S, value: 7, status: 0, flags: Flag.repeat | Flag.made },
  ]);
});

test('what has a time of its own behind one that has none is shown, and the gap stands over neither', () => {
  const it = bed(undefined, {}, clock());
  it.pipeline.start();
  it.pipeline.online(device);
  it.says(LEVEL, 7);
  it.says(LEVEL, 8, { at: NOW - S });
  it.clock.stepWall(3600_000);
  it.says(LEVEL, 9);
  expect(it.samples(LEVEL).map(({ t }) => t)).toEqual([NOW, NOW - S + 1, NOW + 1, NOW + 3600 * S]);
});

test('killed again at the start: the newest is bad now, and none is filed', () => {
  const [gap] = restarted([level(HOUR_AGO)], HOUR_AGO).samples() as [Sample];
  expect(restarted([gap], NOW - 60 * S).samples()).toEqual([]);
});

describe('what the device says then', () => {
  const begun = (): Bed => {
    const it = restarted([level(HOUR_AGO)], HOUR_AGO);
    it.pipeline.start();
    it.pipeline.online(device);
    return it;
  };
  const said = (it: Bed) => it.samples(LEVEL).slice(1);

  test('a queue of the time away is filed under its own times', () => {
    const it = begun();
    const times = [60, 1200, 3500].map((s) => HOUR_AGO + s * S);
    for (const at of times) it.says(LEVEL, at, { at });
    expect(said(it).map(({ t, flags }) => ({ t, flags }))).toEqual(times.map((t) => ({ t, flags: 0 })));
  });
  test('older than another of them is late, as ever', () => {
    const it = begun();
    it.says(LEVEL, 1, { at: HOUR_AGO + 60 * S });
    it.says(LEVEL, 2, { at: HOUR_AGO + 30 * S });
    expect(said(it)).toMatchObject([{ flags: 0 }, { t: HOUR_AGO + 30 * S, flags: Flag.late }]);
  });
  test('at the very time: the value goes over it, by the higher sequence', () => {
    const it = begun();
    it.says(LEVEL, 1, { at: HOUR_AGO + 1 });
    expect(said(it)).toMatchObject([{ t: HOUR_AGO + 1, value: 1 }]);
  });
  test('unchanged since before: said again now, once, so that it holds from here on', () => {
    const it = begun();
    it.says(LEVEL, 7, { at: HOUR_AGO });
    it.says(LEVEL, 8, { at: NOW + S });
    const again = { t: NOW, value: 7, status: 0, flags: Flag.repeat | Flag.made };
    expect(said(it)).toMatchObject([{ t: HOUR_AGO, value: 7 }, again, { t: NOW + S, value: 8, flags: 0 }]);
    const { received, made, journalled } = it.pipeline.ledger().get(device)!;
    expect(received + made).toBe(journalled);
  });
  test('no time: when received', () => {
    const it = begun();
    it.says(LEVEL, 8);
    expect(said(it)).toMatchObject([{ t: NOW, value: 8, flags: 0 }]);
  });
});
