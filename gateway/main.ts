// The process: arguments, signals, exit code. `penstock run` is the daemon, `demo` the daemon with its simulators,
// the other commands are one call into cli/ or config/.
// Exit codes: 0 ended as asked, 1 failed while running, 64 wrong use, 78 wrong configuration (sysexits.h).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { backupCommand, restoreCommand } from './cli/backup.ts';
import { startDemo } from './cli/demo.ts';
import type { Demo } from './cli/demo.ts';
import { deadLettersCommand } from './cli/dead-letters.ts';
import { exportCommand } from './cli/export-command.ts';
import { historyCommand } from './cli/history.ts';
import { importCommand } from './cli/import-command.ts';
import { ledgerCommand } from './cli/ledger.ts';
import { seedCommand } from './cli/seed.ts';
import { WrongUse } from './cli/wrong-use.ts';
import { systemClock } from './clock.ts';
import { loadConfig } from './config/load.ts';
import type { LoadResult } from './config/load.ts';
import { errorText } from './config/read.ts';
import { jsonSchema, reference } from './config/reference.ts';
import type { Daemon } from './daemon.ts';
import { protocols } from './drivers/index.ts';
import { createLog, logForm } from './log.ts';
import { startPulse } from './pulse.ts';
import { systemd } from './systemd.ts';
import type { Systemd } from './systemd.ts';
import { counted } from './words.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const usage = `penstock ${version}: industrial edge gateway

  penstock run --config DIR [--data DIR] [--port N] [--mqtt-port N] [--log-level L]
      the daemon: devices → MQTT, history, alarms, page
  penstock demo [--data DIR] [--port N] [--mqtt-port N] [--config DIR]
      the daemon with bundled plant simulators and two days of history (npm start)
  penstock check --config DIR
      every error of a configuration, each with file, line and what to do
  penstock import FILE… [--data DIR]
      files readings (CSV or NDJSON) into the running daemon's history; penstock import --help has the rules
  penstock export [TAG…] [--data DIR]
      history of tags as CSV or NDJSON; penstock export --help has the options
  penstock seed [--hours N] [--data DIR]
      the past of the bundled plants, into a running gateway that is configured for them
  penstock history stats | verify | compact [--data DIR]
      what lies in the history, whether it is whole, and small parts of it joined
  penstock ledger [--data DIR] [--json]
      where every sample is, of a running daemon or of its data folder; exit code 1 if a sum does not hold
  penstock dead-letters list | show STORE | replay STORE [--data DIR]
      rows that a store elsewhere refused for good: how many and why, each of them, and filed once more
  penstock backup FILE.tar [--data DIR]
      state and history in one file, while the gateway runs or not
  penstock restore FILE.tar [--data DIR]
      puts a backup back where no gateway runs; what was there is set aside
  penstock docs
      writes config/REFERENCE.md and config/schema.json from the schemas
`;

const settingOptions = ['data', 'host', 'port', 'mqtt-host', 'mqtt-port', 'log-level'] as const;

/** Commands with arguments of their own; each gives its exit code. */
const commands: Record<string, (args: string[]) => Promise<number>> = {
  export: exportCommand,
  history: historyCommand,
  import: importCommand,
  ledger: ledgerCommand,
  'dead-letters': deadLettersCommand,
  backup: (args) => backupCommand(args, version),
  restore: (args) => restoreCommand(args, version),
  seed: (args) => seedCommand(args, root),
};

class WrongConfig extends Error {}

async function main(): Promise<void> {
  const own = commands[process.argv[2] ?? ''];
  if (own) {
    process.exitCode = await own(process.argv.slice(3));
    return;
  }
  const { values, positionals } = parsed(process.argv.slice(2));
  const command = positionals[0] ?? (values.help ? 'help' : values.version ? 'version' : undefined);
  const settings = settingOptions.flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]]));
  const installed = process.env.CONFIGURATION_DIRECTORY?.split(':')[0] || '/etc/penstock';
  const folder = resolve(values.config ?? (command === 'demo' ? join(root, 'config', 'demo') : installed));
  if (values.help || command === 'help') console.log(usage);
  else if (command === 'version') console.log(version);
  else if (command === 'check') await check(loadConfig(folder, protocols, process.env, settings), folder);
  else if (command === 'docs') docs();
  else if (command === 'run') await run(folder, settings);
  else if (command === 'demo') await demo(folder, values);
  else throw new WrongUse(command ? `"${command}" is no command` : 'a command is missing');
}

function parsed(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        config: text,
        data: text,
        host: text,
        port: text,
        'mqtt-host': text,
        'mqtt-port': text,
        'log-level': text,
        truth: text,
        seed: text,
        help: { ...flag, short: 'h' },
        version: flag,
      },
    });
  } catch (error) {
    throw new WrongUse((error as Error).message);
  }
}

async function check(result: LoadResult, folder: string): Promise<void> {
  if (!result.ok) throw wrongConfig(result);
  const { forwardFaults } = await import('./forwarders.ts');
  const faults = await forwardFaults(result.config.settings.forward);
  if (faults.length > 0)
    throw wrongConfig({ ok: false, errors: faults.map((fault) => ({ file: 'penstock.yaml', ...fault })) });
  const { sites, assets, tags, devices } = result.config.plant;
  console.log(
    `${folder}: ${counted(sites.length, 'site')}, ${counted(assets.length, 'asset')}, ${counted(devices.length, 'device')}, ${counted(tags.length, 'tag')}: no errors`,
  );
}

function docs(): void {
  writeFileSync(join(root, 'config', 'REFERENCE.md'), reference(protocols));
  writeFileSync(join(root, 'config', 'schema.json'), jsonSchema(protocols));
}

async function run(folder: string, args: string[]): Promise<void> {
  const unit = systemd(process.env, systemClock);
  const daemon = await daemonOn(folder, {}, args, unit);
  unit.ready();
  const pulse = startPulse(systemClock, () => daemon.writerAnswers());
  const unwatch = unit.watch(pulse.ill, () => troubles(daemon));
  stopOnSignals(() => {
    unit.stopping();
    unwatch();
    pulse.stop();
    return daemon.close();
  });
  console.log(readyLine(daemon));
  await daemon.failed;
}

async function demo(folder: string, values: Record<string, string | boolean | undefined>): Promise<void> {
  const option = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const running: { demo?: Demo } = {};
  stopOnSignals(async () => running.demo?.close());
  const started = await startDemo({
    root,
    data: option('data') ?? join(root, 'data'),
    host: option('host') ?? '127.0.0.1',
    port: portOf(option('port') ?? '8080', '--port'),
    mqttPort: portOf(option('mqtt-port') ?? '1883', '--mqtt-port'),
    simulate: ['truth', 'seed'].flatMap((name) =>
      option(name) === undefined ? [] : [`--${name}`, option(name) ?? ''],
    ),
    say: (line) => console.error(line),
    build: buildDashboard,
    start: (env, args) => daemonOn(folder, env, [...args, '--log-level', option('log-level') ?? 'warn']),
  });
  running.demo = started;
  console.log(readyLine(started.gateway));
  await started.failed;
}

/** A process of its own: the bundler's memory must not stay in the daemon. */
async function buildDashboard(): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'dashboard', 'build.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the dashboard could not be built (code ${code}); npm run build says why`);
}

