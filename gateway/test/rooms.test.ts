// The house rules as a test: who may import whom, where each package lives, no cycles, no unknown top-level folder.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : sources(path);
    return /\.(ts|svelte)$/.test(entry.name) ? [path] : [];
  });
}

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
  /** Loaded when it is asked for. */
  lazy: boolean;
}

/** Every import of a file: files as paths from the root, packages by name. */
function imports(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found: Import[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\s+from\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;
  for (const match of text.matchAll(pattern)) {
    const target = match[2] ?? match[3] ?? '';
    const to = target.startsWith('.') ? relative(root, join(root, dirname(file), target)) : target;
    found.push({ from: file, to, typeOnly: match[1] !== undefined, lazy: match[3] !== undefined });
  }
  return found;
}

/** The room of a file: `gateway/drivers/modbus`, `gateway/web`, or the file itself at the root of gateway/. */
function room(path: string): string {
  const parts = path.split('/');
  if (parts[0] !== 'gateway') return parts[0] ?? '';
  if (parts.length === 2) return path.replace(/\.ts$/, '');
  if (parts[1] === 'drivers' && parts.length > 3) return parts.slice(0, 3).join('/');
  return parts.slice(0, 2).join('/');
}

const contracts = ['gateway/driver', 'gateway/consumer', 'gateway/history'];
const vocabulary = ['gateway/model', 'gateway/clock', 'gateway/words', ...contracts];
const plain = [...vocabulary, 'gateway/catalog', 'gateway/status'];
const protocol = [...vocabulary, 'gateway/catalog', 'gateway/drivers/every'];
const allowed: Record<string, string[]> = {
  'gateway/model': [],
  'gateway/driver': ['gateway/model'],
  'gateway/consumer': ['gateway/model'],
  'gateway/history': ['gateway/model'],
  'gateway/clock': ['gateway/model'],
  'gateway/words': [],
  'gateway/catalog': ['gateway/model'],
  'gateway/status': ['gateway/model'],
  'gateway/systemd': ['gateway/model', 'gateway/clock'],
  'gateway/threads': ['gateway/model', 'gateway/clock'],
  'gateway/alarms': [...vocabulary, 'gateway/catalog'],
  'gateway/anomaly': [...vocabulary, 'gateway/catalog'],
  'gateway/analytics': [...vocabulary, 'gateway/catalog'],
  'gateway/pipeline': [...plain, 'gateway/alarms', 'gateway/anomaly', 'gateway/analytics'],
  'gateway/drivers/modbus': protocol,
  'gateway/drivers/opcua': protocol,
  'gateway/drivers/derived': protocol,
  'gateway/drivers': [
    ...plain,
    'gateway/drivers/modbus',
    'gateway/drivers/opcua',
    'gateway/drivers/derived',
    'gateway/drivers/broken',
  ],
  'gateway/drivers/broken': [...plain, 'gateway/drivers'],
  'gateway/journal': plain,
  'gateway/state': plain,
  'gateway/historian': plain,
  'gateway/mqtt': plain,
  'gateway/web': plain,
  'gateway/config': [...plain, 'gateway/drivers'],
};
/** Those that may import anything else: files at the root of gateway/, which tie the rooms together, and the commands. */
const forbidden: Record<string, string[]> = {
  'gateway/cli': ['gateway/daemon', 'gateway/running', 'gateway/main', 'gateway/egress', 'gateway/reader'],
  'gateway/main': [],
  'gateway/running': [],
};

const packageHomes: Record<string, string[]> = {
  fastify: ['gateway/web'],
  '@fastify': ['gateway/web'],
  aedes: ['gateway/mqtt'],
  mqtt: ['gateway/mqtt'],
  pg: ['gateway/historian'],
  '@questdb/nodejs-client': ['gateway/historian'],
  'modbus-serial': [],
  'node-opcua': ['simulators'],
};

const all = [...sources('gateway'), ...sources('simulators'), ...sources('dashboard')];
/** What ships: neither tests nor what only tests use. */
const product = all.filter(
  (file) => !/\.test\.ts$|\/(test|bench|broken|contract)\/|\/(testing|bed|contract)\.ts$/.test(file),
);

test('a room imports only what it may', () => {
  const wrong: string[] = [];
  for (const file of product) {
    const own = room(file);
    for (const { to, typeOnly } of imports(file)) {
      const target = room(to);
      if (!/^(gateway|simulators|dashboard)\//.test(to) || target === own) continue;
      const wire = own === 'dashboard' && typeOnly && to === 'gateway/web/wire.ts';
      const rule = own === 'simulators' || own === 'dashboard' ? [] : allowed[own];
      const ticker = to === 'gateway/drivers/every.ts' && rule?.includes('gateway/drivers/every');
      const may = rule ? rule.includes(target) : !(forbidden[own] ?? ['gateway/cli']).includes(target);
      if (!may && !ticker && !wire) wrong.push(`${file} imports ${to}`);
    }
  }
  expect(wrong).toEqual([]);
  const folders = product.filter((file) => file.startsWith('gateway/') && file.split('/').length > 2).map(room);
  expect([...new Set(folders)].filter((own) => !allowed[own] && !forbidden[own])).toEqual([]);
});

test('a command that works on a data folder loads no driver and no schema of a plant', () => {
  const commands = imports('gateway/main.ts').filter(({ to, lazy }) => lazy && to.startsWith('gateway/cli/'));
  const reached = ['gateway/main.ts', ...commands.map(({ to }) => to).filter((to) => !/(check|docs)\.ts$/.test(to))];
  for (const file of reached)
    for (const { to, typeOnly, lazy } of imports(file))
      if (!typeOnly && !lazy && to.startsWith('gateway/') && !reached.includes(to)) reached.push(to);
  expect(reached).toContain('gateway/config/data-folder.ts');
  expect(reached.filter((file) => /^gateway\/(drivers\/|daemon|config\/(load|plant))/.test(file))).toEqual([]);
});

test('a package has one home', () => {
  const wrong: string[] = [];
  for (const file of product) {
    for (const { to } of imports(file)) {
      const homes =
        packageHomes[to] ??
        packageHomes[to.split('/')[0] ?? ''] ??
        (to.startsWith('node-opcua') ? ['gateway/drivers/opcua', 'simulators'] : undefined);
      if (homes && !homes.some((home) => file.startsWith(`${home}/`))) wrong.push(`${file} imports ${to}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('there is no import cycle', () => {
  const graph = new Map<string, string[]>();
  for (const file of all) {
    graph.set(
      file,
      imports(file)
        .filter((i) => !i.typeOnly && i.to.startsWith('gateway/'))
        .map((i) => i.to),
    );
  }
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  expect(cycles).toEqual([]);
});

test('the top level holds the given folders and no other', () => {
  const given = ['gateway', 'simulators', 'dashboard', 'config', 'systemd', 'node_modules', 'coverage'];
  const folders = readdirSync(root, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.'),
  );
  expect(folders.map((entry) => entry.name).filter((name) => !given.includes(name))).toEqual([]);
});

test('no name of the demo plant stands in gateway/ or dashboard/', () => {
  const { sites, metrics, assets } = parse(readFileSync(join(root, 'config/demo/plant.yaml'), 'utf8')) as {
    sites: { id: string; name: string; location: string }[];
    metrics: Record<string, { name: string }>;
    assets: { path: string; name: string; kind: string; line?: string }[];
  };
  const names = new Set(
    [
      ...sites.flatMap(({ id, name, location }) => [id, name, location.split(',')[0] ?? '']),
      ...Object.entries(metrics).flatMap(([id, { name }]) => [id, name]),
      ...assets.flatMap(({ path, name, line = '' }) => [...path.split('/'), name, line]),
    ].map((name) => name.toLowerCase()),
  );
  // The gateway's own words, which a demo metric happens to share.
  for (const own of [
    '',
    'state',
    'parts',
    'phase',
    'starts',
    'output',
    'engine',
    'power',
    'uptime',
    'flame',
    'pressure',
  ])
    names.delete(own);
  const found: string[] = [];
  for (const file of product.filter((path) => !path.startsWith('simulators'))) {
    // Comments may speak of temperatures; code may not know them.
    const code = readFileSync(join(root, file), 'utf8')
      .replace(/\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->|^\s*\/\/.*$/gm, '')
      .toLowerCase();
    for (const name of names) {
      if (new RegExp(`(?<![\\p{L}\\d])${name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}(?![\\p{L}\\d])`, 'u').test(code))
        found.push(`${file}: ${name}`);
    }
  }
  expect(names.size).toBeGreaterThan(100);
  expect(found).toEqual([]);
});
