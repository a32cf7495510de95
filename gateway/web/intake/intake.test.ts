// The pure parts of reading files: times in zones, cells, headers, lines, and what a value may be. Tables of cases.
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Catalog } from '../../catalog.ts';
import type { Tag } from '../../catalog.ts';
import type { Reading } from '../../model.ts';
import { utc, zoneOf } from '../zone.ts';
import type { Zone } from '../zone.ts';
import { cellsOf, delimiterOf, layoutOf, ofRow } from './csv.ts';
import { possible, readingOf, skipped } from './item.ts';
import type { Item, Rules } from './item.ts';
import type { Textual } from './value.ts';
import { Judge } from './judge.ts';
import { LineCutter, longestLine, QuoteJoiner } from './lines.ts';
import { instantOf } from './times.ts';

const specs: Record<string, Partial<Tag>> = {
  flow: { type: 'double', range: { low: 10, high: 80 }, alarm: { limits: { h: 80, hh: 90 } } as Tag['alarm'] },
  level: { type: 'double', range: { low: -5, high: 5 }, clamp: { low: -10, high: 10 } },
  raw: { type: 'double' },
  on: { type: 'boolean' },
  mode: { type: 'integer', names: { 0: 'off', 1: 'Running' } },
  label: { type: 'text' },
};
const tags = Object.entries(specs).map(([metric, more]) => ({
  ...{ id: `a/p/${metric}`, site: 'a', asset: 'a/p', metric, name: metric, type: 'double' as const, unit: '' },
  ...{ decimals: 1, device: 'd', interval: 1000, address: {}, ...more },
}));
const catalog = new Catalog(
  {
    ...{ enterprise: 'e', metrics: [], tags, devices: [] },
    sites: [{ id: 'a', name: 'A', location: '', timezone: 'UTC' }],
    assets: [{ path: 'a/p', site: 'a', name: 'P', kind: 'pump', line: null }],
  },
  new Map(tags.map(({ id }, index) => [id, index])),
  1,
);
const now = Date.UTC(2026, 5, 1);
const rules: Rules = { catalog, latest: now, nulls: 'reject', allowOutOfRange: false };
const iso = (t: number | undefined) => (t === undefined ? undefined : utc.text(t));

describe('zones', () => {
  const berlin = zoneOf('Europe/Berlin');
  const cases: [zone: string, local: [number, number, number, number, number?], utc: string, shown: string][] = [
    ['UTC', [2026, 0, 1, 12], '2026-01-01T12:00:00.000Z', '2026-01-01T12:00:00.000Z'],
    ['Europe/Berlin', [2026, 0, 1, 12], '2026-01-01T11:00:00.000Z', '2026-01-01T12:00:00.000+01:00'],
    ['Europe/Berlin', [2026, 6, 1, 12], '2026-07-01T10:00:00.000Z', '2026-07-01T12:00:00.000+02:00'],
    // 25 October 2026, 2:30 comes twice: the first is meant. 29 March, 2:30 never comes: an hour on.
    ['Europe/Berlin', [2026, 9, 25, 2, 30], '2026-10-25T00:30:00.000Z', '2026-10-25T02:30:00.000+02:00'],
    ['Europe/Berlin', [2026, 2, 29, 2, 30], '2026-03-29T01:30:00.000Z', '2026-03-29T03:30:00.000+02:00'],
    ['America/New_York', [2026, 10, 1, 1, 30], '2026-11-01T05:30:00.000Z', '2026-11-01T01:30:00.000-04:00'],
    ['Asia/Kolkata', [2026, 0, 1, 5, 30], '2026-01-01T00:00:00.000Z', '2026-01-01T05:30:00.000+05:30'],
    ['Australia/Lord_Howe', [2026, 0, 1, 11], '2026-01-01T00:00:00.000Z', '2026-01-01T11:00:00.000+11:00'],
  ];
  test.each(cases)('%s %j is %s', (name, [year, month, day, hour, minute = 0], instant, shown) => {
    const zone = zoneOf(name);
    const ms = zone?.instant(Date.UTC(year, month, day, hour, minute)) ?? NaN;
    expect(new Date(ms).toISOString()).toBe(instant);
    expect(zone?.text(ms * 1000)).toBe(shown);
  });
  test('microseconds are kept, and a zone that is none is none', () => {
    expect(berlin?.text(1_767_265_200_123_456)).toBe('2026-01-01T12:00:00.123456+01:00');
    expect(utc.text(-1)).toBe('1969-12-31T23:59:59.999999Z');
    expect(zoneOf('Europe/Nowhere')).toBeUndefined();
  });
});

