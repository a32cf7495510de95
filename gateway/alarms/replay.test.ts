// Snapshot and later events give the alarms as they stood: each transition as a table, and any history cut anywhere.
import { expect, test } from 'vitest';
import type { Alarm, AlarmTransition, GatewayEvent } from '../model.ts';
import type { AlarmSnapshot } from './register.ts';
import { normalBits } from './machine.ts';
import { replay } from './replay.ts';

const alarm = (given: Partial<Alarm>): Alarm => ({
  ...{ key: 'n/a', name: 'a', site: 'n', kind: 'limit', severity: 'high', message: 'a is high' },
  ...{ active: true, unacked: true, event: 'e1', raisedAt: 1000 },
  ...given,
});
const event = (id: string, transition: AlarmTransition, given: Partial<Alarm>): GatewayEvent => ({
  ...{ kind: 'alarm', id, time: 1, transition },
  alarm: alarm(given),
});
const raise = event('e1', 'raise', {});
const held = (given: Partial<Alarm>, shelved = false): AlarmSnapshot['alarms'][0] => {
  const is = alarm(given);
  return { alarm: is, bits: { ...normalBits, active: is.active, unacked: is.unacked, shelved } };
};
const raised: AlarmSnapshot = { last: 'e1', alarms: [held({})] };
const nothing: AlarmSnapshot = { last: 'e0', alarms: [] };
const acked: Partial<Alarm> = { unacked: false, ackedAt: 5, ackedBy: 'ann' };
const shelf: Partial<Alarm> = { shelvedUntil: 9000 };

test.each<[string, AlarmSnapshot | undefined, GatewayEvent[], AlarmSnapshot]>([
  ['nothing to replay', raised, [], raised],
  ['raise', nothing, [raise], raised],
  ['raise without any snapshot', undefined, [raise], raised],
  [
    'what the snapshot holds already',
    { last: 'e2', alarms: [held(acked)] },
    [raise],
    { last: 'e2', alarms: [held(acked)] },
  ],
  [
    'escalate: a new occurrence',
    raised,
    [event('e2', 'escalate', { level: 'hh', event: 'e2' })],
    { last: 'e2', alarms: [held({ level: 'hh', event: 'e2' })] },
  ],
  ['ease: the same one', raised, [event('e2', 'ease', { level: 'h' })], { last: 'e2', alarms: [held({ level: 'h' })] }],
  [
    'clear, not yet seen',
    raised,
    [event('e2', 'clear', { active: false, clearedAt: 2000 })],
    { last: 'e2', alarms: [held({ active: false, clearedAt: 2000 })] },
  ],
  ['clear, and gone', raised, [event('e2', 'clear', { active: false, unacked: false })], { last: 'e2', alarms: [] }],
  ['ack', raised, [event('e2', 'ack', acked)], { last: 'e2', alarms: [held(acked)] }],
  ['shelve', raised, [event('e2', 'shelve', shelf)], { last: 'e2', alarms: [held(shelf, true)] }],
  [
    'unshelve: announced again',
    { last: 'e2', alarms: [held(shelf, true)] },
    [event('e3', 'unshelve', { event: 'e3' })],
    { last: 'e3', alarms: [held({ event: 'e3' })] },
  ],
  [
    'raised and cleared within the window',
    nothing,
    [raise, event('e2', 'clear', { active: false, unacked: false })],
    { last: 'e2', alarms: [] },
  ],
  [
    'cleared while shelved: stays on the shelf',
    { last: 'e2', alarms: [held(shelf, true)] },
    [event('e3', 'clear', { ...shelf, active: false, unacked: false })],
    { last: 'e3', alarms: [held({ ...shelf, active: false, unacked: false }, true)] },
  ],
  [
    'ids out of order',
    nothing,
    [event('e5', 'raise', { key: 'n/b', event: 'e5' }), event('e4', 'raise', { event: 'e4' })],
    { last: 'e5', alarms: [held({ key: 'n/b', event: 'e5' }), held({ event: 'e4' })] },
  ],
  ['twice the same', nothing, [raise, raise], raised],
  [
    'other events move the id on',
    raised,
    [{ kind: 'clock', id: 'e7', time: 1, message: 'set back' }],
    { ...raised, last: 'e7' },
  ],
])('%s', (_what, snapshot, events, expected) => {
  expect(replay(snapshot, events)).toEqual(expected);
});

test('suppressions, which no event tells of, stay', () => {
  const [entry] = raised.alarms;
  const suppressed = { last: 'e1', alarms: [{ ...entry!, bits: { ...entry!.bits, suppressed: true } }] };
  expect(replay(suppressed, [event('e2', 'ack', acked)]).alarms[0]!.bits).toMatchObject({
    suppressed: true,
    unacked: false,
  });
});
