// The junction: what comes of silence, loss, history, and that every reading is accounted for.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Flag, quality, Status } from '../model.ts';
import type { Reading } from '../model.ts';
import { bed, bedTags, device, FLOW, LEVEL, STATE } from './bed.ts';
import type { Bed } from './bed.ts';
import { catalogOf, tagOf } from './plant.ts';

function started(...given: Parameters<typeof bed>): Bed {
  const it = bed(...given);
  it.pipeline.start();
  it.pipeline.online(device);
  return it;
}
function balanced(it: Bed): void {
  let journalled = 0;
  for (const [, { received, made, rejected, filtered, shed, journalled: stored, merged }] of it.pipeline.ledger()) {
    expect(received + made).toBe(rejected + filtered + shed + stored + merged);
    journalled += stored;
  }
  expect(it.samples().length).toBe(journalled);
}

test('a reading becomes a sample in journal, live path and present', () => {
  const it = started();
  it.says(FLOW, 50, { at: it.clock.micros() - 1000 });
  expect(it.samples()).toEqual([
    {
      tag: FLOW,
      t: it.clock.micros() - 1000,
      receivedAt: it.clock.micros(),
      at: it.clock.micros() - 1000,
      value: 50,
      status: 0,
      flags: 0,
    },
  ]);
  expect(it.live.at(-1)).toBe(it.journal.at(-1));
  expect(it.pipeline.latest(FLOW)).toBe(it.samples()[0]);
});

test('unknown tags, tags of another device and unknown devices are rejected and counted', () => {
  const it = started();
  it.says(99, 1);
  it.says(-1, 1);
  it.says(3, 1);
  it.pipeline.ingest('nobody', [{ tag: 0, value: 1, status: 0 }]);
  expect(it.samples()).toEqual([]);
  balanced(it);
  it.status.metrics();
  expect(it.status.value('penstock_readings_total', { source: device, kind: 'rejected' })).toBe(3);
  expect(it.status.value('penstock_readings_total', { source: 'nobody', kind: 'rejected' })).toBe(1);
});

test('a late reading is stored, and neither shown nor offered', () => {
  const it = started();
  const at = it.clock.micros();
  it.says(LEVEL, 1, { at });
  it.says(LEVEL, 2, { at: at - 5000 });
  expect(it.samples(LEVEL).map((sample) => sample.flags)).toEqual([0, Flag.late]);
  expect(it.pipeline.latest(LEVEL)!.value).toBe(1);
  expect(it.live.flatMap((batch) => batch.samples).length).toBe(1);
});

test('a device’s clock set back is said once; the gateway’s too', async () => {
  const it = started();
  const at = it.clock.micros();
  for (let n = 0; n < 6; n++) it.says(LEVEL, n, { at: at - n * 1_000_000 });
  it.clock.stepWall(-60_000);
  it.says(LEVEL, 10);
  it.says(LEVEL, 11);
  const clocks = it.events().filter((event) => event.kind === 'clock');
  expect(clocks.map((event) => event.tag)).toEqual(['north/tank-1/level', undefined]);
  expect(
    it
      .samples(LEVEL)
      .slice(-2)
      .map((sample) => sample.t),
  ).toEqual([it.clock.micros(), it.clock.micros() + 1]);
});

