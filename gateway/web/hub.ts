// The live stream: values newest-wins in columns, alarms exactly and replayable, slow clients merged and never queued.
// `offer` marks what changed, a tick per rate sends it; clients of one view share one serialised frame.
// Used by web.ts; a client is anything that takes text and says when it is full.
import type { Catalog } from '../catalog.ts';
import { Flag, quality } from '../model.ts';
import type { Batch, Clock, Present, Sample } from '../model.ts';
import type { Status } from '../status.ts';
import { isStale, shownAt, wireAlarm, wireValue } from './values.ts';
import type { MachineStatus, StreamAlarm, StreamBye, StreamDelta, StreamHello, StreamSnap } from './wire.ts';

const ringSize = 10_000;
const maxStreams = 64;
const blockedFor = 30_000;
const heartbeat = 15_000;

/** Where a stream's text goes. `write` says false when the client cannot keep up; `drained` is called when it can again. */
export interface StreamSink {
  write(text: string): boolean;
  end(): void;
}

interface Client {
  sink: StreamSink;
  view: View;
  /** Set while it cannot keep up: since when, and what to send merged afterwards. */
  blocked?: { since: number; tags: Set<number>; states: Set<string> };
  /** Sequence of the last alarm it was sent. */
  seen: number;
}

/** What clients of one facility at one rate have in common. */
interface View {
  facility: string | undefined;
  period: number;
  tags: Set<number>;
  dirty: Set<number>;
  dirtyStates: Set<string>;
  /** Tags that were not good, or stale, in some frame: their way back must be said. */
  wereBad: Set<number>;
  wereStale: Set<number>;
  clients: Set<Client>;
  callOff: () => void;
}

export interface HubOptions {
  catalog: Catalog;
  clock: Clock;
  status: Status;
  present: Present;
  hello: Omit<StreamHello, 'p' | 'boot' | 'dict' | 'hz' | 'now'>;
}

export class Hub {
  readonly #options: HubOptions;
  #catalog: Catalog;
  readonly #boot: string;
  #seq = 0;
  readonly #ring: { seq: number; facility: string; text: string }[] = [];
  readonly #views = new Map<string, View>();
  #clients = 0;
  #beat: () => void = () => {};

  constructor(options: HubOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
    this.#boot = Math.floor(options.clock.now()).toString(36);
  }

  start(): void {
    const beat = () => {
      this.#each((client) => this.#send(client, ': hb\n\n'));
      this.#beat = this.#options.clock.after(heartbeat, beat);
    };
    this.#beat = this.#options.clock.after(heartbeat, beat);
  }

