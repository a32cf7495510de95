// The daemon's own settings: one convict schema, filled from penstock.yaml, PENSTOCK_… variables and arguments
// (the later wins). Read by load, documented by reference; nothing else declares a setting.
import convict from 'convict';
import { forwardSchema } from './forward.ts';
import type { ForwardSettings } from './forward.ts';
import type { ConfigError, ConfigFile } from './read.ts';

/** Milliseconds from `500ms`, `5s`, `2m`, `1h`, `30d` or a number of ms; undefined when it is neither. */
export function duration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$/.exec(value);
  if (!match) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? 'ms'];
  return Number(match[1]) * (unit ?? 1);
}

convict.addFormat({
  name: 'duration',
  validate: (value: unknown) => {
    if (duration(value) === undefined) throw new Error('must be a duration such as 500ms, 5s, 2m, 1h or 30d');
  },
  coerce: (value: unknown) => duration(value) ?? value,
});
convict.addFormat({
  name: 'names',
  validate: (value: unknown) => {
    if (!Array.isArray(value) || value.some((v) => typeof v !== 'string')) throw new Error('must be a list of names');
  },
  coerce: (value: unknown) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((v) => v.trim())
          .filter(Boolean)
      : value,
});
convict.addFormat({
  name: 'address',
  validate: (value: unknown) => {
    const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
    if (value !== '' && (!url || url.host === ''))
      throw new Error('must be an address such as http://host:9000 or postgres://host:5432/database');
    if (url && (url.username !== '' || url.password !== ''))
      throw new Error('must be an address without user and password: they have settings of their own');
  },
});
convict.addFormat({
  name: 'segment',
  validate: (value: unknown) => {
    if (typeof value !== 'string' || !/^[^+#/$_\0\s][^+#/\0]*$/.test(value))
      throw new Error('must be a name without + # / and not beginning with _ or $');
  },
});

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
      format: 'port',
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
      format: Boolean,
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
      format: 'port',
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
      format: Boolean,
      default: false,
      env: 'PENSTOCK_MQTT_INSECURE',
    },
  },
  journal: {
    cap: {
      doc: 'Most bytes of segment files the journal may hold for consumers that are behind; beyond it the oldest are dropped and counted',
      format: 'nat',
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
      format: 'duration',
      default: 30 * 86_400_000,
      env: 'PENSTOCK_HISTORY_RETENTION',
    },
    bytes: {
      doc: 'Most bytes of history on disk; beyond it the oldest samples and hourly figures are dropped, both after the same share of their time',
      format: 'nat',
      default: 2_147_483_648,
      env: 'PENSTOCK_HISTORY_BYTES',
    },
    rollups: {
      doc: 'Hourly figures older than this are dropped; they stay when their samples go',
      format: 'duration',
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
  try {
    // A unit's own state folder stands in for the default, and so below whatever the engineer says.
    const state = env.STATE_DIRECTORY?.split(':')[0];
    if (state) config.load({ data: state });
    config.load((file?.value ?? {}) as Partial<Settings>);
    config.validate({ allowed: 'strict' });
  } catch (error) {
    for (const row of (error as Error).message.split('\n').filter((r) => r.trim())) {
      const unknown = /configuration param '([^']+)' not declared/.exec(row);
      const path = unknown?.[1] ?? row.split(':')[0]?.trim() ?? '';
      const message = unknown
        ? `is not a setting; the settings are: ${settingNames().join(', ')}`
        : row.slice(row.indexOf(':') + 1).trim();
      errors.push({ file: name, line: file?.line(path.split('.')), path, message });
    }
  }
  return config.getProperties();
}

/** Dotted names of all settings. */
export function settingNames(schema: object = settingsSchema, prefix = ''): string[] {
  return Object.entries(schema).flatMap(([key, value]) =>
    'default' in value ? [`${prefix}${key}`] : settingNames(value as object, `${prefix}${key}.`),
  );
}
