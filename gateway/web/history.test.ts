// The history routes over the real server: pages and their cursors, zones, what is refused, what is called off.
import { request } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FLOW, FLOW_2, MODE, bed, other, site } from './bed.ts';
import type { Bed } from './bed.ts';
import { mostCells } from './history.ts';
import type { BucketsAnswer, RawAnswer, StatesAnswer } from './history.ts';
import type { KpiAnswer, LimitTimeAnswer } from './history-figures.ts';

let it: Bed;
beforeEach(async () => {
  it = await bed();
});
afterEach(() => it.close());

interface Page<T> {
  from: string;
  to: string;
  zone: string;
  t: string[];
  end: string;
  series: T[];
  next: string | null;
}
const start = Date.UTC(2026, 4, 1) * 1000;
const day = { from: '2026-05-01', to: '2026-05-02' };
const url = (kind: string, query: object) =>
  `/api/v1/history/${kind}?${new URLSearchParams({ ...query } as Record<string, string>)}`;
const ask = async <T>(kind: string, query: object) => {
  const answer = await it.ask(url(kind, query));
  expect(answer.code, answer.text).toBe(200);
  return JSON.parse(answer.text) as Page<T>;
};
/** All pages of a question, as the cursors lead. */
async function pages<T>(kind: string, query: object): Promise<Page<T>[]> {
  const all: Page<T>[] = [];
  for (let cursor: string | null | undefined; cursor !== null; cursor = all.at(-1)?.next)
    all.push(await ask<T>(kind, cursor === undefined ? query : { ...query, cursor }));
  return all;
}
const flows = { tags: `${site}/pump 1/flow,${site}/pump 2/flow` };

test('raw: page after page gives every sample once, over several tags', async () => {
  const samples = (count: number) =>
    Array.from({ length: count }, (_none, k) => ({ t: start + k * 1_000_001, value: k, status: k % 2 }));
  it.past.samples.set(FLOW, samples(7));
  it.past.samples.set(FLOW_2, samples(6));
  for (const limit of [1, 2, 5, 7, 13, 14, 5000]) {
    const all = await pages<RawAnswer>('raw', { ...day, ...flows, limit });
    const rows = all.flatMap(({ series }) => series.flatMap(({ tag, value }) => value.map((one) => [tag, one])));
    const expected = [FLOW, FLOW_2].flatMap((tag, i) =>
      (it.past.samples.get(tag) ?? []).map(({ value }) => [`${site}/pump ${i + 1}/flow`, value]),
    );
    expect(rows).toEqual(expected);
    for (const { series } of all) expect(series.reduce((sum, { t }) => sum + t.length, 0)).toBeLessThanOrEqual(limit);
  }
  const [first] = await pages<RawAnswer>('raw', { ...day, tags: `${site}/pump 1/flow`, zone: 'Europe/Berlin' });
  expect(first).toMatchObject({ from: '2026-05-01T00:00:00.000+02:00', zone: 'Europe/Berlin', next: null });
  expect(first?.series[0]?.unit).toBe('m³/h');
});

test('raw: a relative range stays the one of the first page', async () => {
  const now = Date.now() * 1000;
  it.past.samples.set(
    FLOW,
    [1, 2, 3].map((k) => ({ t: now - 3600e6 + k, value: k, status: 0 })),
  );
  const query = { from: 'now-2h', tags: `${site}/pump 1/flow`, limit: 2 };
  const first = await ask<RawAnswer>('raw', query);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await ask<RawAnswer>('raw', { ...query, cursor: first.next });
  expect([second.from, second.to, second.series[0]?.value]).toEqual([first.from, first.to, [3]]);
});

test('buckets: all tags side by side, only the figures asked, gaps as null', async () => {
  const answer = await ask<BucketsAnswer>('buckets', { ...day, ...flows, width: '6h', figures: 'min,max,count' });
  expect(answer.t).toEqual(['00', '06', '12', '18'].map((hour) => `2026-05-01T${hour}:00:00.000Z`));
  expect([answer.end, answer.next]).toEqual(['2026-05-02T00:00:00.000Z', null]);
  expect(answer.series[1]).toEqual({
    ...{ tag: `${site}/pump 2/flow`, unit: 'm³/h', min: [-1, 0, null, 2], max: [1, 2, null, 4], count: [2, 2, 0, 2] },
  });
});

test('buckets: more than an answer holds come in pages without a seam', async () => {
  const all = await pages<BucketsAnswer>('buckets', { ...day, ...flows, width: '10s', figures: 'count' });
  expect(all.length).toBeGreaterThan(3);
  const t = all.flatMap((page) => page.t);
  expect(t).toEqual(Array.from({ length: 8640 }, (_none, k) => new Date(start / 1000 + k * 10_000).toISOString()));
  all.forEach((page, k) => expect(page.end).toBe(all[k + 1]?.t[0] ?? '2026-05-02T00:00:00.000Z'));
  for (const { count } of it.past.asked) expect(count * 2).toBeLessThanOrEqual(mostCells);
});

test('states: spans with the names of an enumeration, and how long each value held', async () => {
  it.past.samples.set(
    MODE,
    [0, 1, 0].map((value, k) => ({ t: start + k * 3600e6, value, status: 0 })),
  );
  const query = { ...day, tags: `${site}/pump 1/mode` };
  const { series } = await ask<StatesAnswer>('states', query);
  expect(series[0]?.spans.map(({ text, from }) => [text, from])).toEqual([
    ['off', '2026-05-01T00:00:00.000Z'],
    ['running', '2026-05-01T01:00:00.000Z'],
    ['off', '2026-05-01T02:00:00.000Z'],
  ]);
  expect(series[0]?.durations).toEqual([
    { value: 0, text: 'off', seconds: 23 * 3600, times: 2 },
    { value: 1, text: 'running', seconds: 3600, times: 1 },
  ]);
  const all = await pages<StatesAnswer>('states', { ...query, limit: 1 });
  expect(all.flatMap((page) => page.series.flatMap(({ spans }) => spans.map(({ text }) => text)))).toEqual([
    ...['off', 'running', 'off'],
  ]);
});

