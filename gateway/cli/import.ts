// Sends a file of readings (NDJSON or CSV) to the running daemon over its control socket and follows how far it comes.
// Called by `penstock import`, by demo and seed for the past of the plants, and by dead-letters to file rows once more; the
// daemon reads, judges and files every line itself.
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cutOff, textOf, toDaemon } from './control.ts';
import type { Reached } from './resume.ts';

export interface LineFault {
  line: number;
  reason: string;
  message: string;
  /** The line itself, or its beginning. */
  text: string;
}

export interface ImportReport extends Reached {
  reasons: Record<string, number>;
  firstErrors: LineFault[];
  /** Of the accepted: older than the gateway's own history keeps. */
  expired: number;
  /** Of the accepted: filed under the first of two moments that clocks show alike. */
  twice: number;
  /** Columns of a wide CSV that are no tags. */
  strange: string[];
  /** Stopped by `signal` before the end of the file; what is counted is stored. */
  cancelled: boolean;
}

export interface ImportOptions {
  /** The daemon's data folder. */
  data: string;
  /** A path, or - for standard input, which is not gone on in. */
  file: string;
  origin: 'import' | 'seed';
  /** Further parameters of the daemon's import: format, delimiter, zone, nulls, allowOutOfRange, dry. */
  params?: Record<string, string>;
  /** Where an earlier import of the file came to. */
  from?: Reached;
  /** At each checkpoint: everything up to there is durable. Faults are those since the last. */
  onReached?(reached: Reached, faults: readonly LineFault[]): Promise<void> | void;
  /** Aborted: no further line is sent, what was sent is finished. */
  signal?: AbortSignal;
}

type Said =
  | { report: Omit<ImportReport, 'offset' | 'cancelled'> & { end: number } }
  | { error: string }
  | { lines: number; end: number; accepted: number; rejected: number; skipped: number; faults: LineFault[] };

/** Rejects with a sentence when the daemon is not there, refuses the file as a whole, or stops in the middle. */
export async function importFile(options: ImportOptions): Promise<ImportReport> {
  const { data, file, origin, params = {}, from, signal = new AbortController().signal } = options;
  const size = await sizeOf(file);
  const header = from && from.offset > 0 ? await headerOf(file, params.format) : Buffer.alloc(0);
  // Where a byte of what is sent lies in the file: the header is sent again before the rest.
  const base = (from?.offset ?? 0) - header.length;
  const before = (from?.lines ?? 0) - header.toString('latin1').split('\n').length + 1;
  const query = new URLSearchParams({ origin, progress: '1', before: String(before), ...params });
  const { call, answer } = toDaemon(data, `/import?${query}`, { method: 'POST' });
  const bytes =
    file === '-' ? process.stdin : createReadStream(file, { start: from?.offset ?? 0, highWaterMark: 1 << 18 });
  const sending = pipeline(wholeLines(bytes, header, signal), call).catch(() => {});

  const reachedAt = (said: { lines: number; end: number; accepted: number; rejected: number; skipped: number }) => ({
    offset: said.end + base,
    lines: said.lines,
    accepted: said.accepted + (from?.accepted ?? 0),
    rejected: said.rejected + (from?.rejected ?? 0),
    skipped: said.skipped + (from?.skipped ?? 0),
  });
  try {
    const response = await answer;
    if (response.statusCode !== 200) await textOf(response);
    const lines = createInterface({ input: response });
    // Who has stopped reading is told of a cut off answer all the same.
    lines.on('error', () => {});
    for await (const line of lines) {
      const said = JSON.parse(line) as Said;
      if ('error' in said) throw new Error(said.error);
      if ('faults' in said) await options.onReached?.(reachedAt(said), said.faults);
      else {
        const { report } = said;
        const reached = reachedAt(report);
        return { ...report, ...reached, cancelled: signal.aborted && reached.offset < size };
      }
    }
  } catch (error) {
    throw cutOff(error);
  } finally {
    call.destroy();
    bytes.destroy();
    await sending;
  }
  throw new Error('the gateway stopped before the end; if it runs, its log says why');
}

/** Bytes of a file; of standard input nobody knows them. Throws a sentence when there is nothing to read. */
export async function sizeOf(file: string): Promise<number> {
  if (file === '-') return Infinity;
  const found = await stat(file).catch((error: Error) => {
    throw new Error(`${file} cannot be read: ${error.message}`, { cause: error });
  });
  if (!found.isFile()) throw new Error(`${file} is no file; - reads standard input`);
  return found.size;
}

/** Cuts at line breaks, so that a file that is left in the middle leaves no half line behind. */
async function* wholeLines(bytes: Readable, header: Buffer, signal: AbortSignal): AsyncGenerator<Buffer> {
  // Also while nothing comes.
  signal.addEventListener('abort', () => bytes.destroy());
  if (header.length > 0) yield header;
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const part of bytes) {
      if (signal.aborted) return;
      const more = part as Buffer;
      const end = more.lastIndexOf(10) + 1;
      // A line longer than a part goes on as it comes: the daemon passes over it anyway.
      if (end === 0 && rest.length < 1 << 18) rest = Buffer.concat([rest, more]);
      else {
        yield Buffer.concat([rest, end === 0 ? more : more.subarray(0, end)]);
        rest = end === 0 ? Buffer.alloc(0) : more.subarray(end);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (!signal.aborted && rest.length > 0) yield rest;
}

/** The first line with its break, and what may stand above it; empty for NDJSON, which has no header. */
async function headerOf(file: string, format: string | undefined): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1 << 18), 0, 1 << 18, 0);
    const text = buffer.toString('latin1', 0, bytesRead);
    const head = /^(?:\xef\xbb\xbf)?(?:[ \t\r]*\n|"?sep=.?"?\r?\n)*(.*)\n/i.exec(text);
    const json = head?.[1]?.trimStart().startsWith('{');
    return !head || format === 'ndjson' || (format === undefined && json)
      ? Buffer.alloc(0)
      : Buffer.from(head[0], 'latin1');
  } finally {
    await handle.close();
  }
}