describe('times', () => {
  const berlin = zoneOf('Europe/Berlin');
  const cases: [given: unknown, zoned: boolean, is: string | undefined][] = [
    ['2026-05-01T12:00:00Z', false, '2026-05-01T12:00:00.000Z'],
    ['2026-05-01t12:00z', false, '2026-05-01T12:00:00.000Z'],
    ['2026-05-01 12:00:00.123456+02:00', false, '2026-05-01T10:00:00.123456Z'],
    ['2026-05-01T12:00:00,5-0330', false, '2026-05-01T15:30:00.500Z'],
    ['2026-05-01T12:00:00.123456789Z', false, '2026-05-01T12:00:00.123456Z'],
    ['2026-05-01', false, undefined],
    ['2026-05-01 12:00:00 UTC', false, '2026-05-01T12:00:00.000Z'],
    ['2026-05-01T12:00:00+99:99', false, undefined],
    ['0026-05-01T12:00:00Z', false, '0026-05-01T12:00:00.000Z'],
    [1777636800.25, false, '2026-05-01T12:00:00.250Z'],
    [1777636800123456, false, '2026-05-01T12:00:00.123456Z'],
    [1777636800123456000, false, '2026-05-01T12:00:00.123456Z'],
    ['2026-05-01', true, '2026-04-30T22:00:00.000Z'],
    ['2026-05-01T12:00:00', false, undefined],
    ['2026-05-01T12:00:00', true, '2026-05-01T10:00:00.000Z'],
    ['2026/05/01 12:00', true, '2026-05-01T10:00:00.000Z'],
    ['1.5.2026 12:00:00', true, '2026-05-01T10:00:00.000Z'],
    ['01.05.2026', true, '2026-04-30T22:00:00.000Z'],
    ['1.5.2026 12:00', false, undefined],
    ['05/01/2026 12:00', true, undefined],
    ['2026-02-30T12:00:00Z', false, undefined],
    ['2026-05-01T24:00:00Z', false, undefined],
    ['2026-13-01', false, undefined],
    ['1777636800', false, '2026-05-01T12:00:00.000Z'],
    ['1777636800.25', false, '2026-05-01T12:00:00.250Z'],
    ['1777636800123', false, '2026-05-01T12:00:00.123Z'],
    ['1777636800123456', false, '2026-05-01T12:00:00.123456Z'],
    ['1777636800123456789', false, '2026-05-01T12:00:00.123456Z'],
    [1777636800123.456, false, '2026-05-01T12:00:00.123456Z'],
    [NaN, false, undefined],
    [null, false, undefined],
    ['yesterday', true, undefined],
    ['', true, undefined],
  ];
  test.each(cases)('%j (zone: %s) is %s', (given, zoned, is) => {
    expect(iso(instantOf(given, zoned ? berlin : undefined))).toBe(is);
  });
});

test('what a value can be: clamp, or range and limits widened, zero always', () => {
  const of = (metric: string) => possible(catalog.byId(`a/p/${metric}`) as Tag);
  expect(of('flow')).toEqual({ low: 10 - 10 * 80, high: 90 + 10 * 80 });
  expect(of('level')).toEqual({ low: -10, high: 10 });
  expect(of('raw')).toBeUndefined();
});

