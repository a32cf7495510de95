// `npm run questdb [-- DIR]`: a QuestDB on this machine without containers: fetched once by Maven, run by Java 17 or newer,
// with durable commits and a password made up at the first start. Data and password stay in DIR; Ctrl-C ends it.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { version } from '../historian/questdb/jar.ts';
import { questdbServer } from '../historian/questdb/server.ts';
import { argumentsOf, WrongUse } from './wrong-use.ts';

const usage = `npm run questdb [-- DIR] [options]
  QuestDB ${version} on this machine's loopback, its data and its password in DIR (data/questdb); Ctrl-C ends it

  --http N    port of its console and of what the gateway sends (9000)
  --pg N      port of its PostgreSQL wire, for deep history and Grafana (8812)
  --health N  port that answers whether it is well (9003)
  --heap N    MiB of Java's heap (256)

  Needs Java 17 or newer, and Maven for the first start.
`;

async function main(args: string[]): Promise<number> {
  const number = { type: 'string' } as const;
  const options = {
    http: number,
    pg: number,
    health: number,
    heap: number,
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { values, positionals } = argumentsOf(args, options, 1);
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const ports = {
    http: within(values.http, 9000, 65_535, '--http'),
    pg: within(values.pg, 8812, 65_535, '--pg'),
    health: within(values.health, 9003, 65_535, '--health'),
  };
  const heap = within(values.heap, 256, 1e6, '--heap');
  const dir = resolve(positionals[0] ?? 'data/questdb');
  const passwordFile = passwordIn(dir);
  const password = readFileSync(passwordFile, 'utf8').trim();
  const server = await questdbServer({ root: join(dir, 'root'), user: 'penstock', password, heap, ports });
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      stopping = true;
      void server.stop();
    });
  await server.start();
  console.log(`QuestDB ${version}: ${server.url} (console and HTTP), ${ports.pg} (PostgreSQL wire), loopback only
user penstock, password in ${passwordFile}
to forward to it:${settings(server.url, ports.pg, passwordFile)}`);
  await server.ended;
  if (stopping) return 0;
  throw new Error(`QuestDB has ended by itself; its log is in ${join(dir, 'root', 'log')}`);
}

/** For the gateway's environment; the wire is named only where it is not where the gateway looks for it. */
function settings(url: string, pg: number, passwordFile: string): string {
  const named: Record<string, string> = { URL: url, USER: 'penstock', PASSWORD_FILE: passwordFile };
  if (pg !== 8812) named.WIRE = `postgres://127.0.0.1:${pg}/qdb`;
  return Object.entries(named)
    .map(([name, value]) => ` PENSTOCK_FORWARD_QUESTDB_${name}=${value}`)
    .join('');
}

/** Made up at the first start. */
function passwordIn(dir: string): string {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'password');
  try {
    writeFileSync(file, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return file;
}

function within(text: string | undefined, otherwise: number, most: number, option: string): number {
  const value = Number(text ?? otherwise);
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new WrongUse(`${option} is "${text}"; it must be a number from 1 to ${most}`);
  return value;
}

main(process.argv.slice(2)).then(
  (code) => void (process.exitCode = code),
  (error: Error) => {
    console.error(error instanceof WrongUse ? `${error.message}\n\n${usage}` : error.message);
    process.exitCode = error instanceof WrongUse ? 64 : 1;
  },
);
