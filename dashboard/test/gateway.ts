// A stand-in for the network's far end in browser tests: serves dist and the API of wire.ts for a made-up plant of 30 assets
// and about 1,000 tags, with the server's strict CSP. Tests can silence the stream, move values and raise alarms.
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type {
  AcknowledgeBody,
  Dict,
  DictTag,
  Facility,
  MachineStatus,
  ShelveBody,
  StreamAlarm,
  Summary,
  WireAlarm,
  WireHealth,
} from '../../gateway/web/wire.ts';
import { samples, timeseries, type Ways } from './past.ts';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const kinds: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const quantities = [
  { metric: 'flow', name: 'Flow', unit: 'm³/h', decimals: 1, low: 40, high: 80 },
  { metric: 'level', name: 'Level', unit: '%', decimals: 0, low: 20, high: 90 },
  { metric: 'speed', name: 'Speed', unit: 'rpm', decimals: 0, low: 900, high: 1500 },
  { metric: 'current', name: 'Motor current', unit: 'A', decimals: 2, low: 4, high: 9 },
];

export interface Plant {
  url: string;
  /** Stops frames without closing connections, or lets them go on. */
  silence(on: boolean): void;
  raise(severity: WireAlarm['severity']): void;
  /** Sends a transition of the first facility's first alarm, changed by `over`. */
  turn(op: StreamAlarm['op'], over: Partial<WireAlarm>): void;
  /** Ends every stream's connection. */
  cut(): void;
  /** Last-Event-ID of every stream opened so far; empty for a first one. */
  resumed: string[];
  /** Every curve asked for. */
  asked: URLSearchParams[];
  /** Every time samples were asked for. */
  looked: URLSearchParams[];
  /** Curves whose answer nobody waited for. */
  calledOff(): number;
  /** What is said of the gateway's own parts. */
  health: WireHealth;
  /** How curves are answered from now on. */
  past: Ways;
  /** Streams open now. */
  streams(): number;
  acknowledged: AcknowledgeBody[];
  close(): Promise<void>;
}

