// The simulators as a whole: command line, history that goes on live without a jump, the committed demo config, and
// the process itself, read by independent Modbus and OPC UA clients.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import modbusSerial from 'modbus-serial';
import { AttributeIds, OPCUAClient } from 'node-opcua-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readArguments, usualPort } from './arguments.ts';
import { configFiles } from './configuration.ts';
import { historySpan, writeHistory } from './history.ts';
import type { LineWriter } from './lines.ts';
import { nodeFor } from './opcua/nodes.ts';
import type { PlantDefinition } from './plants/index.ts';
import { mainPlants, openPlant, plants } from './plants/index.ts';
import { servedBy } from './site-server.ts';
import { UsageError } from './usage.ts';

const root = new URL('..', import.meta.url).pathname;
const never = new AbortController().signal;

interface HistoryLine {
  tag: string;
  timestamp: number;
  value: number | boolean;
}

function gather(each: (line: HistoryLine) => void): LineWriter {
  return {
    line: (text) => (each(JSON.parse(text) as HistoryLine), false),
    flush: () => Promise.resolve(),
    end: () => Promise.resolve(),
  };
}

describe('command line', () => {
  test('what it understands', () => {
    const options = readArguments(['--sites', 'boiler-house,power-station-alpha', '--seed', '7', '--history', '48h']);
    expect(options.plants.map(({ site }) => site.id)).toEqual(['power-station-alpha', 'boiler-house']);
    expect(options).toMatchObject({ seed: 7, speed: 1, host: '127.0.0.1', history: 48 * 3_600_000, historyOut: '-' });
    expect(options.ports.get('boiler-house')).toEqual({ port: usualPort('boiler-house'), strict: false });
    expect(readArguments(['--port-base', '0']).ports.get('boiler-house')).toEqual({ port: 0, strict: true });
    expect(readArguments(['--port-base', '9000']).ports.get('chemical-plant-beta')?.port).toBe(9001);
    expect(readArguments(['--ports', 'boiler-house=502']).ports.get('boiler-house')).toEqual({
      port: 502,
      strict: true,
    });
  });

  test.each([
    [['--bogus'], /Unknown option '--bogus'/],
    [['start'], /Unexpected argument 'start'/],
    [['--sites', 'nowhere'], /--sites: no site "nowhere"; there are power-station-alpha/],
    [['--seed', 'x'], /--seed: "x" is not a number/],
    [['--seed', '1.5'], /--seed: 1.5 is not a whole number/],
    [['--speed', '0'], /--speed: 0 is not above 0/],
    [['--history', '5'], /--history: "5" is not a span/],
    [['--history-only'], /--history-only needs --history/],
    [['--ports', 'boiler-house=70000'], /--ports: 70000 is not a whole number from 0 to 65535/],
    [['--ports', 'boiler-house=1', '--port-base', '1'], /exclude each other/],
  ])('refuses %j', (argv, message) => {
    expect(() => readArguments(argv)).toThrow(UsageError);
    expect(() => readArguments(argv)).toThrow(message);
  });
});

