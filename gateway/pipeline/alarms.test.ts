// Alarms as the pipeline raises them: delays, escalation, bad quality, acts, restart and reload.
import { describe, expect, test } from 'vitest';
import { Status } from '../model.ts';
import type { Alarm, Reading } from '../model.ts';
import { bed, bedTags, device, FLOW, STATE } from './bed.ts';
import type { Bed } from './bed.ts';
import { catalogOf } from './plant.ts';

const key = 'north/pump-1/flow';
function started(): Bed {
  const it = bed();
  it.pipeline.start();
  it.pipeline.online(device);
  return it;
}
/** What was told but for tags that this test leaves silent. */
const told = (it: Bed): string[] => it.told().filter((one) => !one.endsWith('.stale'));
const alarm = (it: Bed, of = key): Alarm | undefined => it.pipeline.alarms().find((one) => one.key === of);

describe('delays', () => {
  test('a value that crosses and then stays: the monotonic clock raises it, at the time it crossed', async () => {
    const it = started();
    const crossed = it.clock.now();
    it.says(FLOW, 85.24);
    await it.clock.advance(4900);
    expect(told(it)).toEqual([]);
    await it.clock.advance(200);
    expect(alarm(it)).toMatchObject({
      level: 'h',
      raisedAt: crossed,
      value: 85.24,
      limit: 80,
      active: true,
      unacked: true,
      message: 'Flow 85.2 m³/h is above the high limit 80 m³/h',
    });
  });
  test('an 8 s excursion inside one burst counts, 4 s do not', () => {
    const it = started();
    const start = it.clock.micros() - 60_000_000;
    const burst = (values: number[], from: number): Reading[] =>
      values.map((value, n) => ({ tag: FLOW, value, status: 0, at: start + (from + n) * 1_000_000 }));
    it.pipeline.ingest(device, burst([50, 85, 85, 85, 85, 50, 50, 50, 50], 0));
    expect(told(it)).toEqual([]);
    it.pipeline.ingest(device, burst([85, 85, 85, 85, 85, 85, 85, 85, 50, 50, 50, 50], 20));
    expect(told(it)).toEqual([`raise ${key}`, `clear ${key}`]);
    const raised = it.events().find((event) => event.kind === 'alarm')!;
    expect(raised.time).toBe((start + 20_000_000) / 1000);
    expect(alarm(it)).toBe(undefined);
  });
  test('samples that come slowly in their own time are not overtaken by ours', async () => {
    const it = started();
    const start = it.clock.micros() - 60_000_000;
    for (let n = 0; n < 10; n++) {
      it.says(FLOW, 85, { at: start + n * 400_000 });
      await it.clock.advance(1000);
    }
    expect(told(it)).toEqual([]);
  });
});

test('worse announces again with a new event, an old click is refused, less bad keeps it', async () => {
  const it = started();
  it.says(FLOW, 85);
  await it.clock.advance(5100);
  const first = alarm(it)!.event;
  expect(it.pipeline.act({ kind: 'acknowledge', key, event: first, user: 'ann' })).toMatchObject({ ok: true });
  expect(alarm(it)).toMatchObject({ unacked: false, ackedBy: 'ann' });
  it.says(FLOW, 95);
  await it.clock.advance(5100);
  expect(alarm(it)).toMatchObject({ level: 'hh', severity: 'critical', unacked: true, limit: 90 });
  expect(it.pipeline.act({ kind: 'acknowledge', key, event: first, user: 'ann' })).toMatchObject({
    ok: false,
    reason: 'outdated',
  });
  expect(it.pipeline.act({ kind: 'acknowledge', key: 'nothing', event: first, user: 'ann' })).toMatchObject({
    reason: 'unknown',
  });
  const second = alarm(it)!.event;
  it.says(FLOW, 84);
  await it.clock.advance(3100);
  expect(alarm(it)).toMatchObject({ level: 'h', severity: 'medium', event: second, unacked: true });
  it.says(FLOW, 50);
  await it.clock.advance(3100);
  expect(alarm(it)).toBe(undefined);
  expect(told(it)).toEqual(['raise', 'ack', 'escalate', 'ease', 'clear'].map((what) => `${what} ${key}`));
});

test('bad and late values never set or clear a limit', async () => {
  const it = started();
  it.says(FLOW, 50, { at: it.clock.micros() });
  it.says(FLOW, 95, { status: Status.badSensorFailure });
  await it.clock.advance(9000);
  it.says(FLOW, 95, { at: it.clock.micros() - 60_000_000 });
  await it.clock.advance(900);
  expect(told(it)).toEqual([]);
  it.says(FLOW, 95);
  await it.clock.advance(5100);
  it.says(FLOW, 50, { status: Status.badSensorFailure });
  await it.clock.advance(5100);
  expect(told(it)).toEqual([`raise ${key}`]);
});

test('a state that is an alarm: raised and returned; high stays until seen', () => {
  const it = started();
  it.says(STATE, 1);
  it.says(STATE, 2);
  const tripped = alarm(it, 'north/pump-1/state.2')!;
  expect(tripped).toMatchObject({
    kind: 'state',
    severity: 'high',
    message: 'Pump has tripped',
    name: 'state.2',
    value: 2,
  });
  it.says(STATE, 1);
  expect(alarm(it, tripped.key)).toMatchObject({ active: false, unacked: true });
  it.pipeline.act({ kind: 'acknowledge', key: tripped.key, event: tripped.event, user: 'ann' });
  expect(it.pipeline.alarms()).toEqual([]);
});

