// What the stream has said so far: readings by tag index, alarms, machine states. Pure and without signals: frames are
// merged here as they come, and once per animation frame the plant store drains what changed into its signals.
import type {
  MachineStatus,
  StreamAlarm,
  StreamDelta,
  StreamSnap,
  WireAlarm,
  WireValue,
} from '../../gateway/web/wire.ts';

/** A tag's newest value. Immutable: a change is a new object. `at`: ms by the server's clock; `q`: 0 good, 1 uncertain, 2 bad. */
export interface Reading {
  readonly v: WireValue;
  readonly at: number | null;
  readonly q: 0 | 1 | 2;
  readonly stale: boolean;
}
export const unread: Reading = { v: null, at: null, q: 0, stale: false };

export interface Drained {
  tags: number[];
  alarms: boolean;
  statuses: boolean;
  fresh: WireAlarm[];
}

export class Frames {
  readonly readings = new Map<number, Reading>();
  readonly alarms = new Map<string, WireAlarm>();
  readonly statuses = new Map<string, MachineStatus>();
  #touched = new Set<number>();
  #alarms = false;
  #statuses = false;
  #fresh: WireAlarm[] = [];

  /** The whole picture; what it does not name is gone. */
  snap(snap: StreamSnap): void {
    for (const tag of this.readings.keys()) this.#touched.add(tag);
    this.readings.clear();
    const quality = new Map(snap.q);
    const stale = new Set(snap.x);
    snap.i.forEach((tag, n) => {
      const age = snap.a[n] ?? null;
      this.#put(tag, {
        v: snap.v[n] ?? null,
        at: age === null ? null : snap.t - age,
        q: quality.get(tag) ?? 0,
        stale: stale.has(tag),
      });
    });
    this.alarms.clear();
    for (const alarm of snap.al) this.alarms.set(alarm.key, alarm);
    this.statuses.clear();
    for (const [asset, status] of Object.entries(snap.st)) this.statuses.set(asset, status);
    this.#alarms = this.#statuses = true;
  }

  /** What changed since the frame before. */
  delta(delta: StreamDelta): void {
    const quality = new Map<number, 0 | 1 | 2>(delta.q);
    delta.i.forEach((tag, n) => {
      const before = this.readings.get(tag) ?? unread;
      const age = delta.a[n] ?? null;
      this.#put(tag, {
        v: delta.v[n] ?? null,
        at: age === null ? before.at : delta.t - age,
        q: quality.get(tag) ?? before.q,
        stale: before.stale,
      });
      quality.delete(tag);
    });
    for (const [tag, q] of quality) this.#put(tag, { ...(this.readings.get(tag) ?? unread), q });
    for (const tag of delta.x ?? []) this.#put(tag, { ...(this.readings.get(tag) ?? unread), stale: true });
    for (const tag of delta.y ?? []) this.#put(tag, { ...(this.readings.get(tag) ?? unread), stale: false });
    if (delta.st) {
      for (const [asset, status] of Object.entries(delta.st)) this.statuses.set(asset, status);
      this.#statuses = true;
    }
  }

  /** An alarm's transition; one that is back to normal leaves the list. */
  alarm({ op, a }: StreamAlarm): void {
    const before = this.alarms.get(a.key);
    // A replay after a reconnect may bring an older occurrence behind a newer one.
    if (before && before.event > a.event) return;
    if (op === 'raise' && before?.event !== a.event) this.#fresh.push(a);
    if (a.active || a.unacked || a.shelvedUntil !== undefined) this.alarms.set(a.key, a);
    else this.alarms.delete(a.key);
    this.#alarms = true;
  }

  /** What changed since the last call. */
  drain(): Drained {
    const drained = { tags: [...this.#touched], alarms: this.#alarms, statuses: this.#statuses, fresh: this.#fresh };
    this.#touched = new Set();
    this.#alarms = this.#statuses = false;
    this.#fresh = [];
    return drained;
  }

  #put(tag: number, reading: Reading): void {
    this.readings.set(tag, reading);
    this.#touched.add(tag);
  }
}
