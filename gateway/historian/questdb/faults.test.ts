// The forwarder over a real journal while a real QuestDB is killed, refuses, suspends and alters tables, and the
// network between them gives every answer there is: in the end everything is there once.
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, systemClock } from '../../clock.ts';
import { encodeFrame } from '../../journal/testing.ts';
import { readHead } from '../../journal/head.ts';
import { pump, sourceOf } from '../../journal/pump.ts';
import { openSegments } from '../../journal/segments.ts';
import type { ForwardTag, Forwarder } from '../../consumer.ts';
import type { Value } from '../../model.ts';
import { counterTag, noteTag, numbersIn, startCounter, writeCounterPlant } from '../../test/counter.ts';
import { debtor } from '../../test/debtor.ts';
import { killForwarding, questdbTarget } from '../../test/kill-forward.ts';
import { findProgram, needs } from '../../test/needs.ts';
import { get, root, startGateway } from '../../test/rig.ts';
import type { WireHealth } from '../../web/wire.ts';
import { credentials } from '../credentials.ts';
import { deadLetters, readDeadLetters } from '../dead-letters.ts';
import type { DeadLetter } from '../dead-letters.ts';
import { questdbForwarder } from './forwarder.ts';
import { questdbHistory } from './reader.ts';
import { contextOf, faultProxy, frameOf, sectionOf, tagOf, testServer } from './testing.ts';
import type { Fault, FaultProxy, TestContext, TestServer } from './testing.ts';
import { wireOf } from './wire.ts';

const test = needs('java', 'mvn');
const able = (findProgram('java') && findProgram('mvn')) || process.env.PENSTOCK_REQUIRE === 'all';

let server: TestServer;
let dir: string;
let proxy: FaultProxy | undefined;
if (able) {
  beforeAll(async () => void (server = await testServer({ settings: { QDB_DEV_MODE_ENABLED: 'true' } })), 60_000);
  afterAll(() => server?.remove());
}
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'penstock-faults-'))));
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
  if (able)
    for (const { name } of await server.sql('SELECT table_name AS name FROM tables()'))
      if (/^(readings|events)/.test(String(name))) await server.sql(`DROP TABLE ${String(name)}`);
  rmSync(dir, { recursive: true, force: true });
});

const START = Date.UTC(2026, 4, 31, 23, 59) * 1000;
const tags = [
  tagOf(0, 'north/pump-1/flow'),
  tagOf(1, 'south/pump-1/flow'),
  tagOf(2, 'north/pump-1/parts', 'integer'),
  tagOf(3, 'north/pump-1/note', 'text'),
];
const signal = (): AbortSignal => new AbortController().signal;
function open(context: TestContext, url = proxy?.url ?? server.url): Forwarder {
  const { user, passwordFile } = server;
  return questdbForwarder.create({ url, user, passwordFile, passwordCommand: '' }, context);
}

/** What a plant sends: doubles of two sites with the same names, integers, texts; some bad. */
function value(tag: number, n: number): Value {
  return n % 53 === 0 ? null : tag === 2 ? 2n ** 53n + BigInt(n) : tag === 3 ? `note "${n}"\nand more` : n / 4 - 100;
}

