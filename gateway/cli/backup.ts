// `penstock backup` and `penstock restore`. A backup comes from the running daemon over its control socket, or, where
// none runs, from the data folder under its lock; a restore always needs the lock. Called by main.
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { open } from 'node:fs/promises';
import { SCHEMA_VERSION } from '../historian/embedded/chunks.ts';
import { beginAgain } from '../historian/embedded/file.ts';
import { archive, stage } from '../state/backup.ts';
import { lockDataDir } from '../state/lock.ts';
import { restore } from '../state/restore.ts';
import { migrations } from '../state/migrations.ts';
import { Absent, toDaemon } from './control.ts';
import { onInterrupt } from './interrupt.ts';
import { WrongUse, argumentsOf, dataFolder } from './wrong-use.ts';

export const backupUsage = `penstock backup FILE.tar [--data DIR]
  writes the gateway's state and history to one file, while it runs or not: alarms, tag indexes, samples, what waits to
  be forwarded, dead letters, and what the pages have configured. Not in it: /etc/penstock.
  Files in it have checksums; any tar program can list them. Keep it as you keep the gateway's own disk.

penstock restore FILE.tar [--data DIR]
  puts a backup into the data folder of a gateway that does not run. Everything is checked before anything is touched,
  and what was there is set aside in DIR/before-restore-…, not deleted.

  Ctrl-C ends either and leaves nothing behind. Exit code 0: done; 1: failed, nothing changed; 130: stopped.
`;

const options = { data: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;

/** @returns the exit code */
export async function backupCommand(args: string[], version: string): Promise<number> {
  const { values, positionals } = argumentsOf(args, options);
  if (values.help) return said(backupUsage);
  const file = fileOf(positionals);
  if (existsSync(file)) throw new Error(`${file} is there already: name another file, or remove it`);
  const data = dataFolder(values.data);
  return interruptible(async (signal) => {
    const partial = `${file}.partial`;
    rmSync(partial, { force: true });
    const out = await open(partial, 'wx', 0o600);
    const show = progress();
    let written = 0;
    try {
      for await (const bytes of source(data, version, signal, show)) {
        await out.writeFile(bytes).catch((error: Error) => {
          throw new Error(`${file} cannot be written: ${error.message}`, { cause: error });
        });
        written += bytes.length;
      }
      signal.throwIfAborted();
      await out.sync();
      await out.close();
      renameSync(partial, file);
    } catch (error) {
      await out.close();
      rmSync(partial, { force: true });
      throw error;
    } finally {
      show.end();
    }
    console.log(`${file}: ${(written / 1e6).toFixed(1)} MB of state and history of ${data}`);
  });
}

/** @returns the exit code */
export async function restoreCommand(args: string[], version: string): Promise<number> {
  const { values, positionals } = argumentsOf(args, options);
  if (values.help) return said(backupUsage);
  const file = fileOf(positionals);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) throw new Error(`${file} is no file`);
  const data = dataFolder(values.data);
  return interruptible(async (signal) => {
    const lock = lockDataDir(data, 'restore');
    const show = progress();
    try {
      const known = { version, schemas: { 'state.db': migrations.length, 'history.db': SCHEMA_VERSION } };
      const { manifest, aside } = await restore(file, data, known, signal, (done, total) => show('read', done, total));
      beginAgain(data, Date.now() * 1000);
      show.end();
      const { length } = manifest.files;
      console.log(`${data}: ${length} files as of ${new Date(manifest.at).toISOString()}, from ${file}`);
      if (aside) console.log(`what was there lies in ${aside}; remove it when it is not wanted any more`);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
    } finally {
      show.end();
      lock.release();
    }
  });
}

type Show = ReturnType<typeof progress>;

async function* source(data: string, version: string, signal: AbortSignal, show: Show): AsyncGenerator<Uint8Array> {
  const { call, answer } = toDaemon(data, '/backup', { method: 'POST', signal });
  call.end();
  let from: IncomingMessage;
  try {
    from = await answer;
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    yield* folder(data, version, signal, show);
    return;
  }
  yield* received(from, show);
}

/** No daemon runs: the folder is ours as long as we hold its lock. */
async function* folder(data: string, version: string, signal: AbortSignal, show: Show): AsyncGenerator<Uint8Array> {
  const lock = lockDataDir(data);
  try {
    const staged = await stage(data, signal, (done, total) => show('copied', done, total));
    try {
      let done = 0;
      for await (const bytes of archive(staged, version, signal)) {
        yield bytes;
        show('written', (done += bytes.length), staged.total);
      }
    } finally {
      await staged.remove();
    }
  } finally {
    lock.release();
  }
}

/** Lines of progress, then the archive as it is; an answer that breaks off rejects. */
async function* received(answer: IncomingMessage, show: Show): AsyncGenerator<Uint8Array> {
  let head = Buffer.alloc(0);
  let total: number | undefined;
  let done = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    let rest = part;
    if (total === undefined) {
      head = Buffer.concat([head, part]);
      for (let end = head.indexOf(10); end >= 0 && total === undefined; end = head.indexOf(10)) {
        const line = JSON.parse(head.toString('utf8', 0, end)) as Record<string, unknown>;
        head = head.subarray(end + 1);
        if (typeof line.error === 'string') throw new Error(line.error);
        if (typeof line.message === 'string') throw new Error(line.message);
        if (typeof line.bytes === 'number') total = line.bytes;
        else show('copied', Number(line.copied), Number(line.of));
      }
      if (total === undefined) continue;
      rest = head;
    }
    done += rest.length;
    show('written', Math.min(done, total), total);
    yield rest;
  }
  if (total === undefined || !answer.complete) throw new Error('the gateway ended before the backup was whole');
}

async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<number> {
  const cancel = onInterrupt('stopping; again to leave at once');
  try {
    await work(cancel.signal);
    return 0;
  } catch (error) {
    if (!cancel.signal.aborted) throw error;
    console.error('stopped; nothing was changed');
    return 130;
  } finally {
    cancel.stop();
  }
}

/** One line on a terminal; nothing elsewhere. */
function progress(): ((what: string, done: number, total: number) => void) & { end(): void } {
  const terminal = process.stderr.isTTY === true;
  let shown = -Infinity;
  const show = (what: string, done: number, total: number): void => {
    if (!terminal || performance.now() - shown < 200) return;
    shown = performance.now();
    const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
    process.stderr.write(`\r\x1b[K${what} ${mb(done)} of ${mb(total)} MB`);
  };
  return Object.assign(show, { end: () => void (shown > 0 && process.stderr.write('\r\x1b[K'), (shown = -Infinity)) });
}

function fileOf(positionals: readonly string[]): string {
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new WrongUse('name one file, such as plant-2026-11-21.tar');
  return file;
}

function said(text: string): number {
  console.log(text);
  return 0;
}
