// Config errors as an engineer meets them: all at once, each with file, line, path, what was found and what is allowed.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Type } from 'typebox';
import { Catalog } from '../catalog.ts';
import type { Protocol } from '../driver.ts';
import { dataFolderOf } from './data-folder.ts';
import { loadConfig } from './load.ts';
import { errorText } from './read.ts';
import { exactScale, siteId } from './spec.ts';
import { duration } from './formats.ts';

const wire: Protocol = {
  name: 'wire',
  connection: Type.Object(
    { host: Type.String(), port: Type.Integer({ minimum: 1, maximum: 65535 }) },
    { additionalProperties: false },
  ),
  address: Type.Object({ register: Type.Integer({ minimum: 0 }) }),
  valueType: () => 'double',
  check: (_connection, points) =>
    points.flatMap((p, i) =>
      p.address.register === 13 ? [{ path: `tags[${i}].register`, message: 'is 13; this device has none' }] : [],
    ),
  create: () => ({ run: async () => {} }),
};
const protocols = new Map([['wire', wire]]);
const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

function folder(files: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'penstock-config-'));
  folders.push(path);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}
function errorsOf(files: Record<string, string>, env: NodeJS.ProcessEnv = {}, args: string[] = []): string[] {
  const result = loadConfig(folder(files), protocols, env, args);
  return result.ok ? [] : result.errors.map(errorText);
}

const plant = `sites:
  - { id: north, name: North works, location: Oslo, timezone: Europe/Oslo }
metrics:
  flow: { name: Flow, unit: m³/h, decimals: 1, aggregate: sum }
assets:
  - path: north/line-1/pump-1
    name: Pump 1
    kind: pump
    line: Line 1
    metrics:
      flow: { range: [10, 80], limits: { l: 10, h: 80, hh: 90 }, deadband: 1, onDelay: 5s }
`;
const device = `device: plc
protocol: wire
connection: { host: 127.0.0.1, port: \${PLC_PORT:-502} }
interval: 500ms
tags:
  - { tag: north/line-1/pump-1/flow, register: 4, scale: 0.1 }
`;

test('a right folder becomes a plant', () => {
  const path = folder({
    'plant.yaml': plant,
    'devices/plc.yaml': device,
    'penstock.yaml': 'enterprise: acme\nweb: { port: 9000 }\n',
  });
  const result = loadConfig(path, protocols, { PLC_PORT: '1502', PENSTOCK_MQTT_PORT: '0' }, ['--port', '0']);
  if (!result.ok) throw new Error(result.errors.map(errorText).join('\n'));
  const { settings, plant: spec } = result.config;
  expect(settings).toMatchObject({ enterprise: 'acme', web: { port: 0 }, mqtt: { port: 0 } });
  expect(spec.devices[0]?.connection).toEqual({ host: '127.0.0.1', port: 1502 });
  expect(spec.tags[0]).toMatchObject({
    id: 'north/line-1/pump-1/flow',
    site: 'north',
    asset: 'north/line-1/pump-1',
    metric: 'flow',
    name: 'Flow',
    unit: 'm³/h',
    interval: 500,
    scale: { multiply: 1, divide: 10, offset: 0 },
    aggregate: 'sum',
    address: { register: 4 },
    alarm: { deadband: 1, onDelay: 5000, offDelay: 0, limits: { l: 10, h: 80, hh: 90 } },
  });
  const catalog = new Catalog(spec, new Map([['north/line-1/pump-1/flow', 7]]), 1);
  expect(catalog.byId('north/line-1/pump-1/flow')?.index).toBe(7);
  expect(catalog.site('north')?.assets[0]?.tags[0]?.index).toBe(7);
  expect(catalog.device('plc')?.addresses.get(7)).toEqual({ register: 4 });
});

test('a reference in quotes is the number or boolean it would be without them, where one is wanted', () => {
  const names =
    "{ path: north/line-1/pump-1, name: '${NAME:-7}', metrics: { flow: { range: ['${LOW:-1}', \"${HIGH}\"] } } }";
  const path = folder({
    'plant.yaml': `${plant.slice(0, plant.indexOf('  - path'))}  - ${names}\n`,
    'devices/plc.yaml': `${device.replace(/port: .* }/, "port: '${PORT:-502}' }").replace('interval', "enabled: '${ON:-true}'\ninterval")}`,
    'penstock.yaml': "web: { port: '${PORT:-1}', insecure: '${OFF:-false}' }\nenterprise: '${NAME:-7}'\n",
  });
  const result = loadConfig(path, protocols, { PORT: '1502', HIGH: '2.5' });
  if (!result.ok) throw new Error(result.errors.map(errorText).join('\n'));
  const { settings, plant: spec } = result.config;
  expect(settings).toMatchObject({ enterprise: '7', web: { port: 1502, insecure: false } });
  expect(spec.devices[0]).toMatchObject({ enabled: true, connection: { port: 1502 } });
  expect(spec.tags[0]).toMatchObject({ range: { low: 1, high: 2.5 } });
  expect(spec.assets[0]?.name).toBe('7');
});

