// The daemon's own settings: one convict schema, filled from penstock.yaml, PENSTOCK_… variables and arguments
// (the later wins). Read by load, documented by reference; nothing else declares a setting.
import convict from 'convict';
import './formats.ts';
import { forwardSchema } from './forward.ts';
import type { ForwardSettings } from './forward.ts';
import type { ConfigError, ConfigFile } from './read.ts';
import { nearest } from './shape.ts';

export const settingsSchema = {
  enterprise: {
    doc: 'The enterprise: first level of every MQTT topic',
    format: 'segment',
    default: 'demo',
    env: 'PENSTOCK_ENTERPRISE',
  },
  gateway: {
    id: {
      doc: 'Name of this gateway in topics and metrics',
      format: 'segment',
      default: 'gateway',
      env: 'PENSTOCK_GATEWAY_ID',
    },
    maxSkew: {
      doc: 'How far a device clock may be off before its times are not believed',
      format: 'duration',
      default: 300_000,
      env: 'PENSTOCK_GATEWAY_MAX_SKEW',
    },
    maxSilence: {
      doc: 'An unchanged value that is known to hold is repeated after this time',
      format: 'duration',
      default: 60_000,
      env: 'PENSTOCK_GATEWAY_MAX_SILENCE',
    },
  },
  data: {
    doc: 'Folder of all state: history, alarms, indexes',
    format: String,
    default: '/var/lib/penstock',
    env: 'PENSTOCK_DATA',
    arg: 'data',
  },
  log: {
    level: {
      doc: 'debug, info, warn or error',
      format: ['debug', 'info', 'warn', 'error'],
      default: 'info',
      env: 'PENSTOCK_LOG_LEVEL',
      arg: 'log-level',
    },
  },
  web: {
    host: {
      doc: 'Address the page and the API bind to; wider than loopback needs insecure',
      format: String,
      default: '127.0.0.1',
      env: 'PENSTOCK_WEB_HOST',
      arg: 'host',
    },
    port: {
      doc: 'Port of the page and the API; 0 takes any free one',
      format: 'tcp port',
      default: 8080,
      env: 'PENSTOCK_WEB_PORT',
      arg: 'port',
    },
    hosts: {
      doc: 'Further names under which the page is reached (Host header)',
      format: 'names',
      default: [] as string[],
      env: 'PENSTOCK_WEB_HOSTS',
    },
    insecure: {
      doc: 'Allow a wider address although there are no users yet; said on every page',
      format: 'switch',
      default: false,
      env: 'PENSTOCK_WEB_INSECURE',
    },
    ingest: {
      tokenFile: {
        doc: 'File with the token that programs send to POST /api/v1/ingest/batch; read at each request. Without it that route is closed',
        format: String,
        default: '',
        env: 'PENSTOCK_WEB_INGEST_TOKEN_FILE',
      },
    },
  },
  mqtt: {
    host: {
      doc: 'Address the embedded broker binds to',
      format: String,
      default: '127.0.0.1',
      env: 'PENSTOCK_MQTT_HOST',
      arg: 'mqtt-host',
    },
    port: {
      doc: 'Port of the embedded broker; 0 takes any free one',
      format: 'tcp port',
      default: 1883,
      env: 'PENSTOCK_MQTT_PORT',
      arg: 'mqtt-port',
    },
    prefix: {
      doc: 'First part of every topic, before the enterprise',
      format: 'segment',
      default: 'penstock',
      env: 'PENSTOCK_MQTT_PREFIX',
    },
    qos: {
      doc: 'Quality of service of values (states and alarms are always 1)',
      format: [0, 1],
      default: 0,
      env: 'PENSTOCK_MQTT_QOS',
    },
    insecure: {
      doc: 'Allow the broker on a wider address although it asks nobody who they are',
      format: 'switch',
      default: false,
      env: 'PENSTOCK_MQTT_INSECURE',
    },
  },
  journal: {
    cap: {
      doc: 'Most bytes of segment files the journal may hold for consumers that are behind; beyond it the oldest are dropped and counted',
      format: 'bytes',
      default: 268_435_456,
      env: 'PENSTOCK_JOURNAL_CAP',
    },
    durability: {
      doc: 'When samples count as stored for good: batch (a sync after each block), interval (each second, and at once for whoever waits) or os (the operating system decides: a power cut may lose the last half minute)',
      format: ['batch', 'interval', 'os'],
      default: 'interval',
      env: 'PENSTOCK_JOURNAL_DURABILITY',
    },
    profile: {
      doc: 'The storage, by how much it wears: with durability interval, samples that nobody waits for are synced every second (ssd), 5 seconds (emmc) or 15 seconds (sd); a power cut may lose that much, and history follows as late. Whoever waits, an operator or a program that sends readings, has a sync of its own',
      format: ['ssd', 'emmc', 'sd'],
      default: 'ssd',
      env: 'PENSTOCK_JOURNAL_PROFILE',
    },
  },
  forward: forwardSchema,
  history: {
    retention: {
      doc: 'Samples older than this are dropped',
      format: 'age',
      default: 30 * 86_400_000,
      env: 'PENSTOCK_HISTORY_RETENTION',
    },
    bytes: {
      doc: 'Most bytes of history on disk; beyond it the oldest samples and hourly figures are dropped, both after the same share of their time',
      format: 'bytes',
      default: 2_147_483_648,
      env: 'PENSTOCK_HISTORY_BYTES',
    },
    rollups: {
      doc: 'Hourly figures older than this are dropped; they stay when their samples go',
      format: 'age',
      default: 730 * 86_400_000,
      env: 'PENSTOCK_HISTORY_ROLLUPS',
    },
  },
};

