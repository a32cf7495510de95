// `npm run questdb [-- DIR]`: a QuestDB on this machine without containers: fetched once by Maven, run by Java 17 or newer,
// with durable commits and a password made up at the first start. Data and password stay in DIR; Ctrl-C ends it.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { version } from '../historian/questdb/jar.ts';
import { questdbServer } from '../historian/questdb/server.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    http: { type: 'string', default: '9000' },
    pg: { type: 'string', default: '8812' },
    health: { type: 'string', default: '9003' },
    heap: { type: 'string', default: '256' },
  },
});
const dir = resolve(positionals[0] ?? 'data/questdb');
mkdirSync(dir, { recursive: true, mode: 0o700 });
const passwordFile = join(dir, 'password');
try {
  writeFileSync(passwordFile, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
}
const ports = { http: Number(values.http), pg: Number(values.pg), health: Number(values.health) };
try {
  const server = await questdbServer({
    root: join(dir, 'root'),
    user: 'penstock',
    password: readFileSync(passwordFile, 'utf8').trim(),
    heap: Number(values.heap),
    ports,
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void server.stop());
  await server.start();
  console.log(`QuestDB ${version}: ${server.url} (console and HTTP), ${ports.pg} (PostgreSQL wire), loopback only
user penstock, password in ${passwordFile}
to forward to it: PENSTOCK_FORWARD_QUESTDB_URL=${server.url} PENSTOCK_FORWARD_QUESTDB_USER=penstock PENSTOCK_FORWARD_QUESTDB_PASSWORD_FILE=${passwordFile}`);
  await server.ended;
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
