// A QuestDB server as a child process, with durable commits and the rights the gateway expects.
// Used by `npm run questdb` (cli/questdb.ts), by the tests against a real server, and by the benchmark.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startFault } from './fault.ts';
import { questdbJar } from './jar.ts';

export interface ServerOptions {
  /** Where it keeps its data; made if missing. */
  root: string;
  user: string;
  password: string;
  /** Java heap, MiB: 256 by default. */
  heap?: number;
  /** Flags for Java; by default the parallel collector, which QuestDB advises. */
  java?: readonly string[];
  /** Loopback ports; free ones by default, the same over restarts. */
  ports?: { http: number; pg: number; health: number };
  /** Further settings, by their names in the environment (`QDB_…`). */
  settings?: Record<string, string>;
}
export interface QuestdbServer {
  readonly url: string;
  readonly pg: { host: string; port: number };
  readonly user: string;
  readonly password: string;
  readonly pid: number | undefined;
  /**
   * Resolves when it answers; rejects with a sentence when it ends before that or needs longer than 60 s. May be called
   * again after an end, also with another password.
   */
  start(secret?: string): Promise<void>;
  /** As a power cut does it to the process. */
  kill(): Promise<void>;
  /** In good order, killed after 10 s. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when the process is gone, with what it printed last. */
  readonly ended: Promise<string>;
}

const flags = ['-DQuestDB-Runtime-66535', '-Dcontainerized=false'];

/** Fetches the program if need be; call `start` on the result. */
export async function questdbServer(options: ServerOptions): Promise<QuestdbServer> {
  const { root, user, heap = 256, java = ['-XX:+UseParallelGC'], settings = {} } = options;
  let { password } = options;
  const jar = await questdbJar();
  const ports = options.ports ?? (await freePorts());
  const at = (port: number): string => `127.0.0.1:${port}`;
  const env = {
    ...process.env,
    QDB_HTTP_BIND_TO: at(ports.http),
    QDB_PG_NET_BIND_TO: at(ports.pg),
    QDB_HTTP_MIN_NET_BIND_TO: at(ports.health),
    QDB_HTTP_USER: user,
    QDB_PG_USER: user,
    QDB_CAIRO_COMMIT_MODE: 'sync',
    QDB_LINE_TCP_ENABLED: 'false',
    QDB_LINE_AUTO_CREATE_NEW_TABLES: 'false',
    QDB_LINE_AUTO_CREATE_NEW_COLUMNS: 'false',
    QDB_TELEMETRY_ENABLED: 'false',
    ...settings,
  };
  const args = [`-Xmx${heap}m`, ...flags, ...java, '-p', jar, '-m', 'io.questdb/io.questdb.ServerMain', '-d', root];
  let child: ChildProcess | undefined;
  let ended = Promise.resolve('it was not started');
  let running = false;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (running) child?.kill(signal);
    await ended;
  };
  const orphan = (): void => void (running && child?.kill('SIGKILL'));
  return {
    url: `http://${at(ports.http)}`,
    pg: { host: '127.0.0.1', port: ports.pg },
    user,
    get password() {
      return password;
    },
    get pid() {
      return running ? child?.pid : undefined;
    },
    get ended() {
      return ended;
    },
    async start(secret = password) {
      password = secret;
      for (const port of Object.values(ports)) await mustBeFree(port);
      mkdirSync(root, { recursive: true });
      const own = { ...env, QDB_HTTP_PASSWORD: password, QDB_PG_PASSWORD: password };
      const begun = (child = spawn('java', args, { env: own, stdio: ['ignore', 'pipe', 'pipe'] }));
      running = true;
      process.once('exit', orphan);
      let said = '';
      for (const stream of [begun.stdout, begun.stderr])
        stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
      ended = new Promise((resolve) => {
        begun.on('error', (error) => (said += `java: ${error.message}`));
        begun.on('close', () => {
          running = false;
          process.off('exit', orphan);
          resolve(said);
        });
      });
      const until = Date.now() + 60_000;
      while (running && Date.now() < until) {
        if (await answers(at(ports.http), user, password)) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await end('SIGKILL');
      throw new Error(startFault(said, join(root, 'log')));
    },
    kill: () => end('SIGKILL'),
    async stop() {
      const late = setTimeout(() => void end('SIGKILL'), 10_000);
      await end('SIGTERM');
      clearTimeout(late);
    },
  };
}

async function answers(address: string, user: string, password: string): Promise<boolean> {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  try {
    const answer = await fetch(`http://${address}/exec?query=select%201`, { headers: { authorization } });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** Java would need seconds to find out, and meanwhile the other program may answer in our server's place. */
async function mustBeFree(port: number): Promise<void> {
  const held = createServer();
  await new Promise<void>((resolve, reject) => {
    held.on('error', () => reject(new Error(startFault(`could not bind socket [bindTo=127.0.0.1:${port}]`, ''))));
    held.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => held.close(resolve));
}

async function freePorts(): Promise<{ http: number; pg: number; health: number }> {
  const held = Array.from({ length: 3 }, () => createServer());
  const ports: number[] = [];
  for (const server of held) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as AddressInfo).port);
  }
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  const [http = 0, pg = 0, health = 0] = ports;
  return { http, pg, health };
}
