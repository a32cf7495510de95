// The alarm room: every alarm of the gateway, one per cause. The pipeline hands it judged samples and device edges and
// gets events; what falls due between samples (delays, the end of a shelf) leaves through `emit`.
// Delays run on the samples' own time; bad or stale data freezes a limit, it never sets or clears one.
import type { Catalog, Tag } from '../catalog.ts';
import type { Alarm, AlarmTransition, Clock, GatewayEvent, Micros, OperatorAct, Sample } from '../model.ts';
import { decide } from './act.ts';
import type { Refused } from './act.ts';
import { Due } from './due.ts';
import { autoAcknowledges, normalBits, stateOf, step } from './machine.ts';
import type { AlarmInput } from './machine.ts';
import { eventIds, lostMessage, staleMessage } from './message.ts';
import { Register } from './register.ts';
import type { AlarmSnapshot, Entry } from './register.ts';
import { judge, limitCause, newWatch, nextDue, pauseWatch, expireWatch, stateCause, takeUp } from './watch.ts';
import type { Cause, Change, Watch } from './watch.ts';

/** What an act came to before it has a sequence: the pipeline appends the events. */
export type Acted = { ok: true } | Refused;

export interface AlarmsOptions {
  catalog: Catalog;
  clock: Clock;
  /** Takes the events that no sample caused. */
  emit: (events: GatewayEvent[]) => void;
}

export class Alarms {
  readonly #clock: Clock;
  readonly #due: Due<Watch | string>;
  #catalog: Catalog;
  #watches: (Watch | undefined)[] = [];
  readonly #register = new Register();
  #owed: GatewayEvent[] = [];
  #last = '';
  #nextId: () => string;

