// Pure: the state machine of one alarm after ISA-18.2. Two bits, active and unacknowledged, and three suppressions
// beside them; the state's name is derived. The alarm room feeds it inputs and turns transitions into events.
import type { AlarmState, AlarmTransition, Severity } from '../model.ts';

export interface AlarmBits {
  active: boolean;
  unacked: boolean;
  shelved: boolean;
  suppressed: boolean;
  outOfService: boolean;
}

export type AlarmInput =
  | 'raise'
  | 'escalate'
  | 'ease'
  | 'clear'
  | 'acknowledge'
  | 'shelve'
  | 'unshelve'
  | 'suppress'
  | 'unsuppress'
  | 'remove'
  | 'return';

export interface AlarmStep {
  bits: AlarmBits;
  /** What to tell everybody; absent: nothing has changed that is told. */
  transition?: AlarmTransition;
  /** A new occurrence: it gets a new event id, so an acknowledgement of the one before does not count for it. */
  fresh: boolean;
}

export const normalBits: AlarmBits = {
  active: false,
  unacked: false,
  shelved: false,
  suppressed: false,
  outOfService: false,
};

/**
 * Whether a return to normal acknowledges by itself. Critical and high alarms stay listed as "returned" until somebody
 * has seen them; medium and low ones go, so that the list of a calm plant stays short.
 */
export function autoAcknowledges(severity: Severity): boolean {
  return severity === 'low' || severity === 'medium';
}

/** One step; an input that does not apply in this state changes nothing and has no transition. */
export function step(bits: AlarmBits, input: AlarmInput, autoAck: boolean): AlarmStep {
  const to = (change: Partial<AlarmBits>, transition?: AlarmTransition, fresh = false): AlarmStep => ({
    bits: { ...bits, ...change },
    transition,
    fresh,
  });
  // Evaluation goes on under every suppression; leaving one re-enters the condition as it is now, and announces it again.
  const leave = (change: Partial<AlarmBits>, transition?: AlarmTransition): AlarmStep =>
    to({ ...change, unacked: bits.active || bits.unacked }, transition, bits.active);
  switch (input) {
    case 'raise':
      return bits.active ? to({}) : to({ active: true, unacked: true }, 'raise', true);
    case 'escalate':
      return bits.active ? to({ unacked: true }, 'escalate', true) : to({});
    case 'ease':
      return bits.active ? to({}, 'ease') : to({});
    case 'clear':
      return bits.active ? to({ active: false, unacked: bits.unacked && !autoAck }, 'clear') : to({});
    case 'acknowledge':
      return bits.unacked ? to({ unacked: false }, 'ack') : to({});
    case 'shelve':
      return to({ shelved: true }, 'shelve');
    case 'unshelve':
      return bits.shelved ? leave({ shelved: false }, 'unshelve') : to({});
    case 'suppress':
      return to({ suppressed: true });
    case 'unsuppress':
      return bits.suppressed ? leave({ suppressed: false }) : to({});
    case 'remove':
      return to({ outOfService: true });
    case 'return':
      return bits.outOfService ? leave({ outOfService: false }) : to({});
  }
}

/** The ISA-18.2 state; the widest suppression names it. */
export function stateOf(bits: AlarmBits): AlarmState {
  if (bits.outOfService) return 'outOfService';
  if (bits.suppressed) return 'suppressed';
  if (bits.shelved) return 'shelved';
  if (bits.active) return bits.unacked ? 'unacknowledged' : 'acknowledged';
  return bits.unacked ? 'returned' : 'normal';
}
