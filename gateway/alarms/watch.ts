// What the alarm room watches of one tag: its limits and its alarm states, each with a delay. Pure but for the tag's own
// state: a sample or the passing of time goes in, changes of level come out; alarms.ts makes alarms of them.
import type { AlarmRule, Tag } from '../catalog.ts';
import type { Alarm, Micros, Sample, Value } from '../model.ts';
import { dueAt, expire, hold, newDelay, pause, turn } from './delay.ts';
import type { Delay, Delays } from './delay.ts';
import { change, isHigh, isOuter, levels, passed } from './limits.ts';
import type { Level } from './limits.ts';
import { limitMessage, plain } from './message.ts';

/** What an alarm says of its cause, before it has an occurrence. */
export type Cause = Omit<Alarm, 'active' | 'unacked' | 'event' | 'raisedAt'>;

export interface Change {
  to: 'raise' | 'escalate' | 'ease' | 'clear';
  key: string;
  /** When the condition began that now counts (for `clear`: when it ended). */
  since: Micros;
  level?: Level;
  state?: WatchedState;
}
interface Rung {
  level: Level;
  limit: number;
  delay: Delay;
}
interface WatchedState {
  key: string;
  value: number;
  severity: Alarm['severity'];
  message: string;
  delay: Delay;
}
export interface Watch {
  tag: Tag;
  /** The rules as text: the same text in a new catalog means that nothing has changed. */
  rules: string;
  rule: AlarmRule | undefined;
  key: string;
  keys: string[];
  /** Most severe first. */
  rungs: Rung[];
  states: WatchedState[];
  level: Level | null;
  /** Nothing on and nothing pending, and between which values that stays so. */
  calm: boolean;
  low: number;
  high: number;
  value: Value;
  /** When it is planned on the monotonic clock; Infinity: not. */
  due: number;
}

const atOnce: Delays = { onDelay: 0, offDelay: 0 };

/** undefined: nothing to watch. */
export function newWatch(tag: Tag): Watch | undefined {
  const rule = tag.alarm;
  const rungs: Rung[] = [];
  for (const level of levels) {
    const limit = rule?.limits[level];
    if (limit !== undefined) rungs.push({ level, limit, delay: newDelay() });
  }
  const key = `${tag.asset}/${tag.metric}`;
  const states = (tag.alarmStates ?? []).map((state) => ({
    ...state,
    key: `${key}.${state.value}`,
    delay: newDelay(),
  }));
  if (rungs.length === 0 && states.length === 0) return undefined;
  const rules = JSON.stringify([rule, tag.alarmStates, tag.name, tag.unit, tag.decimals]);
  const low = Math.max(-Infinity, ...rungs.filter((rung) => !isHigh(rung.level)).map((rung) => rung.limit));
  const high = Math.min(Infinity, ...rungs.filter((rung) => isHigh(rung.level)).map((rung) => rung.limit));
  const keys = [...(rungs.length ? [key] : []), ...states.map((state) => state.key)];
  return { tag, rules, rule, key, keys, rungs, states, level: null, calm: true, low, high, value: null, due: Infinity };
}

/** Continues alarms that are active already (after a restart or a changed rule), so that they are not raised again. */
export function takeUp(watch: Watch, active: (key: string) => Alarm | undefined): void {
  const level = active(watch.key)?.level ?? null;
  watch.level = level;
  for (const rung of watch.rungs)
    if (level && (rung.level === level || (isOuter(level) && isHigh(level) === isHigh(rung.level))))
      rung.delay = newDelay(true);
  for (const state of watch.states) if (active(state.key)) state.delay = newDelay(true);
  watch.calm = level === null && watch.states.every((state) => !state.delay.on);
}