  /** @param lastId Last-Event-ID of a client that comes back. Returns what the connection calls, or undefined when there are too many streams. */
  join(
    sink: StreamSink,
    facility: string | undefined,
    hz: number,
    lastId: string | undefined,
  ): { drained(): void; left(): void } | undefined {
    if (this.#clients >= maxStreams) return undefined;
    const { clock, hello } = this.#options;
    const view = this.#view(facility, hz);
    const client: Client = { sink, view, seen: this.#seq };
    view.clients.add(client);
    this.#count(1);
    const missed = this.#missed(lastId, facility);
    this.#send(
      client,
      `retry: 2000\n${frame('hello', this.#id(), { p: 1, boot: this.#boot, dict: this.#catalog.revision, hz, now: clock.now(), ...hello } satisfies StreamHello)}`,
    );
    for (const { seq, text } of missed) this.#send(client, frame('al', this.#id(seq), text));
    this.#send(client, frame('snap', this.#id(), this.#snap(view)));
    return {
      drained: () => this.#drained(client),
      left: () => {
        if (!view.clients.delete(client)) return;
        this.#count(-1);
        if (view.clients.size > 0) return;
        view.callOff();
        this.#views.delete(keyOf(view.facility, view.period));
      },
    };
  }

  offer(batch: Batch): void {
    if (batch.origin !== 'live') return;
    for (const event of batch.events) {
      if (event.kind === 'alarm') this.#alarm({ op: event.transition, a: wireAlarm(event.alarm, this.#catalog) });
      if (event.kind === 'state') {
        const site = event.asset.split('/')[0];
        for (const view of this.#views.values())
          if (view.facility === undefined || view.facility === site) view.dirtyStates.add(event.asset);
      }
    }
    if (this.#views.size === 0) return;
    for (const view of this.#views.values()) {
      for (const { tag, flags } of batch.samples)
        if ((flags & Flag.late) === 0 && view.tags.has(tag)) view.dirty.add(tag);
    }
  }

  use(catalog: Catalog): void {
    this.#catalog = catalog;
    for (const view of this.#views.values()) {
      view.tags = this.#tagsOf(view.facility);
      for (const client of view.clients) {
        this.#send(client, frame('dict', this.#id(), { rev: catalog.revision }));
        this.#send(client, frame('snap', this.#id(), this.#snap(view)));
      }
    }
  }

  close(): void {
    this.#beat();
    this.#each((client) => {
      client.sink.write(frame('bye', this.#id(), { why: 'shutdown' } satisfies StreamBye));
      client.sink.end();
    });
    for (const view of this.#views.values()) view.callOff();
    this.#views.clear();
  }

  #view(facility: string | undefined, hz: number): View {
    const period = 1000 / hz;
    const key = keyOf(facility, period);
    const known = this.#views.get(key);
    if (known) return known;
    const view: View = {
      facility,
      period,
      tags: this.#tagsOf(facility),
      dirty: new Set(),
      dirtyStates: new Set(),
      wereBad: new Set(),
      wereStale: new Set(),
      clients: new Set(),
      callOff: () => {},
    };
    const tick = () => {
      this.#tick(view);
      view.callOff = this.#options.clock.after(period, tick);
    };
    view.callOff = this.#options.clock.after(period, tick);
    this.#views.set(key, view);
    return view;
  }

  #tagsOf(facility: string | undefined): Set<number> {
    return new Set(
      this.#catalog.list.filter((tag) => facility === undefined || tag.site === facility).map((tag) => tag.index),
    );
  }

  /** Sends even when nothing has changed: the frame's time is what tells a page that it is live. */
  #tick(view: View): void {
    const now = this.#options.clock.mono();
    const text = frame('d', this.#id(), this.#delta(view, view.dirty, view.dirtyStates));
    for (const client of view.clients) {
      const { blocked } = client;
      if (!blocked) {
        this.#send(client, text);
        continue;
      }
      for (const tag of view.dirty) blocked.tags.add(tag);
      for (const asset of view.dirtyStates) blocked.states.add(asset);
      this.#options.status.count('penstock_sse_coalesced_frames_total');
      if (now - blocked.since > blockedFor) {
        client.sink.write(frame('bye', this.#id(), { why: 'slow' } satisfies StreamBye));
        client.sink.end();
      }
    }
    view.dirty.clear();
    view.dirtyStates.clear();
  }

  #alarm(alarm: StreamAlarm): void {
    const seq = ++this.#seq;
    const text = JSON.stringify(alarm);
    const { facility } = alarm.a;
    this.#ring.push({ seq, facility, text });
    if (this.#ring.length > ringSize) this.#ring.shift();
    this.#each((client) => {
      if (client.blocked || (client.view.facility !== undefined && client.view.facility !== facility)) return;
      client.seen = seq;
      this.#send(client, frame('al', this.#id(seq), text));
    });
  }

  #drained(client: Client): void {
    const { blocked, view } = client;
    if (!blocked) return;
    client.blocked = undefined;
    const first = this.#ring[0]?.seq ?? this.#seq + 1;
    if (client.seen + 1 < first && this.#seq > client.seen) {
      this.#send(client, frame('snap', this.#id(), this.#snap(view)));
      client.seen = this.#seq;
      return;
    }
    for (const { seq, facility, text } of this.#ring.slice(Math.max(0, client.seen + 1 - first))) {
      if (view.facility !== undefined && view.facility !== facility) continue;
      this.#send(client, frame('al', this.#id(seq), text));
      client.seen = seq;
    }
    this.#send(client, frame('d', this.#id(), this.#delta(view, blocked.tags, blocked.states)));
  }

  /** Alarms a returning client has not seen; none when it was another boot or is too far behind (its snap is complete anyway). */
  #missed(lastId: string | undefined, facility: string | undefined): { seq: number; text: string }[] {
    const match = /^([0-9a-z]+)-(\d+)$/.exec(lastId ?? '');
    if (!match || match[1] !== this.#boot) return [];
    const since = Number(match[2]);
    if (since + 1 < (this.#ring[0]?.seq ?? 0)) return [];
    return this.#ring.filter((entry) => entry.seq > since && (facility === undefined || entry.facility === facility));
  }

  #snap(view: View): StreamSnap {
    const { present, clock } = this.#options;
    const all = this.#columns(view, view.tags);
    const states: Record<string, MachineStatus> = {};
    for (const [asset, { status }] of present.states())
      if (view.facility === undefined || asset.startsWith(`${view.facility}/`)) states[asset] = status;
    const q: [number, 1 | 2][] = [];
    for (const [tag, grade] of all.q) if (grade !== 0) q.push([tag, grade]);
    const alarms = present.alarms().filter((alarm) => view.facility === undefined || alarm.site === view.facility);
    return {
      t: clock.now(),
      i: all.i,
      v: all.v,
      a: all.a,
      q,
      x: all.x,
      al: alarms.map((alarm) => wireAlarm(alarm, this.#catalog)),
      st: states,
    };
  }

  #delta(view: View, tags: ReadonlySet<number>, assets: ReadonlySet<string>): StreamDelta {
    const { present, clock } = this.#options;
    const { i, v, a, q, x, y } = this.#columns(view, tags);
    const delta: StreamDelta = { t: clock.now(), i, v, a, q };
    if (x.length > 0) delta.x = x;
    if (y.length > 0) delta.y = y;
    if (assets.size > 0) {
      const st: Record<string, MachineStatus> = {};
      for (const asset of assets) st[asset] = present.states().get(asset)?.status ?? 'offline';
      delta.st = st;
    }
    return delta;
  }

  #columns(view: View, tags: ReadonlySet<number>) {
    const { present, clock } = this.#options;
    const now = clock.now();
    const columns = {
      i: [] as number[],
      v: [] as StreamDelta['v'],
      a: [] as (number | null)[],
      q: [] as [number, 0 | 1 | 2][],
      x: [] as number[],
      y: [] as number[],
    };
    for (const tag of tags) {
      const sample = present.latest(tag);
      columns.i.push(tag);
      columns.v.push(sample ? wireValue(sample.value) : null);
      columns.a.push(sample ? Math.max(0, now - shownAt(sample)) : null);
      const grade = gradeOf(sample);
      if (grade !== 0) view.wereBad.add(tag);
      if (grade !== 0 || view.wereBad.has(tag)) columns.q.push([tag, grade]);
      if (isStale(sample)) {
        view.wereStale.add(tag);
        columns.x.push(tag);
      } else if (view.wereStale.has(tag)) columns.y.push(tag);
    }
    return columns;
  }

  #send(client: Client, text: string): void {
    if (client.sink.write(text) || client.blocked) return;
    client.blocked = { since: this.#options.clock.mono(), tags: new Set(), states: new Set() };
  }

  #each(act: (client: Client) => void): void {
    for (const view of this.#views.values()) for (const client of view.clients) act(client);
  }

  #count(by: number): void {
    this.#clients += by;
    this.#options.status.gauge('penstock_sse_clients', this.#clients, {}, 'Open live streams');
  }

  #id(seq = this.#seq): string {
    return `${this.#boot}-${seq}`;
  }
}

const keyOf = (facility: string | undefined, period: number) => `${period}/${facility ?? ''}`;

function gradeOf(sample: Sample | undefined): 0 | 1 | 2 {
  if (!sample) return 2;
  return { good: 0, uncertain: 1, bad: 2 }[quality(sample.status)] as 0 | 1 | 2;
}

function frame(event: string, id: string, data: object | string): string {
  return `id: ${id}\nevent: ${event}\ndata: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}