  constructor({ catalog, clock, emit }: AlarmsOptions) {
    this.#clock = clock;
    this.#catalog = catalog;
    this.#nextId = eventIds(() => clock.now());
    this.#watch();
    this.#due = new Due(
      clock,
      (item, mono) => (typeof item === 'string' ? this.#shelfEnds(item) : this.#expire(item, mono)),
      () => {
        if (this.#owed.length === 0) return;
        const events = this.#owed;
        this.#owed = [];
        emit(events);
      },
    );
  }

  start(): void {
    this.#due.start();
  }
  close(): void {
    this.#due.stop();
  }
  /** An id for an event of any kind: one order for all. */
  id(): string {
    return (this.#last = this.#nextId());
  }

  /** Judges a live sample that is neither late nor a repeat; adds what it causes to `out`. */
  judge(sample: Sample, out: GatewayEvent[]): void {
    const watch = this.#watches[sample.tag];
    if (!watch) return;
    const mono = this.#clock.mono();
    if (judge(watch, sample, mono, (change) => this.#change(watch, change, out))) this.#schedule(watch);
  }
  /** From `t` on nothing is known of the tag. */
  pause(tag: number, t: Micros): void {
    const watch = this.#watches[tag];
    if (watch) pauseWatch(watch, t);
  }

  /** @param t when the tag was found silent; @param silence ms it may be silent */
  stale(tag: Tag, t: Micros, silence: number, out: GatewayEvent[]): void {
    const cause: Cause = {
      key: `${tag.asset}/${tag.metric}.stale`,
      name: `${tag.metric}.stale`,
      site: tag.site,
      asset: tag.asset,
      tag: tag.id,
      kind: 'stale',
      severity: 'low',
      message: staleMessage(tag, silence),
    };
    this.#raise(cause, Math.floor(t / 1000), out);
  }
  fresh(tag: Tag, t: Micros, out: GatewayEvent[]): void {
    this.#clear(`${tag.asset}/${tag.metric}.stale`, Math.floor(t / 1000), out);
  }
  /** @returns false for a device that is disabled: nobody misses it */
  lost(device: string, reason: string, t: Micros, out: GatewayEvent[]): boolean {
    const spec = this.#catalog.device(device);
    if (spec?.enabled === false) return false;
    const site = spec?.tags[0]?.site ?? this.#catalog.sites[0]?.id ?? '';
    const message = lostMessage(device, reason);
    this.#raise(
      { key: `device/${device}`, name: `comm.${device}`, site, device, kind: 'comm', severity: 'high', message },
      Math.floor(t / 1000),
      out,
    );
    return true;
  }
  back(device: string, t: Micros, out: GatewayEvent[]): void {
    this.#clear(`device/${device}`, Math.floor(t / 1000), out);
  }

  /** Carries out an operator's act; its events go to `out`. An acknowledgement given twice is no error. */
  act(act: OperatorAct, out: GatewayEvent[]): Acted {
    const now = this.#clock.now();
    const entry = this.#register.get(act.key);
    const decided = decide(act, entry, now);
    if (!entry || !decided.ok) return decided;
    this.#step(entry, decided.input, now, out, decided.change);
    if (act.kind === 'shelve') this.#due.add(this.#clock.mono() + act.until - now, act.key);
    return { ok: true };
  }

  /** Every alarm that is not normal, worst and newest first. */
  list(): Alarm[] {
    return this.#register.list();
  }
  has(key: string): boolean {
    return this.#register.get(key) !== undefined;
  }
  /** Whether an active alarm of severity medium or higher is on the asset. */
  warns(asset: string): boolean {
    return this.#register.warns(asset);
  }

  snapshot(): AlarmSnapshot {
    return structuredClone({ last: this.#last, alarms: this.#register.all() });
  }
  /** Before `start`: takes alarms up as they stood, with their event ids; a cause that has gone is cleared by the next value. */
  restore(snapshot: AlarmSnapshot): void {
    this.#last = snapshot.last;
    this.#nextId = eventIds(() => this.#clock.now(), snapshot.last);
    for (const { alarm, bits } of structuredClone(snapshot.alarms)) {
      this.#register.add({ alarm, bits });
      if (bits.shelved) this.#due.add(this.#clock.mono() + (alarm.shelvedUntil ?? 0) - this.#clock.now(), alarm.key);
    }
    for (const watch of this.#watches) if (watch) this.#takeUp(watch);
  }

  /**
   * The new catalog. Alarms of tags, limits and devices that are gone or disabled are cleared and dropped; a changed rule judges the
   * tag's present value at once. @param present the newest usable sample of a tag
   */
  use(catalog: Catalog, present: (tag: number) => Sample | undefined, out: GatewayEvent[]): void {
    const before = this.#watches;
    this.#catalog = catalog;
    this.#watch();
    const t = this.#clock.micros();
    this.dropGone(out);
    for (const [index, watch] of this.#watches.entries()) {
      const old = before[index];
      if (!watch) continue;
      if (old && old.tag.id === watch.tag.id && old.rules === watch.rules) {
        this.#watches[index] = Object.assign(old, { tag: watch.tag });
        continue;
      }
      this.#takeUp(watch);
      const sample = present(index);
      if (sample) this.judge({ ...sample, t: Math.max(t, sample.t) }, out);
    }
  }

  /** Clears and drops what the catalog no longer knows; after `restore`, and at every `use`. */
  dropGone(out: GatewayEvent[]): void {
    const now = this.#clock.now();
    const known = new Set<string>();
    for (const watch of this.#watches) for (const key of watch?.keys ?? []) known.add(key);
    for (const tag of this.#catalog.list) known.add(`${tag.asset}/${tag.metric}.stale`);
    for (const device of this.#catalog.devices) if (device.enabled) known.add(`device/${device.name}`);
    for (const entry of this.#register.all()) {
      if (known.has(entry.alarm.key)) continue;
      entry.bits = { ...normalBits, active: entry.bits.active, unacked: false };
      Object.assign(entry.alarm, { active: false, unacked: false, clearedAt: now, shelvedUntil: undefined });
      this.#tell(entry, 'clear', this.id(), now, out);
      this.#register.remove(entry);
    }
  }

  #watch(): void {
    this.#watches = this.#catalog.tags.map((tag) => (tag ? newWatch(tag) : undefined));
  }
  #takeUp(watch: Watch): void {
    takeUp(watch, (key) => {
      const entry = this.#register.get(key);
      return entry?.bits.active ? entry.alarm : undefined;
    });
  }

  #change(watch: Watch, change: Change, out: GatewayEvent[]): void {
    const time = Math.floor(change.since / 1000);
    if (change.to === 'clear') return this.#clear(change.key, time, out);
    const cause = change.level ? limitCause(watch, change) : stateCause(watch, change);
    if (change.to === 'raise') return this.#raise(cause, time, out);
    const entry = this.#register.get(change.key);
    if (!entry) return this.#raise(cause, time, out);
    this.#step(entry, change.to, time, out, change.to === 'escalate' ? { ...cause, raisedAt: time } : cause);
  }

  #raise(cause: Cause, time: number, out: GatewayEvent[]): void {
    let entry = this.#register.get(cause.key);
    if (entry?.bits.active) return;
    if (!entry) {
      entry = { alarm: { ...cause, active: false, unacked: false, event: '', raisedAt: time }, bits: normalBits };
      this.#register.add(entry);
    }
    const { shelvedUntil } = entry.alarm;
    entry.alarm = { ...cause, shelvedUntil, active: false, unacked: false, event: entry.alarm.event, raisedAt: time };
    this.#step(entry, 'raise', time, out, {});
  }
  #clear(key: string, time: number, out: GatewayEvent[]): void {
    const entry = this.#register.get(key);
    if (entry?.bits.active) this.#step(entry, 'clear', time, out, { clearedAt: Math.max(time, entry.alarm.raisedAt) });
  }

  #step(entry: Entry, input: AlarmInput, time: number, out: GatewayEvent[], change: Partial<Alarm>): void {
    const { bits, transition, fresh } = step(entry.bits, input, autoAcknowledges(entry.alarm.severity));
    entry.bits = bits;
    if (!transition) return;
    const id = this.id();
    Object.assign(entry.alarm, change, { active: bits.active, unacked: bits.unacked });
    if (fresh) Object.assign(entry.alarm, { event: id, ackedAt: undefined, ackedBy: undefined, clearedAt: undefined });
    this.#tell(entry, transition, id, time, out);
    if (stateOf(bits) === 'normal') this.#register.remove(entry);
  }
  #tell(entry: Entry, transition: AlarmTransition, id: string, time: number, out: GatewayEvent[]): void {
    out.push({ kind: 'alarm', id, time, transition, alarm: { ...entry.alarm } });
  }

  #schedule(watch: Watch): void {
    const due = nextDue(watch);
    if (due >= watch.due) return;
    watch.due = due;
    this.#due.add(due, watch);
  }
  #expire(watch: Watch, mono: number): void {
    watch.due = Infinity;
    if (this.#watches[watch.tag.index] !== watch) return;
    expireWatch(watch, mono, (change) => this.#change(watch, change, this.#owed));
    this.#schedule(watch);
  }
  #shelfEnds(key: string): void {
    const entry = this.#register.get(key);
    if (!entry?.bits.shelved) return;
    const left = (entry.alarm.shelvedUntil ?? 0) - this.#clock.now();
    if (left > 0) return this.#due.add(this.#clock.mono() + left, key);
    this.#step(entry, 'unshelve', this.#clock.now(), this.#owed, { shelvedUntil: undefined });
  }
}
