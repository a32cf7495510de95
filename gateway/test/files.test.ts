// Files in and out of a running gateway, as a person would move them: the command line and the API against a real daemon
// whose only device never answers.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plants } from '../../simulators/plants/index.ts';
import { importFile } from '../cli/import.ts';
import { utc } from '../web/zone.ts';
import { eventually, get, historyOf, root, scratch, startGateway } from './rig.ts';
import type { Gateway, Stored } from './rig.ts';

const folder = scratch();
const config = join(folder.path, 'config');
const data = join(folder.path, 'data');
const token = join(folder.path, 'token');
let gateway: Gateway;
const start = () => startGateway('run', ['--config', config], data, { PENSTOCK_WEB_INGEST_TOKEN_FILE: token });

beforeAll(async () => {
  mkdirSync(join(config, 'devices'), { recursive: true });
  writeFileSync(token, 'secret');
  writeFileSync(
    join(config, 'plant.yaml'),
    `sites: [{ id: north, name: North }]
metrics: { flow: { name: Flow, unit: m³/h }, count: { name: Count }, on: { name: On }, note: { name: Note } }
assets:
  - { path: north/pump, metrics: { flow: { range: [10, 80] }, count: {}, on: {}, note: {} } }
`,
  );
  writeFileSync(
    join(config, 'devices', 'plc.yaml'),
    `device: plc
protocol: modbus
connection: { host: 127.0.0.1, port: 1 }
tags:
  - { tag: north/pump/flow, register: hr:0, encoding: float64 }
  - { tag: north/pump/count, type: integer, register: hr:4, encoding: uint64 }
  - { tag: north/pump/on, register: co:0, encoding: bool }
  - { tag: north/pump/note, register: hr:8, encoding: string, length: 4 }
`,
  );
  gateway = await start();
}, 60_000);
afterAll(async () => {
  await gateway?.stop();
  folder.remove();
});

