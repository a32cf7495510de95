// `penstock seed`: what the bundled plants would have said before now, filed into a running gateway that is configured for
// them. Called by main; the simulators' process writes the history, import files it as `seed`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { counted } from '../words.ts';
import { importFile } from './import.ts';
import { onInterrupt } from './interrupt.ts';
import { showProgress } from './progress.ts';
import { argumentsOf, dataFolder, WrongUse } from './wrong-use.ts';

export const seedUsage = `penstock seed [--hours N] [--sites a,b] [--seed N] [--data DIR]
  files the past of the bundled plants into a running gateway on config/demo, so that there is something to look at

  --hours N     how far back (48); samples older than history.retention are not kept
  --sites a,b   only these sites
  --seed N      of all randomness (1), as the simulators were started with
  --data DIR    the daemon's data folder

  Seeding twice is harmless. Exit code 0: all filed; 1: some rejected, or it failed; 130: stopped by Ctrl-C.
`;

/** @param root folder of the repository */
export async function seedCommand(args: string[], root: string): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { data: text, hours: text, sites: text, seed: text, help: { ...flag, short: 'h' } } as const;
  const { values } = argumentsOf(args, options, 0);
  if (values.help) {
    console.log(seedUsage);
    return 0;
  }
  const hours = Number(values.hours ?? 48);
  if (!(hours > 0 && hours <= 10_000)) throw new WrongUse(`--hours is "${values.hours}"; it must be from 1 to 10000`);
  const data = dataFolder(values.data);
  const file = join(data, `seed-${process.pid}.ndjson`);
  const cancel = onInterrupt('stopping: what was filed stays');
  try {
    console.error(`writing the past ${counted(hours, 'hour')} of the bundled plants…`);
    const { sites, seed } = values;
    const chosen = Object.entries({ sites, seed }).flatMap(([name, value]) => (value ? [`--${name}`, value] : []));
    await writeHistory(root, ['--history', `${hours}h`, '--history-out', file, ...chosen], cancel.signal);
    const progress = showProgress('seed', statSync(file).size);
    const { accepted, rejected, reasons, cancelled } = await importFile({
      ...{ data, file, origin: 'seed', params: { format: 'ndjson' }, signal: cancel.signal },
      onReached: (reached) => progress.at(reached),
    }).finally(() => progress.end());
    const why = Object.entries(reasons).map(([reason, count]) => `${count} ${reason}`);
    const state = cancelled ? '; stopped before the end: seed again for the rest, which doubles nothing' : '';
    console.log(`${accepted} filed, ${rejected} rejected${why.length > 0 ? ` (${why.join(', ')})` : ''}${state}`);
    if (accepted === 0 && rejected > 0)
      console.error('this gateway has none of the bundled plants’ tags: they are those of config/demo');
    return cancelled ? 130 : rejected > 0 ? 1 : 0;
  } catch (error) {
    if (cancel.signal.aborted) return 130;
    throw error;
  } finally {
    cancel.stop();
    rmSync(file, { force: true });
  }
}

async function writeHistory(root: string, args: string[], signal: AbortSignal): Promise<void> {
  const script = join(root, 'simulators', 'main.ts');
  const child = spawn(process.execPath, [script, '--history-only', '--with-parent', ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
    signal,
  });
  const [code] = (await once(child, 'exit', { signal })) as [number | null];
  if (code !== 0) throw new Error(`the simulators could not write the history (code ${code})`);
}
