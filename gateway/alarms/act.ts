// What an operator's act does to an alarm, or why it cannot be done. Pure; carried out by alarms.ts.
import type { ActResult, Alarm, OperatorAct } from '../model.ts';
import type { AlarmInput } from './machine.ts';
import type { Entry } from './register.ts';

/** The longest a shelf may last: a week. */
const LONGEST_SHELF = 7 * 24 * 3_600_000;

export type Refused = Extract<ActResult, { ok: false }>;
/** A step of the alarm's machine, and what it changes of the alarm. */
export interface Decided {
  ok: true;
  input: AlarmInput;
  change: Partial<Alarm>;
}

/** @param now ms since the epoch. An acknowledgement given twice is no error. */
export function decide(act: OperatorAct, entry: Entry | undefined, now: number): Decided | Refused {
  if (!entry) return { ok: false, reason: 'unknown', message: `there is no alarm ${act.key}` };
  if (act.kind === 'acknowledge') {
    const message = 'the alarm has occurred again since; look at it before acknowledging';
    if (entry.alarm.event !== act.event) return { ok: false, reason: 'outdated', message };
    const said = act.comment ? { comment: act.comment } : {};
    return { ok: true, input: 'acknowledge', change: { ackedAt: now, ackedBy: act.user, ...said } };
  }
  if (act.kind === 'unshelve') {
    if (!entry.bits.shelved) return { ok: false, reason: 'refused', message: 'the alarm is not shelved' };
    return { ok: true, input: 'unshelve', change: { shelvedUntil: undefined } };
  }
  if (!(act.until > now && act.until <= now + LONGEST_SHELF))
    return { ok: false, reason: 'refused', message: 'an alarm is shelved until a time within the next 7 days' };
  const said = act.reason ? { comment: act.reason } : {};
  return { ok: true, input: 'shelve', change: { shelvedUntil: act.until, ...said } };
}
