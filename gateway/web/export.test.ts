// The export over the real server: CSV that a spreadsheet may open, pages of bounded size, a reader that leaves.
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FLOW, LABEL, MODE, bed, other, plant, site } from './bed.ts';
import type { Bed } from './bed.ts';
import { fromSafe, textCell, valueCell } from './cells.ts';
import { lackOf } from './export.ts';
import { rangeOf, widthOf } from './range.ts';
import { everything, namesOf, tagsOf } from './scope.ts';

let it: Bed;
beforeEach(async () => {
  it = await bed();
});
afterEach(() => it.close());

const start = Date.UTC(2026, 4, 1) * 1000;
const path = (query: object) => `/api/v1/export.csv?${new URLSearchParams({ ...query } as Record<string, string>)}`;
const day = { from: '2026-05-01', to: '2026-05-02' };

test('samples as CSV: zone in the header, offset in each time, all digits, and no formula', async () => {
  it.past.samples.set(FLOW, [
    { t: start, value: -1.5, status: 0 },
    { t: start + 123_456, value: 1e-7, status: 0x40000000 },
    { t: start + 1_000_000, value: null, status: 0x80050000 },
  ]);
  it.past.samples.set(MODE, [{ t: start, value: 9007199254740993n, status: 0 }]);
  it.past.samples.set(LABEL, [
    { t: start, value: '=cmd|" /C calc"!A0', status: 0 },
    { t: start + 1, value: 'two\nlines, and more', status: 0 },
  ]);
  const { code, headers, text } = await it.ask(
    path({ from: '2026-05-01', to: '2026-05-03', zone: 'Europe/Berlin', facility: site }),
  );
  expect([code, headers['content-type']]).toEqual([200, 'text/csv; charset=utf-8; header=present']);
  expect(headers['content-disposition']).toBe('attachment; filename="history-2026-05-01-2026-05-03.csv"');
  const flow = `${site}/pump 1/flow`;
  expect(text).toBe(
    [
      'timestamp [Europe/Berlin],tag,value,quality,status,unit',
      `2026-05-01T02:00:00.000+02:00,${flow},-1.5,good,0,m³/h`,
      `2026-05-01T02:00:00.123456+02:00,${flow},1e-7,uncertain,1073741824,m³/h`,
      `2026-05-01T02:00:01.000+02:00,${flow},,bad,2147811328,m³/h`,
      `2026-05-01T02:00:00.000+02:00,${site}/pump 1/mode,9007199254740993,good,0,m³/h`,
      `2026-05-01T02:00:00.000+02:00,${site}/pump 2/label,"'=cmd|"" /C calc""!A0",good,0,m³/h`,
      `2026-05-01T02:00:00.000001+02:00,${site}/pump 2/label,"two\nlines, and more",good,0,m³/h`,
      '',
    ].join('\r\n'),
  );
});

test('buckets: a gap is a row without figures', async () => {
  const { text } = await it.ask(path({ ...day, tags: `${other}/tank/level`, width: '6h' }));
  const level = `${other}/tank/level`;
  expect(text.split('\r\n')).toEqual([
    'timestamp [UTC],tag,count,good,share,min,max,first,last,avg,mean,unit',
    `2026-05-01T00:00:00.000Z,${level},2,2,1,-1,1,-1,1,0,0,m³/h`,
    `2026-05-01T06:00:00.000Z,${level},2,2,1,0,2,0,2,1,1,m³/h`,
    `2026-05-01T12:00:00.000Z,${level},0,0,0,,,,,,,m³/h`,
    `2026-05-01T18:00:00.000Z,${level},2,2,1,2,4,2,4,3,3,m³/h`,
    '',
  ]);
});

test('a long tag comes in pages, each once', async () => {
  const many = Array.from({ length: 2500 }, (_none, k) => ({ t: start + k * 1_000_000, value: k, status: 0 }));
  it.past.samples.set(FLOW, many);
  const { text } = await it.ask(path({ ...day, tags: `${site}/pump 1/flow`, format: 'ndjson' }));
  const rows = text.trim().split('\n');
  expect(rows.map((row) => (JSON.parse(row) as { value: number }).value)).toEqual(many.map(({ value }) => value));
  expect(it.past.pages.map(({ limit }) => limit)).toEqual([2000, 2000]);
});

