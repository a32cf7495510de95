// The live stream: values newest-wins in columns, alarms exactly and replayable, slow clients merged and never queued.
// `offer` marks what changed, a tick per rate sends it; clients of one view share one serialised frame.
// Used by web.ts; a client is anything that takes text and says when it is full.
import type { Catalog } from '../catalog.ts';
import { Flag } from '../model.ts';
import type { Batch, Clock, Present } from '../model.ts';
import type { Status } from '../status.ts';
import { siteOf, View } from './columns.ts';
import { AlarmRing } from './ring.ts';
import { wireAlarm } from './values.ts';
import type { StreamAlarm, StreamBye, StreamDict, StreamHello } from './wire.ts';

const maxStreams = 64;
/** ms: how long a client may take nothing before it is sent away, and how often all hear that the stream lives. */
const blockedFor = 30_000;
const heartbeat = 15_000;

/** Where a stream's text goes. `write` says false when the client cannot keep up: nothing more is written until `drained`. */
export interface StreamSink {
  write(text: string): boolean;
  /** Ends the stream; within seconds also when nobody reads the rest. */
  end(): void;
}

/** A client's connection back to the hub. */
export interface Joined {
  /** The sink takes text again. */
  drained(): void;
  left(): void;
}

interface Client {
  sink: StreamSink;
  group: Group;
  /** Sequence of the last alarm it was sent, or that did not concern it. */
  seen: number;
  /** mono ms since when it cannot keep up. */
  blockedSince?: number;
  /** What it is owed: a new tag table's revision, everything, or what changed while it was blocked. */
  dict: boolean;
  snap: boolean;
  tags: Set<number>;
  states: Set<string>;
}

interface Group {
  key: string;
  view: View;
  clients: Set<Client>;
  callOff: () => void;
}

export interface HubOptions {
  catalog: Catalog;
  clock: Clock;
  status: Status;
  present: Present;
  hello: Omit<StreamHello, 'p' | 'boot' | 'dict' | 'hz' | 'now'>;
  /** Alarm transitions kept for those who come back; 10,000 by default. */
  ringSize?: number;
}

export class Hub {
  readonly #options: HubOptions;
  #catalog: Catalog;
  readonly #boot: string;
  readonly #ring: AlarmRing;
  readonly #groups = new Map<string, Group>();
  #clients = 0;
  #closed = false;
  #beat: () => void = () => {};

  constructor(options: HubOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
    this.#boot = Math.floor(options.clock.now()).toString(36);
    this.#ring = new AlarmRing(options.ringSize ?? 10_000);
  }