test('kpis: one row a tag, with the last sample of any quality', async () => {
  it.past.samples.set(FLOW, [
    ...[3, 1].map((value, k) => ({ t: start + k, value, status: 0 })),
    { t: start + 2, value: null, status: 0x80050000 },
  ]);
  const { series } = await ask<KpiAnswer>('kpis', { ...day, ...flows, zone: 'Europe/Berlin', to: '2026-05-03' });
  expect(series).toEqual([
    {
      ...{ tag: `${site}/pump 1/flow`, unit: 'm³/h', n: 2, min: 1, avg: 2, max: 3 },
      last: { t: '2026-05-01T02:00:00.000002+02:00', value: null, status: 0x80050000 },
    },
    { tag: `${site}/pump 2/flow`, unit: 'm³/h', n: 0, min: null, avg: null, max: null, last: null },
  ]);
});

test('limit-time: seconds above and below', async () => {
  const { series } = await ask<LimitTimeAnswer>('limit-time', { ...day, ...flows, limit: '2.5' });
  const times = { unit: 'm³/h', above: 21_600, below: 2.5, known: 86_400 };
  expect(series).toEqual([1, 2].map((pump) => ({ tag: `${site}/pump ${pump}/flow`, ...times })));
});

test('what is missing is said in every answer, for each tag, and until when', async () => {
  it.past.samples.set(FLOW, [{ t: start, value: 1, status: 0 }]);
  it.past.lacks = 'the store elsewhere does not answer';
  for (const [kind, query] of [
    ['raw', {}],
    ['states', {}],
    ['buckets', { width: '6h', figures: 'min' }],
    ['kpis', {}],
    ['limit-time', { limit: 1 }],
  ] as const) {
    const { series } = await ask<object>(kind, { ...day, ...flows, ...query });
    const said = { incomplete: it.past.lacks, incompleteUntil: '1970-01-12T13:46:40.000Z' };
    expect(series, kind).toMatchObject([said, said]);
  }
});

test.each([
  ['kpis', { tags: 'none' }, 404, 'tags'],
  ['kpis', { limit: 1 }, 400, 'limit'],
  ['kpis', { from: 'now', to: 'now-1h' }, 400, 'from'],
  ['limit-time', {}, 400, 'limit'],
  ['limit-time', { limit: 'high' }, 400, 'limit'],
  ['limit-time', { limit: '1e999' }, 400, 'limit'],
  ['limit-time', { limit: '0x10' }, 400, 'limit'],
  ['limit-time', { limit: 1, cursor: 'x' }, 400, 'cursor'],
  ['raw', { tags: 'none' }, 404, 'tags'],
  ['raw', { tags: ',' }, 400, 'tags'],
  ['kpis', { tags: ',,' }, 400, 'tags'],
  ['raw', { asset: 'none' }, 404, 'asset'],
  ['raw', { limit: 5001 }, 400, 'limit'],
  ['raw', { cursor: 'bm9uc2Vuc2U' }, 400, 'cursor'],
  ['raw', { zone: 'Mars/Olympus' }, 400, 'zone'],
  ['raw', { from: 'now', to: 'now-1h' }, 400, 'from'],
  ['raw', { since: 'now' }, 400, 'since'],
  ['buckets', {}, 400, 'width'],
  ['buckets', { width: '5' }, 400, 'width'],
  ['buckets', { width: '5m', figures: 'median' }, 400, 'figures'],
  ['states', { limit: 0 }, 400, 'limit'],
])('%s %j is %i', async (kind, query, code, field) => {
  const answer = await it.ask(url(kind, query));
  expect([answer.code, (JSON.parse(answer.text) as { field: string }).field]).toEqual([code, field]);
});

test('a cursor of another list of tags is refused', async () => {
  it.past.samples.set(
    FLOW,
    [1, 2].map((k) => ({ t: start + k, value: k, status: 0 })),
  );
  const { next } = await ask<RawAnswer>('raw', { ...day, tags: `${site}/pump 1/flow`, limit: 1 });
  const answer = await it.ask(url('raw', { ...day, tags: `${other}/tank/level`, cursor: next }));
  expect(answer.code).toBe(400);
});

test('who leaves calls the query off; a query over its bounds says so', async () => {
  it.past.hangs = true;
  for (const [kind, query] of [
    ['raw', { ...day, ...flows }],
    ['buckets', { ...day, ...flows, width: '1h' }],
    ['kpis', { ...day, ...flows }],
    ['limit-time', { ...day, ...flows, limit: '1' }],
  ] as const) {
    it.past.calledOff = 0;
    const sent = request({ host: '127.0.0.1', port: it.port, path: url(kind, query), agent: false });
    sent.on('error', () => {});
    const asked = it.past.pages.length + it.past.asked.length;
    sent.end();
    await expect.poll(() => it.past.pages.length + it.past.asked.length).toBe(asked + 1);
    sent.destroy();
    await expect.poll(() => it.past.calledOff).toBe(1);
  }
  expect(it.log).toEqual([]);
  it.past.hangs = false;
  it.past.fails = new RangeError('the query took longer than 10 s: ask for a shorter range');
  expect((await it.ask(url('raw', { ...day, ...flows }))).code).toBe(504);
});
