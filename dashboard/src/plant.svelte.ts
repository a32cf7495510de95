// The live picture of one facility as signals: one per tag value, one list of alarms, one map of machine states.
// Frames are merged as they come and written to the signals once per animation frame, so a burst costs one repaint.
// Created once by main.ts; `open` follows a facility, components read.
import type {
  Dict,
  DictTag,
  Facility,
  MachineStatus,
  Severity,
  StreamAlarm,
  StreamDelta,
  StreamHello,
  StreamSnap,
  WireAlarm,
} from '../../gateway/web/wire.ts';
import { api } from './api.ts';
import { Figures } from './figures.svelte.ts';
import { Frames, unread, type Reading } from './frames.ts';
import { linkState, ServerTime, Wakefulness, type Link } from './freshness.ts';
import { worstBy } from './severity.ts';
import { follow, type ServerEvent } from './sse.ts';

/** One tag on the page: what it is, and its newest value as a signal. */
export class Cell {
  readonly tag: DictTag;
  reading: Reading = $state.raw(unread);
  constructor(tag: DictTag) {
    this.tag = tag;
  }
}

/** A browser opens six connections to a host: a tab nobody looks at gives its stream back after this long, ms. */
const hiddenFor = 30_000;

export class Plant {
  facilities: Facility[] = $state.raw([]);
  dict: Dict | undefined = $state.raw();
  cells: ReadonlyMap<number, Cell> = $state.raw(new Map());
  alarms: WireAlarm[] = $state.raw([]);
  statuses: ReadonlyMap<string, MachineStatus> = $state.raw(new Map());
  hello: StreamHello | undefined = $state.raw();
  link: Link = $state.raw('connecting');
  /** Server time (ms) of the newest frame, and the server's time now as well as we know it; NaN before the first. */
  frameAt = $state.raw(Number.NaN);
  now = $state.raw(Number.NaN);
  /** `now` in steps of ten seconds, for lists that a shelf's end changes: they need not be sorted twice a second. */
  tenth = $derived(Math.floor(this.now / 10_000) * 10_000);
  /** Worst active alarm by tag id, by asset path, by metric. */
  byTag: ReadonlyMap<string, Severity> = $derived(worstBy(this.alarms, this.tenth, (alarm) => alarm.tag));
  byAsset: ReadonlyMap<string, Severity> = $derived(worstBy(this.alarms, this.tenth, (alarm) => alarm.asset));
  byMetric: ReadonlyMap<string, Severity> = $derived.by(() => {
    const metrics = new Map(this.dict?.tags.map((tag) => [tag.id, tag.metric]));
    return worstBy(this.alarms, this.tenth, (alarm) => (alarm.tag ? metrics.get(alarm.tag) : undefined));
  });
  /** Cells by asset path, in the dictionary's order. */
  byPath: ReadonlyMap<string, Cell[]> = $derived.by(() => {
    const cells = new Map<string, Cell[]>();
    for (const cell of this.cells.values()) {
      const list = cells.get(cell.tag.asset);
      if (list) list.push(cell);
      else cells.set(cell.tag.asset, [cell]);
    }
    return cells;
  });
  /** Counts repaints, for figures computed over many tags. */
  frame = $state.raw(0);
  /** What is wrong, in words; empty when nothing is. Each part's trouble ends with its next success. */
  #wrong = $state.raw({ link: '', plant: '' });
  #figures = new Figures();
  trouble = $derived(this.#wrong.link || this.#wrong.plant || this.#figures.failure);
  /** Alarms raised since the page looked last; taken by the live region. */
  fresh: WireAlarm[] = [];

  #frames = new Frames();
  #time = new ServerTime();
  #wakefulness = new Wakefulness();
  #lastFrame: number | undefined;
  #painting = false;
  #opened: AbortController | undefined;
  #stream: AbortController | undefined;
  #lastId = '';
  #facility = '';
  #hours = 12;

  get summary(): Figures['summary'] {
    return this.#figures.summary;
  }
  get frames(): Frames {
    return this.#frames;
  }

  /** Loads the list of facilities; tries again until the gateway answers. Runs until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const timer = setInterval(() => this.#tick(), 500);
    signal.addEventListener('abort', () => clearInterval(timer));
    this.#rest(signal);
    while (!signal.aborted && this.facilities.length === 0) {
      try {
        this.facilities = await api.facilities(signal);
        this.#say('plant', this.facilities.length === 0 ? 'No facility is configured yet.' : '');
      } catch (error) {
        this.#say('plant', messageOf(error));
      }
      if (this.facilities.length === 0) await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }

  /** Follows a facility; the one before is let go. `hours` is the span of the summary's figures. */
  open(facility: string, hours: number): void {
    if (facility === this.#facility) {
      if (hours !== this.#hours) {
        this.#hours = hours;
        void this.refresh();
      }
      return;
    }
    this.close();
    this.#facility = facility;
    this.#hours = hours;
    this.#frames = new Frames();
    this.#lastFrame = undefined;
    this.dict = this.#figures.summary = undefined;
    this.cells = new Map();
    this.alarms = [];
    this.statuses = new Map();
    this.link = 'connecting';
    this.frameAt = Number.NaN;
    void this.#load();
    this.#listen();
  }
  close(): void {
    this.#opened?.abort();
    this.#stream?.abort();
    this.#opened = this.#stream = undefined;
    this.#lastId = '';
    this.#facility = '';
    this.#wrong = { link: '', plant: '' };
    this.#figures.drop();
  }

  /** Fetches the summary again (figures over hours, sparklines). */
  async refresh(): Promise<void> {
    if (this.#facility) await this.#figures.fetch(this.#facility, this.#hours, this.#opened?.signal);
  }

  #listen(): void {
    this.#stream?.abort();
    const stream = (this.#stream = new AbortController());
    void follow({
      url: api.stream(this.#facility),
      signal: stream.signal,
      after: this.#lastId,
      onEvent: (event) => {
        // What came with the event that woke us comes once more on the connection that took its place.
        if (stream.signal.aborted) return;
        if (event.id) this.#lastId = event.id;
        this.#take(event);
      },
      onLost: (reason, wait) =>
        this.#say('link', `Connection lost: ${reason}. Trying again in ${Math.round(wait / 1000)} s.`),
    });
  }

  /** Lets the stream go while the tab is hidden; back in view it resumes behind the last event. */
  #rest(signal: AbortSignal): void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turned = () => {
      clearTimeout(timer);
      if (document.hidden) {
        timer = setTimeout(() => {
          this.#stream?.abort();
          this.#stream = undefined;
        }, hiddenFor);
      } else if (this.#facility && !this.#stream) {
        this.#listen();
        void this.refresh();
      }
    };
    document.addEventListener('visibilitychange', turned, { signal });
    signal.addEventListener('abort', () => clearTimeout(timer));
  }

  async #load(): Promise<void> {
    const facility = this.#facility;
    const signal = (this.#opened ??= new AbortController()).signal;
    void this.refresh();
    try {
      const dict = await api.dict(facility, signal);
      if (signal.aborted) return;
      const before = this.cells;
      this.dict = dict;
      this.cells = new Map(
        dict.tags.map((tag) => {
          const cell = new Cell(tag);
          cell.reading = this.#frames.readings.get(tag.i) ?? before.get(tag.i)?.reading ?? unread;
          return [tag.i, cell];
        }),
      );
      this.frame++;
      this.#say('plant', '');
    } catch (error) {
      if (signal.aborted) return;
      this.#say('plant', messageOf(error));
      setTimeout(() => !signal.aborted && void this.#load(), 3000);
    }
  }

  #take({ event, data }: ServerEvent): void {
    let body: unknown;
    try {
      body = JSON.parse(data);
    } catch {
      this.#say('link', 'The gateway sent a frame that cannot be read.');
      return;
    }
    const mono = performance.now();
    const old = this.#wake(mono);
    if (event === 'hello') {
      const hello = body as StreamHello;
      const rebooted = this.hello !== undefined && this.hello.boot !== hello.boot;
      // Another version of the gateway brings another page.
      if (rebooted && this.hello?.version !== hello.version) return location.reload();
      if (rebooted) this.#time.reset();
      this.#time.observe(hello.now, mono);
      this.hello = hello;
      this.#say('link', '');
      // Another process may have other facilities, tags and limits.
      if (rebooted) {
        void api.facilities().then(
          (list) => (this.facilities = list),
          () => undefined,
        );
        void this.#load();
      }
      return;
    }
    if (event === 'snap' || event === 'd') {
      const frame = body as StreamSnap | StreamDelta;
      if (!old) {
        this.#time.observe(frame.t, mono);
        this.#lastFrame = mono;
      }
      this.frameAt = frame.t;
      if (event === 'snap') this.#frames.snap(frame as StreamSnap);
      else this.#frames.delta(frame as StreamDelta);
      this.#tick();
      this.#paintSoon();
    } else if (event === 'al') {
      this.#frames.alarm(body as StreamAlarm);
      this.#paintSoon();
    } else if (event === 'dict') void this.#load();
  }

  #say(part: 'link' | 'plant', words: string): void {
    if (this.#wrong[part] !== words) this.#wrong = { ...this.#wrong, [part]: words };
  }

  #tick(): void {
    const mono = performance.now();
    this.#wake(mono);
    this.now = this.#time.now(mono);
    this.link = linkState(this.#lastFrame, mono, this.hello?.hz ?? 1);
  }

  /**
   * What was live before this computer slept is not any more, and its connection may have died unheard.
   * @returns whether it slept: what is being taken has waited since before
   */
  #wake(mono: number): boolean {
    const slept = this.#wakefulness.look(Date.now(), mono);
    if (slept === 0) return false;
    this.#time.slept(slept);
    if (this.#lastFrame !== undefined) this.#lastFrame -= slept;
    if (this.#stream) this.#listen();
    return true;
  }

  #paintSoon(): void {
    if (this.#painting) return;
    this.#painting = true;
    requestAnimationFrame(() => {
      this.#painting = false;
      const { tags, alarms, statuses, fresh } = this.#frames.drain();
      for (const tag of tags) {
        const cell = this.cells.get(tag);
        if (cell) cell.reading = this.#frames.readings.get(tag) ?? unread;
      }
      if (alarms) this.alarms = [...this.#frames.alarms.values()];
      if (statuses) this.statuses = new Map(this.#frames.statuses);
      this.fresh.push(...fresh);
      if (tags.length > 0) this.frame++;
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
