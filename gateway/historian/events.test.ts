// What of each kind of event becomes a column in the stores elsewhere. A table of cases.
import { expect, test } from 'vitest';
import type { Alarm, GatewayEvent } from '../model.ts';
import { eventRow } from './events.ts';

const alarm: Alarm = {
  key: 'n/pump/flow',
  name: 'flow',
  site: 'n',
  asset: 'n/pump',
  tag: 'n/pump/flow',
  kind: 'limit',
  level: 'hh',
  severity: 'critical',
  active: true,
  unacked: false,
  event: 'e1',
  raisedAt: 5,
  ackedBy: 'ada',
  message: 'flow is too high',
};
const base = { id: 'x1', time: 1234 };

test.each<[GatewayEvent, Partial<ReturnType<typeof eventRow>>]>([
  [
    { ...base, kind: 'alarm', transition: 'ack', alarm },
    {
      transition: 'ack',
      site: 'n',
      asset: 'n/pump',
      tag: 'n/pump/flow',
      alarm: 'n/pump/flow',
      severity: 'critical',
      actor: 'ada',
      message: 'flow is too high',
    },
  ],
  [
    { ...base, kind: 'alarm', transition: 'clear', alarm },
    { transition: 'clear', actor: '' },
  ],
  [
    { ...base, kind: 'device', device: 'plc', state: 'offline', reason: 'no answer' },
    { transition: 'offline', device: 'plc', site: '', message: 'no answer' },
  ],
  [
    { ...base, kind: 'clock', tag: 'n/pump/flow', message: 'set back' },
    { site: 'n', tag: 'n/pump/flow' },
  ],
  [
    { ...base, kind: 'loss', consumer: 'questdb', samples: 3, from: 1, to: 2, reason: 'the journal is full' },
    { message: '3 samples never reached questdb: the journal is full' },
  ],
  [
    {
      ...base,
      kind: 'loss',
      consumer: 'questdb',
      samples: 3,
      events: 2,
      from: 1,
      to: 2,
      reason: 'the journal is full',
    },
    { message: '3 samples and 2 events never reached questdb: the journal is full' },
  ],
  [
    { ...base, kind: 'state', asset: 'n/pump', state: { status: 'down', comm: 'ok', since: 1 } },
    { transition: 'down', site: 'n', asset: 'n/pump' },
  ],
])('an event as a row: %o', (event, columns) => {
  expect(eventRow(event)).toMatchObject({ t: 1_234_000, id: 'x1', kind: event.kind, ...columns });
  expect(JSON.parse(eventRow(event).detail)).toEqual(event);
});