describe('silence', () => {
  test('neither value nor proof for 10 s: one uncertain sample and one alarm; a value ends it', async () => {
    const it = started();
    it.says(LEVEL, 7);
    const then = it.samples(LEVEL)[0]!.t;
    await it.clock.advance(9900);
    expect(it.samples(LEVEL).length).toBe(1);
    await it.clock.advance(30_000);
    expect(it.samples(LEVEL).slice(1)).toMatchObject([
      { value: 7, status: Status.uncertainLastUsable, flags: Flag.made, valueAt: then },
    ]);
    expect(it.told().filter((one) => one.includes('level'))).toEqual(['raise north/tank-1/level.stale']);
    it.says(LEVEL, 8);
    expect(it.pipeline.latest(LEVEL)).toMatchObject({ value: 8, status: 0 });
    expect(
      it
        .told()
        .filter((one) => one.includes('level'))
        .slice(1),
    ).toEqual(['clear north/tank-1/level.stale']);
  });
  test('a tag constant for 10 minutes with proof of life: never stale, repeated every minute', async () => {
    const it = started();
    it.says(LEVEL, 7);
    for (let s = 0; s < 600; s += 5) {
      await it.clock.advance(5000);
      it.pipeline.alive(device, [FLOW, STATE, LEVEL], it.clock.micros());
    }
    const made = it.samples(LEVEL).slice(1);
    expect(made.length).toBeGreaterThanOrEqual(9);
    expect(
      made.every((sample) => sample.flags === (Flag.repeat | Flag.made) && sample.value === 7 && sample.status === 0),
    ).toBe(true);
    const times = it.samples(LEVEL).map((sample) => sample.t);
    for (let n = 1; n < times.length; n++) expect(times[n]! - times[n - 1]!).toBeLessThanOrEqual(66_000_000);
    expect(it.told()).toEqual([]);
  });
  test('a slow tag has three of its intervals', async () => {
    const it = started(catalogOf([tagOf('north/tank-1/level', { interval: 20_000 })]));
    it.says(0, 7);
    await it.clock.advance(59_000);
    expect(it.told()).toEqual([]);
    await it.clock.advance(2000);
    expect(it.told()).toEqual(['raise north/tank-1/level.stale']);
  });
});

describe('loss of a device', () => {
  test('every tag bad once with its old value and time, one alarm, others untouched; data clears it', async () => {
    const it = started();
    it.says(LEVEL, 7);
    const then = it.samples(LEVEL)[0]!.t;
    it.pipeline.offline(device, 'connection refused');
    it.pipeline.offline(device, 'connection refused');
    await it.clock.advance(120_000);
    expect(it.samples(LEVEL).slice(1)).toMatchObject([
      { value: 7, status: Status.badNoCommunication, flags: Flag.made, valueAt: then },
    ]);
    expect(it.samples(FLOW)).toMatchObject([{ value: null, status: Status.badNoCommunication }]);
    expect(it.samples(3)).toEqual([]);
    expect(it.told()).toEqual([`raise device/${device}`]);
    expect(it.pipeline.alarms()).toMatchObject([
      {
        severity: 'high',
        name: `comm.${device}`,
        site: 'north',
        message: `Device ${device} does not answer: connection refused`,
      },
    ]);
    expect(it.pipeline.states().get('north/tank-1')).toMatchObject({ status: 'offline', comm: 'lost' });
    it.pipeline.online(device);
    it.says(LEVEL, 7, { status: Status.badTimeout });
    expect(it.told().length).toBe(1);
    it.says(LEVEL, 7);
    expect(it.told().slice(1)).toEqual([`clear device/${device}`]);
    expect(it.pipeline.states().get('north/tank-1')).toMatchObject({ status: 'operational', comm: 'ok' });
    balanced(it);
  });
  test.each([true, false])(
    'none that is disabled is missed; enabled again it is (answering before: %s)',
    (answering) => {
      const it = started();
      const use = (disabled: string[]) => it.pipeline.use(catalogOf(bedTags(), { disabled }));
      if (answering) it.says(LEVEL, 7);
      else it.pipeline.offline(device, 'connection refused');
      use([device]);
      it.pipeline.offline(device, 'disabled');
      expect(it.pipeline.alarms()).toEqual([]);
      expect(it.pipeline.latest(LEVEL)?.status).toBe(Status.badNoCommunication);
      expect(it.told()).toEqual(answering ? [] : [`raise device/${device}`, `clear device/${device}`]);
      use([]);
      it.pipeline.offline(device, 'connection refused');
      expect(it.pipeline.alarms()).toMatchObject([{ name: `comm.${device}`, active: true }]);
      balanced(it);
    },
  );
  test('a stale alarm gives way to the device’s', async () => {
    const it = started();
    await it.clock.advance(11_000);
    expect(it.pipeline.alarms().map((alarm) => alarm.kind)).toEqual(['stale', 'stale', 'stale']);
    it.pipeline.offline(device, '');
    expect(it.pipeline.alarms().map((alarm) => alarm.kind)).toEqual(['comm']);
  });
  test('the same value with the same time after it: merged, and good again', () => {
    const it = started();
    const at = it.clock.micros();
    it.says(LEVEL, 7, { at });
    it.pipeline.offline(device, '');
    it.pipeline.online(device);
    it.says(LEVEL, 7, { at });
    expect(it.pipeline.latest(LEVEL)).toMatchObject({ value: 7, status: 0, flags: Flag.repeat | Flag.made });
    expect(it.pipeline.ledger().get(device)).toMatchObject({ received: 2, merged: 1, made: 4 });
    balanced(it);
  });
  test('a queue that comes in several parts keeps its times', async () => {
    const it = started();
    const from = it.clock.micros();
    it.says(LEVEL, 0, { at: from });
    it.pipeline.offline(device, '');
    await it.clock.advance(3_600_000);
    it.pipeline.online(device);
    it.pipeline.alive(device, [], it.clock.micros());
    for (let s = 60; s <= 3600; s += 60) it.says(LEVEL, s, { at: from + s * 1_000_000 });
    const said = it.samples(LEVEL).filter((sample) => !(sample.flags & Flag.made));
    expect(said.filter((sample) => sample.flags !== 0 || sample.t !== sample.at)).toEqual([]);
    expect(said.length).toBe(61);
    // Caught up: from here on an hour is too old again.
    for (let s = 0; s < 3600; s += 100) {
      await it.clock.advance(100_000);
      it.pipeline.alive(device, [LEVEL], it.clock.micros());
    }
    it.says(LEVEL, 1, { at: from + 3_700_000_000 });
    expect(it.samples(LEVEL).at(-1)!.flags).toBe(Flag.skewed);
  });
});

