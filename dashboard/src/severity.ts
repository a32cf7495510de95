// Order, words and shapes of alarms and machine states. Pure; badges, tables and the floor call it.
// A severity is never colour alone: every one has a shape and a word.
import type { MachineStatus, Severity, WireAlarm } from '../../gateway/web/wire.ts';

export type Shape = 'diamond' | 'up' | 'down' | 'square' | 'pause' | 'check' | 'bang' | 'cross' | 'wrench' | 'question';

export const severities: readonly Severity[] = ['critical', 'high', 'medium', 'low'];
export const severityLook: Record<Severity, { word: string; shape: Shape; rank: number }> = {
  critical: { word: 'Critical', shape: 'diamond', rank: 4 },
  high: { word: 'High', shape: 'up', rank: 3 },
  medium: { word: 'Medium', shape: 'down', rank: 2 },
  low: { word: 'Low', shape: 'square', rank: 1 },
};
export const statusLook: Record<MachineStatus, { word: string; shape: Shape; rank: number }> = {
  down: { word: 'Down', shape: 'cross', rank: 4 },
  warning: { word: 'Warning', shape: 'bang', rank: 3 },
  offline: { word: 'Offline', shape: 'question', rank: 2 },
  maintenance: { word: 'Maintenance', shape: 'wrench', rank: 1 },
  operational: { word: 'Operational', shape: 'check', rank: 0 },
};

/** What an operator sees of an alarm's two bits. */
export type AlarmPhase = 'unacknowledged' | 'acknowledged' | 'returned' | 'shelved' | 'normal';
export function phase(alarm: WireAlarm, now: number): AlarmPhase {
  if (alarm.shelvedUntil !== undefined && alarm.shelvedUntil > now) return 'shelved';
  if (alarm.active) return alarm.unacked ? 'unacknowledged' : 'acknowledged';
  return alarm.unacked ? 'returned' : 'normal';
}

/** Severity first, then the newest. */
function compareAlarms(a: WireAlarm, b: WireAlarm): number {
  return (
    severityLook[b.severity].rank - severityLook[a.severity].rank ||
    b.raisedAt - a.raisedAt ||
    (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  );
}

export type AlarmFilter = 'all' | Severity | 'shelved';

/** The list an operator reads: shelved ones only when asked for. */
export function filterAlarms(alarms: readonly WireAlarm[], filter: AlarmFilter, now: number): WireAlarm[] {
  return alarms
    .filter((alarm) => {
      const shelved = phase(alarm, now) === 'shelved';
      if (filter === 'shelved') return shelved;
      return !shelved && (filter === 'all' || alarm.severity === filter);
    })
    .sort(compareAlarms);
}

/** How many alarms each filter shows. */
export function countAlarms(alarms: readonly WireAlarm[], now: number): Record<AlarmFilter, number> {
  const counts: Record<AlarmFilter, number> = { all: 0, critical: 0, high: 0, medium: 0, low: 0, shelved: 0 };
  for (const alarm of alarms) {
    if (phase(alarm, now) === 'shelved') counts.shelved++;
    else {
      counts.all++;
      counts[alarm.severity]++;
    }
  }
  return counts;
}

/** Worst active severity by whatever `key` names (a tag, an asset); shelved and returned ones do not count. */
export function worstBy(
  alarms: readonly WireAlarm[],
  now: number,
  key: (alarm: WireAlarm) => string | undefined,
): Map<string, Severity> {
  const worst = new Map<string, Severity>();
  for (const alarm of alarms) {
    const name = key(alarm);
    if (!name || !alarm.active || phase(alarm, now) === 'shelved') continue;
    const before = worst.get(name);
    if (!before || severityLook[alarm.severity].rank > severityLook[before].rank) worst.set(name, alarm.severity);
  }
  return worst;
}

/** One sentence for a screen reader about alarms that came since the last one: `2 new high alarms, 1 new low alarm`. */
export function announce(fresh: readonly WireAlarm[]): string {
  return severities
    .map((severity) => ({ severity, n: fresh.filter((alarm) => alarm.severity === severity).length }))
    .filter(({ n }) => n > 0)
    .map(({ severity, n }) => `${n} new ${severity} alarm${n === 1 ? '' : 's'}`)
    .join(', ');
}
