// The daemon as a process: `penstock run` and `penstock demo`. It starts on a config folder, says that it is ready, reloads on
// SIGHUP and stops on signals; systemd hears of each. Called by main.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { exposed, wrongConfig } from './cli/check.ts';
import { startDemo } from './cli/demo.ts';
import type { Demo } from './cli/demo.ts';
import { WrongUse } from './cli/wrong-use.ts';
import { systemClock } from './clock.ts';
import { loadConfig } from './config/load.ts';
import type { Daemon } from './daemon.ts';
import { protocols } from './drivers/index.ts';
import { createLog, logForm } from './log.ts';
import { startPulse } from './pulse.ts';
import { ownStarters, whenOrphaned } from './starters.ts';
import { systemd } from './systemd.ts';
import type { Systemd } from './systemd.ts';

/** What runs: the folder of the repository, and the version. */
interface Program {
  root: string;
  version: string;
}

/** Runs until it fails; a signal ends the process. @param args command-line settings */
export async function run(folder: string, args: string[], program: Program): Promise<void> {
  const starters = ownStarters();
  const unit = systemd(process.env, systemClock);
  const daemon = await daemonOn(folder, {}, args, program, unit);
  unit.ready();
  const pulse = startPulse(systemClock, () => daemon.writerAnswers());
  const unwatch = unit.watch(pulse.ill, () => troubles(daemon));
  stopOnSignals(starters, () => {
    unit.stopping();
    unwatch();
    pulse.stop();
    return daemon.close();
  });
  console.log(readyLine(daemon));
  await daemon.failed;
}

/** As `run`, with the bundled plants behind it. @param values what was typed */
export async function demo(
  folder: string,
  values: Record<string, string | boolean | undefined>,
  program: Program,
): Promise<void> {
  const { root } = program;
  const option = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const running: { demo?: Demo } = {};
  stopOnSignals(ownStarters(), async () => running.demo?.close());
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
    build: () => buildDashboard(root),
    start: (env, args) => daemonOn(folder, env, [...args, '--log-level', option('log-level') ?? 'warn'], program),
  });
  running.demo = started;
  console.log(readyLine(started.gateway));
  await started.failed;
}

/** A process of its own: the bundler's memory must not stay in the daemon. */
async function buildDashboard(root: string): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'dashboard', 'build.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the dashboard could not be built (code ${code}); npm run build says why`);
}

async function daemonOn(
  folder: string,
  env: Record<string, string>,
  args: string[],
  { root, version }: Program,
  unit?: Systemd,
): Promise<Daemon> {
  const load = () => loadConfig(folder, protocols, { ...process.env, ...env }, args);
  const result = load();
  if (!result.ok) throw wrongConfig(result);
  const open = exposed(result.config.settings);
  if (open.length > 0) throw wrongConfig({ ok: false, errors: open });
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

/** First signal: an orderly stop. Second: at once. A launcher or an npx that was killed counts as a signal. */
function stopOnSignals(starters: readonly number[], stop: () => Promise<void>): void {
  let stopping = false;
  whenOrphaned(starters, () => {
    if (!stopping) process.kill(process.pid, 'SIGTERM');
  });
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
