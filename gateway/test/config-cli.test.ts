// The commands as a person or a unit file meets them: exit codes, every error at once, a second start on the same
// folder or a busy port, and nothing left behind whatever ends the demo.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Facility } from '../web/wire.ts';
import { eventually, get, root, scratch, startGateway, startProcess } from './rig.ts';
import type { Gateway, Process } from './rig.ts';

const folder = scratch();
const path = (...parts: string[]) => join(folder.path, ...parts);
const open: Process[] = [];

function config(name: string, files: Record<string, string>): string {
  mkdirSync(path(name, 'devices'), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(path(name, file), text);
  return path(name);
}

/** Runs a command to its end. */
async function command(...args: string[]): Promise<{ code: number | null; out: string; errors: string }> {
  const child = spawn(process.execPath, [join(root, 'gateway', 'main.ts'), ...args], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (out += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, errors };
}

afterAll(async () => {
  await Promise.all(open.map((each) => each.stop('SIGKILL')));
  folder.remove();
});

test('check says every error with its place and ends with 78; a right folder ends with 0', async () => {
  const wrong = config('wrong', {
    'penstock.yaml': 'web: { port: 99999 }\nhistorry: { retention: 3d }\n',
    'plant.yaml':
      'sites: [{ id: north, name: North }]\nassets:\n  - { path: north/pump-1, metrics: { flow: { limits: { h: high } } } }\n',
    'devices/a.yaml':
      'device: a\nprotocol: modbus\nconnection: { hots: 127.0.0.1 }\ntags: [{ tag: north/pump-1/flow, register: "xx:1" }]\n',
    'devices/b.yaml': 'device: b\nprotocol: profibus\ntags: []\n',
  });
  const { code, out, errors } = await command('check', '--config', wrong);
  expect(code).toBe(78);
  expect(out).toBe('');
  for (const said of [
    'penstock.yaml',
    'historry',
    'plant.yaml',
    '"high"',
    'devices/a.yaml',
    'hots',
    'devices/b.yaml',
    'profibus',
  ])
    expect(errors).toContain(said);
  expect(errors).not.toMatch(/^\s+at /m);
  const run = await command('run', '--config', wrong, '--data', path('never'));
  expect(run).toEqual({ code: 78, out: '', errors });
  expect(existsSync(path('never'))).toBe(false);

  // Addresses that anybody could reach: a service that restarts for ever would mend nothing.
  const wide = config('wide', { 'penstock.yaml': 'web: { host: 0.0.0.0 }\nmqtt: { host: 0.0.0.0, insecure: true }\n' });
  const open = {
    ...{ code: 78, out: '' },
    errors: expect.stringMatching(
      /^penstock\.yaml: web\.host: the page would be reachable at 0\.0\.0\.0 .*\n1 error/,
    ) as string,
  };
  expect(await command('check', '--config', wide)).toEqual(open);
  expect(await command('run', '--config', wide, '--data', path('never'))).toEqual(open);

  // What only the store itself can say of its settings, and no secret among it.
  const stores = config('stores', {
    'penstock.yaml':
      'forward:\n  postgres: { url: "postgres://db/plant", user: ada, passwordFile: /a, passwordCommand: echo hidden }\n',
  });
  expect(await command('check', '--config', stores)).toEqual({
    code: 78,
    out: '',
    errors:
      'penstock.yaml: forward.postgres.passwordFile and forward.postgres.passwordCommand are set: give one of them\n1 error in the configuration\n',
  });
  writeFileSync(join(stores, 'penstock.yaml'), 'forward: { postgres: { url: "postgres://db/plant" } }\n');
  const nobody = await command('check', '--config', stores);
  expect(nobody).toMatchObject({ code: 78, out: '' });
  expect(nobody.errors).toContain('penstock.yaml: forward.postgres.user is missing');
  writeFileSync(join(stores, 'penstock.yaml'), 'forward: { postgres: { url: "postgres://ada:hidden@db/plant" } }\n');
  const inline = await command('check', '--config', stores);
  expect(inline.errors).toContain('forward.postgres.url: must be an address without user and password');
  expect(inline.errors).not.toContain('hidden');

  const right = await command('check', '--config', join(root, 'config', 'demo'));
  expect(right).toMatchObject({ code: 0, errors: '' });
  expect(right.out).toMatch(/no errors/);
});

test('wrong use ends with 64, what is wrong and the usage of that command; a wrong data folder with one sentence', async () => {
  const wrong = [
    ['run --prot 0', "Unknown option '--prot'", 'penstock run --config', 'penstock export'],
    ['check some-folder', '"some-folder" is an argument too many', 'penstock check --config', 'penstock run'],
    ['fly away', '"fly" is no command', 'penstock run --config', '--zone'],
    ['', 'a command is missing', 'penstock export', '--zone'],
    ['import', 'the file to import is missing', '--rejected FILE', 'penstock run'],
    ['export --nonsense', "Unknown option '--nonsense'", '--facility ID', 'penstock run'],
    ['export --zone', "Option '--zone <value>' argument missing", '--facility ID', 'penstock run'],
    ['ledger now', '"now" is an argument too many', 'penstock ledger [', 'penstock run'],
  ] as const;
  const done = await Promise.all(wrong.map(([given]) => command(...given.split(' ').filter(Boolean))));
  for (const [i, [given, words, own, other]] of wrong.entries()) {
    const { code, out, errors = '' } = done[i] ?? {};
    expect({ given, code, out, first: errors.split('\n')[0] }).toEqual({ given, code: 64, out: '', first: words });
    expect(errors).toContain(own);
    expect(errors).not.toContain(other);
  }
  const empty = config('a-file', { 'plant.yaml': 'sites: [{ id: north, name: North }]\n' });
  const inTheWay = join(empty, 'plant.yaml');
  expect(await command('demo', '--data', inTheWay)).toMatchObject({
    code: 1,
    errors: `the data folder ${inTheWay} cannot be used: it is no folder; choose another folder with --data\n`,
  });
  expect((await command('demo', '--data', path('d'), '--port', 'x')).code).toBe(64);
  expect(await command('--version')).toMatchObject({ code: 0, errors: '' });
  const absent = await command('import', path('nothing.ndjson'), '--data', path('nobody'));
  expect(absent.code).toBe(1);
  expect(absent.errors.trim().split('\n')).toHaveLength(1);
});

test('a second start on the same data folder ends at once, with one sentence; the first goes on', async () => {
  const empty = config('empty', { 'plant.yaml': 'sites: [{ id: north, name: North }]\n' });
  const first = await startGateway('run', ['--config', empty, '--log-level', 'warn'], path('data'));
  open.push(first);
  const again = [
    'run',
    '--config',
    empty,
    '--data',
    path('data'),
    '--port',
    '0',
    '--mqtt-port',
    '0',
    '--log-level',
    'warn',
  ];
  const second = await command(...again);
  expect(second.code).not.toBe(0);
  expect(second.code).not.toBeNull();
  expect(second.out).toBe('');
  expect(second.errors.trim().split('\n')).toHaveLength(1);
  expect(second.errors).toContain(path('data'));
  expect(await get<Facility[]>(`${first.http}/api/v1/facilities`)).toHaveLength(1);
  await first.stop();
  expect((await first.exited).code).toBe(0);
  const third = await startGateway('run', ['--config', empty, '--log-level', 'warn'], path('data'));
  await third.stop('SIGKILL');
  // A lock left by a killed process holds nobody up.
  const fourth = await startGateway('run', ['--config', empty, '--log-level', 'warn'], path('data'));
  await fourth.stop();
});

/** The processes whose parent this is, from /proc. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => statOf(each)?.parent === pid);
}
/** Parent and start of a process (a pid alone may be another's later); undefined when it is gone. */
function statOf(pid: number): { parent: number; began: string } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return fields[0] === 'Z' ? undefined : { parent: Number(fields[1]), began: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
const alive = (pid: number, began: string | undefined) => began !== undefined && statOf(pid)?.began === began;

/** A port with at least one free port above it, taken by us. */
async function busyPort(): Promise<{ port: number; server: Server }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, server };
}

test.runIf(process.platform === 'linux')(
  'two demos at once take each their own ports, and end with all they started',
  async () => {
    const busy = [await busyPort(), await busyPort()];
    const [page, broker] = busy.map(({ port }) => port);
    const demo = (name: string) => {
      const args = ['demo', '--data', path(name), '--port', String(page), '--mqtt-port', String(broker)];
      const process_ = startProcess('gateway/main.ts', args);
      open.push(process_);
      return process_;
    };
    const ready = async (process_: Process): Promise<Gateway> => {
      const at = await process_.line((line) => /^ready (http:\S+) (mqtt:\S+)$/.exec(line) ?? undefined, 90_000);
      return { ...process_, http: at[1] ?? '', mqttUrl: at[2] ?? '', data: '' };
    };
    // A folder that says it was seeded starts without the two days of history: not what is looked at here.
    for (const name of ['one', 'two']) {
      mkdirSync(path(name));
      writeFileSync(path(name, 'seeded'), '0\n');
    }
    const [one, two] = await Promise.all([ready(demo('one')), ready(demo('two'))]);
    for (const server of busy) server.server.close();
    const ports = [one, two].flatMap(({ http, mqttUrl }) => [http, mqttUrl]).map((url) => Number(new URL(url).port));
    expect(new Set([...ports, page, broker]).size).toBe(6);
    expect(ports.every((port) => port > Math.min(page ?? 0, broker ?? 0))).toBe(true);
    expect(one.errors.join('\n')).toContain(`port ${page} is busy`);
    expect(one.errors.join('\n')).toContain(`port ${broker} is busy`);
    const facilities = () => get<Facility[]>(`${two.http}/api/v1/facilities`);
    expect(await get(`${one.http}/api/v1/facilities`)).toEqual(await facilities());

    const simulatorOf = ({ child }: Process) => {
      const [simulator, ...more] = childrenOf(child.pid ?? 0);
      if (simulator === undefined || more.length > 0) throw new Error('a demo has one child, its simulators');
      return { pid: simulator, began: statOf(simulator)?.began };
    };
    const [first, second] = [simulatorOf(one), simulatorOf(two)];
    const asked = performance.now();
    one.child.kill('SIGTERM');
    expect(await one.exited).toEqual({ code: 0, signal: null });
    expect(alive(first.pid, first.began)).toBe(false);
    expect(performance.now() - asked).toBeLessThan(20_000);
    expect(alive(second.pid, second.began)).toBe(true);
    expect((await facilities()).length).toBeGreaterThan(0);

    two.child.kill('SIGKILL');
    await two.exited;
    await eventually(
      () => alive(second.pid, second.began),
      (is) => !is,
    );
  },
);