test.each([
  ["'${X:-abc}'", {}, 'is "abc"; must be integer'],
  ["'${X:-1}'", { X: '1.5' }, 'is 1.5; must be integer'],
  ["'${X:-70000}'", {}, 'is 70000; must be <= 65535'],
  ["'1'", {}, 'is "1"; must be integer'],
  ["'1${X:-2}'", {}, 'is "12"; must be integer'],
  ["'${X}'", {}, '${X} has no value: set the variable or write ${X:-default}'],
])('%s is no port', (port, env, said) => {
  const errors = errorsOf({ 'plant.yaml': plant, 'devices/plc.yaml': device.replace('${PLC_PORT:-502}', port) }, env);
  expect(errors[0]).toContain(said);
});

test('a device is not called as a source of the gateway itself', () => {
  const errors = errorsOf({ 'plant.yaml': plant, 'devices/plc.yaml': device.replace('device: plc', 'device: import') });
  expect(errors).toEqual([expect.stringMatching(/^devices.plc\.yaml:1: device: is "import", as the ledger calls/)]);
});

test('every error is said at once, with its place and what to do', () => {
  const errors = errorsOf({
    'penstock.yaml': 'web:\n  prot: 80\n',
    'plant.yaml': plant.replace('Europe/Oslo', 'Oslo').replace('l: 10', 'l: 85').replace('[10, 80]', '[80, 10]'),
    'devices/plc.yaml': `${device}  - { tag: north/line-1/pump-2/flow, register: 5 }\n  - { tag: north/line-1/PUMP-1/flow, register: 13 }\n`,
  });
  expect(errors).toEqual([
    expect.stringMatching(/^penstock\.yaml:2: web\.prot: is not a setting; did you mean web\.port\? \(in web there/),
    expect.stringMatching(/^plant\.yaml:2: sites\[0\]\.timezone: "Oslo" is no time zone/),
    expect.stringMatching(/^plant\.yaml:11: assets\[0\]\.metrics\.flow\.range: is \[80, 10\]; the first must be below/),
    expect.stringMatching(/^plant\.yaml:11: assets\[0\]\.metrics\.flow\.limits: l is 85 and h is 80; they must rise/),
    expect.stringMatching(
      /^devices.plc\.yaml:7: tags\[1\]\.tag: belongs to "north\/line-1\/pump-2", which is no asset; did you mean north\/line-1\/pump-1\?/,
    ),
    expect.stringMatching(
      /^devices.plc\.yaml:8: tags\[2\]\.tag: the tag "north\/line-1\/PUMP-1\/flow" is there already/,
    ),
  ]);
});

test('files that cannot be read on hide nothing of the others, and bring no faults of their own making', () => {
  const bad = 'unit: 1, register: x, colour: red, clamp: low, scale: big, type: real, interval: soon';
  const errors = errorsOf({
    'plant.yaml': 'sites: [',
    'plant/more.yaml': plant.replace('north/line-1/pump-1', 'north/a').replace('[10, 80]', '[80, 10]'),
    'devices/a.yaml': device.replace('register: 4, scale: 0.1', bad),
    'devices/b.yaml': device.replace(':-502', '').replace('device: plc', 'device: b'),
    'devices/c.yaml': device.replace('device: plc', 'device: c').replace('register: 4', 'register: 13'),
  });
  expect(errors).toEqual([
    expect.stringMatching(/^plant\.yaml:1: is not YAML/),
    expect.stringMatching(/^devices.b\.yaml:3: \$\{PLC_PORT\} has no value/),
    ...['unit', 'colour', 'type', 'interval', 'scale', 'clamp', 'register'].map((field) =>
      expect.stringMatching(new RegExp(`^devices.a\\.yaml:6: tags\\[0\\]\\.${field}: `)),
    ),
    expect.stringMatching(/^plant.more\.yaml:11: assets\[0\]\.metrics\.flow\.range: is \[80, 10\]/),
    expect.stringMatching(/^devices.c\.yaml:6: tags\[0\]\.register: is 13/),
  ]);
});

test('a status without a tag is said of its own file', () => {
  const errors = errorsOf({
    'plant.yaml': plant,
    'plant/two.yaml': 'assets:\n  - { path: north/oven, status: { metric: phase, map: { 0: offline } } }\n',
    'devices/plc.yaml': device,
  });
  expect(errors).toEqual([expect.stringMatching(/^plant.two\.yaml:2: assets\[0\]\.status: of north\/oven: names/)]);
});

test.each<[string, RegExp]>([
  ['history: { bytes: 2 }', /:1: history\.bytes: must be a number of bytes, or such as 256 MiB or 2 GB, at least 1 MB/],
  ['history: { bytes: 2 mice }', /history\.bytes: must be a number of bytes.*"2 mice"/],
  ['history: { retention: 30 }', /history\.retention: must be a duration such as 30d or 12h, at least 1h/],
  ['forward: { rate: 10k }', /forward\.rate: must be a whole number/],
  ['web: { port: 8080x }', /web\.port: must be a port.*"8080x"/],
  ['web: { insecure: maybe }', /web\.insecure: must be true or false.*"maybe"/],
  ['web: { insecure: 1 }', /web\.insecure: must be true or false.*1/],
  ['web: 8080', /:1: web: is 8080; it is a section: below it there are host, port,/],
  ['forward: { questdb: { url: "http://a", password: x } }', /questdb\.password: is not a setting \(in forward/],
])('%s is said, not guessed', (text, said) => {
  const errors = errorsOf({ 'penstock.yaml': `${text}\n` });
  expect(errors).toEqual([expect.stringMatching(said)]);
});

test('sizes have units, a section may be empty, and a wrong variable is said as such', () => {
  const path = folder({ 'penstock.yaml': 'journal: { cap: 256 MiB }\nhistory: { bytes: 2GB }\nforward:\nweb:\n' });
  const result = loadConfig(path, protocols, { PENSTOCK_MQTT_INSECURE: 'true' });
  expect(result).toMatchObject({
    ok: true,
    config: { settings: { journal: { cap: 2 ** 28 }, history: { bytes: 2e9 }, mqtt: { insecure: true } } },
  });
  expect(errorsOf({ 'penstock.yaml': 'web: { port: 1 }\n' }, { PENSTOCK_WEB_PORT: 'x' })).toEqual([
    'environment: PENSTOCK_WEB_PORT: must be a port: a whole number from 0 to 65535: value was "x"',
  ]);
  expect(errorsOf({ 'penstock.yml': '' })).toEqual(['penstock.yml: is not read; its name must be penstock.yaml']);
  expect(errorsOf({ 'penstock.yml': '', 'penstock.yaml': '' })).toEqual([]);
});

test.each([
  ['no', false],
  ['Off', false],
  ['1', true],
  ['TRUE', true],
])('a switch may be %s, in a file and in the environment', (word, on) => {
  const path = folder({ 'penstock.yaml': `web: { insecure: '${word}' }\n` });
  const result = loadConfig(path, protocols, { PENSTOCK_MQTT_INSECURE: word });
  expect(result).toMatchObject({ ok: true, config: { settings: { web: { insecure: on }, mqtt: { insecure: on } } } });
});

test('a protocol that is none hides no other fault of its file', () => {
  const faulty = device.replace('scale: 0.1', 'scale: big, colour: red').replace('500ms', 'soon');
  const faults = (name: string) =>
    errorsOf({ 'plant.yaml': plant, 'devices/plc.yaml': faulty.replace('wire', name) }).map(
      (error) => /: ([^ ]*):/.exec(error)?.[1],
    );
  expect(faults('wires')).toEqual(['protocol', 'interval', 'tags[0].colour', 'tags[0].scale']);
  // Of another nobody knows what a tag has beside what all have.
  expect(faults('smoke-signals')).toEqual(['protocol', 'interval', 'tags[0].scale']);
  const missing = errorsOf({ 'plant.yaml': plant, 'devices/plc.yaml': device.replace('protocol: wire\n', '') });
  expect(missing).toEqual([expect.stringMatching(/^devices.plc\.yaml:\d: protocol: is missing; must be one of wire/)]);
});

test('of what is no YAML all that stands by itself is said', () => {
  const twice = 'name: a\nname: b\nunit: "\\q"\nname: c\n';
  const lines = (text: string) => errorsOf({ 'plant.yaml': text }).map((error) => /:(\d+):/.exec(error)?.[1]);
  expect(lines(twice)).toEqual(['2', '3', '4']);
  expect(lines(`${twice}sites: [\n  a: b: c\n]]\n`).slice(0, 3)).toEqual(['2', '3', '4']);
});

test('an interval that no tag has hinders none', () => {
  const own = device.replace('500ms', '1ms').replace('register: 4', 'register: 4, interval: 1s');
  expect(errorsOf({ 'plant.yaml': plant, 'devices/plc.yaml': own })).toEqual([]);
});

test('names that are no whole numbers are said', () => {
  const names = plant.replace('range: [10, 80],', 'names: { stopped: 0 },');
  expect(errorsOf({ 'plant.yaml': names, 'devices/plc.yaml': device })).toEqual([
    expect.stringMatching(/flow\.names\.stopped: is not known here; this is what whole numbers mean: \{ 0: stopped/),
  ]);
});

test.each<[string, string, RegExp]>([
  [
    'unknown key',
    device.replace('interval', 'intervall'),
    /^devices.plc\.yaml:4: intervall: is not known here; did you mean interval\?/,
  ],
  ['missing address', device.replace('register: 4, ', ''), /^devices.plc\.yaml:6: tags\[0\]: register is missing/],
  ['wrong type', device.replace('register: 4', 'register: "4"'), /tags\[0\]\.register: is "4"; must be integer/],
  [
    'out of range',
    device.replace('-502', '-70000'),
    /^devices.plc\.yaml:3: connection\.port: is 70000; must be <= 65535/,
  ],
  [
    'unknown protocol',
    device.replace('wire', 'wir'),
    /protocol: is "wir"; must be one of wire \(did you mean wire\?\)/,
  ],
  ['not YAML', 'device: [', /^devices.plc\.yaml:\d+: is not YAML/],
  ['no value for a variable', device.replace(':-502', ''), /\$\{PLC_PORT\} has no value: set the variable/],
  [
    'protocol’s own check',
    device.replace('register: 4', 'register: 13'),
    /tags\[0\]\.register: is 13; this device has none/,
  ],
  ['interval', device.replace('500ms', '1ms'), /^devices.plc\.yaml:4: interval: is 1 ms; the shortest is 10 ms/],
  ['duration', device.replace('500ms', 'soon'), /interval: is "soon"; must be a duration/],
])('%s', (_name, text, expected) => {
  expect(errorsOf({ 'plant.yaml': plant, 'devices/plc.yaml': text }).some((error) => expected.test(error))).toBe(true);
});

test('a metric entry without a tag is an error, for it would be a limit that judges nothing', () => {
  const errors = errorsOf({ 'plant.yaml': `${plant}      flwo: { range: [1, 2] }\n`, 'devices/plc.yaml': device });
  expect(errors).toEqual([expect.stringMatching(/flwo: has no tag in any device file/)]);
});

test('a missing folder is one clear error', () => {
  const result = loadConfig('/nowhere/at-all', protocols);
  expect(result.ok ? [] : result.errors.map(errorText)).toEqual([
    '/nowhere/at-all: is no folder; name the config folder with --config DIR',
  ]);
});

test.each<[string, string]>([
  ['Power Station', 'power-station'],
  ['Zürich Süd / 2', 'zürich-süd-2'],
  ['  Ærø #1+ ', 'ærø-1'],
  ['_hidden', 'hidden'],
])('site id of %s', (name, id) => expect(siteId(name)).toBe(id));

test.each<[number, number, number]>([
  [0.1, 215, 21.5],
  [0.01, 1005, 10.05],
  [1e-7, 3, 3e-7],
  [2, 21, 42],
  [0.025, 3, 0.075],
  [12.5, 3, 37.5],
])('scale %d is exact', (scale, raw, value) => {
  const { multiply, divide } = exactScale(scale, 0);
  expect((raw * multiply) / divide).toBe(value);
});

test.each<[unknown, number | undefined]>([
  ['500ms', 500],
  ['5s', 5000],
  ['1.5m', 90_000],
  ['1h', 3_600_000],
  ['30d', 2_592_000_000],
  [250, 250],
  ['250', 250],
  ['x', undefined],
  [-1, undefined],
])('duration %s', (text, ms) => expect(duration(text)).toBe(ms));

test('the data folder: argument, then environment, then file, then the unit’s own state folder', () => {
  const data = (text: string | undefined, env: NodeJS.ProcessEnv, args: string[] = []) => {
    const config = folder(text === undefined ? {} : { 'penstock.yaml': text });
    const result = loadConfig(config, protocols, env, args);
    if (!result.ok) throw new Error(result.errors.map(errorText).join('\n'));
    // A command finds it without the rest.
    expect(dataFolderOf(config, env, args)).toBe(result.config.settings.data);
    return result.config.settings.data;
  };
  const unit = { STATE_DIRECTORY: '/var/lib/north:/var/lib/other' };
  expect(data(undefined, {})).toBe('/var/lib/penstock');
  expect(data(undefined, unit)).toBe('/var/lib/north');
  expect(data('data: /mnt/ssd', unit)).toBe('/mnt/ssd');
  expect(data('data: /mnt/ssd', { ...unit, PENSTOCK_DATA: '/mnt/env' })).toBe('/mnt/env');
  expect(data('data: /mnt/ssd', { ...unit, PENSTOCK_DATA: '/mnt/env' }, ['--data', '/mnt/arg'])).toBe('/mnt/arg');
});