test('machine state: from the state tag, from alarms, from quality', async () => {
  const status = { metric: 'state', map: { 0: 'down', 1: 'operational', 3: 'maintenance' } } as const;
  const it = started(catalogOf(bedTags(), { assets: { 'north/pump-1': { status } } }));
  const state = (): string => it.pipeline.states().get('north/pump-1')!.status;
  expect(state()).toBe('offline');
  it.says(FLOW, 50);
  expect(state()).toBe('operational');
  it.says(STATE, 3);
  expect(state()).toBe('maintenance');
  it.says(STATE, 9);
  expect(state()).toBe('operational');
  it.says(FLOW, 85);
  await it.clock.advance(5100);
  expect(state()).toBe('warning');
  const states = it
    .events()
    .flatMap((event) => (event.kind === 'state' && event.asset === 'north/pump-1' ? [event.state.status] : []));
  expect([...new Set(states)]).toEqual(['offline', 'operational', 'maintenance', 'warning']);
});

describe('history', () => {
  const scale = { multiply: 1, divide: 10, offset: 0 };
  test('import is stored as it is: not scaled, not judged, not offered, shown only while nothing newer is', () => {
    const it = started(catalogOf(bedTags({ scale })));
    const at = it.clock.micros() - 3_600_000_000;
    const offered = it.live.length;
    const readings: Reading[] = [
      { tag: FLOW, value: 95.5, status: 0, at },
      { tag: FLOW, value: 95.5, status: 0 },
      { tag: 99, value: 1, status: 0, at },
      { tag: FLOW, value: 1, status: 0, at: it.clock.micros() + 3_600_000_000 },
    ];
    expect(it.pipeline.file('import', readings, 'import')).toMatchObject({ accepted: 1, rejected: 3 });
    expect(it.samples()).toMatchObject([{ t: at, value: 95.5, status: 0, flags: 0 }]);
    expect(it.journal.at(-1)).toMatchObject({ origin: 'import', source: 'import', events: [] });
    expect([it.live.length, it.told()]).toEqual([offered, []]);
    expect(it.pipeline.latest(FLOW)).toMatchObject({ value: 95.5, status: Status.uncertainLastUsable, valueAt: at });
    it.says(FLOW, 500);
    it.pipeline.file('import', readings, 'import');
    expect(it.pipeline.latest(FLOW)).toMatchObject({ value: 50 });
    balanced(it);
  });
  test('a device’s backfill is scaled like its live readings', () => {
    const it = started(catalogOf(bedTags({ scale })));
    it.pipeline.ingest(device, [{ tag: FLOW, value: 215, status: 0, at: it.clock.micros() - 5 }], 'backfill');
    expect(it.journal.at(-1)).toMatchObject({ origin: 'backfill', source: device, samples: [{ value: 21.5 }] });
  });
});