test('shelved until its time, then announced again if it still holds', async () => {
  const it = started();
  it.says(FLOW, 85);
  await it.clock.advance(5100);
  const { event } = alarm(it)!;
  const now = it.clock.now();
  expect(it.pipeline.act({ kind: 'shelve', key, until: now - 1, user: 'ann' })).toMatchObject({
    ok: false,
    reason: 'refused',
  });
  expect(it.pipeline.act({ kind: 'shelve', key, until: now + 8000, user: 'ann', reason: 'cleaning' })).toMatchObject({
    ok: true,
  });
  expect(alarm(it)).toMatchObject({ shelvedUntil: now + 8000, comment: 'cleaning' });
  await it.clock.advance(8100);
  expect(alarm(it)).toMatchObject({ shelvedUntil: undefined, unacked: true, active: true });
  expect(alarm(it)!.event > event).toBe(true);
  expect(it.pipeline.act({ kind: 'unshelve', key, user: 'ann' })).toMatchObject({ ok: false, reason: 'refused' });
});

describe('a restart', () => {
  async function stopped(): Promise<[Bed, unknown, string]> {
    const it = started();
    it.says(FLOW, 85);
    await it.clock.advance(5100);
    it.pipeline.close();
    return [it, JSON.parse(JSON.stringify(it.pipeline.snapshot())), alarm(it)!.event];
  }
  test('does not raise again what still holds', async () => {
    const [before, alarms, event] = await stopped();
    const it = bed(catalogOf(bedTags()), {}, before.clock);
    it.pipeline.restore({ alarms, latest: [{ tag: FLOW, t: 5, value: 85, status: 0 }] });
    it.pipeline.start();
    expect(it.pipeline.latest(FLOW)).toMatchObject({ value: 85, status: Status.uncertainLastUsable, valueAt: 5 });
    it.pipeline.online(device);
    for (let n = 0; n < 10; n++) {
      it.says(FLOW, 85);
      await it.clock.advance(1000);
    }
    expect([alarm(it)?.event, told(it)]).toEqual([event, []]);
  });
  test('clears what has gone', async () => {
    const [before, alarms] = await stopped();
    const it = bed(catalogOf(bedTags()), {}, before.clock);
    it.pipeline.restore({ alarms });
    it.pipeline.start();
    it.pipeline.online(device);
    it.says(FLOW, 50);
    await it.clock.advance(3100);
    expect(told(it)).toEqual([`clear ${key}`]);
  });
  test('with a catalog that knows the tag no more drops the alarm and says so', async () => {
    const [before, alarms] = await stopped();
    const it = bed(catalogOf(bedTags().slice(2)), {}, before.clock);
    it.pipeline.restore({ alarms });
    it.pipeline.start();
    expect([it.pipeline.alarms(), told(it)]).toEqual([[], [`clear ${key}`]]);
  });
  test.each([null, 5, 'x', {}, { last: 1, alarms: [] }, { last: '', alarms: [null] }])(
    'a broken snapshot %j starts anew',
    (alarms) => {
      const it = bed();
      it.pipeline.restore({ alarms });
      expect(it.pipeline.alarms()).toEqual([]);
    },
  );
});

describe('a reload', () => {
  const rule = bedTags()[FLOW]!.alarm!;
  test('a changed limit judges the present value at once, and lets go of one that no longer holds', async () => {
    const it = started();
    it.says(FLOW, 60);
    const reload = (h: number | undefined, revision: number): void =>
      it.pipeline.use(catalogOf(bedTags({ alarm: { ...rule, onDelay: 0, offDelay: 0, limits: { h } } }), { revision }));
    reload(55, 2);
    expect(alarm(it)).toMatchObject({ level: 'h', limit: 55, raisedAt: it.clock.now() });
    const { event } = alarm(it)!;
    reload(58, 3);
    expect(alarm(it)!.event).toBe(event);
    reload(70, 4);
    expect(told(it)).toEqual([`raise ${key}`, `clear ${key}`]);
  });
  test('a tag that is gone drops its alarms; a new one appears', async () => {
    const it = started();
    it.says(FLOW, 85);
    await it.clock.advance(5100);
    const indexes = new Map([
      ['north/pump-1/state', 1],
      ['north/tank-1/level', 2],
      ['south/tank-2/level', 3],
      ['north/pump-9/flow', 4],
    ]);
    const next = [...bedTags().slice(1), { ...bedTags()[0]!, id: 'north/pump-9/flow', asset: 'north/pump-9' }];
    it.pipeline.use(catalogOf(next, { revision: 2, indexes }));
    expect(told(it).slice(-1)).toEqual([`clear ${key}`]);
    it.says(FLOW, 1);
    it.says(4, 50);
    expect(it.pipeline.latest(FLOW)).toBe(undefined);
    expect(it.pipeline.latest(4)).toMatchObject({ value: 50 });
    expect(it.pipeline.ledger().get(device)).toMatchObject({ rejected: 1 });
    expect(it.pipeline.states().has('north/pump-9')).toBe(true);
  });
});
