// `penstock export`: asks the running daemon for history and writes it to a file or to stdout as it comes. Called by main.
import { createWriteStream, renameSync, rmSync, statSync } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { lackOf } from '../web/export.ts';
import { cutOff, textOf, toDaemon } from './control.ts';
import { onInterrupt } from './interrupt.ts';
import { argumentsOf, dataFolder } from './wrong-use.ts';

export const exportUsage = `penstock export [TAG…] [--data DIR] [options]
  writes history as CSV or NDJSON, tag by tag and within a tag by time; without TAG, --asset or --facility all of it

  --asset PATH            all tags of an asset, or of a line or area
  --facility ID
  --from TIME --to TIME   ISO 8601, or now, now-24h, now-7d; the last 24 hours when not said. [from, to)
  --zone NAME             time zone of the times said and written, UTC by default; each time carries its offset
  --width WIDTH           buckets (30s, 5m, 1h, day) with count, min, max, mean and more instead of samples
  --format csv|ndjson     ndjson is what import reads back to the same bits
  --bom                   for spreadsheets that need it to see UTF-8
  --out FILE              instead of standard output; there is such a file only when all was written
  --data DIR              the daemon's data folder

  In CSV, text that a spreadsheet would take for a formula gets an apostrophe before it; import takes that off again.
  A file that lacks a part (a store elsewhere does not answer, samples are removed or damaged) ends with a line that says which and why.
  Exit code 0: all of it is written; 1: it failed, or what is written is not all; 130: stopped by Ctrl-C.
`;

export async function exportCommand(args: string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = argumentsOf(args, {
    ...{ data: text, asset: text, facility: text, from: text, to: text, zone: text, width: text, format: text },
    ...{ out: text, bom: flag, help: { ...flag, short: 'h' } },
  });
  if (values.help) {
    console.log(exportUsage);
    return 0;
  }
  const query = new URLSearchParams(positionals.map((tag) => ['tags', tag]));
  for (const name of ['asset', 'facility', 'from', 'to', 'zone', 'width', 'format'] as const)
    if (values[name] !== undefined) query.set(name, values[name]);
  if (values.bom) query.set('bom', '1');
  const cancel = onInterrupt(values.out === undefined ? 'stopping: what is written is not all' : 'stopping');
  const target = values.out === undefined ? undefined : targetOf(values.out);
  const counted = counter();
  try {
    const { call, answer } = toDaemon(dataFolder(values.data), `/export?${query}`, { signal: cancel.signal });
    call.end();
    const response = await answer;
    if (response.statusCode !== 200) await textOf(response);
    const out = target?.open() ?? process.stdout;
    await pipeline(response, counted.stream, out, { signal: cancel.signal }).catch((error: Error) => {
      const { code, message } = error as NodeJS.ErrnoException;
      if (error === response.errored || code === 'EPIPE' || cancel.signal.aborted) throw cutOff(error);
      throw new Error(`${values.out ?? 'standard output'} cannot be written: ${message}`, { cause: error });
    });
    target?.done();
    if (values.out !== undefined) console.error(`${values.out}: ${counted.rows()} lines`);
    const lack = lackOf(counted.last());
    if (lack === undefined) return 0;
    console.error(`not all of it: ${lack}`);
    return 1;
  } catch (error) {
    if (cancel.signal.aborted) return 130;
    // A reader such as head has seen enough.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return 0;
    throw error;
  } finally {
    counted.end();
    target?.end();
    cancel.stop();
  }
}

/** Written beside its place and put there when it is whole; a device or a pipe is written to as it is. */
function targetOf(file: string): { open(): WriteStream; done(): void; end(): void } {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new Error(`${file} is a folder: name a file in it`);
  if (there && !there.isFile()) return { open: () => createWriteStream(file), done() {}, end() {} };
  // A name of its own: another export may be writing to the same place.
  const partial = `${file}.${process.pid}.partial`;
  return {
    open: () => createWriteStream(partial, { flush: true }),
    done: () => renameSync(partial, file),
    end: () => rmSync(partial, { force: true }),
  };
}

/** Bytes of a last line at most. */
const TAIL = 4096;

/** Passes everything on and counts; on a terminal that does not take the rows themselves it says how far it is. */
function counter(): { stream: Transform; rows(): number; last(): string; end(): void } {
  let rows = 0;
  let bytes = 0;
  let tail = Buffer.alloc(0);
  const stream = new Transform({
    transform(part: Buffer, _encoding, done) {
      for (let at = part.indexOf(10); at >= 0; at = part.indexOf(10, at + 1)) rows++;
      bytes += part.length;
      tail = Buffer.concat([tail, part.subarray(-TAIL)]).subarray(-TAIL);
      done(null, part);
    },
  });
  const shown = process.stderr.isTTY === true && process.stdout.isTTY !== true;
  const show = setInterval(() => {
    if (shown) process.stderr.write(`\r\x1b[K${rows} lines, ${(bytes / 1e6).toFixed(1)} MB`);
  }, 1000);
  return {
    stream,
    rows: () => rows,
    last: () => tail.toString().trimEnd().split('\n').at(-1) ?? '',
    end() {
      clearInterval(show);
      if (shown) process.stderr.write('\r\x1b[K');
    },
  };
}
