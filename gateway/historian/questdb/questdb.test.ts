// QuestDB keeps the contract that every store elsewhere keeps, against a real server.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs, findProgram } from '../../test/needs.ts';
import { forwarderContract } from '../contract.ts';
import type { ContractRow, ForwarderBed } from '../contract/bed.ts';
import { credentials } from '../credentials.ts';
import type { EventRow } from '../events.ts';
import { questdbForwarder } from './forwarder.ts';
import { questdbHistory } from './reader.ts';
import { tables } from './schema.ts';
import { contextOf, tagOf, testServer } from './testing.ts';
import { wireOf } from './wire.ts';

const micros = (ts: unknown): number => {
  const text = String(ts);
  return Date.parse(`${text.slice(0, 23)}Z`) * 1000 + Number(text.slice(23, 26));
};

async function openBed(): Promise<ForwarderBed> {
  const server = await testServer();
  const dir = mkdtempSync(join(tmpdir(), 'penstock-forward-'));
  const rowsOf = async (table: string, value: string): Promise<ContractRow[]> =>
    (await server.sql(`SELECT ts, tag, site, asset, metric, ${value} AS value, status FROM ${table}`)).map(
      ({ ts, ...row }) => ({ ...row, table, t: micros(ts) }) as unknown as ContractRow,
    );
  return {
    forwarder: (tags) =>
      questdbForwarder.create(
        { url: server.url, user: server.user, passwordFile: server.passwordFile, passwordCommand: '' },
        contextOf(
          dir,
          tags.map(({ id, type }, index) => tagOf(index, id, type)),
        ),
      ),
    async rows() {
      await server.applied();
      const texts = await rowsOf('readings_text', 'value');
      // What no LONG holds has its value as text beside a row without one.
      const beside = new Set(texts.map(({ tag, t }) => `${tag} ${t}`));
      const integers = (await rowsOf('readings_integer', 'value::string')).map((row) => ({
        ...row,
        value: row.value === null ? null : BigInt(row.value),
      }));
      const alone = integers.filter(({ tag, t, value }) => value !== null || !beside.has(`${tag} ${t}`));
      return [...(await rowsOf('readings', 'value')), ...alone, ...texts];
    },
    history() {
      const { url, user, passwordFile } = server;
      const who = { user, passwordFile, passwordCommand: '' };
      return questdbHistory(wireOf({ url, wire: `postgres://127.0.0.1:${server.pg.port}/qdb` }), credentials(who));
    },
    async events() {
      await server.applied();
      const all = await server.sql('SELECT * FROM events');
      return all.map(({ ts, ...row }) => {
        const said = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? '']));
        return { ...said, t: micros(ts) } as unknown as EventRow;
      });
    },
    async clear() {
      for (const table of tables) await server.sql(`DROP TABLE IF EXISTS ${table}`);
    },
    kill: () => server.kill(),
    start: () => server.start(),
    async spoil() {
      await server.sql('ALTER TABLE readings ALTER COLUMN value TYPE VARCHAR');
      await server.applied();
    },
    async mend() {
      await server.sql('ALTER TABLE readings ALTER COLUMN value TYPE DOUBLE');
      await server.applied();
    },
    async changePassword(secret) {
      await server.kill();
      await server.start(secret);
    },
    tellPassword: async (secret) => writeFileSync(server.passwordFile, secret),
    reads: (value) => (typeof value === 'number' && !Number.isFinite(value) ? null : value),
    async close() {
      await server.remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

if ((findProgram('java') && findProgram('mvn')) || process.env.PENSTOCK_REQUIRE === 'all')
  forwarderContract('QuestDB', openBed);
else needs('java', 'mvn')('QuestDB, the contract of forwarders', () => {});
