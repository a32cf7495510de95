// A data folder as one archive, while its gateway runs: databases by SQLite's own backup, the journal by links taken
// before and after, so that it reaches from the history's position to now. Called by daemon for the command line, and by
// the command line itself where no gateway runs. restore.ts is the way back.
import { createHash } from 'node:crypto';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, statfsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync, backup } from 'node:sqlite';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';

export const FORMAT = 1;
export const MANIFEST = 'manifest.json';
/** Folders of ours below the data folder that are no part of its state. */
export const STAGING = 'backup-in-progress-';
export const ASIDE = 'before-restore-';
export const RESTORING = 'restore-in-progress';
/** Pages copied at once: a few ms between two looks at the signal. */
const PAGES = 1024;
/** Written by the writer thread while we read: taken as snapshots, the history before the state that names its tags. */
const databases = ['history.db', 'state.db'] as const;

export interface Manifest {
  format: number;
  /** The program that wrote it. */
  version: string;
  /** ms since the epoch: when its last part was taken. */
  at: number;
  /** `PRAGMA user_version` of each database. */
  schemas: Record<string, number>;
  files: { name: string; size: number; sha256: string }[];
}
export interface Staged {
  files: { name: string; path: string; size: number }[];
  schemas: Record<string, number>;
  /** Bytes of all files. */
  total: number;
  at: number;
  /** Off this thread: to give a large file's space free takes its time. */
  remove(): Promise<void>;
}

/**
 * Snapshots and links in a folder below `dataDir`, on the same file system; needs room for a copy of the databases.
 * @param progress bytes of the databases copied so far, and in all
 */
export async function stage(
  dataDir: string,
  signal: AbortSignal,
  progress: (done: number, total: number) => void = () => {},
): Promise<Staged> {
  const present = databases.filter((name) => statSync(join(dataDir, name), { throwIfNoEntry: false }));
  if (present.length === 0) throw new Error(`${dataDir} holds no gateway's state: name its data folder with --data`);
  const size = (name: string): number => statSync(join(dataDir, name)).size;
  const needed = present.reduce((sum, name) => sum + size(name), 0);
  const { bavail, bsize } = statfsSync(dataDir);
  if (bavail * bsize < needed * 1.1)
    throw new Error(
      `a backup needs ${megabytes(needed * 1.1)} MB free in ${dataDir} for copies of its databases; there are ${megabytes(bavail * bsize)} MB`,
    );
  const folder = mkdtempSync(join(dataDir, STAGING));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const schemas: Record<string, number> = {};
    linkAll(dataDir, folder);
    let before = 0;
    for (const name of present) {
      signal.throwIfAborted();
      const target = join(folder, name);
      schemas[name] = await snapshot(join(dataDir, name), target, signal, (done, of) =>
        progress(before + done, Math.max(needed, before + of)),
      );
      before += statSync(target).size;
      linkAll(dataDir, folder);
    }
    signal.throwIfAborted();
    const files = filesBelow(folder).map((name) => {
      const path = join(folder, name);
      return { name, path, size: statSync(path).size };
    });
    const total = files.reduce((sum, file) => sum + file.size, 0);
    return { files, schemas, total, at: Date.now(), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The archive's bytes. The manifest comes last: an archive cut short has none and is refused. */
export async function* archive(staged: Staged, version: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const manifest: Manifest = { format: FORMAT, version, at: staged.at, schemas: staged.schemas, files: [] };
  for (const { name, path, size } of staged.files) {
    yield tarHeader(name, size, staged.at);
    const sum = createHash('sha256');
    for await (const bytes of exactly(path, size)) {
      signal.throwIfAborted();
      sum.update(bytes);
      yield bytes;
    }
    yield tarPadding(size);
    manifest.files.push({ name, size, sha256: sum.digest('hex') });
  }
  const text = Buffer.from(JSON.stringify(manifest, null, 1));
  yield tarHeader(MANIFEST, text.length, staged.at);
  yield text;
  yield tarPadding(text.length);
  yield tarEnd();
}

/** As the control socket gives them, one at a time: each needs room for a copy of the databases. */
export function backupsOf(dataDir: string, version: string) {
  let busy = false;
  return async (signal: AbortSignal, progress: (done: number, total: number) => void) => {
    if (busy) throw new Error('a backup is being taken already: wait until it is done');
    busy = true;
    try {
      const staged = await stage(dataDir, signal, progress);
      const remove = async (): Promise<void> => {
        await staged.remove().finally(() => (busy = false));
      };
      return { total: staged.total, bytes: archive(staged, version, signal), remove };
    } catch (error) {
      busy = false;
      throw error;
    }
  };
}

/** A file's first `size` bytes: a segment may grow while it is read, and be cut back to what is whole. */
async function* exactly(path: string, size: number): AsyncGenerator<Uint8Array> {
  await using file = await open(path);
  for (let at = 0; at < size;) {
    const buffer = Buffer.alloc(Math.min(256 * 1024, size - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    // Nothing more: the journal's recovery ends at zeros as it does at a cut.
    at += bytesRead || buffer.length;
    yield bytesRead ? buffer.subarray(0, bytesRead) : buffer;
  }
}

/**
 * As it was when it began: the read transaction holds its view while the writer goes on in the write-ahead log. Pages are
 * copied on a thread of their own. Gives the schema's version. @param progress bytes of this one
 */
async function snapshot(
  from: string,
  to: string,
  signal: AbortSignal,
  progress: (done: number, total: number) => void,
): Promise<number> {
  const db = new DatabaseSync(from, { readOnly: true, timeout: 5000 });
  try {
    const pragma = (name: string): number => Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
    db.exec('BEGIN');
    const version = pragma('user_version');
    const pageBytes = pragma('page_size');
    await backup(db, to, {
      rate: PAGES,
      progress({ totalPages, remainingPages }) {
        signal.throwIfAborted();
        progress((totalPages - remainingPages) * pageBytes, totalPages * pageBytes);
      },
    });
    return version;
  } finally {
    db.close();
  }
}

/** Links what is not linked yet. Files replaced by renaming are as they were when linked. */
function linkAll(from: string, to: string): void {
  for (const name of filesBelow(from)) {
    if (!isState(name)) continue;
    const target = join(to, name);
    mkdirSync(dirname(target), { recursive: true });
    // What is replaced as a whole is wanted as it is now; a segment is one file all its life.
    if (!name.endsWith('.seg')) rmSync(target, { force: true });
    try {
      linkSync(join(from, name), target);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Linked before, or gone since it was listed; or a file system that knows no links.
      if (code === 'EPERM' || code === 'ENOTSUP') copyFileSync(join(from, name), target);
      else if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
    }
  }
}

/** Part of the state, and no database: those are taken as snapshots. */
export function isState(name: string): boolean {
  const first = name.split('/')[0] ?? '';
  if ([STAGING, ASIDE, RESTORING].some((ours) => first.startsWith(ours))) return false;
  // The journal's reserve is room on the disk, not state; a link to it would keep it when it is needed.
  return !/^(lock|pid)$|^(history|state)\.db|^lock-|\.tmp$|\.partial$|^journal\/reserve$/.test(name);
}

/** Plain files below a folder, by their path from it. */
export function filesBelow(folder: string, prefix = ''): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) return isState(`${name}/`) ? filesBelow(folder, name) : [];
    return entry.isFile() ? [name] : [];
  });
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 1e6);
