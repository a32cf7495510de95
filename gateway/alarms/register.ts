// The alarms that are not normal, by key and by asset, and how they are kept over a restart. Pure; filled by alarms.ts,
// which alone changes an entry.
import { severities } from '../model.ts';
import type { Alarm } from '../model.ts';
import type { AlarmBits } from './machine.ts';

export interface Entry {
  alarm: Alarm;
  bits: AlarmBits;
}

export interface AlarmSnapshot {
  /** Newest event id given. */
  last: string;
  alarms: Entry[];
}

/** Whether stored JSON is a snapshot that `Alarms.restore` can take. */
export function isAlarmSnapshot(stored: unknown): stored is AlarmSnapshot {
  if (typeof stored !== 'object' || stored === null || !('last' in stored) || !('alarms' in stored)) return false;
  return (
    typeof stored.last === 'string' &&
    Array.isArray(stored.alarms) &&
    stored.alarms.every(
      (entry: Partial<Entry> | null) =>
        typeof entry?.alarm?.key === 'string' &&
        typeof entry.alarm.event === 'string' &&
        typeof entry.bits?.active === 'boolean',
    )
  );
}

export class Register {
  readonly #entries = new Map<string, Entry>();
  readonly #byAsset = new Map<string, Set<Entry>>();

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }
  /** All of them as they are now, so that the caller may remove some meanwhile. */
  all(): Entry[] {
    return [...this.#entries.values()];
  }
  add(entry: Entry): void {
    this.#entries.set(entry.alarm.key, entry);
    const { asset } = entry.alarm;
    if (asset === undefined) return;
    const set = this.#byAsset.get(asset);
    if (set) set.add(entry);
    else this.#byAsset.set(asset, new Set([entry]));
  }
  remove(entry: Entry): void {
    this.#entries.delete(entry.alarm.key);
    const { asset } = entry.alarm;
    const set = asset === undefined ? undefined : this.#byAsset.get(asset);
    set?.delete(entry);
    if (asset !== undefined && set?.size === 0) this.#byAsset.delete(asset);
  }

  /** Copies of the alarms, worst and newest first. */
  list(): Alarm[] {
    const rank = (alarm: Alarm): number => severities.indexOf(alarm.severity);
    return this.all()
      .map((entry) => ({ ...entry.alarm }))
      .sort((a, b) => rank(b) - rank(a) || (a.event < b.event ? 1 : -1));
  }
  /** Whether an active alarm of severity medium or higher is on the asset. */
  warns(asset: string): boolean {
    for (const { alarm, bits } of this.#byAsset.get(asset) ?? [])
      if (bits.active && !bits.shelved && !bits.suppressed && !bits.outOfService && alarm.severity !== 'low')
        return true;
    return false;
  }
}