test('the store’s deadband keeps from the journal what the live path still gets', async () => {
  const it = started(catalogOf(bedTags({ storeDeadband: 1 })));
  for (const value of [50, 50.5, 50.9, 51, 51.9, 50]) it.says(FLOW, value);
  expect(it.samples(FLOW).map((sample) => sample.value)).toEqual([50, 51, 50]);
  expect(it.live.flatMap((batch) => batch.samples).length).toBe(6);
  for (let s = 0; s < 61; s++) {
    await it.clock.advance(1000);
    it.says(FLOW, 50.1);
  }
  expect(it.samples(FLOW).length).toBe(4);
  balanced(it);
});

test('events have their sequence before they are offered', () => {
  const order: string[] = [];
  const it = bed();
  const push = it.journal.push.bind(it.journal);
  it.journal.push = (...items) => (order.push('journal'), push(...items));
  const offer = it.live.push.bind(it.live);
  it.live.push = (...items) => (order.push('live'), offer(...items));
  it.pipeline.offline(device, 'gone');
  expect(order).toEqual(['journal', 'live']);
});

test('whatever happens: the ledger balances, (tag, t) is unique, no null is good, what is journalled carries ordered events', async () => {
  const reading = fc.record({
    tag: fc.integer({ min: 0, max: 5 }),
    value: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant(null), fc.constant('x')),
    status: fc.constantFrom(0, 0, 0, Status.uncertain, Status.badTimeout),
    ago: fc.option(fc.integer({ min: -1000, max: 20_000 }), { nil: undefined }),
  });
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('say' as const), readings: fc.array(reading, { maxLength: 6 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom('online' as const, 'offline' as const, 'alive' as const) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 70_000 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const it = bed(catalogOf(bedTags({ storeDeadband: 2 })));
      await it.clock.advance(0.5);
      it.pipeline.start();
      for (const one of steps) {
        if (one.do === 'wait') await it.clock.advance(one.ms);
        else if (one.do === 'online') it.pipeline.online(device);
        else if (one.do === 'offline') it.pipeline.offline(device, 'test');
        else if (one.do === 'alive') it.pipeline.alive(device, [0, 1, 2], it.clock.micros());
        else if ('readings' in one) {
          const now = it.clock.now();
          const readings = one.readings.map(({ ago, ...rest }) => ({
            ...rest,
            at: ago === undefined ? undefined : (now - ago) * 1000,
          }));
          it.pipeline.ingest(device, readings);
        }
      }
      it.pipeline.close();
      balanced(it);
      const seen = new Set<string>();
      for (const sample of it.samples()) {
        if (sample.value === null) expect(quality(sample.status)).toBe('bad');
        if (sample.flags & Flag.late) continue;
        const place = `${sample.tag} ${sample.t}`;
        expect(seen.has(place)).toBe(false);
        seen.add(place);
      }
      const ids = it.events().map((event) => event.id);
      expect([...ids].sort()).toEqual(ids);
    }),
    { numRuns: 100 },
  );
});

test('a loss downstream becomes an event, journalled and shown, with an id of its own', () => {
  const it = started();
  const loss = { consumer: 'questdb', samples: 7, from: 1000, to: 9000, reason: 'the journal was full' };
  it.pipeline.note({ kind: 'loss', ...loss });
  const [event] = it.events().filter(({ kind }) => kind === 'loss');
  expect(event).toEqual({ kind: 'loss', ...loss, id: expect.any(String) as string, time: it.clock.now() });
  expect(it.journal.at(-1)?.events).toEqual([event]);
  expect(it.live.at(-1)?.events).toEqual([event]);
});