describe('items', () => {
  const at = now - 1000;
  const item = (metric: string, value: unknown, more: object = {}): Item => ({
    ...{ tag: `a/p/${metric}`, value, timestamp: at },
    ...more,
  });
  const json: [item: Item, rules: Partial<Rules>, is: unknown][] = [
    [item('flow', 12.5), {}, 12.5],
    [item('flow', 0), {}, 0],
    [item('flow', 891), {}, 'out of range'],
    [item('flow', -32768), {}, 'out of range'],
    [item('flow', -32768), { allowOutOfRange: true }, -32768],
    [item('flow', -32768, { status: 0x80000000 }), {}, -32768],
    [item('flow', '12.5'), {}, 'bad value'],
    [item('flow', undefined), {}, 'bad value'],
    [item('flow', null), {}, 'no value'],
    [item('flow', null), { nulls: 'skip' }, skipped],
    [item('flow', null), { nulls: 'bad' }, null],
    [item('flow', null, { quality: 'bad' }), {}, null],
    [item('flow', null, { quality: 'uncertain' }), {}, 'no value'],
    [item('raw', Infinity), { allowOutOfRange: true }, 'not finite'],
    [item('raw', 1e300), {}, 1e300],
    [item('mode', '9007199254740993'), {}, 9007199254740993n],
    [item('mode', 1e20), {}, 'bad value'],
    [item('flow', 12, { status: 5e9 }), {}, 'bad status'],
    [item('flow', 12, { quality: 'fine' }), {}, 'bad status'],
    [item('flow', 12, { quality: 'constructor' }), {}, 'bad status'],
    [item('flow', 12, { timestamp: now + 1 }), {}, 'in the future'],
    [item('flow', 12, { timestamp: 1 }), {}, 'bad time'],
    [{ ...item('flow', 12), tag: 7 }, {}, 'unknown tag'],
  ];
  const outcome = (result: ReturnType<typeof readingOf>) =>
    result === skipped ? skipped : 'reason' in result ? result.reason : result.value;
  test.each(json)('%o with %o', (given, more, is) => {
    expect(outcome(readingOf(given, { ...rules, ...more }))).toBe(is);
  });

  const text: [metric: string, cell: string, comma: boolean, is: unknown][] = [
    ['raw', ' 12.5 ', false, 12.5],
    ['raw', '-1.5e-3', false, -0.0015],
    ['raw', '-0', false, -0],
    ['raw', '12,5', true, 12.5],
    ['raw', '12,5', false, 'bad value'],
    ['raw', '1.234,5', true, 'bad value'],
    ['raw', '1.234', true, 'bad value'],
    ['raw', '0.123', true, 0.123],
    ['raw', '1.234', false, 1.234],
    ['mode', '1.000', true, 'bad value'],
    ['on', 't', false, true],
    ['raw', '0x10', false, 'bad value'],
    ['raw', 'NaN', false, 'not finite'],
    ['raw', '-inf', false, 'not finite'],
    ['raw', '1e999', false, 'not finite'],
    ['raw', '', false, 'no value'],
    ['raw', 'NULL', false, 'no value'],
    ['raw', 'n/a', false, 'no value'],
    ['on', 'TRUE', false, true],
    ['on', 'off', false, false],
    ['on', '2', false, 'bad value'],
    ['mode', '12', false, 12],
    ['mode', '12.0', false, 12],
    ['mode', '12.5', false, 'bad value'],
    ['mode', 'running', false, 1],
    ['mode', '-9223372036854775808', false, -9223372036854775808n],
    ['mode', '99999999999999999999', false, 'bad value'],
    ['label', ' as it is ', false, ' as it is '],
    ['label', 'null', false, 'null'],
    ['label', '', false, 'no value'],
  ];
  test.each(text)('as text, %s: "%s" (comma: %s) is %s', (metric, cell, comma, is) => {
    expect(outcome(readingOf(item(metric, cell), rules, { comma }))).toBe(is);
  });
  test.each([
    ['', 0],
    ['2147483648', 0x80000000],
    ['0x40000000', 0x40000000],
    ['Bad', 0x80000000],
    ['good', 0],
    ['-1', 'bad status'],
  ])('the status "%s" of a cell is %s', (status, is) => {
    const result = readingOf(item('raw', '1', { status }), rules, { comma: false });
    expect(result === skipped ? result : 'reason' in result ? result.reason : result.status).toBe(is);
  });
  test('a local time is told from one that is none', () => {
    const told = (timestamp: string) => readingOf({ ...item('raw', 1), timestamp }, rules);
    expect(told('01.05.2026 12:00:00')).toMatchObject({ message: expect.stringContaining('--zone') as string });
    expect(told('2026-05-01T25:00:00')).toMatchObject({ message: expect.not.stringContaining('--zone') as string });
  });
  test('a time that clocks skip is refused; of one that comes twice the first is meant, and counted', () => {
    const met = { twice: 0 };
    const zone = zoneOf('Europe/Berlin') as Zone;
    const local = (timestamp: string) =>
      readingOf({ ...item('raw', 1), timestamp }, { ...rules, latest: Infinity, zone, met });
    expect(local('2026-03-29 02:30')).toMatchObject({ message: expect.stringContaining('skip') as string });
    expect(local('2026-03-29 03:30')).toMatchObject({ at: Date.UTC(2026, 2, 29, 1, 30) * 1000 });
    expect(met.twice).toBe(0);
    expect(local('2026-10-25 02:30')).toMatchObject({ at: Date.UTC(2026, 9, 25, 0, 30) * 1000 });
    expect(met.twice).toBe(1);
    expect(local('2026-10-25 02:30+01:00')).toMatchObject({ at: Date.UTC(2026, 9, 25, 1, 30) * 1000 });
    expect(met.twice).toBe(1);
  });
  test('a file has one decimal mark, as its first number shows that leaves no doubt, or as it was said', () => {
    const read = (textual: Textual, ...cells: string[]) =>
      cells.map((cell) => outcome(readingOf(item('raw', cell), rules, textual)));
    const no = 'bad value';
    expect(read({ comma: true }, '1.234', '12,5', '1.234', '12.5', '7')).toEqual([no, 12.5, no, no, 7]);
    expect(read({ comma: true }, '1.234', '12.5', '1.234', '12,5', '-')).toEqual([no, 12.5, 1.234, no, 'no value']);
    expect(read({ comma: true, mark: '.' }, '1.234', '1,5')).toEqual([1.234, no]);
    expect(read({ comma: false, mark: ',' }, '1,234', '1.5')).toEqual([1.234, no]);
    const told = readingOf(item('raw', '1.234'), rules, { comma: true });
    expect(told).toMatchObject({ message: expect.stringContaining('--decimal') as string });
  });
  test('accents may come composed or not', () => {
    const result = readingOf({ ...item('raw', 1), tag: 'a/p/raw'.normalize('NFD') }, rules);
    expect(result).toMatchObject({ tag: 2 });
  });
});

