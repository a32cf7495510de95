// What the pipeline does when nothing comes: stale tags, and repeats of values that are proven but do not change.
// One heap for all tags; a tag is looked at when it could be due, not at every reading.
import { Due } from '../alarms/due.ts';
import { Flag, Status } from '../model.ts';
import type { Clock, Micros, Sample } from '../model.ts';
import { make, newOutgoing, revive } from './ingest.ts';
import type { Floor, Outgoing } from './ingest.ts';
import type { Remembered } from './junction.ts';
import type { LinkState, Track } from './track.ts';

export class Silence {
  readonly #floor: Floor;
  readonly #due: Due<Track>;
  #out = new Map<LinkState, Outgoing>();
  #now: Micros = 0;

  /** @param now the pipeline's wall clock in µs; @param send takes what silence has caused, per device */
  constructor(floor: Floor, clock: Clock, now: () => Micros, send: (link: LinkState, out: Outgoing) => void) {
    this.#floor = floor;
    this.#due = new Due<Track>(
      clock,
      (track, mono) => {
        if (this.#now === 0) this.#now = now();
        this.#look(track, mono);
      },
      () => {
        const out = this.#out;
        this.#out = new Map();
        this.#now = 0;
        for (const [link, outgoing] of out) send(link, outgoing);
      },
    );
  }
  start(): void {
    this.#due.start();
  }
  close(): void {
    this.#due.stop();
  }

  watch(track: Track): void {
    if (track.queued || track.gone) return;
    track.queued = true;
    this.#due.add(this.#next(track, track.seen), track);
  }

  #look(track: Track, mono: number): void {
    track.queued = false;
    if (track.gone || track.link.online !== true || track.shown === 'stale') return;
    if (mono - track.seen >= track.staleAfter) {
      makeStale(this.#floor, track, this.#now, mono, this.#outgoing(track.link));
      return;
    }
    const proven = track.shown === 'live' && track.seen > track.filed;
    if (proven && mono - track.filed >= this.#floor.maxSilence)
      revive(this.#floor, track, this.#now, mono, this.#outgoing(track.link));
    track.queued = true;
    this.#due.add(this.#next(track, mono), track);
  }
  #next(track: Track, mono: number): number {
    const repeat = track.shown === 'live' ? Math.max(track.filed + this.#floor.maxSilence, mono + 1000) : Infinity;
    return Math.min(track.seen + track.staleAfter, repeat);
  }
  #outgoing(link: LinkState): Outgoing {
    let out = this.#out.get(link);
    if (!out) this.#out.set(link, (out = newOutgoing()));
    return out;
  }
}

/** One made sample that says the value is no longer known to hold, and the tag's stale alarm. */
function makeStale(floor: Floor, track: Track, now: Micros, mono: number, out: Outgoing): void {
  const { latest } = track;
  const status = !latest
    ? Status.badWaitingForInitialData
    : latest.status >>> 31 === 1
      ? latest.status
      : Status.uncertainLastUsable;
  const sample = make(
    floor,
    track,
    { value: latest?.value ?? null, status, flags: Flag.made, valueAt: trueAt(track) },
    now,
    mono,
    out,
  );
  track.shown = 'stale';
  floor.alarms.pause(track.tag.index, sample.t);
  floor.alarms.stale(track.tag, sample.t, track.staleAfter, out.events);
  floor.touched(track);
}

/** One made bad sample on the loss of the device; a stale alarm gives way to the device's own. */
export function makeLost(floor: Floor, track: Track, now: Micros, mono: number, out: Outgoing): void {
  if (track.shown === 'lost') return;
  const value = track.latest?.value ?? null;
  const sample = make(
    floor,
    track,
    { value, status: Status.badNoCommunication, flags: Flag.made, valueAt: trueAt(track) },
    now,
    mono,
    out,
  );
  track.shown = 'lost';
  floor.alarms.pause(track.tag.index, sample.t);
  floor.alarms.fresh(track.tag, sample.t, out.events);
  floor.touched(track);
}

/** A clock that stands further than this before the last run has lost its time with the power: that run may be long ago, µs. */
const UNSET = 86_400e6;

/**
 * The made bad sample that says in history that the gateway was away: as on the loss of the device, at the end of its last
 * run, and behind all that the tag has. Undefined when its newest is bad already, or the time away no longer than the
 * tag may be silent. The present stays what it is, and so does the order of device times.
 */
export function gapAfter(newest: Remembered, track: Track, ended: Micros | undefined, now: Micros): Sample | undefined {
  const t = Math.max(ended ?? newest.t, newest.t + 1, track.filing.highest + 1);
  track.filing.taken = Math.max(t, track.filing.taken);
  const away = now - t;
  if (newest.status >>> 31 === 1 || (away <= track.staleAfter * 1000 && away > -UNSET)) return undefined;
  track.gap = t;
  track.storedValue = NaN;
  track.link.ledger.made++;
  return {
    tag: newest.tag,
    t,
    receivedAt: now,
    value: newest.value,
    status: Status.badNoCommunication,
    flags: Flag.made,
    valueAt: newest.t,
  };
}

function trueAt(track: Track): Micros | undefined {
  return track.latest && (track.latest.valueAt ?? track.latest.t);
}
