// What is filed again for the same tag and time wins in every store: through the gateway's threads, its journal on disk and
// a real server; over a restart, with live frames sent before a backlog, and by a gateway whose data folder was lost.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openEgress } from '../egress.ts';
import type { ForwardSections } from '../forwarders.ts';
import { Status } from '../model.ts';
import type { Micros, Origin, Value, ValueType } from '../model.ts';
import { openReader } from '../reader.ts';
import { drained } from '../test/forward.ts';
import { needs } from '../test/needs.ts';
import { scratch } from '../test/rig.ts';
import { openWriter } from '../writer.ts';
import { password, startPostgres } from './postgres/testing.ts';
import { sectionOf, testServer } from './questdb/testing.ts';

type Row = [n: number, value: number | string | null, status: number];
interface Place {
  name: 'questdb' | 'postgres';
  section: Partial<ForwardSections>;
  /** Value and status of every row of a table, by time from `base` on; only doubles are numbers. */
  rows(table: string): Promise<Row[]>;
  close(): Promise<void>;
}
/** A week ago: old enough to be nobody's present. */
const base = (Math.floor(Date.now() / 3_600_000) - 168) * 3_600_000_000;

async function questdb(): Promise<Place> {
  const server = await testServer();
  return {
    name: 'questdb',
    section: { questdb: sectionOf(server) },
    async rows(table) {
      await server.applied();
      const found = await server.sql(
        `SELECT cast(ts AS long) AS t, value::string AS value, status FROM ${table} ORDER BY ts`,
      );
      return found.map((row) => rowOf(table, row));
    },
    close: () => server.remove(),
  };
}

