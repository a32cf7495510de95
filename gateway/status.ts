// Component states and counters: one report is one log line and one counter. Read by /health, /metrics,
// MQTT diagnostics and systemd; written by every room that does I/O. Edges are logged once, not per reading.

export type Level = 'debug' | 'info' | 'warn' | 'error';
export type ComponentState = 'starting' | 'ok' | 'degraded' | 'failed' | 'stopped';

export interface Component {
  name: string;
  state: ComponentState;
  /** In words, what is wrong and what to do; empty when ok. */
  reason: string;
  /** ms since the epoch: when it entered this state. */
  since: number;
}

/** What Status needs of a logger; pino fits. */
export interface Log {
  debug(detail: object, message: string): void;
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
  error(detail: object, message: string): void;
}

type Labels = Readonly<Record<string, string>>;
interface Metric {
  name: string;
  help: string;
  type: 'counter' | 'gauge';
  values: Map<string, { labels: Labels; value: number }>;
}

const states: Record<ComponentState, Level> = {
  starting: 'debug',
  ok: 'info',
  degraded: 'warn',
  failed: 'error',
  stopped: 'info',
};

export class Status {
  readonly #components = new Map<string, Component>();
  readonly #metrics = new Map<string, Metric>();
  readonly #collectors: (() => void)[] = [];
  readonly log: Log;
  readonly #now: () => number;

  constructor(log: Log, now: () => number = Date.now) {
    this.log = log;
    this.#now = now;
  }

  /** Sets a component's state; only a change of state or reason is logged. @param quiet the log has this already */
  set(name: string, state: ComponentState, reason = '', quiet = false): void {
    const before = this.#components.get(name);
    if (before && before.state === state && before.reason === reason) return;
    const since = before?.state === state ? before.since : this.#now();
    this.#components.set(name, { name, state, reason, since });
    if (quiet) return;
    this.log[states[state]]({ component: name, state }, reason ? `${name}: ${state}: ${reason}` : `${name}: ${state}`);
  }
  remove(name: string): void {
    this.#components.delete(name);
  }
  components(): Component[] {
    return [...this.#components.values()];
  }

  /** One report: a log line and a counter. Counter names end in `_total`, after the Prometheus rules. */
  report(level: Level, counter: string, message: string, labels: Labels = {}): void {
    this.count(counter, 1, labels);
    this.log[level]({ counter, ...labels }, message);
  }
  /** Counts without a line in the log: for what may happen per reading. */
  count(name: string, by = 1, labels: Labels = {}, help = ''): void {
    const slot = this.#slot(name, 'counter', labels, help);
    slot.value += by;
  }
  gauge(name: string, value: number, labels: Labels = {}, help = ''): void {
    this.#slot(name, 'gauge', labels, help).value = value;
  }
  /** Counters kept elsewhere (a driver's statistics): set to the absolute value. */
  counter(name: string, value: number, labels: Labels = {}, help = ''): void {
    this.#slot(name, 'counter', labels, help).value = value;
  }
  /** Runs at every scrape, to fill gauges. */
  collect(collector: () => void): void {
    this.#collectors.push(collector);
  }
  value(name: string, labels: Labels = {}): number {
    return this.#metrics.get(name)?.values.get(keyOf(labels))?.value ?? 0;
  }

  /** Prometheus text format, version 0.0.4. */
  metrics(): string {
    for (const collector of this.#collectors) collector();
    const lines: string[] = [];
    for (const metric of [...this.#metrics.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (metric.help) lines.push(`# HELP ${metric.name} ${metric.help}`);
      lines.push(`# TYPE ${metric.name} ${metric.type}`);
      for (const { labels, value } of metric.values.values()) {
        const shown = Object.entries(labels).map(
          ([k, v]) => `${k}="${v.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`,
        );
        lines.push(
          `${metric.name}${shown.length ? `{${shown.join(',')}}` : ''} ${Number.isFinite(value) ? value : 'NaN'}`,
        );
      }
    }
    return `${lines.join('\n')}\n`;
  }

  #slot(name: string, type: 'counter' | 'gauge', labels: Labels, help: string): { value: number } {
    let metric = this.#metrics.get(name);
    if (!metric) this.#metrics.set(name, (metric = { name, help, type, values: new Map() }));
    const key = keyOf(labels);
    let slot = metric.values.get(key);
    if (!slot) metric.values.set(key, (slot = { labels, value: 0 }));
    return slot;
  }
}

function keyOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([k, v]) => `${k}=${v}`)
    .sort()
    .join(',');
}