test('each answer a network can give, and a server killed in mid-stream: everything is there once', async () => {
  const write: Fault[] = [
    ...['pass', { status: 500, body: 'out of order' }, 'after', 'pass', 'before', 'half', { status: 401 }],
    ...[{ status: 403 }, 'pass', 'refuse', { status: 503 }, { status: 200, body: '<html>' }, 'pass', 'after'],
    // A lie: no row is bad. It costs requests and no row.
    ...[{ status: 400, body: '{"message":"error in line 3: x","line":3}' }, 'pass', 'pass', 'pass', { status: 413 }],
    ...['pass', 'pass', 'pass', { status: 400, body: '<html>' }],
  ] as Fault[];
  let asked = 0;
  let given = 0;
  proxy = await faultProxy(server.url, ({ method }) =>
    method === 'POST' && asked++ % 2 === 0 ? (write[given++] ?? 'pass') : 'pass',
  );
  const log = openSegments({ dataDir: dir, cap: 1e8 });
  log.add('questdb', log.start);
  const context = contextOf(dir, tags);
  const forwarder = open(context);
  const stop = new AbortController();
  const pumping = pump({
    source: sourceOf(log, 'questdb'),
    consumer: forwarder,
    clock: systemClock,
    bytes: 2000,
    pause: 0,
    deadline: { write: 5000, grace: 500 },
    backoff: { first: 5, most: 20 },
  });
  const running = pumping.run(stop.signal);
  const sent: { tag: number; value: Value }[] = [];
  const total = 300;
  for (let seq = 0; seq < total; seq++) {
    const samples = Array.from({ length: 20 }, (_, i) => {
      const n = seq * 20 + i;
      const tag = n % tags.length;
      sent.push({ tag, value: value(tag, n) });
      return { tag, t: START + n * 10_007, value: value(tag, n), status: n % 53 === 0 ? 0x80050000 : 0 };
    });
    const bytes = encodeFrame(frameOf(0, samples), log.start + seq, 1);
    const head = readHead(bytes);
    if (head.ok) log.append(bytes, head.meta);
    await log.sync();
    pumping.wake();
    if (seq === 100) {
      await expect.poll(() => log.account('questdb').delivered, { timeout: 15_000 }).toBeGreaterThan(0);
      await server.kill();
    }
    if (seq === 110) await server.start();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await expect.poll(() => log.account('questdb').backlog.frames, { timeout: 15_000 }).toBe(0);
  stop.abort();
  await running;
  await forwarder.close();
  const account = log.account('questdb');
  await log.close();
  expect(given).toBeGreaterThan(write.length);
  expect(pumping.health().failures).toBeGreaterThan(10);
  expect(account).toMatchObject({ delivered: total * 20, deadLettered: 0, filtered: 0, dropped: 0 });
  expect(context.rewound).toEqual([30 * 60_000]);

  await server.applied();
  const of = (tag: number): { n: number; known: number; sum: number; max: number } => {
    const values = sent.filter((each) => each.tag === tag).map((each) => each.value);
    const numbers = values.filter((each) => each !== null).map((each) => (typeof each === 'string' ? 0 : Number(each)));
    const sum = numbers.reduce((total, each) => total + each, 0);
    return { n: values.length, known: numbers.length, sum, max: numbers.reduce((a, b) => Math.max(a, b)) };
  };
  const figures = (table: string): Promise<Record<string, unknown>[]> =>
    server.sql(
      `SELECT tag, count() AS n, count(value) AS known, sum(value) AS sum, max(value) AS max FROM ${table} ORDER BY tag`,
    );
  expect(await figures('readings')).toEqual([
    { tag: tags[0]?.id, ...of(0) },
    { tag: tags[1]?.id, ...of(1) },
  ]);
  expect(await figures('readings_integer')).toMatchObject([{ n: of(2).n, known: of(2).known }]);
  const [last] = await server.sql('SELECT max(value)::string AS max FROM readings_integer');
  expect(last?.max).toBe(String(sent.filter(({ tag, value: each }) => tag === 2 && each !== null).at(-1)?.value));
  const texts = await server.sql('SELECT value FROM readings_text WHERE value IS NOT NULL ORDER BY ts');
  expect(texts.map((row) => row.value)).toEqual(
    sent.filter(({ tag, value: each }) => tag === 3 && each !== null).map((each) => each.value),
  );
  const [bad] = await server.sql('SELECT count() AS n FROM readings WHERE status = 2147811328 AND value IS NULL');
  expect(bad?.n).toBe(sent.filter(({ tag, value: each }) => tag < 2 && each === null).length);
}, 60_000);

test('a row that the server refuses is kept as a dead letter, counted, and said once; its neighbours get in', async () => {
  const context = contextOf(dir, tags);
  const forwarder = open(context);
  const samples = Array.from({ length: 400 }, (_, n) => ({ t: n % 100 === 7 ? -n : START + n, value: n }));
  const stored = await forwarder.write([frameOf(1, samples)], signal());
  expect(stored).toEqual({ delivered: 396, filtered: 0, deadLettered: 4 });
  await server.applied();
  expect(await server.sql('SELECT count() AS n, sum(value) AS sum FROM readings')).toEqual([
    { n: 396, sum: (400 * 399) / 2 - 7 - 107 - 207 - 307 },
  ]);
  const letters = [];
  for await (const letter of readDeadLetters(dir, 'questdb')) letters.push(letter);
  expect(letters.map(({ row, table }) => [row.tag, row.value, table])).toEqual(
    [7, 107, 207, 307].map((n) => ['north/pump-1/flow', n, 'readings']),
  );
  expect(letters[0]?.reason).toMatch(/designated timestamp before 1970-01-01/);
  expect(context.logged.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  await forwarder.close();
});

test('what was given up in a write that failed is not given up again', async () => {
  let posts = 0;
  // Whole, twice, the first row, the bad one, and the last, which is tried on a new connection at once.
  proxy = await faultProxy(server.url, ({ method }) =>
    method === 'POST' && [5, 6].includes(++posts) ? 'after' : 'pass',
  );
  const forwarder = open(contextOf(dir, tags));
  const frames = [
    frameOf(1, [
      { t: START, value: 1 },
      { t: -1, value: 2 },
      { t: START + 1, value: 3 },
    ]),
  ];
  await expect(forwarder.write(frames, signal())).rejects.toThrow(/cannot be reached/);
  expect(await forwarder.write(frames, signal())).toEqual({ delivered: 2, filtered: 0, deadLettered: 1 });
  const letters = [];
  for await (const letter of readDeadLetters(dir, 'questdb')) letters.push(letter.row.value);
  expect(letters).toEqual([2]);
  await server.applied();
  expect(await server.sql('SELECT value FROM readings')).toEqual([{ value: 1 }, { value: 3 }]);
  await forwarder.close();
});

test('credentials are read again after a refusal; a wrong password is said without showing it', async () => {
  const secret = join(dir, 'password');
  writeFileSync(secret, 'wrong\n');
  const { url, user } = server;
  const settings = { url, user, passwordFile: secret, passwordCommand: '' };
  const forwarder = questdbForwarder.create(settings, contextOf(dir, tags));
  const frames = [frameOf(1, [{ t: START }])];
  await expect(forwarder.write(frames, signal())).rejects.toThrow(
    /does not accept the user and password \(401\): correct them/,
  );
  writeFileSync(secret, `${server.password}\n`);
  expect(await forwarder.write(frames, signal())).toMatchObject({ delivered: 1 });
  await forwarder.close();
});

test('a suspended table is said; a restart of the server is noticed over one of the gateway', async () => {
  const context = contextOf(dir, tags);
  const forwarder = open(context);
  await forwarder.write([frameOf(1, [{ t: START }])], signal());
  expect([forwarder.trouble?.(), (forwarder.pressure?.() ?? 0) < 0.5]).toEqual(['', true]);
  await server.applied();
  await server.sql('ALTER TABLE readings SUSPEND WAL');
  const next = contextOf(dir, tags);
  const again = open(next);
  await again.write([frameOf(2, [{ t: START + 1 }])], signal());
  expect(again.trouble?.()).toMatch(/the table readings is suspended in QuestDB.*RESUME WAL/);
  expect(again.pressure?.()).toBe(1);
  expect(next.rewound).toEqual([]);
  await server.sql('ALTER TABLE readings RESUME WAL');
  await server.applied();
  expect(await server.sql('SELECT count() AS n FROM readings')).toEqual([{ n: 2 }]);
  writeFileSync(join(dir, 'questdb-seen.json'), JSON.stringify({ started: '2020-01-01', taken: {} }));
  const later = contextOf(dir, tags);
  const third = open(later);
  await third.write([frameOf(3, [{ t: START + 2 }])], signal());
  await third.write([frameOf(4, [{ t: START + 3 }])], signal());
  expect(later.rewound).toEqual([30 * 60_000]);
  for (const each of [forwarder, again, third]) await each.close();
});

test('a table that is altered under it is one sentence each time, and what it tells to run mends it without a restart', async () => {
  await server.sql(
    'CREATE TABLE readings (time TIMESTAMP, ts TIMESTAMP, tag SYMBOL, site SYMBOL, asset SYMBOL, metric SYMBOL, value DOUBLE, status LONG) TIMESTAMP(time) PARTITION BY DAY WAL',
  );
  const clock = new ManualClock();
  const debt = await debtor({
    dataDir: join(dir, 'data'),
    clock,
    tags,
    name: 'questdb',
    section: { questdb: sectionOf(server) },
  });
  let n = 0;
  const put = (): void => debt.put(frameOf(0, [{ t: START + n, receivedAt: clock.micros(), value: n++ }]));
  /** Spoiled, said, and mended with the statement it tells; by default the table is renamed. */
  const drifts = async (words: RegExp): Promise<void> => {
    // The server may take a row as if nothing had happened, its writers still knowing the old table: it is noticed with
    // the next look.
    await debt.pass(11_000);
    put();
    await debt.sync();
    await debt.pass(Infinity, () => words.test(debt.says()));
    const [, statement = `RENAME TABLE readings TO readings_${n}`] = /run (ALTER TABLE [^;]*)/.exec(debt.says()) ?? [];
    await server.sql(statement);
    await debt.drain();
    expect(debt.says()).toBe('');
  };
  await drifts(/the table readings is kept by time and not by ts: rename that table/);
  await server.sql('ALTER TABLE readings DROP COLUMN status');
  await server.applied();
  await drifts(/the table readings has no column status: run ALTER TABLE readings ADD COLUMN status LONG/);
  await server.sql('ALTER TABLE readings DEDUP DISABLE');
  await server.applied();
  await drifts(/would keep repeated rows twice: run ALTER TABLE readings DEDUP ENABLE UPSERT KEYS\(ts, tag\)/);
  expect(debt.account()).toMatchObject({ journalled: n, delivered: n, dropped: 0, deadLettered: 0 });
  await server.applied();
  expect(await server.sql('SELECT value FROM readings ORDER BY ts')).toEqual([0, 1, 2].map((value) => ({ value })));
  await debt.close();
}, 60_000);

test('a table that is renamed or dropped under it is made anew, with all of the last half hour and what comes then', async () => {
  const clock = new ManualClock();
  const section = { questdb: sectionOf(server) };
  const debt = await debtor({ dataDir: join(dir, 'data'), clock, tags, name: 'questdb', section });
  let n = 0;
  const noticed = 11_000;
  for (const [away, after] of [
    ['', noticed],
    ['DROP TABLE readings', noticed],
    ['RENAME TABLE readings TO readings_old', noticed],
    ['DROP TABLE readings', noticed],
    // Before the next look: no single row is taken for a bad one.
    ['RENAME TABLE readings TO readings_older', 0],
    ['DROP TABLE readings', 0],
  ] as const) {
    if (away) await server.sql(away);
    await debt.pass(after);
    for (let i = 0; i < 3; i++) {
      debt.put(frameOf(0, [{ t: START + n, receivedAt: clock.micros(), value: n++ }]));
      await debt.drain();
    }
    if (after === 0) {
      await debt.pass(noticed);
      debt.put(frameOf(0, [{ t: START + n, receivedAt: clock.micros(), value: n++ }]));
      await debt.drain();
    }
    await server.applied();
    expect((await server.sql('SELECT value FROM readings ORDER BY ts')).map(({ value: each }) => each)).toEqual(
      Array.from({ length: n }, (_, i) => i),
    );
  }
  expect(debt.account()).toMatchObject({ journalled: n, delivered: n, dropped: 0, deadLettered: 0 });
  await debt.close();
}, 60_000);

test('a table made anew behind a proxy that keeps its connections: what went nowhere is noticed and sent again', async () => {
  proxy = await faultProxy(server.url, () => 'pass');
  const clock = new ManualClock();
  const section = { questdb: { ...sectionOf(server), url: proxy.url } };
  const debt = await debtor({ dataDir: join(dir, 'data'), clock, tags, name: 'questdb', section });
  let n = 0;
  const there = async (): Promise<unknown[]> => {
    await server.applied();
    return (await server.sql('SELECT value FROM readings ORDER BY ts')).map(({ value: each }) => each);
  };
  const put = async (): Promise<void> => {
    debt.put(frameOf(0, [{ t: START + n, receivedAt: clock.micros(), value: n++ }]));
    await debt.drain();
  };
  await put();
  await server.applied();
  await server.sql('DROP TABLE readings');
  await debt.pass(11_000);
  await put();
  // Confirmed over the proxy's connection, and in no table.
  expect(await there()).not.toContain(1);
  await debt.pass(11_000);
  await put();
  await debt.pass(11_000);
  await put();
  expect(await there()).toEqual([0, 1, 2, 3]);
  expect(debt.account()).toMatchObject({ journalled: n, delivered: n, dropped: 0, deadLettered: 0 });
  await debt.close();
}, 60_000);

test('the reader gives back what was sent: pages, exact integers, texts, buckets of good values, the latest', async () => {
  const { user, passwordFile } = server;
  const wire = `postgres://127.0.0.1:${server.pg.port}/qdb`;
  const who = { user, passwordFile, passwordCommand: '' };
  const reader = questdbHistory(wireOf({ url: server.url, wire }), credentials(who));
  expect(await reader.raw(tags[0] as ForwardTag, 0, START, 3)).toEqual({ t: [], value: [], status: [], more: false });
  const forwarder = open(contextOf(dir, tags));
  const I63 = 2n ** 63n;
  const t = START + 1;
  await forwarder.write(
    [
      frameOf(1, [
        ...[1, 2, NaN, 40].map((each, i) => ({ t: t + i * 20_000_000, value: each })),
        { t: t + 80_000_000, value: 1000, status: 0x80000000 },
        { tag: 1, t, value: -5 },
        ...[I63 - 1n, I63, -I63, 7].map((each, i) => ({ tag: 2, t: t + i, value: each })),
        { tag: 2, t: t + 4, value: null, status: 0x80050000 },
        { tag: 3, t, value: 'it\'s a "text"\nin two lines' },
      ]),
    ],
    signal(),
  );
  await server.applied();
  const [flow, other, parts, note] = tags as [ForwardTag, ForwardTag, ForwardTag, ForwardTag];
  const end = t + 100_000_000;
  expect(await reader.raw(flow, t, end, 3)).toEqual({
    t: [t, t + 20_000_000, t + 40_000_000],
    value: [1, 2, null],
    status: [0, 0, 0],
    more: true,
  });
  expect(await reader.raw(flow, t + 40_000_001, end, 3)).toMatchObject({ value: [40, 1000], more: false });
  expect(await reader.raw(parts, t, end, 10)).toMatchObject({
    value: [I63 - 1n, I63, -I63, 7, null],
    status: [0, 0, 0, 0, 0x80050000],
  });
  expect(await reader.raw(note, t, end, 10)).toMatchObject({ value: ['it\'s a "text"\nin two lines'] });
  const minute = 60_000_000;
  const buckets = { from: START, to: end, t: [START, START + minute], held: false };
  expect(await reader.figures([other, flow], buckets)).toMatchObject([
    [{ t0: t, n: 1, good: 1, min: -5, max: -5, sum: -5, held: -5 }],
    [
      { n: 3, good: 2, min: 1, max: 2, sum: 3, first: 1, last: 2, held: NaN },
      { n: 2, good: 1, min: 40, max: 40, sum: 40, held: NaN },
    ],
  ]);
  expect(await reader.latest([...tags, tagOf(9, 'no/such/tag')])).toMatchObject([
    { id: flow.id, t: t + 80_000_000, value: 1000, status: 0x80000000 },
    { id: other.id, value: -5 },
    { id: parts.id, value: null },
    { id: note.id },
  ]);
  await expect(reader.raw(flow, t, end, 0)).rejects.toThrow(RangeError);
  await reader.close();
  await forwarder.close();
  const stranger = questdbHistory(wireOf({ url: server.url, wire }), credentials({ ...who, user: 'stranger' }));
  await expect(stranger.raw(flow, t, end, 1)).rejects.toThrow(
    /refuses the user "stranger": .*its pg.user and pg.password must/,
  );
  await stranger.close();
  const nobody = questdbHistory(wireOf({ url: '', wire: 'postgres://127.0.0.1:1/qdb' }), credentials(who));
  await expect(nobody.raw(flow, t, end, 1)).rejects.toThrow(/^QuestDB at 127.0.0.1:1 does not answer/);
  await nobody.close();
});

test('a gateway killed in the middle of its requests: what the journal holds is there, once', async () => {
  const { amid, journalled, stored, missing, strange, account } = await killForwarding(4, await questdbTarget(server));
  expect({ missing, strange }).toEqual({ missing: 0, strange: 0 });
  expect(stored).toBe(journalled);
  expect(amid).toBeGreaterThan(0);
  expect(journalled).toBeGreaterThan(1000);
  expect(account).toMatchObject({ journalled, delivered: journalled, filtered: 0, deadLettered: 0, dropped: 0 });
}, 60_000);

test('the whole gateway: what a device gave is there, and dead letters are listed, shown and filed once more', async () => {
  const [config, data] = [join(dir, 'config'), join(dir, 'data')];
  const counter = await startCounter();
  writeCounterPlant(config, [counter.port]);
  const note = (value: number, tag = noteTag): DeadLetter => ({
    ...{ reason: 'refused', table: 'readings_integer', at: 5 },
    row: { tag, timestamp: '2026-01-01T00:00:00.000001Z', value },
  });
  const event: DeadLetter = { reason: 'refused', table: 'events', at: 6, row: { kind: 'device', id: 'e' } };
  await deadLetters(data, 'questdb').append([note(1), note(2, 'no/such/tag'), event, note(4_000_000_000)]);
  const command = (...args: string[]) => {
    const main = join(root, 'gateway', 'main.ts');
    const found = spawnSync(process.execPath, [main, 'dead-letters', ...args, '--data', data], { encoding: 'utf8' });
    return { code: found.status, said: found.stdout + found.stderr };
  };
  expect(command('list').said).toMatch(/^questdb: 4 rows from 1970.*\n {2}4 × refused\n$/);
  expect(command('replay', 'questdb')).toMatchObject({ code: 1, said: expect.stringMatching(/no gateway answers/) });
  let answer: Fault = 'pass';
  proxy = await faultProxy(server.url, () => answer);
  const gateway = await startGateway('run', ['--config', config], data, {
    PENSTOCK_FORWARD_QUESTDB_URL: proxy.url,
    PENSTOCK_FORWARD_QUESTDB_WIRE: `postgres://127.0.0.1:${server.pg.port}/qdb`,
    PENSTOCK_FORWARD_QUESTDB_USER: server.user,
    PENSTOCK_FORWARD_QUESTDB_PASSWORD_FILE: server.passwordFile,
  });
  try {
    expect(command('replay', 'questdb')).toEqual({
      code: 1,
      said: '2 rows of questdb filed once more; left: 1 row refused by the import, which show gives the reason for; 1 event, which no import takes\n',
    });
    const left = command('show', 'questdb')
      .said.trim()
      .split('\n')
      .map((line) => JSON.parse(line) as DeadLetter);
    expect(left).toEqual([
      event,
      { ...note(2, 'no/such/tag'), reason: expect.stringMatching(/^the import refuses it: /) },
    ]);
    const held = async (tag: string): Promise<unknown> =>
      (
        await server.sql(
          `SELECT count() AS n, max(value) AS max FROM readings_integer WHERE tag = '${tag}' AND status = 0`,
        )
      )[0];
    // The second letter is a later value for the same time.
    await expect
      .poll(() => held(noteTag).catch(() => undefined), { timeout: 20_000 })
      .toEqual({ n: 1, max: 4_000_000_000 });
    await expect
      .poll(async () => ((await held(counterTag(0))) as { n: number }).n, { timeout: 20_000 })
      .toBeGreaterThan(50);
    // Older than what is kept here: another gateway's, or this one's of last year.
    const old = "'2024-02-03T04:05:06.000007Z', 'TAG', 'line', 'line/counter-1', 'number', 77, 0".replace(
      'TAG',
      counterTag(0),
    );
    await server.sql(`INSERT INTO readings_integer VALUES (${old})`);
    await server.applied();
    const deep = `/api/v1/history/raw?tags=${counterTag(0)}&from=2024-01-01T00:00:00Z&to=2030-01-01T00:00:00Z&limit=3`;
    const { series } = await get<{ series: { t: string[]; value: unknown[]; incomplete?: string }[] }>(
      gateway.http + deep,
    );
    expect(series[0]).toMatchObject({ t: ['2024-02-03T04:05:06.000007Z', expect.anything(), expect.anything()] });
    expect([series[0]?.value[0], series[0]?.incomplete]).toEqual([77, undefined]);
    /** What /health says once the server was looked at anew, as it is after an answer that was none. */
    const comesToSay = async (words: RegExp, cause: string): Promise<void> => {
      answer = { status: 503 };
      await expect.poll(said, { timeout: 20_000 }).toMatch(/answered 503/);
      answer = 'pass';
      // What the server applies just then puts the table back as it was.
      const caused = async (): Promise<string> => (await server.sql(cause), said());
      await expect.poll(caused, { timeout: 20_000, interval: 300 }).toMatch(words);
    };
    const said = async (): Promise<string> => {
      const { components } = await get<WireHealth>(`${gateway.http}/health`);
      const found = components.find(({ name }) => name === 'forward.questdb');
      return `${found?.state}: ${found?.reason}`;
    };
    const suspended =
      /^degraded: the table readings_integer is suspended in QuestDB.*ALTER TABLE readings_integer RESUME/;
    await comesToSay(suspended, 'ALTER TABLE readings_integer SUSPEND WAL');
    await comesToSay(/^ok: $/, 'ALTER TABLE readings_integer RESUME WAL');
  } finally {
    await gateway.stop();
    await counter.close();
  }
  await server.applied();
  const rows = await server.sql(
    `SELECT value FROM readings_integer WHERE tag = '${counterTag(0)}' AND status = 0 AND ts > '2026' ORDER BY ts`,
  );
  const there = rows.map(({ value: each }) => Number(each));
  expect(new Set(there).size).toBe(there.length);
  const ids = new Map([
    [counterTag(0), 0],
    [noteTag, 1],
  ]);
  const here = [...((await numbersIn(data, 1, ids)).counters[0] ?? [])].sort((a, b) => a - b);
  // What came in the last moments before the stop waits in the journal.
  expect(here.slice(0, there.length)).toEqual(there);
}, 60_000);