async function postgres(): Promise<Place> {
  const server = await startPostgres();
  const dir = mkdtempSync(join(tmpdir(), 'penstock-corrections-'));
  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, password);
  const url = `postgres://127.0.0.1:${server.port}/postgres`;
  return {
    name: 'postgres',
    section: { postgres: { url, user: 'penstock', passwordFile, passwordCommand: '', tls: 'off', tlsCa: '' } },
    async rows(table) {
      const found = await server.sql(
        `SELECT (extract(epoch FROM ts) * 1000000)::bigint AS t, value::text AS value, status FROM ${table} ORDER BY ts`,
      );
      return found.map((row) => rowOf(table, row));
    },
    async close() {
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function rowOf(table: string, { t, value, status }: Record<string, unknown>): Row {
  const number = table === 'readings' && value !== null;
  return [Number(t) - base, number ? Number(value) : (value as string | null), Number(status)];
}

type Given = [n: number, value: Value, status?: number];
interface Life {
  file(given: readonly Given[], how?: { origin?: Origin; tag?: number; received?: Micros }): Promise<void>;
  forward(): Promise<void>;
  /** As local history has it. */
  here(tag: number): Promise<[n: number, value: Value, status: number][]>;
  end(): Promise<void>;
}
const known: { id: string; type: ValueType }[] = [
  { id: 'n/pump/flow', type: 'double' },
  { id: 'n/pump/parts', type: 'integer' },
];

/** The gateway's own threads on a data folder. */
async function live(dataDir: string, { name, section }: Place): Promise<Life> {
  const onDeath = (error: Error): never => expect.fail(error.message);
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const writer = await openWriter({ dataDir, onDeath });
  const { indexes, revision } = await writer.assign(known);
  const tags = known.map((tag) => ({ ...tag, index: indexes.get(tag.id) ?? -1 }));
  await writer.use(tags, revision);
  let close = (): Promise<void> => Promise.resolve();
  return {
    async file(given, { origin = 'import', tag = 0, received = Date.now() * 1000 } = {}) {
      const samples = given.map(([n, value, status = 0]) => ({
        ...{ tag: tags[tag]?.index ?? -1, t: base + n, receivedAt: received, value, status, flags: 0 },
      }));
      await writer.journal.durable(writer.journal.append({ origin, source: 'line', samples, events: [] }));
    },
    async forward() {
      const egress = await openEgress({
        ...{ dataDir, writer, log: silent, onDeath, names: [name] },
        forward: { rate: 1_000_000, timeout: 10_000, ...section },
        tags: tags.map((tag) => ({ ...tag, site: 'n', asset: 'n/pump', metric: tag.id.slice(7), unit: '' })),
      });
      close = () => egress.close();
      const account = await drained(writer, 30_000, name);
      expect(account).toMatchObject({ delivered: account.journalled, dropped: 0, deadLettered: 0, filtered: 0 });
    },
    async here(tag) {
      const reader = await openReader({ dataDir, open: writer.open, onDeath });
      expect(await writer.caughtUp(10_000)).toBe(true);
      const { t, value, status } = await reader.raw(tags[tag]?.index ?? -1, base, base + 1e9, 1000);
      reader.close();
      return t.map((each, i) => [each - base, value[i] ?? null, status[i] ?? -1]);
    },
    async end() {
      await close();
      await writer.close();
    },
  };
}

const bad = Status.badCommunication;
const low = -(2n ** 63n);

/** Three lives: one that files and corrects, one after a restart with a backlog, and one on a folder of its own. */
async function corrected(open: () => Promise<Place>): Promise<void> {
  const { path, remove } = scratch();
  const data = (folder: string): string => join(path, folder);
  for (const folder of ['a', 'b']) mkdirSync(data(folder));
  const place = await open();
  try {
    const begun = Date.now();
    const first = await live(data('a'), place);
    const given: Given[] = [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, null, bad],
    ];
    await first.file(given, { origin: 'live' });
    await first.file(
      [
        [1, 7],
        [2, low],
        [3, 2n ** 62n],
      ],
      { origin: 'live', tag: 1 },
    );
    await first.file([
      [3, 33],
      [4, null, bad],
      [5, 55],
    ]);
    await first.forward();
    expect(await place.rows('readings')).toEqual([
      [1, 1, 0],
      [2, 2, 0],
      [3, 33, 0],
      [4, null, bad],
      [5, 55, 0],
    ]);
    await first.end();

    // What waited for ten minutes and corrections amid it, behind what is live.
    const second = await live(data('a'), place);
    const earlier = (Date.now() - 600_000) * 1000;
    await second.file(
      [
        [6, 6],
        [7, 7],
        [8, 8],
      ],
      { origin: 'live', received: earlier },
    );
    await second.file(
      [
        [3, 34],
        [6, 66],
        [7, null, bad],
      ],
      { received: earlier },
    );
    await second.file([[9, 9]], { origin: 'live' });
    await second.file([
      [9, 99],
      [6, 67],
      [5, null, bad],
    ]);
    await second.file(
      [
        [1, null, bad],
        [2, null, bad],
        [3, low],
      ],
      { tag: 1 },
    );
    await second.forward();
    const expected: Given[] = [
      ...([
        [1, 1, 0],
        [2, 2, 0],
        [3, 34, 0],
        [4, null, bad],
        [5, null, bad],
      ] satisfies Given[]),
      ...([
        [6, 67, 0],
        [7, null, bad],
        [8, 8, 0],
        [9, 99, 0],
      ] satisfies Given[]),
    ];
    expect(await place.rows('readings')).toEqual(expected);
    expect(await second.here(0)).toEqual(expected);
    expect(await second.here(1)).toEqual([
      [1, null, bad],
      [2, null, bad],
      [3, low, 0],
    ]);
    const integers = new Map((await place.rows('readings_integer')).map((row) => [row[0], row]));
    expect([integers.get(1), integers.get(2)]).toEqual([
      [1, null, bad],
      [2, null, bad],
    ]);
    // QuestDB's LONG cannot hold the lowest of all: it stands beside, as text, and is gone from there when it is corrected.
    const texts = new Map((await place.rows('readings_text')).map(([n, value]) => [n, value]));
    expect(texts.get(2) ?? null).toBe(null);
    expect(integers.get(3)?.[1] ?? texts.get(3)).toBe(String(low));
    await second.end();

    // The folder is lost. Sequences follow the clock by whole seconds, and each start takes four of them.
    await expect.poll(() => Date.now() - begun, { timeout: 10_000 }).toBeGreaterThan(5000);
    const fresh = await live(data('b'), place);
    await fresh.file([
      [3, 35],
      [5, 56],
      [8, null, bad],
      [10, 10],
    ]);
    await fresh.forward();
    const kept = (await place.rows('readings')).filter(([n]) => [3, 5, 8, 10].includes(n));
    expect(kept).toEqual([
      [3, 35, 0],
      [5, 56, 0],
      [8, null, bad],
      [10, 10, 0],
    ]);
    await fresh.end();
  } finally {
    await place.close();
    remove();
  }
}

const what = 'what is filed again for a time wins, over restarts, a backlog and the loss of the data folder';
needs('java', 'mvn')(`QuestDB: ${what}`, () => corrected(questdb), 180_000);
needs('initdb')(`PostgreSQL: ${what}`, () => corrected(postgres), 180_000);