describe('history', () => {
  const now = Date.UTC(2026, 5, 3, 10, 20, 31);
  const span = historySpan(now, 48 * 3_600_000);

  test('48 h of the three plants are 368,640 readings in order, and go on live without a jump', async () => {
    let [count, latest] = [0, 0];
    const last = new Map<string, HistoryLine>();
    const out = gather((line) => {
      count++;
      if (line.timestamp < latest) expect.fail(`${line.tag} goes back to ${line.timestamp}`);
      latest = line.timestamp;
      last.set(line.tag, line);
    });
    expect(await writeHistory(mainPlants, 3, span, out, never)).toBe(368_640);
    expect(count).toBe(368_640);
    expect(latest).toBe(span.until);
    expect(span.until - span.from).toBe(48 * 3_600_000);
    expect(now - span.until).toBeLessThan(60_000);

    for (const definition of mainPlants) {
      const plant = openPlant(definition, 3, span.from);
      const served = servedBy(definition.site);
      const tags = tagsOf(definition);
      plant.advance(span.until);
      plant.values().forEach((value, i) => expect(last.get(tags[i]!)!.value).toBe(served(i, value!)));
      plant.advance(span.until + 1000);
      plant.values().forEach((value, i) => {
        const { low, high } = definition.site.assets[Math.floor(i / 4)]!.signals[i % 4]!.range!;
        expect(Math.abs((value as number) - Number(last.get(tags[i]!)!.value))).toBeLessThan(0.12 * (high - low));
      });
    }
  });

  test('every site every minute, quantised as its registers do', async () => {
    const lines: HistoryLine[] = [];
    const hour = { from: span.until - 3_600_000, until: span.until };
    const others = plants.filter((plant) => !mainPlants.includes(plant));
    const readings = await writeHistory(
      others,
      1,
      hour,
      gather((line) => lines.push(line)),
      never,
    );
    expect(readings).toBe(60 * others.flatMap(tagsOf).length);
    expect(new Set(lines.map((line) => line.timestamp % 60_000))).toEqual(new Set([0]));
    const doubles = lines.filter((line) => line.tag === 'boiler-house/boiler-1/steam-pressure');
    for (const { value } of doubles) expect(Math.fround(Number(value))).toBe(value);
  });

  test('an abort ends it', async () => {
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    await expect(
      writeHistory(
        plants,
        1,
        span,
        gather(() => undefined),
        stop.signal,
      ),
    ).rejects.toThrow('stopped');
  });
});

test('the committed demo config is what the generator writes', async () => {
  const folder = join(root, 'config/demo');
  const files = configFiles();
  const committed = (await readdir(join(folder, 'devices'))).map((file) => `devices/${file}`).sort();
  expect(committed).toEqual([...files.keys()].filter((path) => path.startsWith('devices/')).sort());
  for (const [path, text] of files) expect(await readFile(join(folder, path), 'utf8'), path).toBe(text);
});

test('nothing in simulators imports the gateway', async () => {
  const files = (await readdir(join(root, 'simulators'), { recursive: true })).filter((file) =>
    /(?<!\.test)\.ts$/.test(file),
  );
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) {
    const source = await readFile(join(root, 'simulators', file), 'utf8');
    expect(source, file).not.toMatch(/(from|import\()\s*'[^']*gateway\//);
  }
});

