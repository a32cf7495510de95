// A real PostgreSQL for the tests: a cluster in a temporary folder on a free port, as an unprivileged user when the test
// runs as root. `kill` is kill -9 of all its processes; `start` brings it back on the same port with what it had stored.
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { systemClock } from '../../clock.ts';
import type { ForwardContext } from '../../consumer.ts';
import type { ValueType } from '../../model.ts';
import { findProgram } from '../../test/needs.ts';

export const password = 'first secret';

export interface Server {
  readonly port: number;
  /** Of the superuser; to be set when a test changes it. */
  password: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Puts a file into its data folder, readable for it alone. */
  place(name: string, text: string): void;
  /** Runs SQL as the superuser on a connection of its own and gives the rows. */
  sql(text: string, database?: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** Starts a cluster whose superuser is `penstock` with `password`; host connections are asked for it. @param set `name=value`, in place of what is fastest for tests */
export async function startPostgres(set: readonly string[] = ['fsync=off', 'shared_buffers=16MB']): Promise<Server> {
  const initdb = findProgram('initdb');
  if (!initdb) throw new Error('initdb is not installed');
  const who = process.getuid?.() === 0 ? unprivileged() : undefined;
  const dir = mkdtempSync(join(tmpdir(), 'penstock-postgres-'));
  chmodSync(dir, 0o755);
  if (who) chownSync(dir, who.uid, who.gid);
  const secret = join(dir, 'secret');
  writeFileSync(secret, password);
  chmodSync(secret, 0o644);
  const data = join(dir, 'data');
  const flags = ['-D', data, '-U', 'penstock', '-A', 'scram-sha-256', '--pwfile', secret, '-N', '-E', 'UTF8'];
  execFileSync(initdb, [...flags, '--locale=C', '--no-instructions'], { ...who, cwd: dir, stdio: 'ignore' });
  const port = await freePort();
  let child: ChildProcess | undefined;
  const orphan = (): void => void child?.kill('SIGKILL');
  process.once('exit', orphan);
  const server: Server = {
    port,
    password,
    async start() {
      const args = ['-D', data, '-k', '', '-h', '127.0.0.1', '-p', String(port)];
      const program = join(dirname(initdb), 'postgres');
      for (let tries = 0; ; tries++) {
        child = spawn(
          program,
          [...args, ...[...set, 'max_connections=20', 'log_min_messages=fatal'].flatMap((each) => ['-c', each])],
          {
            ...who,
            cwd: dir,
            stdio: 'ignore',
          },
        );
        if (await answers(server, child)) return;
        // After a kill the shared memory stays taken until the last of the old processes has noticed.
        if (tries > 50) throw new Error('PostgreSQL does not start');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async kill() {
      const pids = child?.pid ? [child.pid, ...childrenOf(child.pid)] : [];
      const gone = new Promise((resolve) => child?.once('exit', resolve));
      for (const pid of pids) killed(pid);
      if (pids.length > 0) await gone;
    },
    place(name, text) {
      const path = join(data, name);
      writeFileSync(path, text, { mode: 0o600 });
      if (who) chownSync(path, who.uid, who.gid);
    },
    async sql(text, database = 'postgres') {
      const who = { user: 'penstock', password: server.password };
      const client = new pg.Client({ host: '127.0.0.1', port, ...who, database });
      client.on('error', () => {});
      await client.connect();
      try {
        const result = (await client.query(text)) as pg.QueryResult | pg.QueryResult[];
        return ((Array.isArray(result) ? result.at(-1) : result)?.rows ?? []) as Record<string, unknown>[];
      } finally {
        await client.end();
      }
    },
    async close() {
      process.off('exit', orphan);
      if (child && child.exitCode === null && child.signalCode === null) await server.kill();
      // The last of the killed processes may still be closing its files.
      rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
  await server.start();
  return server;
}

/** The package's own user, or nobody: PostgreSQL refuses to run as root. */
function unprivileged(): { uid: number; gid: number } {
  const users = new Map(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => [line.split(':')[0], line.split(':')]),
  );
  const found = users.get('postgres') ?? users.get('nobody');
  return { uid: Number(found?.[2] ?? 65534), gid: Number(found?.[3] ?? 65534) };
}

/** One of them may have ended by itself since it was listed. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function answers(server: Server, child: ChildProcess): Promise<boolean> {
  for (let i = 0; i < 200 && child.exitCode === null && child.signalCode === null; i++) {
    try {
      await server.sql('SELECT 1');
      return true;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  return false;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** What a forwarder is given in the egress thread. */
export function contextOf(
  dataDir: string,
  tags: readonly { id: string; type: ValueType }[],
): ForwardContext & { logged: string[] } {
  const known = tags.map(({ id, type }, index) => {
    const [site = '', ...rest] = id.split('/');
    const metric = rest.at(-1) ?? '';
    return { index, id, site, asset: id.slice(0, -metric.length - 1), metric, type, unit: '' };
  });
  const logged: string[] = [];
  return {
    tag: (index) => known[index],
    clock: systemClock,
    dataDir,
    log: (_level, message) => void logged.push(message),
    rewind: () => {},
    answered: () => {},
    logged,
  };
}
