// PostgreSQL as the egress thread drives it: a real journal drains into a real server while its password changes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openEgress } from '../../egress.ts';
import { killForwarding, postgresTarget } from '../../test/kill-forward.ts';
import { needs } from '../../test/needs.ts';
import { eventually } from '../../test/rig.ts';
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
