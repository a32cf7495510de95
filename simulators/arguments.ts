// The command line of the simulators' process, as pure data: what to run, or what is wrong with it.
// Called by simulators/main.
import { parseArgs } from 'node:util';
import { UsageError } from './usage.ts';
import { plants } from './plants/index.ts';
import type { PlantDefinition } from './plants/index.ts';

/** A site's port: a fixed one, any free one, or a preferred one with the next free one when it is busy. */
export interface PortChoice {
  port: number;
  strict: boolean;
}

export interface Options {
  help: boolean;
  list: boolean;
  plants: PlantDefinition[];
  seed: number;
  speed: number;
  host: string;
  /** By site id. */
  ports: Map<string, PortChoice>;
  /** Length of history before now, ms; 0 = none. */
  history: number;
  historyOut: string;
  historyOnly: boolean;
  truth?: string;
  config?: string;
  withParent: boolean;
}

export const help = `Simulated plants over OPC UA and Modbus TCP.

npm run simulate -- [options]

  --sites a,b          only these sites (ids from --list)
  --seed N             seed of all randomness (1); the same seed gives the same plants
  --speed X            virtual seconds a second (1)
  --host ADDRESS       address to listen on (127.0.0.1)
  --ports a=N,b=N      port by site; 0 = any free one
  --port-base N        first site on N, the next on N+1, …; 0 = any free ports
                       without either: each site's own port, or the next free one when that is busy
  --history SPAN       also write the history of 48h, 90m, … before now, and go on live from its end
  --history-out FILE   where to (NDJSON; - = standard output, the default; messages then go to standard error)
  --history-only       write the history and end
  --truth FILE         write each value the servers take on (NDJSON, t in microseconds)
  --config DIR         write plant.yaml and devices/*.yaml that describe the sites to the gateway, and end
  --with-parent        end when standard input ends
  --list               the sites, and end
  --help               this text, and end
`;

const flags = {
  sites: { type: 'string' },
  seed: { type: 'string' },
  speed: { type: 'string' },
  host: { type: 'string' },
  ports: { type: 'string' },
  'port-base': { type: 'string' },
  history: { type: 'string' },
  'history-out': { type: 'string' },
  'history-only': { type: 'boolean' },
  truth: { type: 'string' },
  config: { type: 'string' },
  'with-parent': { type: 'boolean' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Reads the arguments; throws UsageError with one sentence for a person. */
export function readArguments(argv: readonly string[]): Options {
  const { values } = parsed(argv);
  const chosen = choose(values.sites);
  if (values.ports !== undefined && values['port-base'] !== undefined) {
    throw new UsageError('--ports and --port-base exclude each other');
  }
  const history = values.history === undefined ? 0 : span('--history', values.history);
  if (values['history-only'] && history === 0)
    throw new UsageError('--history-only needs --history, e.g. --history 48h');
  if (values['history-out'] !== undefined && history === 0) throw new UsageError('--history-out needs --history');
  const speed = number('--speed', values.speed ?? '1');
  if (speed <= 0 || speed > 10_000) throw new UsageError(`--speed: ${speed} is not above 0 and at most 10000`);
  return {
    help: values.help ?? false,
    list: values.list ?? false,
    plants: chosen,
    seed: whole('--seed', values.seed ?? '1', 0, Number.MAX_SAFE_INTEGER),
    speed,
    host: values.host ?? '127.0.0.1',
    ports: portsOf(values.ports, values['port-base']),
    history,
    historyOut: values['history-out'] ?? '-',
    historyOnly: values['history-only'] ?? false,
    truth: values.truth,
    config: values.config,
    withParent: values['with-parent'] ?? false,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: false });
  } catch (error) {
    // Its second sentence is advice for programmers.
    const [sentence] = (error as Error).message.split('. ');
    throw new UsageError(`${sentence}; --help lists the options`);
  }
}

function known(option: string, id: string): PlantDefinition {
  const plant = plants.find(({ site }) => site.id === id);
  if (plant) return plant;
  throw new UsageError(`${option}: no site "${id}"; there are ${plants.map(({ site }) => site.id).join(', ')}`);
}

function choose(list: string | undefined): PlantDefinition[] {
  if (list === undefined) return [...plants];
  const wanted = new Set(list.split(',').map((id) => known('--sites', id.trim())));
  return plants.filter((plant) => wanted.has(plant));
}

function portsOf(list: string | undefined, base: string | undefined): Map<string, PortChoice> {
  const ports = new Map(plants.map(({ site }) => [site.id, { port: usualPort(site.id), strict: false }]));
  if (base !== undefined) {
    const first = whole('--port-base', base, 0, 65_535 - plants.length);
    plants.forEach(({ site }, i) => ports.set(site.id, { port: first === 0 ? 0 : first + i, strict: true }));
  }
  for (const entry of list?.split(',') ?? []) {
    const [id = '', port = ''] = entry.split('=');
    known('--ports', id.trim());
    ports.set(id.trim(), { port: whole('--ports', port, 0, 65_535), strict: true });
  }
  return ports;
}

/** The port of a site when nobody says otherwise: OPC UA from 48410, Modbus from 15020. */
export function usualPort(siteId: string): number {
  const index = plants.findIndex(({ site }) => site.id === siteId);
  return (plants[index]?.site.protocol === 'opcua' ? 48_410 : 15_020) + index;
}

function number(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new UsageError(`${option}: "${text}" is not a number`);
  return value;
}

function whole(option: string, text: string, low: number, high: number): number {
  const value = number(option, text);
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new UsageError(`${option}: ${text} is not a whole number from ${low} to ${high}`);
}

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function span(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  const ms = Number(match?.[1]) * (units[match?.[2] ?? ''] ?? NaN);
  if (ms >= 60_000 && ms <= 366 * 86_400_000) return ms;
  throw new UsageError(`${option}: "${text}" is not a span from 1m to 366d, e.g. 48h or 90m`);
}
