// A snapshot and the journal's later events give the alarms of the moment, wherever the snapshot was taken.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AlarmSnapshot } from '../alarms/register.ts';
import { replay } from '../alarms/replay.ts';
import type { GatewayEvent } from '../model.ts';
import { bed, bedTags, device, FLOW, LEVEL, STATE } from './bed.ts';
import { catalogOf, tagOf } from './plant.ts';

const sorted = ({ last, alarms }: AlarmSnapshot): AlarmSnapshot => ({
  last,
  alarms: [...alarms].sort((a, b) => (a.alarm.key < b.alarm.key ? -1 : 1)),
});
/** As the journal keeps them. */
const stored = (events: GatewayEvent[]): GatewayEvent[] => JSON.parse(JSON.stringify(events)) as GatewayEvent[];

// Two devices that fall silent together: their events leave device by device, and so not in the order of their ids.
const catalog = catalogOf([...bedTags(), tagOf('north/tank-3/level'), tagOf('south/tank-4/level')]);

test('whatever has happened, replayed from anywhere, is what the pipeline holds', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ flow: fc.constantFrom(2, 7, 50, 85, 95) }) },
    { weight: 2, arbitrary: fc.record({ state: fc.constantFrom(1, 2) }) },
    { weight: 4, arbitrary: fc.record({ wait: fc.constantFrom(500, 6000, 30_000) }) },
    {
      weight: 4,
      arbitrary: fc.record({ act: fc.constantFrom('acknowledge', 'shelve', 'unshelve'), which: fc.nat(3) }),
    },
    { weight: 1, arbitrary: fc.record({ online: fc.boolean() }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const it = bed(catalog);
      it.pipeline.start();
      it.pipeline.online(device);
      it.pipeline.online('south-plc');
      const taken: { snapshot: AlarmSnapshot; from: number }[] = [{ snapshot: it.pipeline.snapshot(), from: 0 }];
      for (const one of steps) {
        if ('flow' in one) it.says(FLOW, one.flow);
        else if ('state' in one) it.says(STATE, one.state);
        else if ('wait' in one) await it.clock.advance(one.wait);
        else if ('online' in one) {
          if (one.online) it.pipeline.online(device);
          else it.pipeline.offline(device, 'test');
          it.says(LEVEL, 1);
        } else {
          const alarms = it.pipeline.alarms();
          const alarm = alarms[one.which % Math.max(1, alarms.length)];
          if (!alarm) continue;
          const { key, event } = alarm;
          if (one.act === 'acknowledge') it.pipeline.act({ kind: 'acknowledge', key, event, user: 'ann' });
          else if (one.act === 'unshelve') it.pipeline.act({ kind: 'unshelve', key, user: 'ann' });
          else it.pipeline.act({ kind: 'shelve', key, until: it.clock.now() + 20_000, user: 'ann' });
        }
        taken.push({ snapshot: it.pipeline.snapshot(), from: it.events().length });
      }
      const events = stored(it.events());
      const present = sorted(it.pipeline.snapshot());
      expect(sorted(replay(undefined, events))).toEqual(present);
      for (const { snapshot, from } of taken) {
        expect(sorted(replay(snapshot, events.slice(from)))).toEqual(present);
        // What the snapshot has already does no harm.
        expect(sorted(replay(snapshot, events))).toEqual(present);
      }
      it.pipeline.close();
    }),
    { numRuns: 100 },
  );
});

test('acknowledged, shelved and cleared after the last snapshot: so it is after the start', async () => {
  const it = bed();
  it.pipeline.start();
  it.pipeline.online(device);
  it.says(FLOW, 95);
  it.says(STATE, 2);
  await it.clock.advance(5100);
  const snapshot = it.pipeline.snapshot();
  const from = it.events().length;
  const [flow, state] = ['north/pump-1/flow', 'north/pump-1/state.2'].map((key) =>
    it.pipeline.alarms().find((alarm) => alarm.key === key)!,
  );
  it.pipeline.act({ kind: 'acknowledge', key: flow!.key, event: flow!.event, user: 'ann', comment: 'seen' });
  const until = it.clock.now() + 60_000;
  it.pipeline.act({ kind: 'shelve', key: state!.key, until, user: 'bob', reason: 'cleaning' });

  const again = bed(undefined, {}, it.clock);
  again.pipeline.restore({ alarms: snapshot, events: stored(it.events().slice(from)) });
  it.pipeline.close();
  again.pipeline.start();
  const found = Object.fromEntries(again.pipeline.alarms().map((alarm) => [alarm.key, alarm]));
  expect(found[flow!.key]).toMatchObject({ unacked: false, ackedBy: 'ann', comment: 'seen', event: flow!.event });
  expect(found[state!.key]).toMatchObject({ shelvedUntil: until, comment: 'cleaning', event: state!.event });
  await again.clock.advance(61_000);
  expect(again.told()).toContain(`unshelve ${state!.key}`);
});
