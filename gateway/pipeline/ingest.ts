// The way of a reading: normalize, file, judge. One pass over a driver's readings makes one batch; the pipeline sends it.
// Runs for every reading of the plant, so nothing is allocated here but the sample.
import type { Alarms } from '../alarms/alarms.ts';
import { Flag } from '../model.ts';
import type { Batch, GatewayEvent, Micros, Origin, Reading, Sample } from '../model.ts';
import { file, fileMade, newFiled } from './filing.ts';
import type { Ledger } from './ledger.ts';
import { normalize, recipeOf } from './normalize.ts';
import type { Recipe } from './normalize.ts';
import { reachBack } from './track.ts';
import type { LinkState, Track } from './track.ts';

/** What ingest needs of the pipeline around it. */
export interface Floor {
  alarms: Alarms;
  maxSkew: number;
  maxSilence: number;
  /** Times the gateway's clock was set back. */
  epoch: number;
  /** The disk is too full for samples: shown and judged, but not journalled. */
  shedding: boolean;
  /** The asset of this tag may have another state now. */
  touched(track: Track): void;
  /** The tag has to be watched for silence. */
  watch(track: Track): void;
}
/** A batch on its way: what is journalled and what is shown differ by filtered and by late samples. */
export interface Outgoing {
  stored: Sample[];
  live: Sample[];
  events: GatewayEvent[];
}

const filed = newFiled();
const normal = { value: null as Sample['value'], status: 0 };
const when = { now: 0, alive: 0, maxSkew: 0, epoch: 0 };

export function newOutgoing(): Outgoing {
  return { stored: [], live: [], events: [] };
}

/** Live readings of one device. @returns how many were rejected: unknown tags, and tags of another device */
export function ingestLive(
  floor: Floor,
  link: LinkState,
  tracks: readonly (Track | undefined)[],
  readings: readonly Reading[],
  now: Micros,
  mono: number,
  out: Outgoing,
): number {
  const { ledger } = link;
  const { alarms } = floor;
  let rejected = 0;
  let answered = false;
  reachBack(link, now, floor.maxSkew);
  when.now = now;
  when.maxSkew = floor.maxSkew;
  when.epoch = floor.epoch;
  const recent = now - floor.maxSkew * 1000;
  for (const reading of readings) {
    ledger.received++;
    const track = tracks[reading.tag];
    if (track === undefined || track.link !== link) {
      rejected++;
      continue;
    }
    const usable = reading.status >>> 31 === 0;
    answered ||= usable;
    track.seen = mono;
    if (link.online && !track.queued) floor.watch(track);
    when.alive = track.session === link.session ? link.alive : link.before;
    file(track.filing, reading, when, filed);
    if (filed.clockSetBack) {
      const message = `the clock behind ${track.tag.id} was set back; values are filed by the gateway's clock until it has caught up`;
      out.events.push({
        kind: 'clock',
        id: alarms.id(),
        time: Math.floor(now / 1000),
        tag: track.tag.id,
        device: link.device,
        message,
      });
    }
    if (filed.merged) {
      ledger.merged++;
      if (track.shown !== 'live' || track.gap > -Infinity) revive(floor, track, now, mono, out);
      continue;
    }
    if (reading.at !== undefined && reading.at >= recent) track.session = link.session;
    normalize(track.recipe, reading.value, reading.status, normal);
    const sample: Sample = {
      tag: reading.tag,
      t: filed.t,
      receivedAt: now,
      at: reading.at,
      value: normal.value,
      status: normal.status,
      flags: filed.flags,
    };
    store(floor, track, sample, mono, out);
    if (filed.flags & Flag.late) continue;
    out.live.push(sample);
    show(floor, track, sample, out);
    alarms.judge(sample, out.events);
    // Unchanged since before the gateway was away: history has to hear that it holds again.
    if (sample.t < track.gap) revive(floor, track, now, mono, out);
    track.gap = -Infinity;
  }
  ledger.rejected += rejected;
  if (answered) answers(floor, link, now, out);
  return rejected;
}

/** The device lives: its alarm may clear, and later queues reach back to here. */
export function answers(floor: Floor, link: LinkState, now: Micros, out: Outgoing): void {
  link.alive = now;
  if (!link.lost || !link.online) return;
  link.lost = false;
  floor.alarms.back(link.device, now, out.events);
}