  start(): void {
    const beat = () => {
      for (const client of this.#all()) if (client.blockedSince === undefined) this.#write(client, ': hb\n\n');
      this.#beat = this.#options.clock.after(heartbeat, beat);
    };
    this.#beat = this.#options.clock.after(heartbeat, beat);
  }

  /** No further stream is taken. */
  get full(): boolean {
    return this.#closed || this.#clients >= maxStreams;
  }

  /** @param lastId Last-Event-ID of a client that comes back. Ask `full` first. */
  join(sink: StreamSink, facility: string | undefined, hz: number, lastId: string | undefined): Joined {
    const { clock, hello } = this.#options;
    const group = this.#group(facility, hz);
    const seen = this.#resume(lastId);
    const client: Client = { sink, group, seen, dict: false, snap: true, tags: new Set(), states: new Set() };
    group.clients.add(client);
    this.#count(1);
    const greeting: StreamHello = {
      p: 1,
      boot: this.#boot,
      dict: this.#catalog.revision,
      hz,
      now: clock.now(),
      ...hello,
    };
    this.#write(client, `retry: 2000\n${frame('hello', this.#id(seen), greeting)}`);
    this.#flush(client);
    return {
      drained: () => {
        client.blockedSince = undefined;
        if (group.clients.has(client)) this.#flush(client);
      },
      left: () => this.#remove(client),
    };
  }

  offer(batch: Batch): void {
    if (batch.origin !== 'live') return;
    for (const event of batch.events) {
      if (event.kind === 'alarm') this.#alarm({ op: event.transition, a: wireAlarm(event.alarm, this.#catalog) });
      if (event.kind !== 'state') continue;
      for (const { view } of this.#groups.values())
        if (view.shows(siteOf(event.asset))) view.dirtyStates.add(event.asset);
    }
    for (const { view } of this.#groups.values())
      for (const { tag, flags } of batch.samples) if ((flags & Flag.late) === 0) view.touch(tag);
  }

  use(catalog: Catalog): void {
    this.#catalog = catalog;
    for (const { view, clients } of this.#groups.values()) {
      view.use(catalog);
      for (const client of clients) {
        client.dict = client.snap = true;
        this.#flush(client);
      }
    }
  }

  /** Says goodbye to all and takes nobody any more. */
  close(): void {
    this.#closed = true;
    this.#beat();
    for (const client of this.#all()) this.#dismiss(client, 'shutdown');
  }

  #group(facility: string | undefined, hz: number): Group {
    const key = `${hz}/${facility ?? ''}`;
    const known = this.#groups.get(key);
    if (known) return known;
    const { clock, present } = this.#options;
    const view = new View(facility, present, this.#catalog);
    const group: Group = { key, view, clients: new Set(), callOff: () => {} };
    const tick = () => {
      group.callOff = clock.after(1000 / hz, tick);
      this.#tick(group);
    };
    group.callOff = clock.after(1000 / hz, tick);
    this.#groups.set(key, group);
    return group;
  }

  /** Sends even when nothing has changed: the frame's time is what tells a page that it is live. */
  #tick({ view, clients }: Group): void {
    const { clock, status } = this.#options;
    let text: string | undefined;
    for (const client of [...clients]) {
      if (client.blockedSince === undefined) {
        text ??= frame('d', this.#id(), view.delta(view.dirty, view.dirtyStates, clock.now(), 'tick'));
        this.#write(client, text);
        continue;
      }
      for (const tag of view.dirty) client.tags.add(tag);
      for (const asset of view.dirtyStates) client.states.add(asset);
      status.count('penstock_sse_coalesced_frames_total', 1, {}, 'Frames merged because a client was slow');
      if (clock.mono() - client.blockedSince > blockedFor) this.#dismiss(client, 'slow');
    }
    // Only what somebody was told is settled; a blocked client's merged frame says everything anew.
    if (text !== undefined) view.settled(view.dirty);
    view.dirty.clear();
    view.dirtyStates.clear();
  }

  #alarm(alarm: StreamAlarm): void {
    this.#ring.push(alarm.a.facility, JSON.stringify(alarm));
    for (const client of this.#all()) this.#flush(client);
  }

  /** Sends what is owed, in the order that makes sense of it, as far as the client takes it. */
  #flush(client: Client): void {
    const { clock } = this.#options;
    const { view } = client.group;
    const ready = () => client.blockedSince === undefined;
    if (!ready()) return;
    if (!this.#ring.reaches(client.seen)) {
      // What it missed has fallen out of the ring: the snap's list of alarms is complete.
      client.seen = this.#ring.seq;
      client.snap = true;
    }
    while (ready() && client.seen < this.#ring.seq) {
      const entry = this.#ring.get(++client.seen);
      if (entry && view.shows(entry.facility)) this.#write(client, frame('al', this.#id(entry.seq), entry.text));
    }
    if (ready() && client.dict) {
      client.dict = false;
      this.#write(client, frame('dict', this.#id(), { rev: this.#catalog.revision } satisfies StreamDict));
    }
    if (!ready()) return;
    if (client.snap) this.#write(client, frame('snap', this.#id(), view.snap(clock.now())));
    else if (client.tags.size + client.states.size > 0)
      this.#write(client, frame('d', this.#id(), view.delta(client.tags, client.states, clock.now(), 'merged')));
    client.snap = false;
    client.tags.clear();
    client.states.clear();
  }

  /** The sequence a client has seen: its own while this run's ring reaches back so far, else the newest (its snap is complete). */
  #resume(lastId: string | undefined): number {
    const match = /^([0-9a-z]+)-(\d{1,15})$/.exec(lastId ?? '');
    const seen = Number(match?.[2]);
    return match?.[1] === this.#boot && this.#ring.reaches(seen) ? seen : this.#ring.seq;
  }

  #write(client: Client, text: string): void {
    if (!client.sink.write(text)) client.blockedSince ??= this.#options.clock.mono();
  }

  #dismiss(client: Client, why: StreamBye['why']): void {
    this.#remove(client);
    client.sink.write(frame('bye', this.#id(client.seen), { why } satisfies StreamBye));
    client.sink.end();
  }

  #remove(client: Client): void {
    const { group } = client;
    if (!group.clients.delete(client)) return;
    this.#count(-1);
    if (group.clients.size > 0) return;
    group.callOff();
    this.#groups.delete(group.key);
  }

  #all(): Client[] {
    return [...this.#groups.values()].flatMap(({ clients }) => [...clients]);
  }

  #count(by: number): void {
    this.#clients += by;
    this.#options.status.gauge('penstock_sse_clients', this.#clients, {}, 'Open live streams');
  }

  #id(seq = this.#ring.seq): string {
    return `${this.#boot}-${seq}`;
  }
}

function frame(event: string, id: string, data: object | string): string {
  return `id: ${id}\nevent: ${event}\ndata: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}