test('buckets over more than a page have no seam', async () => {
  const { text } = await it.ask(path({ ...day, tags: `${other}/tank/level`, width: '30s', format: 'ndjson' }));
  const times = text
    .trim()
    .split('\n')
    .map((row) => Date.parse((JSON.parse(row) as { timestamp: string }).timestamp));
  expect(times).toEqual(Array.from({ length: 2880 }, (_none, k) => start / 1000 + k * 30_000));
});

test('a file that lacks a part says so in its last line, and the command line finds it there', async () => {
  it.past.lacks = 'what is older than that is missing:\r\nno "answer"';
  const query = { ...day, tags: `${other}/tank/level` };
  const [samples, buckets, ndjson] = [
    await it.ask(path(query)),
    await it.ask(path({ ...query, width: '6h' })),
    await it.ask(path({ ...query, width: '6h', format: 'ndjson' })),
  ];
  const last = (text: string): string => text.trimEnd().split('\n').at(-1) ?? '';
  const said = '# incomplete: what is older than that is missing: no "answer"';
  expect([samples, buckets].map(({ code, text }) => [code, last(text)])).toEqual([
    [200, said],
    [200, said],
  ]);
  expect(lackOf(last(buckets.text))).toBe(said.slice(14));
  expect(JSON.parse(last(ndjson.text))).toEqual({ incomplete: it.past.lacks });
  expect(lackOf(last(ndjson.text))).toBe(it.past.lacks);
  it.past.lacks = '';
  expect(lackOf(last((await it.ask(path(query))).text))).toBe(undefined);
});

test('a reader that leaves stops the query, also in the middle', async () => {
  const query = path({ ...day, facility: site });
  for (const hangsFrom of [0, 1]) {
    it.past.hangs = hangsFrom === 0;
    it.past.calledOff = 0;
    it.past.samples.set(FLOW, [{ t: start, value: 1, status: 0 }]);
    const sent = request({ host: '127.0.0.1', port: it.port, path: query, agent: false });
    sent.on('error', () => {});
    if (hangsFrom > 0) {
      // The first tag is answered; the second hangs.
      const raw = it.past.raw.bind(it.past);
      it.past.raw = (tag, ...rest) => {
        it.past.hangs = tag !== FLOW;
        return raw(tag, ...rest);
      };
    }
    const asked = it.past.pages.length;
    sent.end();
    await expect.poll(() => it.past.pages.length).toBe(asked + hangsFrom + 1);
    sent.destroy();
    await expect.poll(() => it.past.calledOff).toBe(1);
  }
  expect(it.log).toEqual([]);
});

test('a reader that does not read is waited for', async () => {
  let pages = 0;
  it.past.raw = async (tag, from, _to, limit) => {
    pages++;
    const t = Array.from({ length: limit }, (_none, k) => from + k);
    return { tag, t, value: t.map(() => 1), status: t.map(() => 0), more: true };
  };
  const sent = request({ host: '127.0.0.1', port: it.port, path: path(day), agent: false });
  sent.on('error', () => {});
  sent.on('response', (response) => response.pause());
  sent.end();
  let before = -1;
  await expect
    .poll(() => [before, (before = pages)], { interval: 300, timeout: 10_000 })
    .toSatisfy(([then = 0, now = 0]: number[]) => now > 1 && then === now);
  // What the sockets hold, some megabytes, and no more of a day of a sample a microsecond.
  expect(pages).toBeLessThan(1000);
  sent.destroy();
});

test('four at once, and the fifth is told to come again', async () => {
  it.past.hangs = true;
  const sent = [1, 2, 3, 4].map(() => {
    const call = request({ host: '127.0.0.1', port: it.port, path: path(day), agent: false });
    call.on('error', () => {});
    call.end();
    return call;
  });
  await expect.poll(() => it.past.pages.length).toBe(4);
  const fifth = await it.ask(path(day));
  expect(fifth).toMatchObject({ code: 503, headers: { 'retry-after': '5' } });
  expect(fifth.text).toContain('4 exports are running already; try again in a moment');
  for (const call of sent) call.destroy();
  await expect.poll(() => it.past.calledOff).toBe(4);
  it.past.hangs = false;
  expect((await it.ask(path(day))).code).toBe(200);
});

