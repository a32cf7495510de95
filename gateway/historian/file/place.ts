// Where a forwarded file stands: how long it is, and which frames are in it. One small file beside it, replaced as a whole
// and durable before a write counts. Read and written by file.ts alone.
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';

const VERSION = 1;
/** More stretches than this are forgotten, lowest first: frames so old are not sent again. */
const STRETCHES = 4096;

/** Sequences [from, to), rising, apart. */
export type Stretch = [from: number, to: number];
export interface Place {
  /** Of the file that `size` speaks of. */
  inode: number;
  size: number;
  frames: Stretch[];
}

/** Undefined when there is none; throws in words when it cannot be understood. */
export async function readPlace(path: string): Promise<Place | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const [body = '', sum] = text.split('\n');
  if (sum !== crc32(body).toString(16))
    throw new Error(`${path} is damaged: remove it, and what the journal still keeps may come twice`);
  const { version, ...place } = JSON.parse(body) as Place & { version: number };
  if (version > VERSION) throw new Error(`${path} was written by a newer version of this program: start that one`);
  return place;
}

/** Durable when it resolves. */
export async function writePlace(path: string, place: Place): Promise<void> {
  const body = JSON.stringify({ version: VERSION, ...place });
  const temporary = `${path}.tmp`;
  await using file = await open(temporary, 'w', 0o640);
  await file.writeFile(`${body}\n${crc32(body).toString(16)}\n`);
  await file.datasync();
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Makes what was created or renamed in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

export const holds = (frames: readonly Stretch[], seq: number): boolean =>
  frames.some(([from, to]) => seq >= from && seq < to);

/** With one sequence more; neighbours grow together. */
export function withFrame(frames: readonly Stretch[], seq: number): Stretch[] {
  if (holds(frames, seq)) return [...frames];
  let own: Stretch = [seq, seq + 1];
  const others: Stretch[] = [];
  for (const stretch of frames) {
    if (stretch[1] === own[0]) own = [stretch[0], own[1]];
    else if (stretch[0] === own[1]) own = [own[0], stretch[1]];
    else others.push(stretch);
  }
  return [...others, own].sort((a, b) => a[0] - b[0]).slice(-STRETCHES);
}
