// Pure: the time under which a reading is filed. One small state per tag; the pipeline calls `file` for every
// live reading that has a known tag, and `fileMade` for the samples it makes itself.
// Device times are compared with the tag's earlier device times alone, so what the gateway made never pins anything.
import { Flag } from '../model.ts';
import type { Micros, Value } from '../model.ts';

const YEAR_2000 = Date.UTC(2000, 0, 1) * 1000;
/** So many readings in a row older than the last mean that the device's clock was set back. */
const SET_BACK_AFTER = 3;

/** What is remembered of a tag. Times are -Infinity before the first. */
export interface Filing {
  /** Counts the times the gateway's own clock was set back; another number than the caller's starts the order again. */
  epoch: number;
  /** Newest device time that could be believed, with what was said then. */
  at: Micros;
  atValue: Value;
  atStatus: number;
  /** Device time said last, believable or not. */
  said: Micros;
  saidValue: Value;
  saidStatus: number;
  /** `t` given last, and the highest given, of any kind but late. */
  t: Micros;
  highest: Micros;
  /** Newest time of the gateway's clock, and of a server's, that was given as a `t`. */
  received: Micros;
  served: Micros;
  /** The newest whole millisecond of the gateway's clock that was given to a reading without a device time. */
  whole: Micros;
  /** Up to here a store may have samples under any whole millisecond: those of a life, or of a clock, before this. */
  taken: Micros;
  /** Readings in a row that were older than `at`. */
  older: number;
  setBack: boolean;
}

/** What a device said, as it said it. */
export interface Said {
  value: Value;
  status: number;
  at?: Micros;
  serverAt?: Micros;
}

export interface Instant {
  /** receivedAt. */
  now: Micros;
  /** The link's last proof of life before this reading. */
  alive: Micros;
  /** How far a clock may be off, ms. */
  maxSkew: number;
  epoch: number;
}

export interface Filed {
  t: Micros;
  /** `Flag` bits: late, skewed. */
  flags: number;
  /** A retransmission: nothing is to be filed. */
  merged: boolean;
  /** The device's clock was found set back; said once until it has caught up. */
  clockSetBack: boolean;
}

export function newFiling(): Filing {
  return {
    epoch: 0,
    at: -Infinity,
    atValue: null,
    atStatus: 0,
    said: -Infinity,
    saidValue: null,
    saidStatus: 0,
    t: -Infinity,
    highest: -Infinity,
    received: -Infinity,
    served: -Infinity,
    whole: -Infinity,
    taken: -Infinity,
    older: 0,
    setBack: false,
  };
}

export function newFiled(): Filed {
  return { t: 0, flags: 0, merged: false, clockSetBack: false };
}

/**
 * Files one reading: changes `state`, writes into `filed` (reused by the caller) and returns it.
 * (tag, t) is unique among what is given here, late ones apart: their `t` is the device's own and a store lets the
 * higher sequence win.
 */
export function file(state: Filing, said: Said, when: Instant, filed: Filed = newFiled()): Filed {
  if (state.epoch !== when.epoch) startAgain(state, when.epoch);
  filed.flags = 0;
  filed.merged = false;
  filed.clockSetBack = false;
  if (said.at === undefined || !Number.isFinite(said.at)) {
    filed.t = byArrival(state, when.now);
    return filed;
  }
  const at = Math.round(said.at);
  const isLast = at === state.at;
  const isSaid = at === state.said;
  if (
    (isLast && Object.is(said.value, state.atValue) && said.status === state.atStatus) ||
    (isSaid && Object.is(said.value, state.saidValue) && said.status === state.saidStatus)
  ) {
    filed.t = state.t;
    filed.merged = true;
    return filed;
  }
  state.said = at;
  state.saidValue = said.value;
  state.saidStatus = said.status;

  const skew = when.maxSkew * 1000;
  const earliest = Math.min(when.alive, when.now) - skew;
  const latest = when.now + skew;
  const { serverAt } = said;
  const server = serverAt !== undefined && serverAt >= earliest && serverAt <= latest ? serverAt : undefined;
  if (at < YEAR_2000 || at > latest) {
    filed.flags = Flag.skewed;
    filed.t = server !== undefined ? byServer(state, server) : byReceipt(state, when.now);
    return filed;
  }
  if (isLast || isSaid) {
    // A frozen clock: the same time with another value.
    if (isLast) believe(state, at, said);
    filed.flags = Flag.skewed;
    filed.t = when.now > state.t ? byReceipt(state, when.now) : give(state, state.highest + 1);
    return filed;
  }
  if (at < state.at) {
    if (!state.setBack && ++state.older < SET_BACK_AFTER) {
      filed.flags = Flag.late;
      filed.t = at;
      return filed;
    }
    filed.clockSetBack = !state.setBack;
    state.setBack = true;
    filed.flags = Flag.skewed;
    filed.t = byReceipt(state, when.now);
    return filed;
  }
  state.older = 0;
  state.setBack = false;
  believe(state, at, said);
  if (at >= earliest) filed.t = give(state, at === state.t ? state.highest + 1 : beside(state, at));
  else if (server !== undefined) filed.t = byServer(state, server);
  else {
    filed.flags = Flag.skewed;
    filed.t = byReceipt(state, when.now);
  }
  return filed;
}

/** The time of a sample the gateway makes: now, but after everything the tag has, so that it stands last in every store. */
export function fileMade(state: Filing, now: Micros, epoch: number): Micros {
  if (state.epoch !== epoch) startAgain(state, epoch);
  state.received = Math.max(state.received, now);
  return give(state, Math.max(now, state.highest + 1));
}

function believe(state: Filing, at: Micros, said: Said): void {
  state.at = at;
  state.atValue = said.value;
  state.atStatus = said.status;
}

// What was polled has no digits below a millisecond worth a store's bytes; they stay where they tell two samples apart.
function byArrival(state: Filing, now: Micros): Micros {
  const whole = Math.floor(now / 1000) * 1000;
  // A tag that says times is not polled.
  if (state.said > -Infinity || whole <= state.highest || whole <= state.taken) return byReceipt(state, now);
  return give(state, (state.received = state.whole = whole));
}

/** A tag that said no times and begins to: its own may be among those it was given, and overwrites none. */
function beside(state: Filing, t: Micros): Micros {
  return t <= state.whole && t % 1000 === 0 ? t + 1 : t;
}

// A time that was given before gives way to the highest and a microsecond; the mark stays at the clock's own time, so a
// clock ahead pins nothing.
function byReceipt(state: Filing, now: Micros): Micros {
  if (now <= state.received || now === state.t) return give(state, state.highest + 1);
  return give(state, (state.received = now));
}

function byServer(state: Filing, serverAt: Micros): Micros {
  const t = beside(state, Math.round(serverAt));
  if (t <= state.served || t === state.t) return give(state, state.highest + 1);
  return give(state, (state.served = t));
}

function give(state: Filing, t: Micros): Micros {
  state.t = t;
  if (t > state.highest) state.highest = t;
  return t;
}

/** What was said last stays known: a retransmission is one also after the gateway's clock was set back. */
function startAgain(state: Filing, epoch: number): void {
  state.epoch = epoch;
  state.taken = Math.max(state.taken, state.highest);
  state.t = state.highest = state.received = state.served = -Infinity;
  state.at = -Infinity;
  state.older = 0;
  state.setBack = false;
}
