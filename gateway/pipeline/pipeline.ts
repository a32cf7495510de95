// The only junction of the gateway: drivers hand readings in, the journal and the live path get batches of samples and
// the events they caused. Holds the present (latest values, alarms, asset states) for the broker and the web.
// A batch gets its sequence from the journal first, so what is shown is always on its way to disk.
import { Alarms } from '../alarms/alarms.ts';
import { isAlarmSnapshot } from '../alarms/register.ts';
import { replay } from '../alarms/replay.ts';
import type { Alarm, AssetState, GatewayEvent, Micros, Origin, Reading, Sample } from '../model.ts';
import { Assets } from './assets.ts';
import { answers, batches, fileHistory, ingestLive, newOutgoing, remembered, revive } from './ingest.ts';
import type { Floor, Outgoing } from './ingest.ts';
import type { Filed, Pipeline, PipelineOptions, Remembered } from './junction.ts';
import { Ledgers } from './ledger.ts';
import type { Ledger } from './ledger.ts';
import { Outlet } from './outlet.ts';
import { gapAfter, makeLost, Silence } from './silence.ts';
import { reachBack, tracksOf } from './track.ts';
import type { LinkState, Track } from './track.ts';

/** A step of the gateway's clock smaller than this is slewing, µs. */
const STEP = 1_000_000;

