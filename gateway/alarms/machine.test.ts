// The ISA-18.2 table, case by case, and what holds in every state.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { autoAcknowledges, normalBits, stateOf, step } from './machine.ts';
import type { AlarmBits, AlarmInput } from './machine.ts';

const bits = (change: Partial<AlarmBits>): AlarmBits => ({ ...normalBits, ...change });
const unack = bits({ active: true, unacked: true });
const acked = bits({ active: true });
const returned = bits({ unacked: true });

describe('one step', () => {
  test.each<[string, AlarmBits, AlarmInput, boolean, string, string | undefined, boolean]>([
    ['condition true', normalBits, 'raise', false, 'unacknowledged', 'raise', true],
    ['acknowledged', unack, 'acknowledge', false, 'acknowledged', 'ack', false],
    ['gone unseen', unack, 'clear', false, 'returned', 'clear', false],
    ['gone unseen, acknowledges by itself', unack, 'clear', true, 'normal', 'clear', false],
    ['gone after being seen', acked, 'clear', false, 'normal', 'clear', false],
    ['seen after it has gone', returned, 'acknowledge', false, 'normal', 'ack', false],
    ['again before it was seen', returned, 'raise', false, 'unacknowledged', 'raise', true],
    ['worse', acked, 'escalate', false, 'unacknowledged', 'escalate', true],
    ['less bad', acked, 'ease', false, 'acknowledged', 'ease', false],
    ['raised twice', acked, 'raise', false, 'acknowledged', undefined, false],
    ['cleared twice', normalBits, 'clear', false, 'normal', undefined, false],
    ['acknowledged twice', acked, 'acknowledge', false, 'acknowledged', undefined, false],
    ['worse while gone', returned, 'escalate', false, 'returned', undefined, false],
    ['shelved', acked, 'shelve', false, 'shelved', 'shelve', false],
    ['raised on the shelf', bits({ shelved: true }), 'raise', false, 'shelved', 'raise', true],
    [
      'off the shelf while active',
      bits({ shelved: true, active: true }),
      'unshelve',
      false,
      'unacknowledged',
      'unshelve',
      true,
    ],
    ['off the shelf while gone', bits({ shelved: true }), 'unshelve', false, 'normal', 'unshelve', false],
    ['off no shelf', acked, 'unshelve', false, 'acknowledged', undefined, false],
    ['suppressed', unack, 'suppress', false, 'suppressed', undefined, false],
    [
      'no longer suppressed',
      bits({ suppressed: true, active: true }),
      'unsuppress',
      false,
      'unacknowledged',
      undefined,
      true,
    ],
    ['out of service', unack, 'remove', false, 'outOfService', undefined, false],
    ['back in service', bits({ outOfService: true }), 'return', false, 'normal', undefined, false],
  ])('%s', (_, before, input, autoAck, state, transition, fresh) => {
    const after = step(before, input, autoAck);
    expect([stateOf(after.bits), after.transition, after.fresh]).toEqual([state, transition, fresh]);
  });
});

test('critical and high alarms stay until seen, medium and low ones go', () =>
  expect((['low', 'medium', 'high', 'critical'] as const).map(autoAcknowledges)).toEqual([true, true, false, false]));

test('only conditions move the active bit, and only an acknowledgement, or a return that counts as one, the other downwards', () => {
  const inputs: AlarmInput[] = [
    'raise',
    'escalate',
    'ease',
    'clear',
    'acknowledge',
    'shelve',
    'unshelve',
    'suppress',
    'unsuppress',
    'remove',
    'return',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...inputs)), fc.boolean(), (list, autoAck) => {
      let now = normalBits;
      for (const input of list) {
        const after = step(now, input, autoAck);
        if (after.bits.active !== now.active) expect(input).toBe(after.bits.active ? 'raise' : 'clear');
        if (now.unacked && !after.bits.unacked)
          expect(input === 'acknowledge' || (input === 'clear' && autoAck)).toBe(true);
        if (after.fresh) expect(after.bits.active && after.bits.unacked).toBe(true);
        now = after.bits;
      }
    }),
  );
});
