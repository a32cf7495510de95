// Rows a database refused for good, kept in a file for people: one JSON line each, with the reason, in the import's form.
// Written by the forwarders in the egress worker; listed, shown and sent again by the command line, also while a gateway
// runs. Bounded: at half the cap the file becomes the older one, and what the older one held is dropped and counted.
import { createReadStream, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A row in the form `penstock import` reads, or for the table `events` the event itself. */
export type DeadRow = Record<string, unknown>;
export interface DeadLetter {
  /** In the database's own words. */
  reason: string;
  table: string;
  /** ms since the epoch: when it was given up. */
  at: number;
  row: DeadRow;
}
export interface DeadLetterSummary {
  consumer: string;
  letters: number;
  bytes: number;
  /** Letters that had to make room for newer ones, since the file was made. */
  dropped: number;
  /** Lines that are no letters: cut off by a crash, or edited by hand. */
  unreadable: number;
  oldest?: number;
  newest?: number;
  reasons: Record<string, number>;
}
export interface DeadLetters {
  /**
   * Resolves when they are on disk, with how many older ones had to make room. Counts a repeated row again: a resend after a
   * crash may refuse the same row twice.
   */
  append(letters: readonly DeadLetter[]): Promise<number>;
}

const CAP = 16 * 1024 * 1024;
/** The last time a calendar knows, ms. */
const LAST = 8.64e15;
/** Kinds of reasons told apart in a summary. */
const REASONS = 20;
const folderOf = (dataDir: string): string => join(dataDir, 'dead-letters');
const current = '.ndjson';
const older = '.older.ndjson';

/** @param cap bytes kept in all (16 MiB): the oldest half goes when they are full. Makes the folder at the first letter. */
export function deadLetters(dataDir: string, consumer: string, cap = CAP): DeadLetters {
  const folder = folderOf(dataDir);
  const file = join(folder, consumer + current);
  const aside = join(folder, consumer + older);
  return {
    async append(letters) {
      if (letters.length === 0) return 0;
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      let text = '';
      let dropped = 0;
      for (const letter of letters) {
        const line = `${JSON.stringify(letter)}\n`;
        if (text.length + line.length > cap / 4) {
          dropped += await put(text);
          text = '';
        }
        text += line;
      }
      return dropped + (await put(text));
    },
  };
  async function put(text: string): Promise<number> {
    if (text === '') return 0;
    if (sizeOf(file) === 0 || sizeOf(file) + text.length <= cap / 2) {
      await write(file, text);
      return 0;
    }
    const { dropped } = await summaryOf([aside, file]);
    const { letters } = await summaryOf([aside]);
    renameSync(file, aside);
    await write(file, `${JSON.stringify({ dropped: dropped + letters })}\n${text}`);
    return letters;
  }
}

/** What is said when letters are lost. */
export const madeRoom = (dropped: number): string =>
  `the file of dead letters is full: the oldest had to make room and are gone, ${dropped} of them; penstock dead-letters list says why rows are refused`;

/** One summary a consumer that has letters. */
export async function listDeadLetters(dataDir: string): Promise<DeadLetterSummary[]> {
  const found = filesIn(dataDir);
  return Promise.all([...found].map(async ([consumer, files]) => ({ consumer, ...(await summaryOf(files)) })));
}

/** Oldest first. A line that is none is left out. */
export async function* readDeadLetters(dataDir: string, consumer: string): AsyncGenerator<DeadLetter> {
  for (const file of filesIn(dataDir).get(consumer) ?? [])
    for await (const entry of entriesOf(file)) if ('row' in entry) yield entry;
}

/**
 * All letters of a consumer, oldest first, to be sent again. They are set aside first, so that what is refused meanwhile is
 * kept apart; `done` removes those read, without it the next call gives them again. Lines that are no letters stay.
 */
export function takeDeadLetters(
  dataDir: string,
  consumer: string,
): { letters: AsyncGenerator<DeadLetter>; done(): Promise<void> } {
  const folder = folderOf(dataDir);
  const taken = `${consumer}.taken-${Date.now()}.ndjson`;
  for (const [i, file] of (filesIn(dataDir).get(consumer) ?? []).entries())
    if (!file.includes('.taken-')) renameSync(file, join(folder, taken.replace('.ndjson', `-${i}.ndjson`)));
  const read = new Map<string, number>();
  const strange: string[] = [];
  async function* letters(): AsyncGenerator<DeadLetter> {
    for (const file of filesIn(dataDir).get(consumer) ?? []) {
      if (!file.includes('.taken-')) continue;
      read.set(file, sizeOf(file));
      for await (const entry of entriesOf(file))
        if ('row' in entry) yield entry;
        else if ('strange' in entry) strange.push(entry.strange);
    }
  }
  return {
    letters: letters(),
    async done() {
      if (strange.length > 0) await write(join(folder, consumer + current), `${strange.join('\n')}\n`);
      // A write that had the file open when it was set aside may have added to it since.
      for (const [file, size] of read) if (sizeOf(file) === size) rmSync(file, { force: true });
    },
  };
}

async function write(file: string, text: string): Promise<void> {
  const handle = await open(file, 'a+', 0o600);
  try {
    const { size } = await handle.stat();
    const { buffer: last } = await handle.read({ buffer: Buffer.from('\n'), position: Math.max(0, size - 1) });
    // Behind half a line, of a crash or a full disk, the first letter would be lost with it.
    await handle.appendFile(last.toString() === '\n' ? text : `\n${text}`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Each consumer's files, oldest first. */
function filesIn(dataDir: string): Map<string, string[]> {
  const folder = folderOf(dataDir);
  const found = new Map<string, string[]>();
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    // No letter was ever kept.
  }
  const age = (name: string): number => (name.includes('.taken-') ? 0 : name.endsWith(older) ? 1 : 2);
  for (const name of names.sort((a, b) => age(a) - age(b) || (a < b ? -1 : 1))) {
    if (!name.endsWith(current)) continue;
    const consumer = name.slice(0, name.indexOf('.'));
    found.set(consumer, [...(found.get(consumer) ?? []), join(folder, name)]);
  }
  return found;
}

type Entry = DeadLetter | { dropped: number } | { strange: string };

async function* entriesOf(file: string): AsyncGenerator<Entry> {
  if (sizeOf(file) === 0) return;
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  for await (const line of lines) if (line.trim() !== '') yield entryOf(line);
}

/** People edit the file: only the row must be there. */
function entryOf(line: string): Entry {
  let entry: { [name in keyof DeadLetter | 'dropped']?: unknown };
  try {
    entry = Object(JSON.parse(line.replace(/^\uFEFF/, ''))) as typeof entry;
  } catch {
    return { strange: line };
  }
  const { reason, table, at, row, dropped } = entry;
  if (typeof dropped === 'number') return { dropped };
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return { strange: line };
  return {
    reason: typeof reason === 'string' ? reason : 'no reason is given',
    table: typeof table === 'string' ? table : '',
    at: typeof at === 'number' && Math.abs(at) <= LAST ? at : 0,
    row: row as DeadRow,
  };
}

async function summaryOf(files: readonly string[]): Promise<Omit<DeadLetterSummary, 'consumer'>> {
  const all: Omit<DeadLetterSummary, 'consumer'> = { letters: 0, bytes: 0, dropped: 0, unreadable: 0, reasons: {} };
  for (const file of files) {
    all.bytes += sizeOf(file);
    for await (const entry of entriesOf(file)) {
      if ('dropped' in entry) {
        // Each file counts all that was dropped before it began.
        all.dropped = Math.max(all.dropped, entry.dropped);
        continue;
      }
      if ('strange' in entry) {
        all.unreadable++;
        continue;
      }
      all.letters++;
      const reason =
        Object.hasOwn(all.reasons, entry.reason) || Object.keys(all.reasons).length < REASONS ? entry.reason : 'other';
      all.reasons[reason] = (all.reasons[reason] ?? 0) + 1;
      all.oldest = Math.min(all.oldest ?? Infinity, entry.at);
      all.newest = Math.max(all.newest ?? -Infinity, entry.at);
    }
  }
  return all;
}
