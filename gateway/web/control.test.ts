// The control socket over a real Unix socket: imports with good and bad lines, acts, and who may open it.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Catalog } from '../catalog.ts';
import type { Tag } from '../catalog.ts';
import { ManualClock } from '../clock.ts';
import type { ActResult, OperatorAct, Reading } from '../model.ts';
import { Past } from './bed.ts';
import { createControl } from './control.ts';
import { longestLine } from './intake/lines.ts';

const now = Date.UTC(2026, 5, 1);
const types: Record<string, Tag['type']> = { flow: 'double', running: 'boolean', count: 'integer', batch: 'text' };
const site = 'Skövde norra';
const asset = `${site}/pump 1`;

function plant(): Catalog {
  const tags = Object.entries(types).map(([metric, type]) => ({
    ...{ id: `${asset}/${metric}`, site, asset, metric, name: metric, type, unit: '', decimals: 1 },
    ...{ device: 'line', interval: 1000, address: {} },
  }));
  return new Catalog(
    {
      enterprise: 'works',
      sites: [{ id: site, name: site, location: 'Skövde', timezone: 'Europe/Stockholm' }],
      assets: [{ path: asset, site, name: 'Pump 1', kind: 'pump', line: null }],
      metrics: [],
      tags,
      devices: [{ name: 'line', protocol: 'none', enabled: true, connection: {} }],
    },
    new Map(tags.map((tag, index) => [tag.id, index])),
    1,
  );
}

let folder: string;
let filed: Reading[];
let slices: number[];
let rooms: number;
let unread: number;
let durable: number[];
let acts: OperatorAct[];
let result: ActResult;
let past: Past;
let control: { close(): Promise<void> };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-control-'));
  [filed, slices, rooms, unread, durable, acts] = [[], [], 0, 0, [], []];
  result = { ok: true, seq: 7 };
  past = new Past();
  const catalog = plant();
  control = await createControl({
    path: join(folder, 'control.sock'),
    clock: new ManualClock(now),
    catalog: () => catalog,
    file(_origin, readings) {
      slices.push(readings.length);
      filed.push(...readings);
      return { accepted: readings.length, rejected: 0, shed: 0, seq: filed.length };
    },
    reject: (_origin, lines) => (unread += lines),
    ahead: 300_000,
    kept: () => now - 30 * 86_400_000,
    historian: past,
    compact: async () => 3,
    room: async () => void rooms++,
    durable: async (seq) => void durable.push(seq),
    act: (act) => (acts.push(act), result),
    status: () => ({ version: '1.2.3' }),
    ledger: async () => ({ holds: true }),
    backup: async () => Promise.reject(new Error('there is no room')),
  });
});
afterEach(async () => {
  await control.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  code: number;
  body: Record<string, unknown>;
}
/** Sends the body in parts, so that lines and characters are cut anywhere. */
async function call(method: string, path: string, body = '', part = 65_536): Promise<Answer> {
  const { code, text } = await ask(method, path, body, part);
  return { code, body: JSON.parse(text) as Answer['body'] };
}
function ask(method: string, path: string, body = '', part = 65_536): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(folder, 'control.sock'), method, path }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    const bytes = Buffer.from(body);
    for (let from = 0; from < bytes.length; from += part) asked.write(bytes.subarray(from, from + part));
    asked.end();
  });
}
const line = (metric: string, value: unknown, timestamp: unknown = now - 1000, more: object = {}) =>
  JSON.stringify({ tag: `${asset}/${metric}`, timestamp, value, ...more });

test('files good lines, counts and names the bad ones, and is durable when it answers', async () => {
  const lines = [
    line('flow', 1.5, '2026-05-01T12:00:00.123456Z'),
    line('flow', 2, '2026-05-01T14:00:00+02:00'),
    line('running', true),
    line('running', 0),
    line('count', '9007199254740993'),
    line('count', 12),
    line('batch', 'Köln ✓'),
    line('flow', null, now - 1000, { status: 0x80050000 }),
    '',
    'junk',
    JSON.stringify({ tag: 'elsewhere/pump/flow', timestamp: now, value: 1 }),
    line('flow', 1, 'yesterday'),
    line('flow', 1, '2026-05-01T12:00:00'),
    line('flow', 1, Date.UTC(1980, 0, 1)),
    line('flow', 1, now + 2 * 86_400_000),
    line('flow', '1'),
    line('flow', null),
    line('running', 2),
    line('count', 1.5),
    line('count', 1e300),
    line('count', '99999999999999999999'),
    line('batch', 4),
    line('flow', 1, now, { status: -1 }),
  ];
  // Seven bytes a part: no line and hardly a letter comes whole.
  const { code, body } = await call('POST', '/import?origin=import', lines.join('\n'), 7);
  expect(code).toBe(200);
  expect(body).toMatchObject({
    accepted: 8,
    rejected: 14,
    reasons: {
      ...{ 'not JSON': 1, 'unknown tag': 1, 'bad time': 3, 'in the future': 1, 'bad value': 6, 'no value': 1 },
      'bad status': 1,
    },
    lastSeq: 8,
  });
  expect((body.firstErrors as { line: number }[]).map((fault) => fault.line)).toEqual([
    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
  ]);
  expect(durable).toEqual([8]);
  expect(unread).toBe(14);
  expect(filed.map(({ value }) => value)).toEqual([1.5, 2, true, false, 9007199254740993n, 12, 'Köln ✓', null]);
  expect(filed[0]?.at).toBe(Date.UTC(2026, 4, 1, 12) * 1000 + 123_456);
  expect(filed[1]?.at).toBe(Date.UTC(2026, 4, 1, 12) * 1000);
  expect(filed[7]?.status).toBe(0x80050000);
});

