// Kills the gateway's threads in the middle of their requests to a real QuestDB, again and again on one data folder, and
// then compares what is in the database with what the journal holds. Called by the QuestDB test (a few lives) and the soak.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { faultProxy } from '../historian/questdb/testing.ts';
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

export async function killForwarding(
  lives: number,
  server: TestServer,
  random: () => number = Math.random,
): Promise<Forwarded> {
  const { path: dataDir, remove } = scratch();
  const origin = (Math.floor(Date.now() / 3_600_000) - 2 - Math.ceil((lives * GAP) / 3_600_000)) * 3_600_000_000;
  const slow = (): Promise<'pass'> => new Promise((resolve) => setTimeout(() => resolve('pass'), random() * 60));
  const proxy = await faultProxy(server.url, slow);
  const { user, passwordFile } = server;
  const secrets = { passwordFile, passwordCommand: '', tokenFile: '', tokenCommand: '' };
  const questdb = { url: proxy.url, wire: '', user, ...secrets };
  const settings = { names: ['questdb'], forward: { rate: 1_000_000, timeout: 30_000, questdb } };
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
          () => {
            if (proxy.busy > 0) amid++;
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
    await proxy.close();
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
    await server.applied();
    const rows = await server.sql('SELECT ts, value FROM readings');
    const stored = new Set(rows.map(({ value }) => value as number));
    const strange = rows.filter(({ ts, value }) => {
      const ms = Date.parse(`${String(ts).slice(0, 23)}Z`);
      return !held.has(value as number) || ms * 1000 !== origin + (value as number) * 1000;
    });
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
    const account = await drained(writer, 30_000, 'questdb');
    await egress.close();
    await writer.close();
    return account;
  }
}