describe('csv', () => {
  const rows: [line: string, delimiter: string, cells: string[] | undefined][] = [
    ['a,b,c', ',', ['a', 'b', 'c']],
    ['a,,', ',', ['a', '', '']],
    ['"a,b",c', ',', ['a,b', 'c']],
    ['"say ""hi""",c', ',', ['say "hi"', 'c']],
    ['"two\nlines",c', ',', ['two\nlines', 'c']],
    ['"",c', ',', ['', 'c']],
    ['a;"b;c"', ';', ['a', 'b;c']],
    ['"open', ',', undefined],
    ['a"b,c', ',', undefined],
    ['"a"b,c', ',', undefined],
  ];
  test.each(rows)('%j at %j is %j', (line, delimiter, cells) => {
    expect(cellsOf(line, delimiter)).toEqual(cells);
  });

  const isTag = (id: string) => catalog.byId(id) !== undefined;
  const headers: [header: string, found: object | string][] = [
    ['tag,timestamp,value', { delimiter: ',', time: 1, long: { tag: 0, value: 2, status: -1, quality: -1 } }],
    ['\uFEFFTime;Tag;Value;Quality', { delimiter: ';', comma: true, time: 0, long: { tag: 1, value: 2, quality: 3 } }],
    ['timestamp [Europe/Berlin]\ttag\tvalue', { delimiter: '\t', comma: false, zone: 'Europe/Berlin' }],
    ['time,a/p/flow,a/p/on', { wide: [undefined, 'a/p/flow', 'a/p/on'], strange: [] }],
    ['time,"a/p/flow [m³/h]",other', { wide: [undefined, 'a/p/flow', undefined], strange: ['other'] }],
    ['tag,value', 'no column for the time'],
    ['Date,Time [UTC],a/p/flow', { time: 1, date: 0, zone: 'UTC', wide: [undefined, undefined, 'a/p/flow'] }],
    ['id,ts,tag,value', { time: 1, long: { tag: 2, value: 3 } }],
    ['timestamp,ts,tag,value', 'more than one column for the time'],
    ['time,tag,value,value', 'column value twice'],
    ['time,a/p/flow,a/p/flow [m³/h]', 'a/p/flow twice'],
    ['time,foo,bar', 'neither the columns tag and value nor any tag'],
    ['junk', 'is no header'],
  ];
  test.each(headers)('the header %j', (header, found) => {
    if (typeof found === 'string') expect(() => layoutOf(header, isTag)).toThrow(found);
    else expect(layoutOf(header, isTag)).toMatchObject(found);
  });
  test('the delimiter is what stands most often outside of quotes', () => {
    expect(delimiterOf('"a,b,c";d;e')).toBe(';');
  });
  test('a wide row gives a reading a cell and passes over empty ones; a row of another width is refused', () => {
    const layout = layoutOf('time;a/p/flow;a/p/on;a/p/label', isTag);
    const read = (row: string) => [...ofRow(row, layout, rules)];
    const [flow, on, label] = read('2026-05-01T00:00:00Z;12,5;;x');
    expect((flow as Reading).value).toBe(12.5);
    expect(on).toBe(skipped);
    expect((label as Reading).value).toBe('x');
    expect(read('2026-05-01T00:00:00Z;1')).toMatchObject([{ reason: 'wrong columns' }]);
  });
  test('a date and a time of day in columns of their own are one time', () => {
    const layout = layoutOf('Datum und;date;time;tag;value', isTag);
    const read = (row: string) => [...ofRow(row, layout, { ...rules, zone: utc })];
    expect(read('x;01.05.2026;12:30;a/p/flow;1')).toMatchObject([{ at: Date.UTC(2026, 4, 1, 12, 30) * 1000 }]);
    expect(read('x;01.05.2026;;a/p/flow;1')).toMatchObject([{ reason: 'bad time' }]);
  });
  test('the same header again is passed over; one with other columns ends the file', () => {
    const layout = layoutOf('time,a/p/flow,a/p/raw', isTag);
    expect([...ofRow('\uFEFFtime,a/p/flow,a/p/raw', layout, rules)]).toEqual([]);
    expect(() => [...ofRow('time,a/p/raw,a/p/flow', layout, rules)]).toThrow('other columns');
  });
  test('what a spreadsheet says of the delimiter above the header is understood', () => {
    const judge = new Judge(
      { origin: 'import', nulls: 'reject', allowOutOfRange: false, dry: false, before: 0 },
      catalog,
    );
    judge.renew(catalog, now, 0);
    const file = ['sep=;\r', 'time;tag,value;value\r'].map((text, at) => ({ number: at + 1, text, end: 0 }));
    expect(() => file.forEach((line) => judge.line(line))).toThrow('time, tag,value, value');
  });
});