test('a long import goes in slices and asks for room before each', async () => {
  const lines = Array.from({ length: 2600 }, (_, n) => line('flow', n, now - 3_000_000 + n * 1000));
  const { body } = await call('POST', '/import?origin=seed', `${lines.join('\n')}\n`);
  expect(body).toMatchObject({ accepted: 2600, rejected: 0, firstErrors: [] });
  expect(filed.map(({ value }) => value)).toEqual(lines.map((_, n) => n));
  expect(Math.max(...slices)).toBeLessThanOrEqual(500);
  expect(rooms).toBe(slices.length);
});

test('shows twenty faults and counts them all; a line without an end is refused and the next one read', async () => {
  const junk = Array.from({ length: 30 }, () => 'junk');
  const long = 'x'.repeat(3 * longestLine);
  const { body } = await call('POST', '/import?format=ndjson', [...junk, long, line('flow', 5)].join('\n'));
  expect(body).toMatchObject({ accepted: 1, rejected: 31, reasons: { 'not JSON': 30, 'too long': 1 } });
  expect(body.firstErrors).toHaveLength(20);
});

test('an origin that is none is refused, as is a path that is not there', async () => {
  expect(await call('POST', '/import?origin=live')).toMatchObject({ code: 400, body: { field: 'origin' } });
  expect((await call('GET', '/import')).code).toBe(404);
  expect(await call('GET', '/status')).toMatchObject({ code: 200, body: { version: '1.2.3' } });
  expect(await call('GET', '/ledger')).toMatchObject({ code: 200, body: { holds: true } });
});

test('an export over the socket: many tags, and what is wrong in words', async () => {
  const t = Date.UTC(2026, 4, 1) * 1000;
  past.samples.set(0, [{ t, value: 1.5, status: 0 }]);
  past.samples.set(3, [{ t, value: 'Köln', status: 0 }]);
  const asked = `/export?tags=${encodeURIComponent(`${asset}/flow`)}&tags=${encodeURIComponent(`${asset}/batch`)}`;
  const range = '&from=2026-05-01&to=2026-05-02';
  const { code, text } = await ask('GET', `${asked}${range}&format=ndjson`);
  expect(code).toBe(200);
  expect(
    text
      .trim()
      .split('\n')
      .map((row) => (JSON.parse(row) as { value: unknown }).value),
  ).toEqual([1.5, 'Köln']);
  expect(await call('GET', '/export?tags=none')).toMatchObject({ code: 404, body: { field: 'tags' } });
  expect(await call('GET', '/export?format=xml')).toMatchObject({ code: 400, body: { field: 'format' } });
});

test('small parts of the history are joined by the writer', async () => {
  expect(await call('POST', '/history/compact')).toEqual({ code: 200, body: { fewer: 3 } });
});

describe('acts', () => {
  const act: OperatorAct = { kind: 'acknowledge', key: 'k', event: 'e', user: 'ada' };

  test('answer when they are durable', async () => {
    expect(await call('POST', '/act', JSON.stringify(act))).toEqual({ code: 200, body: { ok: true, seq: 7 } });
    expect(acts).toEqual([{ ...act, comment: undefined }]);
    expect(durable).toEqual([7]);
    await call('POST', '/act', JSON.stringify({ kind: 'shelve', key: 'k', until: now + 1, user: 'ada', reason: 'r' }));
    await call('POST', '/act', JSON.stringify({ kind: 'unshelve', key: 'k', user: 'ada' }));
    expect(acts.slice(1)).toEqual([
      { kind: 'shelve', key: 'k', until: now + 1, user: 'ada', reason: 'r' },
      { kind: 'unshelve', key: 'k', user: 'ada' },
    ]);
  });

  test.each([
    ['unknown', 404],
    ['outdated', 409],
    ['refused', 409],
  ] as const)('refused as %s: %i, and nothing is waited for', async (reason, code) => {
    result = { ok: false, reason, message: 'because' };
    expect(await call('POST', '/act', JSON.stringify(act))).toEqual({ code, body: result });
    expect(durable).toEqual([]);
  });

  test.each([
    '',
    'null',
    '[]',
    '{"kind":"acknowledge","key":"k","user":"u"}',
    '{"kind":"shelve","key":"k","user":"u"}',
  ])('what is none is refused: %s', async (body) => {
    expect((await call('POST', '/act', body)).code).toBe(400);
    expect(acts).toEqual([]);
  });

  test('one that is too large is refused', async () => {
    const { code } = await call('POST', '/act', JSON.stringify({ ...act, comment: 'x'.repeat(200_000) }));
    expect(code).toBe(413);
  });
});

test('a backup that cannot be taken is said in the answer', async () => {
  expect((await call('POST', '/backup')).body).toEqual({ error: 'there is no room' });
});

test('only its user may open the socket; a dead daemon’s is replaced; close takes it away', async () => {
  const path = join(folder, 'control.sock');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await control.close();
  expect(() => statSync(path)).toThrow('ENOENT');
  writeFileSync(path, '');
  const none = async () => {};
  const options = {
    ...{ clock: new ManualClock(now), catalog: plant, historian: past, durable: none, room: none, reject: () => {} },
    ...{
      ahead: 0,
      kept: () => now,
      ledger: async () => ({}),
      compact: async () => 0,
      backup: () => Promise.reject(new Error('none')),
    },
  };
  const act = (): ActResult => result;
  const file = () => ({ accepted: 0, rejected: 0, shed: 0 });
  control = await createControl({ ...options, path, act, file, status: () => ({ again: true }) });
  expect((await call('GET', '/status')).body).toEqual({ again: true });
  await expect(
    createControl({ ...options, path: join(folder, 'x'.repeat(120)), act, file, status: () => ({}) }),
  ).rejects.toThrow('too long for a socket');
});
