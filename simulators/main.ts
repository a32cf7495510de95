// The simulators' process: plants behind real Modbus and OPC UA servers. Started by people (`npm run simulate`), by the
// demo and by tests. Says on standard output, in JSON lines, when it listens and when history is written; the rest goes
// to standard error. Exit code 78 = called wrongly.
import { help, readArguments } from './arguments.ts';
import type { Options } from './arguments.ts';
import { writeConfig } from './configuration.ts';
import { historySpan, writeHistory } from './history.ts';
import type { HistorySpan } from './history.ts';
import { writeLines } from './lines.ts';
import { runLive } from './live.ts';
import { openPlant, plants } from './plants/index.ts';
import { serveSite } from './site-server.ts';
import type { SiteServer } from './site-server.ts';
import { UsageError } from './usage.ts';

const say = (text: string): void => void process.stderr.write(`simulators: ${text}\n`);

async function main(argv: readonly string[]): Promise<void> {
  const options = readArguments(argv);
  if (options.help) return void process.stdout.write(help);
  if (options.list) return void process.stdout.write(listOf());
  if (options.config !== undefined) {
    const files = await writeConfig(options.config);
    return say(`wrote ${files.join(', ')} in ${options.config}`);
  }
  const stop = new AbortController();
  const end = (): void => stop.abort(new Error('stopped'));
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  if (options.withParent) {
    process.stdin.on('end', end).on('close', end).on('error', end);
    process.stdin.resume();
  }
  const span = options.history > 0 ? historySpan(Date.now(), options.history) : undefined;
  if (options.historyOnly) await history(options, span!, stop.signal);
  else await live(options, span, stop.signal);
}

/** What scripts read. Where standard output carries history, they read it from standard error. */
function report(options: Options, message: object): void {
  const out = options.history > 0 && options.historyOut === '-' ? process.stderr : process.stdout;
  out.write(`${JSON.stringify(message)}\n`);
}

async function history(options: Options, span: HistorySpan, signal: AbortSignal): Promise<void> {
  const out = writeLines(options.historyOut);
  const readings = await writeHistory(options.plants, options.seed, span, out, signal);
  await out.end();
  report(options, { history: { file: options.historyOut, readings, until: new Date(span.until).toISOString() } });
}

async function live(options: Options, span: HistorySpan | undefined, signal: AbortSignal): Promise<void> {
  const start = span?.from ?? Math.floor(Date.now() / 60_000) * 60_000;
  const origin = span?.until ?? start;
  const running: { server: SiteServer; halt(): void }[] = [];
  const truth = options.truth === undefined ? undefined : writeLines(options.truth);
  try {
    const ports: Record<string, number> = {};
    for (const definition of options.plants) {
      signal.throwIfAborted();
      const { id } = definition.site;
      const plant = openPlant(definition, options.seed, start);
      plant.advance(origin);
      const server = await serveSite(plant, options.host, options.ports.get(id)!);
      running.push({ server, halt: runLive({ plant, server }, { origin, speed: options.speed, truth }) });
      ports[id] = server.port;
    }
    signal.throwIfAborted();
    report(options, { ready: true, ports, pid: process.pid });
    if (span) await history(options, span, signal);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    for (const { halt } of running) halt();
    await Promise.all(running.map(({ server }) => server.close()));
    await truth?.end();
  }
}

function listOf(): string {
  const rows = plants.map(({ site }) => {
    const tags = site.assets.reduce((sum, asset) => sum + asset.signals.length, 0);
    return `${site.id}\t${site.protocol}\t${site.assets.length} assets\t${tags} tags\t${site.name}, ${site.location}\n`;
  });
  return rows.join('');
}

try {
  await main(process.argv.slice(2));
  process.exitCode = 0;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof UsageError ? 78 : 1;
}
// Library timers and the parent's pipe must not keep an ended process; what was written has left before.
if (process.stdout.writableLength === 0) process.exit();
process.stdout.once('drain', () => process.exit());