async function daemonOn(folder: string, env: Record<string, string>, args: string[], unit?: Systemd): Promise<Daemon> {
  const load = () => loadConfig(folder, protocols, { ...process.env, ...env }, args);
  const result = load();
  if (!result.ok) throw wrongConfig(result);
  const { level } = result.config.settings.log;
  const log = createLog(level, logForm(process.env, process.stderr.isTTY === true));
  const { startDaemon } = await import('./daemon.ts');
  const daemon = await startDaemon({
    config: result.config,
    reload: load,
    assets: join(root, 'dashboard', 'dist'),
    version,
    log,
  });
  let reloading = Promise.resolve();
  process.on('SIGHUP', () => {
    unit?.reloading();
    reloading = reloading
      .then(() => daemon.reload())
      .catch((error: Error) => log.error(`reload failed: ${error.message}`))
      .then(() => unit?.ready());
  });
  return daemon;
}

/** What is not as it should be, in one line; empty when all is well. */
function troubles(daemon: Daemon): string {
  return daemon
    .components()
    .filter(({ state }) => state === 'degraded' || state === 'failed')
    .map(({ name, state, reason }) => `${name}: ${reason || state}`)
    .join('; ');
}

function readyLine(at: { web: { host: string; port: number }; mqtt: { host: string; port: number } }): string {
  return `ready http://${at.web.host}:${at.web.port} mqtt://${at.mqtt.host}:${at.mqtt.port}`;
}

/** First signal: an orderly stop. Second: at once. A launcher that was killed counts as a signal. */
function stopOnSignals(stop: () => Promise<void>): void {
  let stopping = false;
  const launcher = process.ppid;
  if (process.env.PENSTOCK_LAUNCHER === String(launcher)) {
    const looking = setInterval(() => {
      if (process.ppid === launcher) return;
      clearInterval(looking);
      process.kill(process.pid, 'SIGTERM');
    }, 500);
    looking.unref();
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      stop().then(
        () => process.exit(0),
        (error: Error) => {
          console.error(error.message);
          process.exit(1);
        },
      );
    });
  }
}

function portOf(text: string, option: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new WrongUse(`${option} is "${text}"; it must be a port from 0 to 65535`);
  return port;
}

function wrongConfig(result: LoadResult & { ok: false }): WrongConfig {
  return new WrongConfig(
    `${result.errors.map(errorText).join('\n')}\n${counted(result.errors.length, 'error')} in the configuration`,
  );
}

main().catch((error: Error) => {
  console.error(error instanceof WrongUse ? `${error.message}\n\n${usage}` : error.message);
  if (!(error instanceof WrongUse || error instanceof WrongConfig) && process.env.PENSTOCK_LOG_LEVEL === 'debug')
    console.error(error.stack);
  process.exit(error instanceof WrongUse ? 64 : error instanceof WrongConfig ? 78 : 1);
});
