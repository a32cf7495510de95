// A test bed: the real web server on a free port over a small plant, with a present and a history that tests write to.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { Catalog } from '../catalog.ts';
import type { Tag } from '../catalog.ts';
import { systemClock } from '../clock.ts';
import type { ActResult, Alarm, Batch, OperatorAct, Present, Reading, Sample } from '../model.ts';
import type { AggregateQuery, AggregateSeries, BucketSeries, Historian, StateSeries } from '../history.ts';
import { Status } from '../status.ts';
import { rowText } from './rows.ts';
import { createWeb } from './web.ts';
import type { Web, WebOptions } from './web.ts';
import type { WireLedger } from './wire.ts';

/** Site ids as people write them. */
export const site = 'Skövde norra';
export const other = 'south';
export const FLOW = 0;
export const MODE = 1;
export const FLOW_2 = 2;
export const LABEL = 3;
export const LEVEL = 4;

export function plant(revision = 1): Catalog {
  const tag = (id: string, given: Partial<Tag> = {}) => {
    const parts = id.split('/');
    const metric = parts.at(-1) ?? '';
    const asset = parts.slice(0, -1).join('/');
    return {
      ...{ id, site: parts[0] ?? '', asset, metric, name: metric, type: 'double' as const, unit: 'm³/h', decimals: 1 },
      ...{ device: 'line', interval: 1000, address: {} },
      ...given,
    };
  };
  const flow = { aggregate: 'sum' as const, range: { low: 10, high: 80 } };
  const tags = [
    tag(`${site}/pump 1/flow`, flow),
    tag(`${site}/pump 1/mode`, { type: 'integer', names: { 0: 'off', 1: 'running' } }),
    tag(`${site}/pump 2/flow`, flow),
    tag(`${site}/pump 2/label`, { type: 'text' }),
    tag(`${other}/tank/level`, { aggregate: 'mean' }),
  ];
  const asset = (path: string) => ({ path, site: path.split('/')[0] ?? '', name: path, kind: 'pump', line: null });
  return new Catalog(
    {
      enterprise: 'works',
      sites: [site, other].map((id) => ({ id, name: id, location: 'here', timezone: 'UTC' })),
      assets: [asset(`${site}/pump 1`), asset(`${site}/pump 2`), asset(`${other}/tank`)],
      metrics: [],
      tags,
      devices: [{ name: 'line', protocol: 'none', enabled: true, connection: {} }],
    },
    new Map(tags.map((each, index) => [each.id, index])),
    revision,
  );
}

/** A present that tests write to. */
export class Now implements Present {
  readonly samples = new Map<number, Sample>();
  active: Alarm[] = [];
  readonly state = new Map<string, { status: 'operational'; comm: 'ok'; since: number }>();
  latest(tag: number): Sample | undefined {
    return this.samples.get(tag);
  }
  alarms(): Alarm[] {
    return this.active;
  }
  states() {
    return this.state;
  }
  /** Shows a value and gives the batch that says so. */
  says(tag: number, value: Sample['value'], more: Partial<Sample> = {}): Batch {
    const t = systemClock.micros();
    const sample = { tag, t, receivedAt: t, value, status: 0, flags: 0, ...more };
    this.samples.set(tag, sample);
    return { origin: 'live', source: 'line', samples: [sample], events: [] };
  }
}

export function alarmOf(event: string, of = site): Alarm {
  const asset = of === site ? `${site}/pump 1` : `${other}/tank`;
  return {
    ...{ key: `${asset}/flow`, name: 'flow', site: of, asset, tag: `${asset}/flow`, kind: 'limit', level: 'h' },
    ...{ severity: 'high', active: true, unacked: true, event, raisedAt: 1000, value: 90, limit: 80, message: 'high' },
  } as Alarm;
}

export function raised(event: string, of = site): Batch {
  const alarm = alarmOf(event, of);
  const told = { kind: 'alarm' as const, id: event, time: 1000, transition: 'raise' as const, alarm };
  return { origin: 'live', source: 'line', samples: [], events: [told] };
}