export function createPipeline({ catalog, clock, journal, live, status, settings = {} }: PipelineOptions): Pipeline {
  const ledgers = new Ledgers(status);
  const links = new Map<string, LinkState>();
  const ledgerOf = (source: string): Ledger => ledgers.of(source);
  let tracks = tracksOf(catalog, [], links, ledgerOf);
  let lastNow: Micros = -Infinity;
  let lastMono = 0;
  const outlet = new Outlet(journal, ledgers, status, clock);
  let closed = false;

  const alarms = new Alarms({
    catalog,
    clock,
    emit: (events) => send('gateway', { ...newOutgoing(), events }),
  });
  const assets = new Assets(alarms, catalog);
  const floor: Floor = {
    alarms,
    maxSkew: settings.maxSkew ?? 300_000,
    maxSilence: settings.maxSilence ?? 60_000,
    epoch: 0,
    shedding: false,
    touched: (track) => touched(track),
    watch: (track) => silence.watch(track),
  };
  const silence = new Silence(floor, clock, now, (link, out) => send(link.device, out));
  assets.use(catalog);
  assets.update(tracks, clock.now(), []);

  function touched(track: Track): void {
    assets.touch(track.tag.asset);
  }

  /** The wall clock, µs; finds it set. */
  function now(): Micros {
    const micros = clock.micros();
    const mono = clock.mono();
    const leap = micros - lastNow - (mono - lastMono) * 1000;
    lastMono = mono;
    if (leap > STEP && lastNow > -Infinity) {
      const ended = lastNow;
      lastNow = micros;
      const message = `the gateway's own clock was set forward by ${Math.round(leap / 1_000_000)} s, or the machine slept`;
      status.log.warn({}, message);
      // One that has not answered since the start too; not twice where nothing was said in between.
      const holding = tracks.filter((track) => track && (track.gap === -Infinity || track.shown === 'stale'));
      fileGaps(
        holding.flatMap((track) => (track?.shown === 'lost' ? [] : (track?.latest ?? []))),
        ended,
        micros,
      );
      const event: GatewayEvent = { kind: 'clock', id: alarms.id(), time: Math.floor(micros / 1000), message };
      send('gateway', { ...newOutgoing(), events: [event] });
    } else if (micros < lastNow - STEP) {
      floor.epoch++;
      for (const link of links.values()) if (link.alive > micros) link.alive = link.before = micros;
      const message = `the gateway's own clock was set back by ${Math.round((lastNow - micros) / 1_000_000)} s`;
      status.log.warn({}, message);
      lastNow = micros;
      const event: GatewayEvent = { kind: 'clock', id: alarms.id(), time: Math.floor(micros / 1000), message };
      send('gateway', { ...newOutgoing(), events: [event] });
    }
    lastNow = Math.max(lastNow, micros);
    return micros;
  }

  /** History hears that from the end of a run, or of what the clock counted, nothing is known. */
  function fileGaps(latest: readonly Remembered[], ended: Micros | undefined, micros: Micros): void {
    if (floor.shedding) return;
    const gaps = new Map<LinkState, Sample[]>();
    for (const newest of latest) {
      const track = tracks[newest.tag];
      const gap = track && gapAfter(newest, track, ended, micros);
      if (gap && !gaps.get(track.link)?.push(gap)) gaps.set(track.link, [gap]);
    }
    for (const [{ device: source }, samples] of gaps) outlet.append({ origin: 'live', source, samples, events: [] });
  }

  function send(source: string, out: Outgoing): boolean {
    if (closed) return false;
    for (const event of out.events) if (event.kind === 'alarm' && event.alarm.asset) assets.touch(event.alarm.asset);
    if (assets.pending) assets.update(tracks, clock.now(), out.events);
    if (out.stored.length === 0 && out.live.length === 0 && out.events.length === 0) return true;
    const batch = batches(source, out);
    const taken = (out.stored.length === 0 && out.events.length === 0) || outlet.append(batch.journal);
    for (const path of live) path.offer(batch.live);
    return taken;
  }

  function linkOf(device: string): LinkState | undefined {
    const link = links.get(device);
    if (!link) ledgers.complain(device, 'this device is not in the catalog; what it says is rejected');
    return link;
  }
  function reject(source: string, count: number): void {
    const ledger = ledgers.of(source);
    ledger.received += count;
    ledger.rejected += count;
  }

  function file(origin: Exclude<Origin, 'live'>, readings: readonly Reading[], source: string): Filed {
    if (closed) return { accepted: 0, rejected: 0, shed: 0 };
    const micros = now();
    const ledger = ledgers.of(source);
    const samples = fileHistory(readings, tracks, origin, ledger, micros, micros + floor.maxSkew * 1000, touched);
    const rejected = readings.length - samples.length;
    if (rejected > 0) ledgers.complain(source, 'readings of an unknown tag or without a possible time are rejected');
    if (floor.shedding) ledger.shed += samples.length;
    else if (samples.length === 0) return { accepted: 0, rejected, shed: 0 };
    else if (outlet.append({ origin, source, samples, events: [] }))
      return { accepted: samples.length, rejected, shed: 0, seq: outlet.last };
    return { accepted: 0, rejected, shed: samples.length };
  }

  return {
    latest: (tag: number): Sample | undefined => tracks[tag]?.latest,
    alarms: (): Alarm[] => alarms.list(),
    states: (): ReadonlyMap<string, AssetState> => assets.states,

    ingest(device, readings, origin = 'live') {
      if (closed) return;
      const link = linkOf(device);
      if (!link) return reject(device, readings.length);
      if (origin !== 'live') {
        file(origin, readings, device);
        return;
      }
      const out = newOutgoing();
      const rejected = ingestLive(floor, link, tracks, readings, now(), clock.mono(), out);
      if (rejected > 0) ledgers.complain(device, 'readings of tags that are not this device’s are rejected');
      send(device, out);
    },

    alive(device, tags) {
      const link = links.get(device);
      if (!link || closed) return;
      const micros = now();
      const mono = clock.mono();
      const out = newOutgoing();
      reachBack(link, micros, floor.maxSkew);
      for (const index of tags) {
        const track = tracks[index];
        if (!track || track.link !== link) continue;
        track.seen = mono;
        const silent = track.shown === 'lost' || track.shown === 'stale' || track.gap > -Infinity;
        if (link.online && silent) revive(floor, track, micros, mono, out);
      }
      if (link.online) answers(floor, link, micros, out);
      send(device, out);
    },

    online(device) {
      const link = linkOf(device);
      if (!link || closed || link.online === true) return;
      link.online = true;
      const micros = now();
      const mono = clock.mono();
      for (const track of link.tracks) {
        track.seen = mono;
        silence.watch(track);
        touched(track);
      }
      const out = newOutgoing();
      out.events.push({ kind: 'device', id: alarms.id(), time: Math.floor(micros / 1000), device, state: 'online' });
      send(device, out);
    },

    offline(device, reason) {
      const link = linkOf(device);
      if (!link || closed || link.online === false) return;
      link.lost = true;
      const micros = now();
      const mono = clock.mono();
      const out = newOutgoing();
      out.events.push({
        kind: 'device',
        id: alarms.id(),
        time: Math.floor(micros / 1000),
        device,
        state: 'offline',
        reason,
      });
      // Of one that is disabled nothing is known: when it is enabled again, its next loss is news.
      link.online = alarms.lost(device, reason, micros, out.events) ? false : undefined;
      for (const track of link.tracks) makeLost(floor, track, micros, mono, out);
      send(device, out);
    },

    act(act) {
      if (closed) return { ok: false, reason: 'refused', message: 'the gateway is stopping' };
      const out = newOutgoing();
      const acted = alarms.act(act, out.events);
      if (!acted.ok) return acted;
      if (!send('gateway', out))
        return { ok: false, reason: 'refused', message: 'the journal takes nothing: the gateway is stopping' };
      return { ok: true, seq: outlet.last };
    },

    file,
    reject,
    note(event) {
      const time = Math.floor(now() / 1000);
      send('gateway', { ...newOutgoing(), events: [{ ...event, id: alarms.id(), time }] });
    },
    shed: (on) => (floor.shedding = on),

    use(next) {
      const out = newOutgoing();
      tracks = tracksOf(next, tracks, links, ledgerOf);
      alarms.use(next, (tag) => (tracks[tag]?.shown === 'live' ? tracks[tag]?.latest : undefined), out.events);
      assets.use(next);
      const mono = clock.mono();
      for (const link of links.values()) {
        if (link.online === false && !next.device(link.device)?.enabled) link.online = undefined;
        if (!link.online) continue;
        for (const track of link.tracks) {
          if (track.shown === 'nothing') track.seen = mono;
          silence.watch(track);
        }
      }
      send('gateway', out);
    },

    restore({ alarms: stored, events = [], latest = [], ledgers: counts, ended }) {
      if (counts) ledgers.restore(counts);
      const snapshot = isAlarmSnapshot(stored) ? stored : undefined;
      if (!snapshot && stored !== undefined && stored !== null)
        status.log.error({}, 'the stored alarm states cannot be read; they start from what the journal still says');
      alarms.restore(replay(snapshot, events));
      const micros = now();
      for (const newest of latest) {
        const { tag, t, value, status: was } = newest;
        const track = tracks[tag];
        if (!track) continue;
        track.latest = remembered(tag, t, value, was, micros);
        track.shown = 'restored';
        if (t <= micros && !(track.link.alive >= t)) track.link.alive = t;
      }
      fileGaps(latest, ended, micros);
      for (const link of links.values()) if (alarms.has(`device/${link.device}`)) link.lost = true;
    },
    snapshot: () => alarms.snapshot(),
    ledger: () => ledgers.all(),

    start() {
      const out = newOutgoing();
      alarms.dropGone(out.events);
      alarms.start();
      silence.start();
      send('gateway', out);
      outlet.start();
    },
    close() {
      if (closed) return;
      outlet.close();
      closed = true;
      alarms.close();
      silence.close();
    },
  };
}