describe('the process', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penstock-simulators-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('serves both protocols what it says in its truth file, writes history and stops on a signal', async () => {
    const [truth, history] = [join(folder, 'truth.ndjson'), join(folder, 'history.ndjson')];
    const child = launch(
      ...['--sites', 'fermentation-hall,boiler-house', '--port-base', '0', '--truth', truth],
      ...['--history', '2h', '--history-out', history],
    );
    const { ports } = await child.message<{ ready: true; ports: Record<string, number> }>('ready');
    const done = await child.message<{ history: { readings: number; until: string } }>('history');
    expect(Object.keys(ports)).toEqual(['fermentation-hall', 'boiler-house']);
    expect(done.history.readings).toBe(120 * 36);

    const modbus = new modbusSerial.default();
    await modbus.connectTCP('127.0.0.1', { port: ports['boiler-house']! });
    modbus.setID(1);
    const pressure = (await modbus.readInputRegisters(0, 2)).buffer.readFloatBE(0);
    const flame = (await modbus.readDiscreteInputs(0, 1)).data[0];
    modbus.setID(2);
    const swapped = (await modbus.readInputRegisters(0, 2)).data as [number, number];
    await new Promise<void>((resolve) => modbus.close(() => resolve()));

    const { site } = plants.find((plant) => plant.site.id === 'fermentation-hall')!;
    const address = nodeFor(site, site.assets[0]!, site.assets[0]!.signals[0]!);
    const temperature = await readOpcua(ports['fermentation-hall']!, address);

    await child.stop();
    expect(child.code()).toBe(0);
    const served = (await readFile(truth, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TruthLine);
    const values = (tag: string): unknown[] => served.filter((line) => line.tag === tag).map((line) => line.v);
    expect(values('boiler-house/boiler-1/steam-pressure')).toContain(pressure);
    expect(values('boiler-house/boiler-1/flame')).toContain(flame);
    const second = Buffer.alloc(4);
    second.writeUInt16BE(swapped[1], 0);
    second.writeUInt16BE(swapped[0], 2);
    expect(values('boiler-house/boiler-2/steam-pressure')).toContain(second.readFloatBE(0));
    const seen = served.filter((line) => line.tag === 'fermentation-hall/fermenter-101/temperature');
    expect(seen).toContainEqual({ tag: seen[0]!.tag, t: temperature.t, v: temperature.value });
    for (const line of served) expect(line.t % 1_000_000).toBe(0);
    expect(served[0]!.t).toBeGreaterThanOrEqual(Date.parse(done.history.until) * 1000);
  });

  test('a parent that goes takes it along; a busy port that was asked for is an error', async () => {
    const first = launch('--sites', 'boiler-house', '--port-base', '0', '--with-parent');
    const { ports } = await first.message<{ ports: Record<string, number> }>('ready');
    const second = launch('--sites', 'boiler-house', '--ports', `boiler-house=${ports['boiler-house']}`);
    await second.ended;
    expect(second.code()).toBe(1);
    expect(second.errors()).toContain(`boiler-house: port ${ports['boiler-house']} on 127.0.0.1 is taken`);
    first.closeInput();
    await first.ended;
    expect(first.code()).toBe(0);
  });

  test('a wrong option is said in one line, with exit code 78', async () => {
    const child = launch('--spede', '2');
    await child.ended;
    expect(child.code()).toBe(78);
    expect(child.errors()).toMatch(/^simulators: Unknown option '--spede'[^\n]*\n$/);
  });
});

interface TruthLine {
  tag: string;
  t: number;
  v: unknown;
}

function tagsOf({ site }: PlantDefinition): string[] {
  return site.assets.flatMap((asset) => asset.signals.map((signal) => `${asset.path}/${signal.metric}`));
}

async function readOpcua(port: number, address: string): Promise<{ value: unknown; t: number }> {
  const [, uri, name] = /^nsu=(.*);(s=.*)$/.exec(address)!;
  const client = OPCUAClient.create({ endpointMustExist: false });
  await client.connect(`opc.tcp://127.0.0.1:${port}`);
  const session = await client.createSession();
  const namespace = (await session.readNamespaceArray()).indexOf(uri!);
  const data = await session.read({ nodeId: `ns=${namespace};${name}`, attributeId: AttributeIds.Value });
  await session.close();
  await client.disconnect();
  return { value: data.value.value as unknown, t: data.sourceTimestamp!.getTime() * 1000 };
}

/** The process with its JSON lines; ends with the test at the latest. */
function launch(...argv: string[]) {
  const child = spawn(process.execPath, [join(root, 'simulators/main.ts'), ...argv], { stdio: 'pipe' });
  let [output, errors] = ['', ''];
  let code: number | null = null;
  child.stdout.setEncoding('utf8').on('data', (part: string) => (output += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part));
  const ended = new Promise<void>((resolve) => child.on('close', (exit) => ((code = exit), resolve())));
  afterAll(() => void child.kill('SIGKILL'));
  return {
    ended,
    code: () => code,
    errors: () => errors,
    closeInput: () => child.stdin.end(),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
    /** The first line with this key. */
    async message<T>(key: string): Promise<T> {
      for (;;) {
        for (const line of output.split('\n')) {
          if (line.startsWith(`{"${key}"`)) return JSON.parse(line) as T;
        }
        if (code !== null) throw new Error(`ended with ${code}: ${errors}`);
        await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 25))]);
      }
    },
  };
}
