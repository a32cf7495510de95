// Where each consumer stands, on disk: owed ranges and counts in one small file, replaced as a whole.
// Written by segments.ts at most once a second, never beyond what is durable; read once, at the start.
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Stored } from '../consumer.ts';
import { readAt, writeAll } from './files.ts';
import type { Files } from './files.ts';
import type { Account } from './log.ts';
import type { Range } from './ranges.ts';
import type { Totals } from './segment.ts';

const VERSION = 2;
const NAME = 'positions';

/** A consumer's account as it is kept. */
export interface Position extends Stored {
  owed: Range[];
  dropped: number;
  lost?: Account['lost'];
  droppedEvents?: number;
  settledAt?: Account['settledAt'];
  /** What had been journalled, and what the consumer had stored by its own count, when it was added. */
  since: number;
  before: Stored;
}
export interface Positions {
  /** One past the highest durable sequence. */
  next: number;
  totals: Totals;
  consumers: Map<string, Position>;
}

export function encodePositions({ next, totals, consumers }: Positions): Buffer {
  // JSON has no Infinity: the open end of a range is null.
  const body = JSON.stringify({
    version: VERSION,
    next,
    totals,
    consumers: [...consumers].map(([name, { owed, ...rest }]) => ({
      name,
      owed: owed.map(({ from, to }) => [from, Number.isFinite(to) ? to : null]),
      ...rest,
    })),
  });
  return Buffer.from(`${body}\n${crc32(body).toString(16)}\n`);
}

/** Undefined when the bytes are not whole; throws in words when a newer program wrote them. */
export function decodePositions(bytes: Buffer): Positions | undefined {
  const [body = '', sum] = bytes.toString().split('\n');
  if (sum !== crc32(body).toString(16)) return undefined;
  const { version, next, totals, consumers } = JSON.parse(body) as Omit<Positions, 'consumers'> & {
    version: number;
    consumers: (Omit<Position, 'owed' | 'before'> & {
      name: string;
      owed: [number, number | null][];
      before: Stored | number;
    })[];
  };
  if (version > VERSION)
    throw new Error(
      `the journal's positions have version ${version}, this program knows ${VERSION}: start the newer version that wrote them`,
    );
  const none = { delivered: 0, filtered: 0, deadLettered: 0 };
  const known = consumers.map(({ name, owed, before, ...rest }): [string, Position] => [
    name,
    {
      // Version 1 knew of nothing but delivered.
      ...none,
      ...rest,
      before: typeof before === 'number' ? { ...none, delivered: before } : before,
      owed: owed.map(([from, to]) => ({ from, to: to ?? Infinity })),
    },
  ]);
  return { next, totals, consumers: new Map(known) };
}

/** `damaged`: the file is there and cannot be read, so every consumer gets all that is kept once more. */
export function loadPositions(files: Files, folder: string): { positions?: Positions; damaged: boolean } {
  if (!files.list(folder).includes(NAME)) return { damaged: false };
  const fd = files.open(join(folder, NAME), 'read');
  try {
    const positions = decodePositions(readAt(files, fd, 0, files.size(fd)));
    return { positions, damaged: positions === undefined };
  } finally {
    files.close(fd);
  }
}

/** Old or new, never half: temporary file, sync, rename, sync of the folder. @returns its bytes */
export async function savePositions(files: Files, folder: string, positions: Positions): Promise<number> {
  const bytes = encodePositions(positions);
  const temporary = join(folder, `${NAME}.tmp`);
  const fd = files.open(temporary, 'create');
  try {
    writeAll(files, fd, bytes, 0);
    await files.sync(fd);
  } finally {
    files.close(fd);
  }
  files.rename(temporary, join(folder, NAME));
  await files.syncFolder(folder);
  return bytes.length;
}