/** `wide`: 33 tags an asset (about 1,000 in all, a row per tag); else four (a column per metric). */
export async function servePlant({ wide = false, hz = 1 } = {}): Promise<Plant> {
  const facilities: Facility[] = [
    { id: 'north', name: 'North works', location: 'Åre', timezone: 'Europe/Stockholm', assets: 30 },
    { id: 'south', name: 'South works', location: 'Évora', timezone: 'Europe/Lisbon', assets: 6 },
  ];
  const dicts = new Map(facilities.map((one) => [one.id, makeDict(one, wide)]));
  const alarms = new Map(facilities.map((one) => [one.id, makeAlarms(dicts.get(one.id) as Dict)]));
  const streams = new Map<ServerResponse, string>();
  const acknowledged: AcknowledgeBody[] = [];
  const resumed: string[] = [];
  const asked: URLSearchParams[] = [];
  const looked: URLSearchParams[] = [];
  const past: Ways = { delay: 0 };
  const health: WireHealth = { status: 'ok', components: [], consumers: [] };
  let calledOff = 0;
  let silent = false;
  let seq = 0;

  const value = (tag: DictTag, at: number) => {
    const { low, high } = tag.range ?? { low: 0, high: 100 };
    const wave = Math.sin(at / 90_000 + tag.i) * 0.35 + Math.sin(at / 4000 + tag.i * 7) * 0.05;
    return low + (high - low) * (0.5 + wave);
  };
  const quiet = (tag: DictTag) => tag.asset.endsWith('-7');
  const status = (n: number): MachineStatus =>
    n === 6 ? 'offline' : n === 3 ? 'down' : n === 10 ? 'maintenance' : n % 9 === 4 ? 'warning' : 'operational';
  const statuses = (dict: Dict) => Object.fromEntries(dict.assets.map((asset, n) => [asset.path, status(n)]));
  const send = (to: ServerResponse, event: string, body: unknown) =>
    to.write(`id: boot-${seq}\nevent: ${event}\ndata: ${JSON.stringify(body)}\n\n`);
  const each = (facility: string, event: string, body: unknown) => {
    for (const [to, of] of streams) if (of === facility) send(to, event, body);
  };

  const timer = setInterval(() => {
    if (silent) return;
    const t = Date.now();
    for (const [facility, dict] of dicts) {
      const moved = dict.tags.filter((tag) => !quiet(tag));
      each(facility, 'd', {
        t,
        i: moved.map((tag) => tag.i),
        v: moved.map((tag) => value(tag, t)),
        a: moved.map(() => 40),
        q: [],
      });
    }
  }, 1000 / hz);

  const server = createServer((request, answer) => {
    void handle(request, answer).catch((error: unknown) => {
      answer.writeHead(500).end(JSON.stringify({ error: 'broken', message: String(error) }));
    });
  });

  async function handle(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const json = (body: unknown, code = 200) =>
      answer.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const api = url.pathname.startsWith('/api/v1/') ? url.pathname.slice(8) : undefined;
    if (url.pathname === '/health') return void json(health, health.status === 'failed' ? 503 : 200);
    if (api === undefined) return page(url.pathname, answer);
    if (api === 'facilities') return void json(facilities);
    if (request.method === 'POST') {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const body = JSON.parse(text) as AcknowledgeBody & ShelveBody;
      for (const [facility, list] of alarms) {
        const alarm = list.find((one) => one.key === body.key);
        if (!alarm) continue;
        if (api === 'alarms/acknowledge') {
          acknowledged.push(body);
          Object.assign(alarm, { unacked: false, ackedAt: Date.now(), ackedBy: 'operator' });
        } else
          Object.assign(alarm, { shelvedUntil: body.minutes > 0 ? Date.now() + body.minutes * 60_000 : undefined });
        seq++;
        each(facility, 'al', { op: api === 'alarms/acknowledge' ? 'ack' : 'shelve', a: alarm });
      }
      return void json({ ok: true });
    }
    if (api === 'history/raw') {
      looked.push(url.searchParams);
      return void json(samples([...dicts.values()], url.searchParams, value));
    }
    const id = url.searchParams.get('facility') ?? decodeURIComponent(api.split('/')[2] ?? '');
    const dict = dicts.get(id);
    const facility = facilities.find((one) => one.id === id);
    if (!dict || !facility) return void json({ error: 'not found', message: `no facility ${id}` }, 404);
    const list = alarms.get(id) ?? [];
    if (api === 'dict') return void json(dict);
    if (api === 'stream') {
      answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      streams.set(answer, id);
      resumed.push(String(request.headers['last-event-id'] ?? ''));
      answer.on('close', () => streams.delete(answer));
      const t = Date.now();
      send(answer, 'hello', { p: 1, boot: 'boot', dict: 1, hz, now: t, version: '0' });
      send(answer, 'snap', {
        t,
        i: dict.tags.map((tag) => tag.i),
        v: dict.tags.map((tag) => value(tag, t)),
        a: dict.tags.map((tag) => (quiet(tag) ? 42_000 : 100)),
        q: dict.tags.filter(quiet).map((tag) => [tag.i, 2]),
        x: dict.tags.filter(quiet).map((tag) => tag.i),
        al: list,
        st: statuses(dict),
      });
      return;
    }
    const broken = () => json({ error: 'broken', message: past.fails }, 503);
    if (api.startsWith('dashboard/summary/')) return void (past.fails ? broken() : json(summary(facility, dict, list)));
    asked.push(url.searchParams);
    answer.on('close', () => answer.writableFinished || calledOff++);
    if (past.delay > 0) await new Promise((resolve) => setTimeout(resolve, past.delay));
    if (answer.destroyed) return;
    if (past.fails) return void broken();
    return void json(timeseries(facility, dict, url.searchParams, value, past));
  }

  function summary(facility: Facility, dict: Dict, list: WireAlarm[]): Summary {
    const metrics = [...new Map(dict.tags.map((tag) => [tag.metric, tag])).values()].slice(0, wide ? 9 : 4);
    return {
      facility,
      hours: 12,
      generatedAt: new Date().toISOString(),
      counts: { operational: 1, warning: 1, down: 1, maintenance: 1, offline: 1 },
      alarms: { low: 0, medium: 0, high: 0, critical: 0 },
      ...(past.incomplete === undefined ? {} : { incomplete: past.incomplete }),
      insights: list,
      assets: [],
      kpis: metrics.map((tag) => {
        const range = tag.range ?? { low: 0, high: 1 };
        const middle = (range.low + range.high) / 2;
        return {
          ...{
            metric: tag.metric,
            name: tag.name,
            unit: tag.unit,
            decimals: tag.decimals,
            aggregate: 'mean' as const,
            range,
          },
          ...{ current: middle, avg: middle, min: range.low, max: range.high, reporting: 1, of: 1 },
          spark: Array.from({ length: 60 }, (_, n) =>
            n > 30 && n < 36 ? null : middle + Math.sin(n / 6) + Math.sin(n * 3) / 4,
          ),
        };
      }),
    };
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence: (on) => (silent = on),
    raise(severity) {
      const now = Date.now();
      const asset = dicts.get('north')?.assets[1];
      const alarm: WireAlarm = {
        key: `${asset?.path}/late`,
        event: `${now}`,
        facility: 'north',
        asset: asset?.path,
        assetName: asset?.name,
        kind: 'limit',
        severity,
        active: true,
        unacked: true,
        raisedAt: now,
        message: 'Raised while watching',
      };
      alarms.get('north')?.push(alarm);
      seq++;
      each('north', 'al', { op: 'raise', a: alarm });
    },
    turn(op, over) {
      const alarm = alarms.get('north')?.[0];
      if (!alarm) return;
      Object.assign(alarm, over);
      seq++;
      each('north', 'al', { op, a: alarm });
    },
    cut: () => streams.forEach((_, answer) => answer.destroy()),
    resumed,
    asked,
    looked,
    calledOff: () => calledOff,
    past,
    health,
    streams: () => streams.size,
    acknowledged,
    async close() {
      clearInterval(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function page(path: string, answer: ServerResponse): void {
  const file = join(dist, normalize(path === '/' ? '/index.html' : path));
  if (!file.startsWith(dist) || !existsSync(file)) return void answer.writeHead(404).end();
  answer.writeHead(200, {
    'content-type': kinds[extname(file)] ?? 'text/plain',
    'content-security-policy': "default-src 'self'",
  });
  answer.end(readFileSync(file));
}

function makeDict(facility: Facility, wide: boolean): Dict {
  const words = ['Pump', 'Mill', 'Mixer', 'Dryer', 'Fan'];
  const assets = Array.from({ length: facility.assets }, (_, n) => {
    const word = words[n % words.length] ?? 'Pump';
    return {
      path: `${facility.id}/${word.toLowerCase()}-${n + 1}`,
      site: facility.id,
      name: `${word} ${n + 1}`,
      kind: word.toLowerCase(),
      line: `Line ${Math.floor(n / 8) + 1}`,
    };
  });
  const per = wide ? 33 : quantities.length;
  const tags = assets.flatMap((asset, a) =>
    Array.from({ length: per }, (_, n): DictTag => {
      const { low, high, metric, ...rest } = quantities[n % quantities.length] as (typeof quantities)[number];
      const turn = Math.floor(n / quantities.length);
      const name = turn ? `${metric}-${turn + 1}` : metric;
      const width = high - low;
      const limits = { ll: low - width * 0.1, l: low, h: high, hh: high + width * 0.1 };
      return {
        i: a * per + n,
        id: `${asset.path}/${name}`,
        asset: asset.path,
        metric: name,
        type: 'double',
        range: { low, high },
        limits,
        staleAfter: 10_000,
        ...rest,
        name: turn ? `${rest.name} ${turn + 1}` : rest.name,
      };
    }),
  );
  return { rev: 1, facility: facility.id, assets, tags };
}

function makeAlarms(dict: Dict): WireAlarm[] {
  const now = Date.now();
  const of = (n: number, severity: WireAlarm['severity'], minutes: number, more: Partial<WireAlarm>): WireAlarm => {
    const tag = dict.tags[n] as DictTag;
    const asset = dict.assets.find((one) => one.path === tag.asset);
    return {
      key: `${tag.id}/limit`,
      event: `e${n}`,
      facility: dict.facility ?? '',
      asset: tag.asset,
      assetName: asset?.name,
      tag: tag.id,
      kind: 'limit',
      level: 'h',
      severity,
      active: true,
      unacked: true,
      raisedAt: now - minutes * 60_000,
      value: tag.range?.high,
      limit: tag.limits?.h,
      unit: tag.unit,
      message: `${tag.name} above its high limit`,
      ...more,
    };
  };
  return [
    of(12, 'critical', 0.7, { level: 'hh', message: 'Flow far above its limit' }),
    of(6, 'high', 3, {}),
    of(18, 'high', 44, { unacked: false, ackedBy: 'operator' }),
    of(9, 'medium', 13, { active: false, clearedAt: now - 60_000 }),
    of(2, 'medium', 190, { unacked: false }),
    of(21, 'low', 1500, { unacked: false }),
    of(5, 'low', 12, { shelvedUntil: now + 3_600_000 }),
  ];
}