describe('what is wrong is said', () => {
  test.each([
    [{ tags: 'none' }, 404, 'tags'],
    [{ tags: ',' }, 400, 'tags'],
    [{ asset: 'none' }, 404, 'asset'],
    [{ facility: 'none' }, 404, 'facility'],
    [{ from: 'yesterday' }, 400, 'from'],
    [{ from: '2026-05-02', to: '2026-05-01' }, 400, 'from'],
    [{ zone: 'Nowhere' }, 400, 'zone'],
    [{ width: '5 minutes' }, 400, 'width'],
    [{ format: 'xml' }, 400, 'format'],
    [{ tag: 'x' }, 400, 'tag'],
  ])('%j is %i', async (query, code, field) => {
    const answer = await it.ask(path(query));
    expect([answer.code, (JSON.parse(answer.text) as { field: string }).field]).toEqual([code, field]);
  });
});

test('cells: what may run is defused and comes back as it was', () => {
  for (const text of [
    '=1+1',
    '＝1+1',
    '+1',
    '-1',
    '@x',
    '\tx',
    "'=1",
    "''@",
    'plain',
    "'quoted'",
    'a,b',
    'say "x"',
    '',
  ]) {
    const cell = textCell(text);
    const bare = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
    expect(bare).not.toMatch(/^[=+\-@\t\r\n＝]/);
    expect(fromSafe(bare)).toBe(text);
  }
  expect([valueCell(-0), valueCell(-1.5), valueCell(true), valueCell(null), valueCell(1e21)]).toEqual([
    '-0',
    '-1.5',
    'true',
    '',
    '1e+21',
  ]);
});

test('ranges and widths as people write them', () => {
  const now = start + 86_400e6;
  expect(rangeOf({}, now)).toMatchObject({ from: start, to: now });
  expect(rangeOf({ from: 'now-90m', to: 'now-1h' }, now)).toMatchObject({ from: now - 5400e6, to: now - 3600e6 });
  // The plus of an offset that nobody encoded.
  expect(rangeOf({ from: '2026-05-01T02:00:00 02:00' }, now).from).toBe(start);
  expect(() => rangeOf({ to: '2255-01-01' }, now)).not.toThrow();
  for (const to of ['9999-01-01', '2256-01-01T00:00:00Z', '1600-01-01', 'now-999999w'])
    expect(() => rangeOf({ to }, now), to).toThrow(/^to is ".*", which is too far: times may lie between/);
  expect(() => rangeOf({ to: '9999-13-01' }, now)).toThrow(/must be ISO 8601/);
  expect(rangeOf({ from: '2026-05-01 02:00', zone: 'Europe/Berlin' }, now).from).toBe(start);
  expect(['5m', '1h', '1d', 'week', '1M', '250ms'].map(widthOf)).toEqual([
    300e6,
    3600e6,
    'day',
    'week',
    'month',
    250e3,
  ]);
  for (const wrong of ['0m', 'm', '5', '-5m', '1e9h', 'fortnight', 'constructor', '__proto__'])
    expect(() => widthOf(wrong), wrong).toThrow('width');
});

test('a scope hides the rest as if it were not there', () => {
  const catalog = plant();
  const south = new Set([other]);
  const ids = (asked: Parameters<typeof tagsOf>[2], scope = everything) =>
    tagsOf(catalog, scope, asked).map(({ index }) => index);
  expect(ids({})).toEqual([0, 1, 2, 3, 4]);
  expect(ids({}, south)).toEqual([4]);
  expect(ids({ asset: `${site}/pump 1/` })).toEqual([0, 1]);
  expect(ids({ asset: site.normalize('NFD') })).toEqual([0, 1, 2, 3]);
  expect(() => ids({ asset: `${site}/pump` })).toThrow('no asset');
  expect(ids({ tags: [`${site}/pump 1/mode`, `${site}/pump 1/flow`, `${site}/pump 1/mode`] })).toEqual([1, 0]);
  for (const hidden of [{ tags: [`${site}/pump 1/flow`] }, { asset: `${site}/pump 1` }, { facility: site }])
    expect(() => ids(hidden, south)).toThrow('there is no');
  expect(() => ids({ asset: `${site}/pump 1`, facility: other })).toThrow('asset and facility are asked for at once');
  expect(namesOf(catalog, `${site}/pump 1/flow,x`)).toEqual([`${site}/pump 1/flow`, 'x']);
  expect(namesOf(catalog, ['a', 'b,c'])).toEqual(['a', 'b', 'c']);
});
