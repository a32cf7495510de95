// Pure: the alarms as they stood when the process ended: the last snapshot and the events the journal has beyond it.
// The pipeline hands the result to the alarm room at a start. An event carries its whole alarm, so one that a snapshot
// holds already, or that comes twice, changes nothing.
import type { GatewayEvent } from '../model.ts';
import type { AlarmSnapshot } from './register.ts';
import { normalBits, stateOf } from './machine.ts';

/** @param events in the order of the journal; those the snapshot has are passed over by their ids */
export function replay(snapshot: AlarmSnapshot | undefined, events: readonly GatewayEvent[]): AlarmSnapshot {
  const entries = new Map((snapshot?.alarms ?? []).map((entry) => [entry.alarm.key, entry]));
  const held = snapshot?.last ?? '';
  let last = held;
  for (const event of events) {
    // Against the snapshot's alone: what two devices cause at once is journalled device by device, not by id.
    if (event.id <= held) continue;
    if (event.id > last) last = event.id;
    if (event.kind !== 'alarm') continue;
    const { alarm } = event;
    const { active, unacked, shelvedUntil } = alarm;
    const before = entries.get(alarm.key)?.bits ?? normalBits;
    const bits = { ...before, active, unacked, shelved: shelvedUntil !== undefined };
    if (stateOf(bits) === 'normal') entries.delete(alarm.key);
    else entries.set(alarm.key, { alarm, bits });
  }
  return { last, alarms: [...entries.values()] };
}
