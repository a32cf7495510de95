// The process: arguments and exit code. `penstock run` is the daemon, `demo` the daemon with its simulators, the other
// commands are one call into cli/. Each command's code is loaded when it is asked for: no help waits for a driver.
// Exit codes: 0 ended as asked, 1 failed while running, 64 wrong use, 78 wrong configuration (sysexits.h).
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WrongConfig, WrongUse, argumentsOf } from './cli/wrong-use.ts';

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
      what lies in the history, whether it is whole, and its small chunks joined
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

/** Its usage, and what gives its exit code. */
type Command = [usage: string, run: (args: string[]) => Promise<number>];
/** Commands with arguments of their own. */
const commands: Record<string, () => Promise<Command>> = {
  export: () => import('./cli/export-command.ts').then((its) => [its.exportUsage, its.exportCommand]),
  history: () => import('./cli/history.ts').then((its) => [its.historyUsage, its.historyCommand]),
  import: () => import('./cli/import-command.ts').then((its) => [its.importUsage, its.importCommand]),
  ledger: () => import('./cli/ledger.ts').then((its) => [its.ledgerUsage, its.ledgerCommand]),
  'dead-letters': () => import('./cli/dead-letters.ts').then((its) => [its.deadLettersUsage, its.deadLettersCommand]),
  backup: () => import('./cli/backup.ts').then((its) => [its.backupUsage, (args) => its.backupCommand(args, version)]),
  restore: () =>
    import('./cli/backup.ts').then((its) => [its.backupUsage, (args) => its.restoreCommand(args, version)]),
  seed: () => import('./cli/seed.ts').then((its) => [its.seedUsage, (args) => its.seedCommand(args, root)]),
};
/** What who used a command wrongly is shown; all of the usage until the command is known. */
let shown = usage;

async function main(): Promise<void> {
  const name = process.argv[2] ?? '';
  const own = Object.hasOwn(commands, name) ? await commands[name]?.() : undefined;
  if (own) {
    const [its, run] = own;
    shown = its;
    process.exitCode = await run(process.argv.slice(3));
    return;
  }
  shown = linesOf(name);
  const { values, positionals } = parsed(process.argv.slice(2));
  const [given = '', excess] = positionals;
  shown = linesOf(given);
  if (excess !== undefined && shown !== usage) throw new WrongUse(`"${excess}" is an argument too many`);
  const command = given || (values.help ? 'help' : values.version ? 'version' : undefined);
  const settings = settingOptions.flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]]));
  const installed = process.env.CONFIGURATION_DIRECTORY?.split(':')[0] || '/etc/penstock';
  const folder = resolve(values.config ?? (command === 'demo' ? join(root, 'config', 'demo') : installed));
  if (values.help || command === 'help') console.log(usage);
  else if (command === 'version') console.log(version);
  else if (command === 'check') await (await import('./cli/check.ts')).check(folder, settings);
  else if (command === 'docs') (await import('./cli/docs.ts')).docs(root);
  else if (command === 'run') await (await import('./running.ts')).run(folder, settings, { root, version });
  else if (command === 'demo') await (await import('./running.ts')).demo(folder, values, { root, version });
  else throw new WrongUse(command ? `"${command}" is no command` : 'a command is missing');
}

function parsed(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return argumentsOf(args, {
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
  });
}

/** What the usage says of a command that has none of its own; all of it when there is no such command. */
function linesOf(command: string): string {
  const parts = usage.split(/\n(?= {2}penstock )/);
  return parts.find((part) => part.startsWith('  penstock') && part.split(/\s+/)[2] === command) ?? usage;
}

main().catch((error: Error) => {
  console.error(error instanceof WrongUse ? `${error.message}\n\n${shown}` : error.message);
  if (!(error instanceof WrongUse || error instanceof WrongConfig) && process.env.PENSTOCK_LOG_LEVEL === 'debug')
    console.error(error.stack);
  process.exit(error instanceof WrongUse ? 64 : error instanceof WrongConfig ? 78 : 1);
});
