// POST /api/v1/ingest/batch against the real server: who is let in, what is taken, what is said of the rest.
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FLOW, LABEL, MODE, bed, site } from '../bed.ts';
import type { Bed } from '../bed.ts';

let it: Bed;
let folder: string;
let tokenFile: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-ingest-'));
  tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'secret\n');
  it = await bed({ ingest: { tokenFile } });
});
afterEach(async () => {
  await it.close();
  rmSync(folder, { recursive: true, force: true });
});

const send = async (body: unknown, token = 'secret') => {
  const answer = await it.ask('/api/v1/ingest/batch', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { code: answer.code, headers: answer.headers, body: JSON.parse(answer.text) as Record<string, unknown> };
};
const flow = `${site}/pump 1/flow`;

test('an item whose time has another name is not one of now, and a packed body is refused as such', async () => {
  const { body } = await send({ items: [{ tag: flow, value: 12, ts: '2026-05-01T12:00:00Z' }] });
  expect(body).toMatchObject({ accepted: 0, rejected: 1, reasons: { 'bad time': 1 } });
  expect(it.filed).toEqual([]);
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip', authorization: 'Bearer secret' };
  const packed = await it.ask('/api/v1/ingest/batch', { method: 'POST', headers, body: 'x' });
  expect([packed.code, packed.text]).toEqual([415, expect.stringContaining('without Content-Encoding')]);
});

test('each item is judged by itself; the rest is filed and durable', async () => {
  let confirm = () => {};
  it.answer.durable = () => new Promise<void>((resolve) => (confirm = resolve));
  const before = Date.now() * 1000;
  const sent = send({
    items: [
      { tag: flow, value: 12.5, timestamp: '2026-05-01T12:00:00.123456Z' },
      { tag: flow, value: 1 },
      { tag: flow, value: 2 },
      { tag: `${site}/pump 1/mode`, value: '9007199254740993', timestamp: 1777636800000, quality: 'uncertain' },
      { tag: `${site}/pump 2/label`, value: null, timestamp: 1777636800000, status: 0x80050000 },
      { tag: 'nowhere', value: 1 },
      { tag: flow, value: 'x' },
      { tag: flow, value: 1e6 },
      { tag: flow, value: 1, timestamp: '2126-01-01T00:00:00Z' },
      { tag: flow, value: 1, timestamp: null },
      { tag: flow },
      7,
    ],
  });
  await expect.poll(() => it.filed.length).toBe(5);
  const early = await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 50, 'waiting'))]);
  expect(early).toBe('waiting');
  confirm();
  const { code, body } = await sent;
  expect(code).toBe(200);
  expect(body).toMatchObject({
    accepted: 5,
    rejected: 7,
    reasons: {
      ...{ 'unknown tag': 1, 'bad value': 2, 'out of range': 1, 'in the future': 1, 'bad time': 1, 'not JSON': 1 },
    },
  });
  expect((body.errors as { index: number }[]).map(({ index }) => index)).toEqual([5, 6, 7, 8, 9, 10, 11]);
  expect(it.refused).toEqual([7]);
  expect(it.filed.map(({ tag, value, status }) => [tag, value, status])).toEqual([
    [FLOW, 12.5, 0],
    [FLOW, 1, 0],
    [FLOW, 2, 0],
    [MODE, 9007199254740993n, 0x40000000],
    [LABEL, null, 0x80050000],
  ]);
  expect(it.filed[0]?.at).toBe(Date.UTC(2026, 4, 1, 12) * 1000 + 123_456);
  const [first = 0, second = 0] = it.filed.slice(1, 3).map(({ at }) => at ?? 0);
  expect(second - first).toBe(1);
  expect(first).toBeGreaterThan(before - 1000);
});

test('what is older than this gateway keeps is accepted for the other stores, and counted as expired', async () => {
  const items = [1, 2, 3].map((value) => ({
    tag: flow,
    value,
    ...(value < 3 ? { timestamp: `1995-01-0${value}T00:00Z` } : {}),
  }));
  expect((await send({ items })).body).toMatchObject({ accepted: 3, expired: 2, rejected: 0 });
  expect(it.filed).toHaveLength(3);
  expect((await send({ items: [7] })).body).toMatchObject({ accepted: 0, expired: 0, rejected: 1 });
});

test('nobody is let in without the token; the file may change', async () => {
  const item = { items: [{ tag: flow, value: 1 }] };
  expect(await send(item, '')).toMatchObject({ code: 401, headers: { 'www-authenticate': 'Bearer' } });
  expect((await send(item, 'wrong')).code).toBe(401);
  writeFileSync(tokenFile, 'other');
  expect((await send(item)).code).toBe(401);
  expect((await send(item, 'other')).code).toBe(200);
  rmSync(tokenFile);
  expect((await send(item, 'other')).code).toBe(503);
  await it.close();
  it = await bed();
  expect(await send(item)).toMatchObject({
    code: 403,
    body: { message: expect.stringContaining('tokenFile') as string },
  });
  expect(it.filed).toEqual([]);
});

test('what is no batch, or too large a one, is refused as a whole', async () => {
  for (const body of [
    '[]',
    '{}',
    '{"items":5}',
    'null',
    '{"items":',
    { items: Array.from({ length: 5001 }, () => 1) },
  ]) {
    const answer = await send(body);
    expect(answer.code, JSON.stringify(body).slice(0, 40)).toBe(400);
  }
  expect((await send({ items: ['x'.repeat(1_100_000)] })).code).toBe(413);
  expect((await send({ items: [] })).body).toMatchObject({ accepted: 0, rejected: 0 });
  expect(it.filed).toEqual([]);
});

test('without room in the journal nothing is taken, and when to come again is said', async () => {
  it.answer.room = () => new Promise<void>(() => {});
  const { code, headers } = await send({
    items: [
      { tag: flow, value: 1 },
      { tag: 'nowhere', value: 1 },
    ],
  });
  expect([code, headers['retry-after']]).toEqual([503, '5']);
  expect([it.filed, it.refused]).toEqual([[], []]);
});

test('more requests at once than may wait are told to come again', async () => {
  let confirm = () => {};
  const stored = new Promise<void>((resolve) => (confirm = resolve));
  it.answer.durable = () => stored;
  const sent = Array.from({ length: 18 }, () => send({ items: [{ tag: flow, value: 1 }] }));
  await expect.poll(() => it.filed.length).toBe(16);
  await new Promise((resolve) => setTimeout(resolve, 50));
  confirm();
  const answers = await Promise.all(sent);
  expect(answers.filter(({ code }) => code === 200)).toHaveLength(16);
  expect(answers.filter(({ code, headers }) => code === 429 && headers['retry-after'] === '1')).toHaveLength(2);
});