/** Readings with a history of their own: normalized and stored, shown only where nothing newer is. */
export function fileHistory(
  readings: readonly Reading[],
  tracks: readonly (Track | undefined)[],
  origin: Exclude<Origin, 'live'>,
  ledger: Ledger,
  now: Micros,
  latestAllowed: Micros,
  touched: (track: Track) => void,
): Sample[] {
  const stored: Sample[] = [];
  const recipes = new Map<number, Recipe>();
  for (const reading of readings) {
    ledger.received++;
    const track = tracks[reading.tag];
    const t = reading.at === undefined ? NaN : Math.round(reading.at);
    if (track === undefined || !Number.isSafeInteger(t) || t < 0 || t > latestAllowed) {
      ledger.rejected++;
      continue;
    }
    let recipe = track.recipe;
    if (origin !== 'backfill') {
      recipe = recipes.get(reading.tag) ?? recipeOf(track.tag, true);
      recipes.set(reading.tag, recipe);
    }
    normalize(recipe, reading.value, reading.status, normal);
    const { value, status } = normal;
    const sample: Sample = { tag: reading.tag, t, receivedAt: now, at: t, value, status, flags: 0 };
    stored.push(sample);
    const { latest } = track;
    if (track.shown !== 'live' && (latest === undefined || t > (latest.valueAt ?? latest.t))) {
      track.latest = remembered(reading.tag, t, value, status, now);
      if (track.shown === 'nothing') track.shown = 'restored';
      touched(track);
    }
  }
  return stored;
}

/** An older value shown while there is no live one: usable perhaps, and never good. */
export function remembered(tag: number, t: Micros, value: Sample['value'], status: number, now: Micros): Sample {
  const worse = status >>> 31 === 1 ? status : 0x40900000;
  return { tag, t, receivedAt: now, value, status: worse, flags: Flag.made, valueAt: t };
}

/** Files and shows a sample the gateway makes. */
export function make(
  floor: Floor,
  track: Track,
  what: Pick<Sample, 'value' | 'status' | 'flags' | 'valueAt'>,
  now: Micros,
  mono: number,
  out: Outgoing,
): Sample {
  const t = fileMade(track.filing, now, floor.epoch);
  const sample: Sample = { tag: track.tag.index, t, receivedAt: now, at: undefined, ...what };
  const { ledger } = track.link;
  ledger.made++;
  keep(floor, track, sample, mono, out);
  out.live.push(sample);
  track.latest = sample;
  return sample;
}

/** The last value still holds: says it again, as a heartbeat or because it was shown as lost or stale. */
export function revive(floor: Floor, track: Track, now: Micros, mono: number, out: Outgoing): void {
  const { last, shown } = track;
  if (last === undefined) return;
  const what = { value: last.value, status: last.status, flags: Flag.repeat | Flag.made, valueAt: undefined };
  const sample = make(floor, track, what, now, mono, out);
  track.gap = -Infinity;
  if (shown === 'live') return;
  track.shown = 'live';
  if (shown === 'stale') floor.alarms.fresh(track.tag, sample.t, out.events);
  floor.alarms.judge(sample, out.events);
  floor.touched(track);
  if (track.link.online && !track.queued) floor.watch(track);
}

function show(floor: Floor, track: Track, sample: Sample, out: Outgoing): void {
  const { latest, shown } = track;
  track.latest = sample;
  track.last = sample;
  if (shown !== 'live') {
    track.shown = 'live';
    floor.alarms.fresh(track.tag, sample.t, out.events);
    floor.touched(track);
    if (track.link.online && !track.queued) floor.watch(track);
  } else if (!latest || latest.status >>> 30 !== sample.status >>> 30 || latest.value !== sample.value)
    floor.touched(track);
}

function store(floor: Floor, track: Track, sample: Sample, mono: number, out: Outgoing): void {
  const { storeDeadband } = track.tag;
  if (storeDeadband !== undefined && sample.flags === 0) {
    const { value } = sample;
    const near = typeof value === 'number' && Math.abs(value - track.storedValue) < storeDeadband;
    if (near && sample.status === track.storedStatus && mono - track.filed < floor.maxSilence) {
      track.link.ledger.filtered++;
      return;
    }
  }
  keep(floor, track, sample, mono, out);
}

function keep(floor: Floor, track: Track, sample: Sample, mono: number, out: Outgoing): void {
  track.filed = mono;
  if (floor.shedding) {
    track.link.ledger.shed++;
    return;
  }
  // A late or skewed value is nothing to measure the next one against.
  if (!(sample.flags & (Flag.late | Flag.skewed))) {
    track.storedValue = typeof sample.value === 'number' ? sample.value : NaN;
    track.storedStatus = sample.status;
  }
  out.stored.push(sample);
}

/** Journal's and live path's view of one outgoing batch; the same object where nothing differs. */
export function batches(source: string, out: Outgoing): { journal: Batch; live: Batch } {
  const journal: Batch = { origin: 'live', source, samples: out.stored, events: out.events };
  // Both lists hold the same samples in the same order unless something was filtered or late.
  const same = out.stored.length === out.live.length && out.stored.every((sample, at) => sample === out.live[at]);
  return { journal, live: same ? journal : { ...journal, samples: out.live } };
}