/** Takes a sample in; bad quality only stops the time. Returns true when something is pending. */
export function judge(watch: Watch, sample: Sample, mono: number, emit: (change: Change) => void): boolean {
  const { t } = sample;
  const value =
    typeof sample.value === 'bigint' || typeof sample.value === 'boolean' ? Number(sample.value) : sample.value;
  if (sample.status >>> 31 === 1 || typeof value !== 'number') {
    pauseWatch(watch, t);
    return false;
  }
  if (watch.calm && watch.states.length === 0 && value > watch.low && value < watch.high) {
    watch.value = value;
    return false;
  }
  const { rule } = watch;
  if (rule && watch.rungs.length) {
    let changed = false;
    for (const rung of watch.rungs) changed = hold(rung.delay, t, mono, rule) || changed;
    if (changed) relevel(watch, t, emit);
    watch.value = value;
    changed = false;
    for (const rung of watch.rungs) {
      const condition = passed(value, rung.limit, isHigh(rung.level), rule.deadband, rung.delay.condition);
      changed = turn(rung.delay, condition, t, rule) || changed;
    }
    if (changed || watch.level !== levelOn(watch)) relevel(watch, t, emit);
  }
  // A state has left before another has come, so that one after the other is announced.
  for (const state of watch.states) if (state.value !== value) turnState(state, false, t, emit);
  for (const state of watch.states) if (state.value === value) turnState(state, true, t, emit);
  watch.value = value;
  watch.calm = watch.level === null && watch.rungs.every((rung) => !rung.delay.on && !rung.delay.condition);
  return !watch.calm;
}

export function pauseWatch(watch: Watch, t: Micros): void {
  if (watch.calm) return;
  for (const rung of watch.rungs) pause(rung.delay, t);
}

/** No sample has come; the monotonic clock stands in. */
export function expireWatch(watch: Watch, mono: number, emit: (change: Change) => void): void {
  const { rule } = watch;
  if (!rule) return;
  let changed = false;
  let now = 0;
  for (const rung of watch.rungs) {
    if (!Number.isNaN(rung.delay.t)) now = rung.delay.t + (mono - rung.delay.mono) * 1000;
    changed = expire(rung.delay, mono, rule) || changed;
  }
  if (changed) relevel(watch, now, emit);
  watch.calm = watch.level === null && watch.rungs.every((rung) => !rung.delay.on && !rung.delay.condition);
}

/** When something pending will count if no sample comes, ms on the monotonic clock. */
export function nextDue(watch: Watch): number {
  let due = Infinity;
  if (watch.rule) for (const rung of watch.rungs) due = Math.min(due, dueAt(rung.delay, watch.rule));
  return due;
}

export function limitCause(watch: Watch, found: Change): Cause {
  const { tag } = watch;
  const level = found.level!;
  const limit = watch.rungs.find((rung) => rung.level === level)!.limit;
  return {
    ...origin(watch, found.key),
    kind: 'limit',
    level,
    severity: watch.rule!.severity[level],
    value: plain(watch.value),
    limit,
    unit: tag.unit,
    message: limitMessage(tag, Number(watch.value), level, limit),
  };
}
export function stateCause(watch: Watch, found: Change): Cause {
  const { severity, message, value } = found.state!;
  return { ...origin(watch, found.key), kind: 'state', severity, message, value };
}
function origin(watch: Watch, key: string): Pick<Cause, 'key' | 'name' | 'site' | 'asset' | 'tag'> {
  const { tag } = watch;
  return { key, name: key.slice(tag.asset.length + 1), site: tag.site, asset: tag.asset, tag: tag.id };
}

function turnState(state: WatchedState, on: boolean, t: Micros, emit: (change: Change) => void): void {
  if (turn(state.delay, on, t, atOnce)) emit({ to: on ? 'raise' : 'clear', key: state.key, since: t, state });
}

function levelOn(watch: Watch): Level | null {
  return watch.rungs.find((rung) => rung.delay.on)?.level ?? null;
}

function relevel(watch: Watch, t: Micros, emit: (change: Change) => void): void {
  const from = watch.level;
  const to = levelOn(watch);
  const what = change(from, to);
  watch.level = to;
  const sinceOf = (level: Level | null): Micros => {
    const since = watch.rungs.find((rung) => rung.level === level)?.delay.since;
    return since ? since : t;
  };
  if (what === 'clear' || what === 'cross') emit({ to: 'clear', key: watch.key, since: sinceOf(from) });
  if (what === 'raise' || what === 'cross') emit({ to: 'raise', key: watch.key, since: sinceOf(to), level: to! });
  if (what === 'escalate' || what === 'ease') emit({ to: what, key: watch.key, since: sinceOf(to), level: to! });
}
