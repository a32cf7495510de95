// Kills the gateway's threads in the middle of their requests to a real database, again and again on one data folder, and
// then compares what is in it with what the journal holds. Called by the databases' tests (a few lives) and the soak.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ForwardSections } from '../forwarders.ts';
import { creation } from '../historian/postgres/schema.ts';
import { password } from '../historian/postgres/testing.ts';
import type { Server as PostgresServer } from '../historian/postgres/testing.ts';
import { faultProxy, sectionOf } from '../historian/questdb/testing.ts';
import type { TestServer } from '../historian/questdb/testing.ts';
import { decodeFrame } from '../journal/frame.ts';
import type { Account } from '../journal/log.ts';
import { openSegments } from '../journal/segments.ts';
import { openWriter } from '../writer.ts';
import { drained, forwardToFile } from './forward.ts';
import { scratch } from './rig.ts';

/** Numbers set aside for a life. */
const GAP = 100_000;

export interface Forwarded {
  lives: number;
  /** Kills that came while a request was on its way. */
  amid: number;
  journalled: number;
  stored: number;
  /** Of the journal's numbers, those not in the database; rows in it that are no number of the journal, or not at their time. */
  missing: number;
  strange: number;
  account: Account;
}

/** A database to forward to. */
export interface Target {
  name: 'questdb' | 'postgres';
  section: Partial<ForwardSections>;
  /** A request is on its way just now. */
  busy(): Promise<boolean> | boolean;
  /** All rows, `t` in µs. */
  rows(): Promise<{ t: number; value: number }[]>;
  close(): Promise<void>;
}

/** Each request is held up a little, so that kills come amid it; so is each statement in `postgresTarget`. */
export async function questdbTarget(server: TestServer, random: () => number = Math.random): Promise<Target> {
  const slow = (): Promise<'pass'> => new Promise((resolve) => setTimeout(() => resolve('pass'), random() * 60));
  const proxy = await faultProxy(server.url, slow);
  return {
    name: 'questdb',
    section: { questdb: { ...sectionOf(server), url: proxy.url } },
    busy: () => proxy.busy > 0,
    async rows() {
      await server.applied();
      const found = await server.sql('SELECT ts, value FROM readings');
      return found.map(({ ts, value }) => ({
        t: Date.parse(`${String(ts).slice(0, 23)}Z`) * 1000,
        value: value as number,
      }));
    },
    close: () => proxy.close(),
  };
}

export async function postgresTarget(server: PostgresServer): Promise<Target> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-kill-'));
  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, password);
  for (const statement of creation('readings', { timescale: false, compress: false })) await server.sql(statement);
  await server.sql(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_sleep(random() * 0.06); RETURN NULL; END';
    CREATE TRIGGER hold BEFORE INSERT ON readings FOR EACH STATEMENT EXECUTE FUNCTION hold()`);
  const url = `postgres://127.0.0.1:${server.port}/postgres`;
  const secrets = { passwordFile, passwordCommand: '' };
  return {
    name: 'postgres',
    section: { postgres: { url, user: 'penstock', ...secrets, tls: 'off', tlsCa: '' } },
    async busy() {
      const [row] = await server.sql(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'penstock' AND state <> 'idle'",
      );
      return Number(row?.n) > 0;
    },
    async rows() {
      const found = await server.sql('SELECT (extract(epoch FROM ts) * 1000000)::bigint AS t, value FROM readings');
      return found.map(({ t, value }) => ({ t: Number(t), value: Number(value) }));
    },
    close: () => Promise.resolve(rmSync(dir, { recursive: true, force: true })),
  };
}

export async function killForwarding(
  lives: number,
  target: Target,
  random: () => number = Math.random,
): Promise<Forwarded> {
  const { path: dataDir, remove } = scratch();
  const origin = (Math.floor(Date.now() / 3_600_000) - 2 - Math.ceil((lives * GAP) / 3_600_000)) * 3_600_000_000;
  const settings = { names: [target.name], forward: { rate: 1_000_000, timeout: 30_000, ...target.section } };
  let amid = 0;
  try {
    for (let life = 0; life < lives; life++) {
      const script = fileURLToPath(new URL('./numbered.ts', import.meta.url));
      const env = { ...process.env, NODE_OPTIONS: '', VITEST: '' };
      const seed = Math.floor(random() * 2 ** 31);
      const args = [
        dataDir,
        String(life * GAP),
        String(seed),
        String(origin),
        'interval',
        '0',
        JSON.stringify(settings),
      ];
      const child = spawn(process.execPath, [script, ...args], { env });
      let said = '';
      let armed = false;
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      child.stdout.on('data', (chunk: Buffer) => {
        if (armed || !chunk.includes('up ')) return;
        armed = true;
        setTimeout(
          async () => {
            // Every other one comes amid a request, if there is one soon.
            let busy = await target.busy();
            for (let i = 0; life % 2 === 1 && i < 1500 && !busy; i++) {
              await new Promise((resolve) => setTimeout(resolve, 1));
              busy = await target.busy();
            }
            if (busy) amid++;
            child.kill('SIGKILL');
          },
          100 + random() * 900,
        );
      });
      const signal = await new Promise((resolve) => child.on('close', (_code, by) => resolve(by)));
      if (signal !== 'SIGKILL') throw new Error(`the gateway ended by itself: ${said}`);
    }
    return { lives, amid, ...(await look()) };
  } finally {
    await target.close();
    remove();
  }

  async function look(): Promise<Omit<Forwarded, 'lives' | 'amid'>> {
    const held = new Set<number>();
    // Never closed: a look must leave no position behind.
    const log = openSegments({ dataDir, cap: 1e9 });
    log.add('all', 1);
    for (const { bytes } of log.read('all', 1e9)) {
      const result = decodeFrame(bytes);
      if (!result.ok) throw new Error(result.message);
      for (const { value } of result.frame.samples) held.add(value as number);
    }
    const account = await drain();
    const rows = await target.rows();
    const stored = new Set(rows.map(({ value }) => value));
    const strange = rows.filter(({ t, value }) => !held.has(value) || t !== origin + value * 1000);
    const missing = [...held].filter((n) => !stored.has(n)).length;
    return { journalled: held.size, stored: rows.length, missing, strange: strange.length, account };
  }

  /** One last life, in which everything gets where it belongs. */
  async function drain(): Promise<Account> {
    const onDeath = (error: Error): never => {
      throw error;
    };
    const writer = await openWriter({ dataDir, onDeath });
    const egress = await forwardToFile(dataDir, writer, { onDeath, ...settings });
    const account = await drained(writer, 30_000, target.name);
    await egress.close();
    await writer.close();
    return account;
  }
}
