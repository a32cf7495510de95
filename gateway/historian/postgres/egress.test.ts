// PostgreSQL as the egress thread drives it: a real journal drains into a real server while its password changes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { deadLettersCommand } from '../../cli/dead-letters.ts';
import { importFile } from '../../cli/import.ts';
import { openEgress } from '../../egress.ts';
import { counterTag, noteTag, startCounter, writeCounterPlant } from '../../test/counter.ts';
import { killForwarding, postgresTarget } from '../../test/kill-forward.ts';
import { drained, expectSums } from '../../test/ledger.ts';
import { needs } from '../../test/needs.ts';
import { eventually, scratch, startGateway } from '../../test/rig.ts';
import { openWriter } from '../../writer.ts';
import { password, startPostgres } from './testing.ts';

const initdb = needs('initdb');
const second = 'sec0nd "secret"';
const SAMPLES = 10_000;

initdb(
  'a password that changes while a backlog drains: said without showing it, then all is there once',
  { timeout: 120_000 },
  async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'penstock-pg-'));
    const server = await startPostgres();
    const said: string[] = [];
    const say = (detail: object, message: string): void => void said.push(`${message} ${JSON.stringify(detail)}`);
    const writer = await openWriter({ dataDir, onDeath: (error) => expect.fail(error.message) });
    const closing: (() => Promise<void>)[] = [() => writer.close(), () => server.close()];
    try {
      const tags = Array.from({ length: 10 }, (_, i) => ({ id: `n/pump-${i}/flow`, type: 'double' as const }));
      const { indexes, revision } = await writer.assign(tags);
      const known = tags.map((tag) => ({ ...tag, index: indexes.get(tag.id) ?? -1 }));
      await writer.use(known, revision);
      const secret = join(dataDir, 'secret');
      writeFileSync(secret, password);
      const egress = await openEgress({
        dataDir,
        forward: {
          rate: 100_000,
          timeout: 5000,
          postgres: {
            ...{ url: `postgres://127.0.0.1:${server.port}/postgres`, user: 'penstock', tls: 'off', tlsCa: '' },
            ...{ passwordFile: '', passwordCommand: `cat '${secret}'` },
          },
        },
        names: ['postgres'],
        tags: known.map((tag) => ({ ...tag, site: 'n', asset: tag.id.slice(0, -5), metric: 'flow', unit: '' })),
        writer,
        log: { debug: say, info: say, warn: say, error: say },
        onDeath: (error) => expect.fail(error.message),
      });
      closing.unshift(() => egress.close());
      let sum = 0;
      const base = Date.UTC(2026, 0, 1, 12) * 1000;
      const append = (from: number, to: number): void => {
        for (let n = from; n < to; n += 500) {
          const samples = Array.from({ length: 500 }, (_, i) => ({
            ...{ tag: known[i % 10]?.index ?? 0, t: base + (n + i) * 10_000, receivedAt: Date.now() * 1000 },
            ...{ value: (n + i) / 4, status: 0, flags: 0 },
          }));
          sum += samples.reduce((all, { value }) => all + value, 0);
          writer.journal.append({ origin: 'live', source: 'line', samples, events: [] });
        }
      };
      append(0, SAMPLES / 2);
      const stored = async () => Number((await server.sql('SELECT count(*) AS n FROM readings'))[0]?.n);
      await eventually(
        () => stored().catch(() => 0),
        (n) => n > 0,
      );
      await server.sql(`ALTER ROLE penstock PASSWORD '${second}'`);
      server.password = second;
      await server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'penstock'");
      append(SAMPLES / 2, SAMPLES);
      const health = () => egress.health().forwards.postgres;
      const failing = await eventually(health, (now) => /refuses the user/.test(now?.lastError ?? ''), 60_000);
      expect(failing?.lastError).toMatch(/refuses the user "penstock".*password/);
      writeFileSync(secret, `${second}\n`);
      await eventually(
        async () => (await writer.stats()).accounts.postgres,
        (account) => account?.delivered === SAMPLES && account.backlog.frames === 0,
        60_000,
      );
      const [row] = await server.sql('SELECT count(*)::int AS n, sum(value) AS sum FROM readings');
      expect(row).toEqual({ n: SAMPLES, sum });
      expect(`${JSON.stringify(failing)} ${said.join('\n')}`).not.toMatch(/secret"|first secret/);
    } finally {
      for (const close of closing) await close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
);

initdb(
  'the gateway killed again and again amid its requests: each sample of the journal is there once',
  async () => {
    const server = await startPostgres();
    try {
      const { amid, journalled, stored, missing, strange, account } = await killForwarding(
        4,
        await postgresTarget(server),
      );
      expect({ missing, strange }).toEqual({ missing: 0, strange: 0 });
      expect(stored).toBe(journalled);
      expect(amid).toBeGreaterThan(0);
      expect(journalled).toBeGreaterThan(100);
      expect(account).toMatchObject({ journalled, delivered: journalled, filtered: 0, deadLettered: 0, dropped: 0 });
    } finally {
      await server.close();
    }
  },
  120_000,
);

initdb(
  'the whole gateway: a row that PostgreSQL alone refuses is listed, shown, and there once it is filed again',
  async () => {
    const { path: dir, remove } = scratch();
    const [config, data, secret] = [join(dir, 'config'), join(dir, 'data'), join(dir, 'secret')];
    const server = await startPostgres();
    const counter = await startCounter();
    writeCounterPlant(config, [counter.port]);
    writeFileSync(secret, password);
    const said: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
    const command = async (...args: string[]): Promise<[code: number, said: string]> => {
      said.length = 0;
      const code = await deadLettersCommand([...args, '--data', data]);
      return [code, said.join('\n')];
    };
    const gateway = await startGateway('run', ['--config', config], data, {
      PENSTOCK_FORWARD_POSTGRES_URL: `postgres://127.0.0.1:${server.port}/postgres`,
      PENSTOCK_FORWARD_POSTGRES_USER: 'penstock',
      PENSTOCK_FORWARD_POSTGRES_PASSWORD_FILE: secret,
    });
    try {
      const values = async (tag: string): Promise<number[]> =>
        (await server.sql(`SELECT value FROM readings_integer WHERE tag = '${tag}' AND status = 0 ORDER BY ts`)).map(
          ({ value }) => Number(value),
        );
      await eventually(
        () => values(counterTag(0)).catch(() => []),
        (found) => found.length > 10,
      );
      await server.sql('ALTER TABLE readings_integer ADD CONSTRAINT small CHECK (value < 4e9)');
      const file = join(dir, 'notes.ndjson');
      const line = (value: number): string =>
        `${JSON.stringify({ tag: noteTag, timestamp: `2026-11-01T00:00:0${value % 10}Z`, value })}\n`;
      writeFileSync(file, line(1) + line(4_000_000_002) + line(3));
      expect(await importFile({ data, file, origin: 'import' })).toMatchObject({ accepted: 3, rejected: 0 });
      await eventually(
        () => values(noteTag),
        (found) => found.length === 2,
      );
      const reason = /new row for relation "readings_integer_p20261101" violates check constraint "small"/;
      // The letter is written behind the rows.
      await eventually(
        () => command('list'),
        ([, words]) => words.startsWith('postgres: 1 row from '),
      );
      const [, shown] = await command('show', 'postgres');
      expect(JSON.parse(shown)).toEqual({
        ...{ reason: expect.stringMatching(reason), table: 'readings_integer', at: expect.any(Number) },
        row: { tag: noteTag, timestamp: '2026-11-01T00:00:02.000000Z', value: 4_000_000_002, status: 0 },
      });
      await server.sql('ALTER TABLE readings_integer DROP CONSTRAINT small');
      expect(await command('replay', 'postgres')).toEqual([0, '1 row of postgres filed once more']);
      await eventually(
        () => values(noteTag),
        (found) => found.length === 3,
      );
      expect(await values(noteTag)).toEqual([1, 4_000_000_002, 3]);
      expect(await command('list')).toEqual([0, `no dead letters in ${data}`]);
      const ledger = await drained(gateway.http, 'postgres');
      expectSums(ledger);
      expect(ledger.consumers.find(({ consumer }) => consumer === 'postgres')).toMatchObject({ deadLettered: 1 });
    } finally {
      vi.restoreAllMocks();
      await gateway.stop();
      await counter.close();
      await server.close();
      remove();
    }
  },
  120_000,
);
