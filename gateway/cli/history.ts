// `penstock history`: what lies in history.db, whether it is whole, and its small chunks joined. Called by main. Looking needs
// nobody: the file is read as it is at one moment, beside a running gateway or not. Joining is the writer's: the running
// daemon does it, or this process under the data folder's lock.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openFile, openToRead } from '../historian/embedded/file.ts';
import { NAME, unreadable } from '../historian/embedded/unreadable.ts';
import { compact, stats, verify } from '../historian/embedded/upkeep.ts';
import { lockDataDir } from '../state/lock.ts';
import { counted } from '../words.ts';
import { Absent, textOf, toDaemon } from './control.ts';
import { onInterrupt } from './interrupt.ts';
import { argumentsOf, dataFolder, WrongUse } from './wrong-use.ts';

export const historyUsage = `penstock history stats | verify | compact [--data DIR]
  stats     how much lies in the history, since when, and what it takes: --json for programs
  verify    reads every chunk and compares it with what it says of itself; each fault is a line
  compact   joins the small chunks that late samples and restarts leave, and gives free space back to the disk

  A chunk is what a tag's samples of up to an hour are packed into.
  All of them while the gateway runs or not. Samples of the last minutes may still wait in memory and in the journal.
  Exit code 0: done, and nothing wrong; 1: faults were found, or it failed; 130: stopped by Ctrl-C.
`;

/** @returns the exit code */
export async function historyCommand(args: string[]): Promise<number> {
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = argumentsOf(args, {
    ...{ data: { type: 'string' }, json: flag, help: { ...flag, short: 'h' } },
  });
  const [what, ...more] = positionals;
  if (values.help) {
    console.log(historyUsage);
    return 0;
  }
  if (more.length > 0 || (what !== 'stats' && what !== 'verify' && what !== 'compact'))
    throw new WrongUse('history is followed by stats, verify or compact');
  const data = dataFolder(values.data);
  if (!existsSync(join(data, 'history.db')))
    throw new Error(`there is no history in ${data}: name the gateway's data folder with --data`);
  const cancel = onInterrupt('stopping');
  try {
    if (what === 'stats') return await look(data, (db) => say(db, values.json === true));
    if (what === 'verify') return await verified(data, cancel.signal);
    const fewer = await joined(data, cancel.signal);
    console.log(fewer > 0 ? `${counted(fewer, 'chunk')} fewer` : 'there was nothing to join');
    return 0;
  } catch (error) {
    if (cancel.signal.aborted) return 130;
    if (!unreadable(error)) throw error;
    throw new Error(
      `${join(data, NAME)} is damaged or no database (${error.message}): put a backup back with penstock restore; at its next start the gateway moves a file that it cannot open away and begins a new one`,
      { cause: error },
    );
  } finally {
    cancel.stop();
  }
}

/** The file as it is at one moment, whatever is written meanwhile. */
async function look<T>(data: string, see: (db: DatabaseSync) => T | Promise<T>): Promise<T> {
  const db = openToRead(data);
  try {
    db.exec('BEGIN');
    return await see(db);
  } finally {
    db.close();
  }
}

function say(db: DatabaseSync, json: boolean): number {
  const { tags, samples, from, to, chunks, hours, bytes, free, data, minutes, perSample } = stats(db);
  if (json) {
    console.log(JSON.stringify({ tags, samples, from, to, chunks, hours, bytes, free, data, minutes, perSample }));
    return 0;
  }
  const time = (t: number): string => new Date(t / 1000).toISOString();
  const megabytes = (count: number): string => `${(count / 1e6).toFixed(2)} MB`;
  const others = bytes - free - data - minutes;
  const between =
    from === undefined
      ? ': those of the last minutes wait in memory and in the journal'
      : `, from ${time(from)} to ${time(to ?? from)}`;
  console.log(`${counted(samples, 'sample')} of ${counted(tags, 'tag')}${between}
${counted(chunks, 'chunk')}, ${counted(hours, 'hourly figure')}
${megabytes(bytes)} on disk, ${megabytes(free)} of it free: ${perSample.toFixed(2)} bytes a sample
${megabytes(data)} of samples, ${megabytes(minutes)} of figures by the minute, ${megabytes(others)} of hourly figures and indexes`);
  return 0;
}

function verified(data: string, signal: AbortSignal): Promise<number> {
  return look(data, async (db) => {
    const name = db.prepare('SELECT id FROM tag WHERE idx = ?');
    const { chunks } = stats(db);
    const steps = verify(db);
    let step = steps.next();
    for (let told = 0; !step.done; step = steps.next()) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      if (process.stderr.isTTY !== true || performance.now() - told < 1000) continue;
      told = performance.now();
      process.stderr.write(`\r\x1b[K${step.value} of ${counted(chunks, 'chunk')} looked at`);
    }
    if (process.stderr.isTTY === true) process.stderr.write('\r\x1b[K');
    const faults = step.value;
    for (const fault of faults)
      console.log(
        fault.replace(
          /tag (\d+)/,
          (_whole, index: string) => `${String(name.get(Number(index))?.id ?? `tag ${index}`)}`,
        ),
      );
    console.log(`${counted(chunks, 'chunk')} looked at, ${counted(faults.length, 'fault')}`);
    return faults.length > 0 ? 1 : 0;
  });
}

async function joined(data: string, signal: AbortSignal): Promise<number> {
  const { call, answer } = toDaemon(data, '/history/compact', { method: 'POST', signal });
  call.end();
  try {
    return (JSON.parse(await textOf(await answer)) as { fewer: number }).fewer;
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
  }
  const lock = lockDataDir(data);
  try {
    openToRead(data).close();
    const { db } = openFile(data);
    try {
      let fewer = 0;
      for (fewer of compact(db)) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      }
      return fewer;
    } finally {
      db.close();
    }
  } finally {
    lock.release();
  }
}
