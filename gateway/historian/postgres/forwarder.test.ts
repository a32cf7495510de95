// PostgreSQL keeps the contract that every store elsewhere keeps, against a real server.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, needs } from '../../test/needs.ts';
import { forwarderContract } from '../contract.ts';
import type { ContractTag, ForwarderBed } from '../contract/bed.ts';
import { credentials } from '../credentials.ts';
import { eventColumns } from '../events.ts';
import type { EventRow } from '../events.ts';
import { addressOf } from './address.ts';
import type { PostgresSettings } from './address.ts';
import { postgresForwarder } from './forwarder.ts';
import { postgresHistory } from './reader.ts';
import { tables } from './schema.ts';
import { contextOf, password, startPostgres } from './testing.ts';
import type { Server } from './testing.ts';

async function openBed(): Promise<ForwarderBed & { server: Server; dir: string }> {
  const server = await startPostgres();
  const dir = mkdtempSync(join(tmpdir(), 'penstock-forward-'));
  const secret = join(dir, 'secret');
  const database = 'plant';
  writeFileSync(secret, password);
  await server.sql('CREATE ROLE gateway LOGIN');
  await server.sql(`ALTER ROLE gateway PASSWORD '${password}'`);
  await server.sql(`CREATE DATABASE ${database} OWNER gateway`);
  const settings: PostgresSettings = {
    ...{ url: `postgres://127.0.0.1:${server.port}/${database}`, user: 'gateway', tls: 'off', tlsCa: '' },
    ...{ passwordFile: secret, passwordCommand: '' },
  };
  const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
  return {
    server,
    dir,
    forwarder: (tags: readonly ContractTag[]) => postgresForwarder.create(settings, contextOf(dir, tags)),
    history: () => postgresHistory(addressOf(settings, 'forward.postgres'), credentials(settings)),
    async rows() {
      const of = (table: string): string =>
        `SELECT '${table}' AS table, tag, site, asset, metric, (extract(epoch FROM ts) * 1000000)::bigint AS t, value::text, status FROM ${table}`;
      const all = await server.sql(
        ['readings', 'readings_integer', 'readings_text'].map(of).join(' UNION ALL '),
        database,
      );
      const valueOf = (table: unknown, text: string): string | bigint | number =>
        table === 'readings_text' ? text : table === 'readings_integer' ? BigInt(text) : Number(text);
      return all.map((row) => ({
        table: String(row.table),
        tag: String(row.tag),
        site: String(row.site),
        asset: String(row.asset),
        metric: String(row.metric),
        t: Number(row.t),
        status: Number(row.status),
        value: row.value === null ? null : valueOf(row.table, String(row.value)),
      }));
    },
    async events() {
      const all = await server.sql(
        `SELECT (extract(epoch FROM ts) * 1000000)::bigint AS t, id, ${eventColumns.join(', ')} FROM events`,
        database,
      );
      return all.map((row) => ({
        ...(row as unknown as EventRow),
        ...{ t: Number(row.t), detail: JSON.stringify(row.detail) },
      }));
    },
    clear: async () => void (await server.sql(`DROP TABLE IF EXISTS ${tables.join(', ')}`, database)),
    kill: () => server.kill(),
    start: () => server.start(),
    spoil: async () => void (await server.sql('ALTER TABLE readings ALTER COLUMN value TYPE text', database)),
    mend: async () =>
      void (await server.sql(
        'ALTER TABLE readings ALTER COLUMN value TYPE double precision USING value::double precision',
        database,
      )),
    async changePassword(secret) {
      await server.sql(`ALTER ROLE gateway PASSWORD ${literal(secret)}`);
      await server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'");
    },
    tellPassword: async (secret) => writeFileSync(join(dir, 'secret'), secret),
    async close() {
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

if (findProgram('initdb') || process.env.PENSTOCK_REQUIRE === 'all') forwarderContract('PostgreSQL', openBed);
else needs('initdb')('PostgreSQL, the contract of forwarders', () => {});