/** Each bucket holds its number; every third is a gap. Counts what it is asked. */
export class Past implements Historian {
  asked: { tags: number; count: number }[] = [];
  fails: Error | undefined;
  /** Answers only when called off. */
  hangs = false;
  calledOff = 0;
  async #asUsual(signal?: AbortSignal): Promise<void> {
    if (this.fails) throw this.fails;
    if (this.hangs)
      await new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => (this.calledOff++, reject(signal.reason as Error))),
      );
  }
  async buckets(
    tags: readonly number[],
    from: number,
    to: number,
    width: number,
    signal?: AbortSignal,
  ): Promise<BucketSeries[]> {
    const first = Math.floor(from / width) * width;
    const count = Math.ceil((to - first) / width);
    this.asked.push({ tags: tags.length, count });
    await this.#asUsual(signal);
    const t = Array.from({ length: count }, (_none, i) => first + i * width);
    const filled = (value: (i: number) => number) => t.map((_t, i) => (i % 3 === 2 ? null : value(i)));
    return tags.map((tag) => ({
      tag,
      t,
      n: t.map((_t, i) => (i % 3 === 2 ? 0 : 2)),
      min: filled((i) => i - 1),
      avg: filled((i) => i),
      max: filled((i) => i + 1),
    }));
  }
  async bucketText(asked: readonly { tag: number }[], from: number, to: number, width: number, signal?: AbortSignal) {
    const tags = asked.map(({ tag }) => tag);
    const series = await this.buckets(tags, from, to, width, signal);
    const bytes = (text: string) => new TextEncoder().encode(text);
    return {
      t: bytes(JSON.stringify((series[0]?.t ?? []).map((t) => t / 1000))),
      columns: series.map(({ min, avg, max }) => bytes(JSON.stringify({ min, avg, max }).slice(1, -1))),
    };
  }
  /** Of `raw`, ascending by time. */
  readonly samples = new Map<number, { t: number; value: Sample['value']; status: number }[]>();
  /** Why an answer is not whole. */
  lacks = '';
  /** Every `raw` that was asked. */
  pages: { tag: number; from: number; limit: number }[] = [];
  async raw(tag: number, from: number, to: number, limit: number, signal?: AbortSignal) {
    this.pages.push({ tag, from, limit });
    await this.#asUsual(signal);
    const within = (this.samples.get(tag) ?? []).filter(({ t }) => t >= from && t < to);
    const shown = within.slice(0, limit);
    return {
      tag,
      t: shown.map(({ t }) => t),
      value: shown.map(({ value }) => value),
      status: shown.map(({ status }) => status),
      more: within.length > limit,
      ...this.#lacking,
    };
  }
  async rows(...[tag, from, to, limit, form, signal]: Parameters<Historian['rows']>) {
    return rowText(await this.raw(tag, from, to, limit, signal), form);
  }
  /** Buckets of whole microseconds, the same figures as `buckets` gives; days are those of UTC. */
  async aggregate({ tags, from, to, width }: AggregateQuery, signal?: AbortSignal): Promise<AggregateSeries[]> {
    const size = typeof width === 'number' ? width : { hour: 3600e6, day: 86_400e6, week: 0, month: 0, year: 0 }[width];
    const series = await this.buckets(tags, from, to, size, signal);
    return series.map(({ tag, t, n, min, avg, max }) => ({
      ...{ tag, t, end: (t.at(-1) ?? from) + size, count: n, good: n, share: n.map((count) => (count > 0 ? 1 : 0)) },
      ...{ min, max, first: min, last: max, avg, mean: avg },
      ...this.#lacking,
    }));
  }
  async limitTime(tags: readonly number[], from: number, to: number, limit: number, signal?: AbortSignal) {
    this.asked.push({ tags: tags.length, count: 1 });
    await this.#asUsual(signal);
    return tags.map((tag) => ({ tag, above: (to - from) / 4, below: limit * 1e6, known: to - from, ...this.#lacking }));
  }
  get #lacking() {
    return this.lacks === '' ? {} : { incomplete: this.lacks, incompleteUntil: 1e12 };
  }
  /** Each sample holds until the next; nothing is known before the first. */
  async states(tags: readonly number[], from: number, to: number, limit: number): Promise<StateSeries[]> {
    await this.#asUsual();
    return tags.map((tag) => {
      const samples = (this.samples.get(tag) ?? []).filter(({ t }) => t < to);
      const spans = samples
        .map(({ t, value }, i) => ({ from: Math.max(from, t), to: Math.min(to, samples[i + 1]?.t ?? to), value }))
        .filter((span) => span.to > from)
        .map((span) => ({ ...span, quality: 'good' as const }));
      const durations = [...new Set(spans.map(({ value }) => value))].map((value) => {
        const of = spans.filter((span) => span.value === value);
        return { value, time: of.reduce((sum, span) => sum + span.to - span.from, 0), times: of.length };
      });
      return { tag, spans: spans.slice(0, limit), durations, more: spans.length > limit, ...this.#lacking };
    });
  }
  async latest() {
    return [];
  }
  async kpis(tags: readonly number[], from: number, to: number, signal?: AbortSignal) {
    this.asked.push({ tags: tags.length, count: 1 });
    await this.#asUsual(signal);
    return tags.map((tag) => {
      const within = (this.samples.get(tag) ?? []).filter(({ t }) => t >= from && t < to);
      const good = within.filter(({ status }) => status === 0).map(({ value }) => Number(value));
      const or = (value: number): number | null => (good.length > 0 ? value : null);
      const avg = or(good.reduce((a, b) => a + b, 0) / good.length);
      const figures = { n: good.length, min: or(Math.min(...good)), avg, max: or(Math.max(...good)) };
      return { tag, ...figures, last: within.at(-1) ?? null, ...this.#lacking };
    });
  }
}

export interface Answer {
  code: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface Bed {
  web: Web;
  port: number;
  now: Now;
  past: Past;
  status: Status;
  log: string[];
  acts: OperatorAct[];
  /** What the ingest route filed, and how many items it refused. */
  filed: Reading[];
  refused: number[];
  answer: { act: ActResult; durable: () => Promise<void>; room: () => Promise<void>; ledger: WireLedger };
  folder: string;
  ask(path: string, how?: { method?: string; headers?: Record<string, string>; body?: string }): Promise<Answer>;
  close(): Promise<void>;
}

export async function bed(settings: Partial<WebOptions['settings']> = {}): Promise<Bed> {
  // A folder that has `assets` in its own path must not make the page immutable.
  const folder = mkdtempSync(join(tmpdir(), 'penstock-web-'));
  const assets = join(folder, 'assets', 'dist');
  mkdirSync(join(assets, 'assets'), { recursive: true });
  const page = `<!doctype html><title>page</title>${' '.repeat(2000)}`;
  writeFileSync(join(assets, 'index.html'), page);
  writeFileSync(join(assets, 'index.html.br'), brotliCompressSync(page));
  writeFileSync(join(assets, 'assets', 'index-abc123.js'), 'export {};');
  writeFileSync(join(assets, '.built'), 'hash');
  writeFileSync(join(assets, 'manifest.json'), '{}');
  const log: string[] = [];
  const say = (_detail: object, message: string) => void log.push(message);
  const status = new Status({ debug() {}, info() {}, warn: say, error: say });
  const now = new Now();
  const past = new Past();
  const acts: OperatorAct[] = [];
  const filed: Reading[] = [];
  const refused: number[] = [];
  const answer: Bed['answer'] = {
    act: { ok: true, seq: 7 },
    durable: async () => {},
    room: async () => {},
    ledger: { time: '2026-01-01T00:00:00.000Z', holds: true, faults: [], sources: [], consumers: [] },
  };
  const web = createWeb({
    catalog: plant(),
    clock: systemClock,
    status,
    present: now,
    historian: past,
    act: (act) => (acts.push(act), answer.act),
    durable: () => answer.durable(),
    intake: {
      file: (readings) => (filed.push(...readings), { accepted: readings.length, rejected: 0, shed: 0, seq: 9 }),
      reject: (count) => void refused.push(count),
      // As the journal does: it waits until there is room or until it is called off.
      room: (signal) =>
        Promise.race([
          answer.room(),
          new Promise<void>((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason as Error)),
          ),
        ]),
      ahead: 300_000,
      kept: () => systemClock.now() - 20 * 365 * 86_400_000,
    },
    devices: () => [{ name: 'line' }],
    ledger: async () => answer.ledger,
    backlogs: () => [{ name: 'historian', samples: 3, bytes: 40, dropped: 1 }],
    settings: {
      ...{ host: '127.0.0.1', port: 0, hosts: ['gateway.test'], insecure: false, assets },
      ...{ version: '1.2.3', gatewayId: 'one', ingest: { tokenFile: '' } },
      ...settings,
    },
  });
  const { port } = await web.listen();
  return {
    ...{ web, port, now, past, status, log, acts, filed, refused, answer, folder },
    ask: (path, { method = 'GET', headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => (text += part));
          response.on('end', () => resolve({ code: response.statusCode ?? 0, headers: response.headers, text }));
        });
        sent.on('error', reject);
        sent.end(body);
      }),
    async close() {
      await web.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