export interface Settings {
  enterprise: string;
  gateway: { id: string; maxSkew: number; maxSilence: number };
  data: string;
  log: { level: 'debug' | 'info' | 'warn' | 'error' };
  web: { host: string; port: number; hosts: string[]; insecure: boolean; ingest: { tokenFile: string } };
  mqtt: { host: string; port: number; prefix: string; qos: 0 | 1; insecure: boolean };
  journal: { cap: number; durability: 'batch' | 'interval' | 'os'; profile: 'ssd' | 'emmc' | 'sd' };
  forward: ForwardSettings;
  history: { retention: number; bytes: number; rollups: number };
}

/** The settings of a file (or the defaults without one); every fault is added to `errors`. */
export function readSettings(
  file: ConfigFile | undefined,
  env: NodeJS.ProcessEnv,
  args: string[],
  errors: ConfigError[],
): Settings {
  // The cast: convict's types cannot follow formats added by name.
  const config = convict(settingsSchema as unknown as convict.Schema<Settings>, { env, args });
  const name = file?.file ?? 'penstock.yaml';
  if (file && (typeof file.value !== 'object' || Array.isArray(file.value))) {
    errors.push({ file: name, path: '', message: 'must be a map of settings' });
    return config.getProperties();
  }
  const fault = (path: readonly string[], message: string): void =>
    void errors.push({ file: name, line: file?.line(path), path: path.join('.'), message });
  try {
    // A unit's own state folder stands in for the default, and so below whatever the engineer says.
    const state = env.STATE_DIRECTORY?.split(':')[0];
    if (state) config.load({ data: state });
    config.load(known((file?.value ?? {}) as Section, settingsSchema, [], fault) as Partial<Settings>);
    config.validate();
  } catch (error) {
    for (const row of (error as Error).message.split('\n').filter((r) => r.trim())) {
      const path = (row.split(':')[0] ?? '').trim().split('.');
      const message = row.slice(row.indexOf(':') + 1).trim();
      const variable = variableOf(path);
      if (env[variable] === undefined) fault(path, message);
      else errors.push({ file: 'environment', path: variable, message });
    }
  }
  return config.getProperties();
}

type Section = Record<string, unknown>;

function variableOf(path: readonly string[]): string {
  const setting = path.reduce<unknown>((at, name) => (at as Section | undefined)?.[name], settingsSchema);
  return (setting as { env?: string } | undefined)?.env ?? '';
}

/** What of a section is settings. One with all of it commented out is as if it were not there; what has no place is a fault. */
function known(
  section: Section,
  schema: Section,
  path: readonly string[],
  fault: (path: readonly string[], message: string) => void,
): Section {
  const names = Object.keys(schema);
  const place = path.length === 0 ? 'here' : `in ${path.join('.')}`;
  const kept = Object.entries(section).flatMap(([name, value]): [string, unknown][] => {
    const at = [...path, name];
    if (!Object.hasOwn(schema, name)) {
      const near = nearest(name, names);
      const meant = near === undefined ? '' : `; did you mean ${[...path, near].join('.')}?`;
      fault(at, `is not a setting${meant} (${place} there are: ${names.join(', ')})`);
      return [];
    }
    const below = schema[name] as Section;
    if ('default' in below) return [[name, value]];
    if (value === null) return [];
    if (typeof value === 'object' && !Array.isArray(value)) return [[name, known(value as Section, below, at, fault)]];
    fault(at, `is ${JSON.stringify(value)}; it is a section: below it there are ${Object.keys(below).join(', ')}`);
    return [];
  });
  return Object.fromEntries(kept);
}

/** Dotted names of all settings. */
export function settingNames(schema: object = settingsSchema, prefix = ''): string[] {
  return Object.entries(schema).flatMap(([key, value]) =>
    'default' in value ? [`${prefix}${key}`] : settingNames(value as object, `${prefix}${key}.`),
  );
}