describe('files of other programs', () => {
  const judged = (text: Buffer | string, dry = false) => {
    const ask = { origin: 'import', nulls: 'reject', allowOutOfRange: false, dry, before: 0 } as const;
    const judge = new Judge({ ...ask, zone: 'Europe/Berlin' }, catalog);
    judge.renew(catalog, now, 0);
    const cutter = new LineCutter();
    for (const line of cutter.push(Buffer.from(text))) judge.line(line);
    const last = cutter.end();
    if (last) judge.line(last);
    judge.finish();
    return judge;
  };
  test.each<[string, Buffer | string, string]>([
    ['gzip', gzipSync('tag,timestamp,value\n'), 'packed (gzip): unpack it, as in gunzip -c FILE | penstock import -'],
    ['a workbook', 'PK\x03\x04\x14\0\n', 'a workbook or a zip archive: save its sheet as CSV in UTF-8'],
    ['UTF-16', Buffer.from('\uFEFFtag\ttime\n', 'utf16le'), 'no text in UTF-8 (UTF-16, perhaps)'],
    ['one list', '[{"tag":"a/p/raw"}]\n', 'one list of JSON: import takes an object a line'],
    ['CR alone', 'tag,time,value\ra/p/raw,2026-05-01,1\r', 'end with CR alone'],
  ])('%s is said as what it is', (_what, file, words) => expect(() => judged(file)).toThrow(words));
  test('a header with other columns ends the file: what is above it is filed, and in a dry run nothing is', () => {
    const file = 'time,a/p/flow,note\n2026-05-01T00:00:00Z,1,\ntime,note,a/p/flow\n';
    expect(() => judged(file)).toThrow(/^line 3: .* a file of its own; what stands above is filed$/);
    expect(() => judged(file, true)).toThrow(/^line 3: .* a file of its own$/);
  });
  test('rows of nothing but delimiters are none; thousands and years in two digits are refused with what is right', () => {
    const { readings, account } = judged(
      'tag;time;value\r\na/p/raw;01.05.2026 14:30;10,25\r\n;;\r\n\r\na/p/raw;01.05.2026 14:31;1.234,5\r\na/p/raw;01.05.26 14:32;1\r\n',
    );
    expect(readings.map(({ value }) => value)).toEqual([10.25]);
    expect(account.firstErrors.map(({ line, message }) => [line, message])).toEqual([
      [5, expect.stringContaining('thousands are written without a mark')],
      [6, expect.stringContaining('must be ISO 8601, or such as 31.12.2026 14:30, or a number since 1970')],
    ]);
  });
});