interface Done {
  code: number | null;
  out: string;
  err: string;
}
/** Runs `penstock …` on the daemon's data folder. @param room for each file it writes, in the shell's blocks */
async function penstock(args: string[], interrupt?: AbortSignal, input = '', room = 'unlimited'): Promise<Done> {
  const limited = ['-c', `ulimit -f ${room}; exec "$0" "$@"`, process.execPath];
  const child = spawn('sh', [...limited, join(root, 'gateway/main.ts'), ...args, '--data', data], {
    env: { ...process.env, NODE_OPTIONS: '', VITEST: '' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {}).end(input);
  const done: Done = { code: null, out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (part: string) => (done.out += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (done.err += part));
  interrupt?.addEventListener('abort', () => child.kill('SIGINT'));
  done.code = await new Promise((resolve) => child.once('close', resolve));
  return done;
}
const fileOf = (name: string, text: string): string => {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
};
/** Every sample of a metric in history: [t, value, status]. */
async function stored(metric: string, from = 0): Promise<[number, unknown, number][]> {
  const rows = await historyOf(gateway.http, `north/pump/${metric}`, from, Date.now() * 1000 - 600_000_000);
  const exact = (value: Stored['value']) => (metric === 'count' && typeof value === 'string' ? BigInt(value) : value);
  return rows.map(({ t, value, status }) => [t, exact(value), status]);
}
const day = Math.floor(Date.now() / 86_400_000 - 2) * 86_400_000;
const iso = (ms: number) => new Date(ms).toISOString();

test('a semicolon CSV with decimal commas, local times, empty and wrong cells', { timeout: 120_000 }, async () => {
  const local = iso(day).slice(0, 10);
  const file = fileOf(
    'plant.csv',
    `\uFEFFtag;timestamp [Asia/Kolkata];value;quality\r
north/pump/flow;${local} 12:00:00;12,5;\r
north/pump/flow;${local} 12:00:01;;bad\r
north/pump/flow;${local} 12:00:02;;\r
north/pump/flow;${local} 12:00:03;-32768;\r
north/pump/flow;${local} 12:00:04;NaN;\r
north/pump/flow;${local} 12:00:05;1;2;3\r
north/pump/gone;${local} 12:00:05;1;\r
north/pump/note;${local} 12:00:00;"two
lines; and a ""quote""";\r
north/pump/count;${local} 12:00:00;18446744073709551615;\r
north/pump/on;${local} 12:00:00;off;\r
`,
  );
  const rejected = join(folder.path, 'rejected.ndjson');
  const dry = await penstock(['import', file, '--dry-run']);
  expect([dry.code, dry.out]).toEqual([1, expect.stringContaining('5 would be accepted, 5 rejected')]);
  expect(await stored('count')).toEqual([]);
  const done = await penstock(['import', file, '--rejected', rejected]);
  expect(done.code).toBe(1);
  expect(done.out).toContain('5 accepted, 5 rejected');
  for (const reason of ['no value', 'out of range', 'not finite', 'wrong columns', 'unknown tag'])
    expect(done.out).toContain(`1 ${reason}`);
  expect(done.err).toContain(`${file}:7: has 5 columns; the header has 4`);
  const lines = readFileSync(rejected, 'utf8').trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual([4, 5, 6, 7, 8]);
  expect(JSON.parse(lines[4] ?? '')).toMatchObject({ text: `north/pump/gone;${local} 12:00:05;1;` });

  const noon = day + 6.5 * 3_600_000;
  const flow = await eventually(
    () => stored('flow'),
    (list) => list.length === 2,
  );
  expect(flow).toEqual([
    [noon * 1000, 12.5, 0],
    [(noon + 1000) * 1000, null, 0x80000000],
  ]);
  expect(await stored('note')).toEqual([[noon * 1000, 'two\nlines; and a "quote"', 0]]);
  expect(await stored('count')).toEqual([[noon * 1000, 18446744073709551615n, 0]]);
  expect(await stored('on')).toEqual([[noon * 1000, false, 0]]);
});

test(
  'an import stopped in the middle says how far it came and goes on from there; a later value wins',
  { timeout: 120_000 },
  async () => {
    const lines = 120_000;
    const line = (k: number) => `north/pump/flow,${day + 43_200_000 + k * 100},${(k % 700) / 10 + 10}\n`;
    const file = fileOf(
      'long.csv',
      `tag,timestamp,value\nnorth/pump/flow,never,1\n${Array.from({ length: lines }, (_none, k) => line(k)).join('')}`,
    );
    const stop = new AbortController();
    const stopped = penstock(['import', file], stop.signal);
    const marks = join(data, 'imports');
    await eventually(
      () => existsSync(marks) && readdirSync(marks).some((name) => name.endsWith('.json')),
      (there) => there,
    );
    stop.abort();
    const { code, out, err } = await stopped;
    expect([code, err]).toEqual([130, expect.stringContaining('finishing what was sent')]);
    const [, accepted = 0, last = 0] = (
      /(\d+) accepted, 1 rejected \(1 bad time\); stopped after line (\d+)/.exec(out) ?? []
    ).map(Number);
    expect(last).toBe(accepted + 2);
    expect(accepted).toBeLessThan(lines);

    const rest = await penstock(['import', file, '--resume']);
    expect([rest.code, rest.out]).toEqual([
      1,
      expect.stringContaining(`${lines} accepted, 1 rejected (1 before it was stopped); ${lines + 2} lines`),
    ]);
    expect(readdirSync(marks)).toEqual([]);
    const from = (day + 43_200_000) * 1000;
    const flow = await eventually(
      () => stored('flow', from),
      (list) => list.length === lines,
    );
    expect(flow.every(([t, value], k) => t === from + k * 100_000 && value === (k % 700) / 10 + 10)).toBe(true);

    const correction = fileOf(
      'correction.ndjson',
      [1, 2].map((value) => JSON.stringify({ tag: 'north/pump/flow', timestamp: day + 43_200_000, value })).join('\n'),
    );
    expect((await penstock(['import', correction])).code).toBe(0);
    expect(
      await eventually(
        () => stored('flow', from),
        ([first]) => first?.[1] === 2,
      ),
    ).toHaveLength(lines);
  },
);

test(
  'what is sent to the API is in history when it answers, and goes out and in again to the same bits',
  { timeout: 120_000 },
  async () => {
    const at = day + 7 * 3_600_000;
    const items = [
      ...[0.1, -0, 1e-320, 5e300, 1 / 3].map((value, k) => ({
        tag: 'north/pump/flow',
        value: k === 3 ? 5e2 : value,
        k,
      })),
      { tag: 'north/pump/count', value: '-9223372036854775808', k: 0 },
      { tag: 'north/pump/count', value: '9007199254740993', k: 1 },
      { tag: 'north/pump/on', value: true, k: 0 },
      { tag: 'north/pump/note', value: '=1+1\r\n"Köln"\u2028', k: 0 },
      { tag: 'north/pump/note', value: null, status: 0x80050000, k: 1 },
      { tag: 'north/pump/nothing', value: 1, k: 0 },
    ].map(({ k, ...item }) => ({ ...item, timestamp: utc.text(at * 1000 + k) }));
    const send = (authorization: string) =>
      fetch(`${gateway.http}/api/v1/ingest/batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        // JSON.stringify would make a plain zero of it.
        body: JSON.stringify({ items }).replace('"value":0,', '"value":-0,'),
      });
    expect((await send('Bearer wrong')).status).toBe(401);
    const answer = await send('Bearer secret');
    expect(await answer.json()).toMatchObject({ accepted: 10, rejected: 1, reasons: { 'unknown tag': 1 } });
    expect(answer.status).toBe(200);

    const range = ['--from', iso(at), '--to', iso(at + 1000)];
    const bits = async (): Promise<string[]> => {
      const metrics = await Promise.all(['flow', 'count', 'on', 'note'].map((metric) => stored(metric, at * 1000)));
      const rows = metrics.flatMap((list, k) => list.filter(([t]) => t < (at + 1000) * 1000).map((row) => [k, ...row]));
      return rows.map((row) => inspect(row));
    };
    const before = await eventually(bits, (list) => list.length === 10);
    expect(before[1]).toContain('-0');

    for (const format of ['ndjson', 'csv'] as const) {
      const out = join(folder.path, `out.${format}`);
      const exported = await penstock(['export', '--facility', 'north', ...range, '--format', format, '--out', out]);
      expect([exported.code, exported.out]).toEqual([0, '']);
      // Everything is replaced by another value, and then by what was exported.
      const other = readFileSync(out, 'utf8').split('\n').length;
      expect(other).toBeGreaterThan(10);
      const spoilt = items
        .slice(0, 10)
        .map(({ tag, timestamp }) => JSON.stringify({ tag, timestamp, value: null, quality: 'bad' }));
      const file = fileOf('spoilt.ndjson', spoilt.join('\n'));
      expect(await importFile({ data, file, origin: 'import' })).toMatchObject({ accepted: 10 });
      await eventually(bits, (list) => list.length === 10 && list.every((row) => row.includes('null')));
      expect(await importFile({ data, file: out, origin: 'import' })).toMatchObject({ accepted: 10, rejected: 0 });
      expect(await eventually(bits, (list) => !list.slice(0, 9).some((row) => row.includes('null')))).toEqual(before);
    }
    const refused = await penstock(['export', 'north/pump/nothing']);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('there is no tag "north/pump/nothing"')]);
  },
);

test(
  'standard input is imported; a disk that is full is one sentence, and the file that was there stays',
  { timeout: 120_000 },
  async () => {
    const line = (tag: string) => `${JSON.stringify({ tag, timestamp: day + 3_600_000, value: 20 })}\n`;
    const piped = await penstock(['import', '-'], undefined, line('north/pump/flow'));
    expect([piped.code, piped.out]).toEqual([0, '-: 1 accepted, 0 rejected; 1 line\n']);

    const file = fileOf('gone.ndjson', line('north/pump/gone').repeat(20_000));
    const untold = await penstock(['import', file, '--rejected', '/dev/full']);
    expect([untold.code, untold.err]).toEqual([
      1,
      expect.stringMatching(/^.*gone.ndjson: --rejected: \/dev\/full cannot be written: ENOSPC.*\n$/),
    ]);

    const out = fileOf('export.csv', 'as it was');
    const beside = fileOf('export.csv.partial', 'of another export');
    const range = ['--from', iso(day), '--to', iso(day + 86_400_000)];
    const full = await penstock(['export', 'north/pump/flow', ...range, '--out', out], undefined, '', '0');
    expect([full.code, full.err]).toEqual([1, expect.stringContaining(`${out} cannot be written: EFBIG`)]);
    const refused = await penstock(['export', 'north/pump/no', '--out', out]);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('there is no tag')]);
    expect([out, beside].map((each) => readFileSync(each, 'utf8'))).toEqual(['as it was', 'of another export']);
    expect(readdirSync(dirname(out)).filter((name) => name.endsWith('.partial'))).toEqual(['export.csv.partial']);
  },
);

test(
  'history is asked in pages, in the days of a zone, and for how long a state held',
  { timeout: 120_000 },
  async () => {
    const at = day - 86_400_000;
    const hour = 3_600_000;
    const lines = [0, 1, 2, 3].flatMap((k) => [
      { tag: 'north/pump/on', timestamp: at + k * 6 * hour, value: k % 2 === 0 },
      { tag: 'north/pump/flow', timestamp: at + k * 6 * hour, value: 20 + k },
    ]);
    const file = fileOf('day.ndjson', lines.map((line) => JSON.stringify(line)).join('\n'));
    expect(await importFile({ data, file, origin: 'import' })).toMatchObject({ accepted: 8 });
    const ask = <T>(kind: string, query: object) =>
      get<{ t: string[]; series: T[]; next: string | null }>(
        `${gateway.http}/api/v1/history/${kind}?${new URLSearchParams({ from: iso(at), to: iso(at + 24 * hour), ...query })}`,
      );
    const flow = { tags: 'north/pump/flow' };
    const raw = () => ask<{ value: number[] }>('raw', { ...flow, limit: '3' });
    const first = await eventually(raw, ({ next }) => next !== null);
    expect(first.series[0]?.value).toEqual([20, 21, 22]);
    expect(await ask('raw', { ...flow, limit: '3', cursor: first.next })).toMatchObject({
      series: [{ value: [23] }],
      next: null,
    });

    // Midnight in Kolkata is 18:30 of the day before in UTC.
    const days = await ask<{ count: number[]; first: number[]; share: number[] }>('buckets', {
      ...{ ...flow, width: 'day', zone: 'Asia/Kolkata' },
    });
    expect(days.t.map((t) => t.slice(10))).toEqual(['T00:00:00.000+05:30', 'T00:00:00.000+05:30']);
    expect(days.series[0]).toMatchObject({ count: [4, 0], first: [20, null] });
    const states = await ask<{ durations: { value: boolean; seconds: number; times: number }[] }>('states', {
      tags: 'north/pump/on',
    });
    expect(states.series[0]?.durations).toEqual([
      { value: true, seconds: 12 * 3600, times: 2 },
      { value: false, seconds: 12 * 3600, times: 2 },
    ]);
    const exported = await penstock([
      'export',
      'north/pump/flow',
      '--from',
      iso(at),
      '--to',
      iso(at + 24 * hour),
      '--width',
      '1d',
    ]);
    expect(exported.out.split('\r\n')[1]).toMatch(
      /T00:00:00.000Z,north\/pump\/flow,4,4,1,20,23,20,23,21.5,21.5,m³\/h$/,
    );
  },
);

test(
  'seed files the past of the bundled plants, and says when the gateway has none of them',
  { timeout: 120_000 },
  async () => {
    const { code, out, err } = await penstock(['seed', '--hours', '1', '--sites', plants[0]?.site.id ?? '']);
    expect([code, out]).toEqual([1, expect.stringMatching(/^0 filed, \d{3,} rejected \(\d+ unknown tag\)/)]);
    expect(err).toContain('config/demo');
    expect(readdirSync(data).filter((name) => name.startsWith('seed-'))).toEqual([]);
  },
);

test(
  'history: what it holds, whether it is whole, its small parts joined; with the gateway and without',
  { timeout: 120_000 },
  async () => {
    const holds = async () =>
      JSON.parse((await penstock(['history', 'stats', '--json'])).out) as Record<string, number>;
    const before = await eventually(holds, ({ samples = 0 }) => samples > 100_000, 90_000);
    expect(before.perSample).toBeGreaterThan(0);
    expect((await penstock(['history', 'stats'])).out).toContain(' samples of ');
    expect((await penstock(['history', 'verify'])).out).toMatch(/looked at, 0 faults/);
    const joined = await penstock(['history', 'compact']);
    expect([joined.code, joined.out]).toEqual([0, expect.stringMatching(/fewer|nothing to join/)]);

    await gateway.stop();
    expect((await penstock(['history', 'compact'])).code).toBe(0);
    const after = await holds();
    expect(after.samples).toBeGreaterThanOrEqual(before.samples ?? NaN);
    const db = new DatabaseSync(join(data, 'history.db'));
    db.exec('UPDATE chunk SET sum = sum + 1 WHERE id = (SELECT min(id) FROM chunk)');
    db.close();
    const faulty = await penstock(['history', 'verify']);
    expect([faulty.code, faulty.out]).toEqual([1, expect.stringContaining('says other figures than its samples')]);
    expect(faulty.out).toContain('the chunk of north/pump/');
    expect((await penstock(['history', 'shrink'])).code).toBe(64);
  },
);
