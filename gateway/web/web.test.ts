// The web server over real sockets: REST, its guards and error answers, the page's files, OpenAPI, health and metrics.
import { request } from 'node:http';
import { connect } from 'node:net';
import { chromium } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import Schema from 'typebox/schema';
import { findProgram, needs } from '../test/needs.ts';
import { createApp } from './app.ts';
import { FLOW, FLOW_2, LABEL, MODE, alarmOf, bed, other, site } from './bed.ts';
import type { Bed } from './bed.ts';
import type { ErrorBody, Summary, Timeseries } from './wire.ts';

let it: Bed;
beforeEach(async () => {
  it = await bed();
  it.now.says(FLOW, 40);
  it.now.says(FLOW_2, 20);
  it.now.says(MODE, 9007199254740993n);
  it.now.says(LABEL, '12');
});
afterEach(() => it.close());

const at = encodeURIComponent(site);
const json = { 'content-type': 'application/json' };
const get = async <T>(path: string): Promise<T> => JSON.parse((await it.ask(`/api/v1${path}`)).text) as T;
const post = (path: string, body: unknown, headers: Record<string, string> = json) =>
  it.ask(`/api/v1${path}`, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
const error = (text: string) => JSON.parse(text) as ErrorBody;

describe('figures', () => {
  test('a summary: the site’s figures now and over the window, with values as the devices gave them', async () => {
    it.now.active = [alarmOf('e1')];
    const summary = await get<Summary>(`/dashboard/summary/${at}?hours=1`);
    expect(summary.facility).toMatchObject({ id: site, assets: 2 });
    expect(summary.counts).toMatchObject({ operational: 0, offline: 2 });
    expect(summary.alarms).toEqual({ low: 0, medium: 0, high: 1, critical: 0 });
    const [kpi] = summary.kpis;
    expect(kpi).toMatchObject({ metric: 'flow', current: 60, reporting: 2, of: 2, range: { low: 20, high: 160 } });
    expect(kpi?.spark).toHaveLength(30);
    expect(kpi?.spark.slice(0, 3)).toEqual([0, 2, null]);
    const values = summary.assets.flatMap((asset) => asset.values);
    expect(values.map(({ value }) => value)).toEqual([40, '9007199254740993', 20, '12']);
    expect(values[0]).toMatchObject({ quality: 'good', stale: false, alarm: 'high' });
  });

  test('an uncertain value, and one made because the device is lost, are no part of the figure', async () => {
    it.now.says(FLOW, 40, { status: 0x40000000 });
    const { kpis, assets } = await get<Summary>(`/dashboard/summary/${at}`);
    expect(kpis[0]).toMatchObject({ current: 20, reporting: 1, of: 2 });
    expect(assets[0]?.values[0]).toMatchObject({ quality: 'uncertain', stale: false });
  });

  test('history is asked once for many pages', async () => {
    await Promise.all([1, 2, 3].map(() => get(`/dashboard/summary/${at}?hours=24`)));
    expect(it.past.asked).toHaveLength(2);
  });

  test('a timeseries: every bucket of the range, gaps as null', async () => {
    const series = await get<Timeseries>(`/dashboard/timeseries/${at}?metric=flow&hours=2&bucket_minutes=10`);
    expect(series).toMatchObject({ facility: site, metric: 'flow', bucketMinutes: 10 });
    expect(series.series.map((one) => one.tag)).toEqual([`${site}/pump 1/flow`, `${site}/pump 2/flow`]);
    expect(series.t).toHaveLength(12);
    expect(series.t[0]).toBe(Date.parse(series.from));
    expect(series.series[0]?.avg.slice(0, 3)).toEqual([0, 1, null]);
  });

  test('a timeseries of a range: as many buckets as a screen has pixels, of the assets asked', async () => {
    const from = Date.UTC(2026, 4, 1);
    const ask = (more: object) => {
      const query = new URLSearchParams({ metric: 'flow', from: String(from), ...more } as Record<string, string>);
      return get<Timeseries>(`/dashboard/timeseries/${at}?${query}`);
    };
    const series = await ask({ to: String(from + 600_000), points: '100', assets: `${site}/pump 2` });
    expect(series.series.map((one) => one.tag)).toEqual([`${site}/pump 2/flow`]);
    expect([series.bucketMinutes, series.t.length, series.t[0]]).toEqual([1 / 6, 60, from]);
    const year = await ask({ to: String(from + 365 * 86_400_000), points: '200' });
    expect([year.bucketMinutes, year.t.length]).toEqual([2 * 1440, 183]);
    const wrong = [`to=${from}&from=${from}`, 'points=9', 'points=4001', 'from=-1', `from=${from}&to=9999999999999`];
    for (const query of wrong)
      expect((await it.ask(`/api/v1/dashboard/timeseries/${at}?metric=flow&${query}`)).code, query).toBe(400);
  });

  test('a decomposed accent in the address is the same facility', async () => {
    expect(await get(`/dashboard/summary/${encodeURIComponent(site.normalize('NFD'))}`)).toMatchObject({ hours: 24 });
  });

  test('the tag table is sent once and then only confirmed', async () => {
    const first = await it.ask(`/api/v1/dict?facility=${at}`);
    expect(JSON.parse(first.text)).toMatchObject({ rev: 1, facility: site });
    const etag = first.headers.etag ?? '';
    const again = await it.ask(`/api/v1/dict?facility=${at}`, { headers: { 'if-none-match': etag } });
    expect([again.code, again.text]).toEqual([304, '']);
    expect((await it.ask('/api/v1/dict')).headers.etag).not.toBe(etag);
  });
});

describe('bad input', () => {
  const wrong: [path: string, code: number, field: string | undefined, says: string][] = [
    [`/dashboard/summary/${at}?hours=0`, 400, 'hours', 'from 1 to 48'],
    [`/dashboard/summary/${at}?hours=49`, 400, 'hours', 'from 1 to 48'],
    [`/dashboard/summary/${at}?hours=abc`, 400, 'hours', 'from 1 to 48'],
    [`/dashboard/summary/${at}?hours=`, 400, 'hours', 'from 1 to 48'],
    [`/dashboard/summary/${at}?hours=1.5`, 400, 'hours', 'from 1 to 48'],
    [`/dashboard/summary/${at}?hours=0x10`, 400, 'hours', 'from 1 to 48'],
    [`/dashboard/summary/${at}?hours=1&hours=2`, 400, 'hours', 'from 1 to 48'],
    [`/dashboard/summary/${at}?hour=3`, 400, 'hour', 'there is no parameter'],
    ['/dashboard/summary/nowhere', 404, 'facility', `there are: ${site}, ${other}`],
    [`/dashboard/timeseries/${at}`, 400, 'metric', 'is missing'],
    [`/dashboard/timeseries/${at}?metric=none`, 400, 'metric', 'flow, mode'],
    [`/dashboard/timeseries/${at}?metric=flow&bucket_minutes=61`, 400, 'bucket_minutes', 'from 1 to 60'],
    ['/alarms?facility=nowhere', 404, 'facility', 'nowhere'],
    ['/stream?hz=3', 400, 'hz', '1, 2, 4'],
    ['/stream?facility=nowhere', 404, 'facility', 'nowhere'],
    ['/nothing', 404, undefined, '/docs'],
    ['/dashboard/summary/%ff', 400, undefined, '%ff'],
  ];
  test.each(wrong)('%s is %i', async (path, code, field, says) => {
    const answer = await it.ask(`/api/v1${path}`);
    expect(answer.code).toBe(code);
    expect(error(answer.text).field).toBe(field);
    expect(error(answer.text).message).toContain(says);
  });

  const bodies: [body: unknown, field: string | undefined][] = [
    [{ key: 'a' }, 'minutes'],
    [{ key: 'a', minutes: '5' }, 'minutes'],
    [{ key: 'a', minutes: null }, 'minutes'],
    [{ key: 5, minutes: 5 }, 'key'],
    [{ key: 'a', minutes: 5, until: 9 }, 'until'],
    [[], undefined],
    ['{"key":', undefined],
    ['', undefined],
  ];
  test.each(bodies)('shelving %j is 400 and carries nothing out', async (body, field) => {
    const answer = await post('/alarms/shelve', body);
    expect([answer.code, error(answer.text).field]).toEqual([400, field]);
    expect(it.acts).toEqual([]);
  });

  test('history that fails says so, in the shape of every error', async () => {
    const path = `/api/v1/dashboard/timeseries/${at}?metric=flow`;
    const failing: [Error, number][] = [
      [new Error('disk'), 503],
      [new RangeError('too many cells: ask for fewer'), 400],
      [new RangeError('the query took longer than 10 s'), 504],
      [new TypeError('x is undefined'), 500],
    ];
    for (const [fails, code] of failing) {
      it.past.fails = fails;
      const answer = await it.ask(path);
      expect(answer.code).toBe(code);
      expect(Object.keys(error(answer.text))).toEqual(['error', 'message']);
    }
    expect(it.log.filter((line) => line.includes('disk'))).toHaveLength(1);
  });

  test('a page that leaves calls its query off, and nothing is logged', async () => {
    it.past.hangs = true;
    const path = `/api/v1/dashboard/timeseries/${at}?metric=flow`;
    const sent = request({ host: '127.0.0.1', port: it.port, path, agent: false });
    sent.on('error', () => {});
    sent.end();
    await expect.poll(() => it.past.asked.length).toBe(1);
    sent.destroy();
    await expect.poll(() => it.past.calledOff).toBe(1);
    expect((await it.ask('/livez')).code).toBe(200);
    expect(it.log).toEqual([]);
  });
});

describe('acts', () => {
  const body = { key: 'pump', event: 'e1', comment: 'seen' };

  test('an acknowledgement answers only when it is stored', async () => {
    let store = () => {};
    it.answer.durable = () => new Promise<void>((resolve) => (store = resolve));
    let answered = false;
    const answer = post('/alarms/acknowledge', body).finally(() => (answered = true));
    await expect.poll(() => it.acts.length).toBe(1);
    await it.ask('/livez');
    expect(answered).toBe(false);
    store();
    expect(await answer).toMatchObject({ code: 200, text: '{"ok":true}' });
    expect(it.acts).toEqual([{ kind: 'acknowledge', ...body, user: 'operator' }]);
  });

  test('minutes 0 takes an alarm off the shelf', async () => {
    await post('/alarms/shelve', { key: 'pump', minutes: 30, user: 'anna' });
    await post('/alarms/shelve', { key: 'pump', minutes: 0 });
    expect(it.acts.map((act) => act.kind)).toEqual(['shelve', 'unshelve']);
    expect(it.acts[0]).toMatchObject({ user: 'anna' });
  });

  test.each([
    ['unknown', 404, 'key'],
    ['outdated', 409, 'event'],
    ['refused', 409, undefined],
  ] as const)('%s is %i', async (reason, code, field) => {
    it.answer.act = { ok: false, reason, message: 'because' };
    const answer = await post('/alarms/acknowledge', body);
    expect(answer.code).toBe(code);
    expect(error(answer.text)).toMatchObject({ message: 'because', ...(field ? { field } : {}) });
  });

  test('what a write must be: of our own page or a program, JSON, and small', async () => {
    const host = `127.0.0.1:${it.port}`;
    const tries: [number, Record<string, string>, string?][] = [
      [415, {}],
      [415, { 'content-type': 'text/plain' }],
      [415, { 'content-type': 'application/x-www-form-urlencoded' }],
      [403, { ...json, origin: 'http://evil.test' }],
      [403, { ...json, origin: 'null' }],
      [413, json, JSON.stringify({ ...body, comment: 'x'.repeat(70_000) })],
      [200, { ...json, origin: `http://${host}` }],
    ];
    for (const [code, headers, text] of tries)
      expect((await post('/alarms/acknowledge', text ?? body, headers)).code).toBe(code);
    expect(it.acts).toHaveLength(1);
  });
});

test('only its own names are answered to', async () => {
  const ask = async (host: string) => (await it.ask('/livez', { headers: { host } })).code;
  expect(await ask('evil.test')).toBe(421);
  expect(await ask(`localhost.evil.test:${it.port}`)).toBe(421);
  expect(await ask('10.0.0.7')).toBe(421);
  expect(await ask(`GATEWAY.test:${it.port}`)).toBe(200);
  expect(await ask('[::1]:80')).toBe(200);
});

test('garbage on the socket is refused and the server goes on', async () => {
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    const socket = connect(it.port, '127.0.0.1', () => socket.write('\x16\x03\x01 garbage\r\n\r\n'));
    socket.on('data', (part) => (text += String(part)));
    // The server may reset instead of closing: bytes of ours were left unread.
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
  expect(answer).toContain('400');
  expect((await it.ask('/livez')).code).toBe(200);
});

describe('the page', () => {
  const html = { accept: 'text/html,*/*' };

  test('comes compressed and is asked for anew; hashed files are kept for ever', async () => {
    const page = await it.ask('/', { headers: { ...html, 'accept-encoding': 'br' } });
    expect(page.headers).toMatchObject({ 'content-encoding': 'br', 'cache-control': 'no-cache' });
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
    const script = await it.ask('/assets/index-abc123.js');
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  test('any address of the page is the page, for a browser alone', async () => {
    expect(await it.ask('/alarms', { headers: html })).toMatchObject({ code: 200 });
    expect((await it.ask('/alarms', { headers: html })).headers['cache-control']).toBe('no-cache');
    expect((await it.ask('/alarms')).code).toBe(404);
    expect((await it.ask('/api/v1/none', { headers: html })).code).toBe(404);
    expect((await it.ask('/alarms', { method: 'POST', headers: { ...html, ...json }, body: '{}' })).code).toBe(404);
  });

  test.each(['/.built', '/manifest.json', '/../bed.ts', '/%2e%2e/%2e%2e/index.html'])(
    '%s is not served',
    async (path) => {
      expect((await it.ask(path)).code).toBeGreaterThanOrEqual(400);
    },
  );

  test('HEAD answers without a body, and opens no stream', async () => {
    const head = await it.ask('/livez', { method: 'HEAD' });
    expect([head.code, head.text]).toEqual([200, '']);
    expect((await it.ask('/api/v1/stream', { method: 'HEAD' })).code).toBe(404);
  });
});

test('the policy of /docs lets its own parts in and nobody else’s', async () => {
  const { code, headers } = await it.ask('/docs/');
  expect(code).toBe(200);
  const policy = String(headers['content-security-policy']);
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toMatch(/https:|upgrade-insecure|validator/);
});

needs('chromium')('/docs works in a browser, with nothing from elsewhere and no error', async () => {
  const browser = await chromium.launch({ executablePath: findProgram('chromium'), args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    const said: string[] = [];
    page.on('console', (message) => {
      if (message.type() !== 'log') said.push(message.text());
    });
    page.on('pageerror', (fault) => said.push(fault.message));
    const own = `http://127.0.0.1:${it.port}/`;
    page.on('request', (asked) => {
      if (!/^(data|blob):/.test(asked.url()) && !asked.url().startsWith(own)) said.push(asked.url());
    });
    await page.goto(`${own}docs/`);
    await page.getByText('/api/v1/dashboard/summary/').first().waitFor();
    expect(said).toEqual([]);
  } finally {
    await browser.close();
  }
});

test('what has a default is described as something that need not be asked for', async () => {
  interface Parameter {
    required?: boolean;
    schema: object;
  }
  const spec = JSON.parse((await it.ask('/docs/json')).text) as {
    paths: Record<string, { get?: { parameters?: Parameter[] } }>;
  };
  const parameters = Object.values(spec.paths).flatMap(({ get }) => get?.parameters ?? []);
  const defaulted = parameters.filter(({ schema }) => 'default' in schema);
  expect(defaulted.length).toBeGreaterThan(3);
  expect(defaulted.filter(({ required }) => required)).toEqual([]);
});

test('a request that comes in drop by drop is given up as a whole, not only its head', async () => {
  const settings = { host: '127.0.0.1', hosts: [], insecure: false, assets: '/nowhere', version: '1' };
  const { server } = createApp(settings, it.status);
  // Node swaps the two when the head may take longer than all of it.
  expect(server.headersTimeout).toBeLessThanOrEqual(server.requestTimeout);
});

test('OpenAPI lists every route, and what the server answers is what it says', async () => {
  const spec = JSON.parse((await it.ask('/docs/json')).text) as {
    paths: Record<
      string,
      Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>
    >;
  };
  const api = '/api/v1';
  const asked: Record<string, string> = {
    [`${api}/facilities`]: '',
    [`${api}/dict`]: '',
    [`${api}/dashboard/summary/{facility}`]: '',
    [`${api}/dashboard/timeseries/{facility}`]: '?metric=flow',
    [`${api}/alarms`]: '',
    [`${api}/devices`]: '',
    [`${api}/history/raw`]: '?from=2026-05-01&to=2026-05-02',
    [`${api}/history/buckets`]: '?from=2026-05-01&to=2026-05-02&width=6h',
    [`${api}/history/states`]: '?from=2026-05-01&to=2026-05-02',
    [`${api}/history/kpis`]: '?from=2026-05-01&to=2026-05-02',
    [`${api}/history/limit-time`]: '?from=2026-05-01&to=2026-05-02&limit=2.5',
    [`${api}/ledger`]: '',
    '/livez': '',
    '/readyz': '',
    '/health': '',
  };
  expect(Object.keys(spec.paths).sort()).toEqual(
    [
      ...Object.keys(asked),
      `${api}/export.csv`,
      `${api}/ingest/batch`,
      `${api}/alarms/acknowledge`,
      `${api}/alarms/shelve`,
      `${api}/stream`,
      '/metrics',
    ].sort(),
  );
  it.now.active = [alarmOf('e1')];
  const sums = { received: 3, made: 1, rejected: 0, filtered: 1, shed: 0, journalled: 2, merged: 1 };
  const settled = { delivered: 1, filtered: 0, backlog: 0, deadLettered: 0, dropped: 1 };
  const lost = { from: '2026-01-01T00:00:00.000Z', to: '2026-01-01T00:00:01.000Z' };
  it.answer.ledger.sources = [{ source: 'line', ...sums, inJournal: 2, holds: true }];
  it.answer.ledger.consumers = [{ consumer: 'historian', journalled: 2, ...settled, lost, holds: true }];
  expect(JSON.parse((await it.ask(`${api}/ledger`)).text)).toEqual(it.answer.ledger);
  for (const [path, query] of Object.entries(asked)) {
    const schema = spec.paths[path]?.get?.responses['200']?.content?.['application/json']?.schema;
    expect(schema, path).toBeDefined();
    const { text } = await it.ask(path.replace('{facility}', at) + query);
    expect(Schema.Errors(schema ?? {}, JSON.parse(text)), path).toEqual([true, []]);
  }
  const refusal = spec.paths[`${api}/alarms`]?.get?.responses['4XX']?.content?.['application/json']?.schema ?? {};
  expect(Schema.Check(refusal, JSON.parse((await it.ask(`${api}/alarms?facility=x`)).text))).toBe(true);
  expect(Schema.Check(refusal, { error: 1 })).toBe(false);
});

test('health and metrics', async () => {
  it.status.set('mqtt', 'degraded', 'no client');
  expect(JSON.parse((await it.ask('/health')).text)).toMatchObject({
    status: 'degraded',
    consumers: [{ name: 'historian', samples: 3, bytes: 40, dropped: 1 }],
  });
  it.status.set('writer', 'failed', 'disk full');
  const health = await it.ask('/health');
  expect(health.code).toBe(503);
  expect(health.text).toContain('disk full');
  const metrics = await it.ask('/metrics');
  expect(metrics.headers['content-type']).toContain('text/plain');
  expect(metrics.text).toMatch(/penstock_http_requests_total\{.*code="503".*\} 1\n/);
  expect(metrics.text).toMatch(/^process_resident_memory_bytes \d+$/m);
});

test('a wide address is refused without insecure, a busy port in words', async () => {
  await expect(bed({ host: '0.0.0.0' })).rejects.toThrow('web.insecure');
  await expect(bed({ port: it.port })).rejects.toMatchObject({ code: 'EADDRINUSE', message: /web\.port/ });
});