describe('lines', () => {
  const text = '{"a":1}\r\n\n"two\nlines",x\ny "z\nlä st';
  test('every line once, wherever the parts end, with its number and end', () => {
    const bytes = Buffer.from(text);
    for (let width = 1; width <= bytes.length; width++) {
      const cutter = new LineCutter(3);
      const lines = [];
      for (let from = 0; from < bytes.length; from += width)
        lines.push(...cutter.push(bytes.subarray(from, from + width)));
      const last = cutter.end();
      expect([...lines, last].map((line) => line?.text)).toEqual([
        '{"a":1}\r',
        '',
        '"two',
        'lines",x',
        'y "z',
        'lä st',
      ]);
      expect(lines.map(({ number }) => number)).toEqual([4, 5, 6, 7, 8]);
      expect(last).toMatchObject({ number: 9, end: bytes.length });
      for (const { text: line, end } of lines.slice(1))
        expect(bytes.subarray(0, end).toString().endsWith(`${line}\n`)).toBe(true);
    }
  });
  test('a line over the limit is passed over without being held', () => {
    const cutter = new LineCutter();
    const part = Buffer.alloc(longestLine / 2, 'x');
    const lines = [part, part, part, Buffer.from('\nnext\n')].flatMap((each) => [...cutter.push(each)]);
    expect(lines.map((line) => line.text)).toEqual([undefined, 'next']);
    expect(cutter.end()).toBeUndefined();
  });
  test('quoted line breaks are joined; a quote never closed costs its own line alone', () => {
    const joined = (lines: string[]) => {
      const joiner = new QuoteJoiner();
      const cut = lines.map((line, n) => ({ number: n + 1, text: line, end: n }));
      return [...cut.flatMap((line) => [...joiner.take(line)]), ...joiner.end()];
    };
    expect(joined(['a', '"b', 'c",d', 'e']).map(({ number, text: line }) => [number, line])).toEqual([
      [1, 'a'],
      [2, '"b\nc",d'],
      [4, 'e'],
    ]);
    const many = Array.from({ length: 200 }, (_none, n) => `row ${n}`);
    expect(joined(['"open', ...many]).map(({ text: line }) => line)).toEqual(['"open', ...many]);
  });
});
