// A backup back into a data folder: everything is unpacked and checked beside what is there before anything moves, and
// what was there is set aside, not deleted. Called by `penstock restore`, which holds the folder's lock.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ASIDE, FORMAT, MANIFEST, RESTORING, STAGING, filesBelow } from './backup.ts';
import type { Manifest } from './backup.ts';
import { BLOCK, readHeader } from './tar.ts';

/** What this program can read. */
export interface Known {
  version: string;
  /** Highest `PRAGMA user_version` by file. */
  schemas: Record<string, number>;
}
export interface Restored {
  manifest: Manifest;
  /** Where what was there lies now; undefined when the folder was empty. */
  aside?: string;
}

/** A frame's sequence never comes twice, although the gateway ran on after the backup: its count goes on from far above. */
const LEAP = 2 ** 32;
/** What a manifest may need. */
const LONGEST = 16 * 1024 * 1024;

/** @param progress bytes of the archive read so far, and in all. Rejects in words; then nothing in the folder has changed. */
export async function restore(
  file: string,
  dataDir: string,
  known: Known,
  signal: AbortSignal,
  progress: (done: number, total: number) => void = () => {},
): Promise<Restored> {
  const { size } = statSync(file);
  const { bavail, bsize } = statfsSync(dataDir);
  if (bavail * bsize < size * 1.05)
    throw new Error(
      `${dataDir} has no room: the backup needs ${Math.ceil((size * 1.05) / 1e6)} MB beside what is there`,
    );
  const folder = mkdtempSync(join(dataDir, STAGING));
  try {
    const sums = await unpack(file, folder, signal, progress);
    const manifest = check(folder, sums, known);
    prepare(folder, dataDir);
    signal.throwIfAborted();
    return { manifest, ...exchange(folder, dataDir) };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

type Sums = Map<string, { size: number; sha256: string }>;

async function unpack(
  file: string,
  folder: string,
  signal: AbortSignal,
  progress: (done: number, total: number) => void,
): Promise<Sums> {
  const sums: Sums = new Map();
  await using tar = await open(file);
  const { size: total } = await tar.stat();
  for (let at = 0; at < total;) {
    const header = readHeader(await part(tar, at, BLOCK));
    if (!header) break;
    const { name, size } = header;
    at += BLOCK;
    if (!safe(name) || sums.has(name))
      throw new Error(`it is no backup: it holds a file named ${JSON.stringify(name)}`);
    if (name === MANIFEST && size > LONGEST) throw new Error('it is no backup: its manifest is too long');
    const target = join(folder, name);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    const sum = createHash('sha256');
    await using out = await open(target, 'wx', 0o600);
    for (let done = 0; done < size;) {
      signal.throwIfAborted();
      const bytes = await part(tar, at + done, Math.min(1024 * 1024, size - done));
      sum.update(bytes);
      await out.writeFile(bytes);
      done += bytes.length;
      progress(at + done, total);
    }
    await out.sync();
    sums.set(name, { size, sha256: sum.digest('hex') });
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
  return sums;
}

async function part(tar: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await tar.read(buffer, 0, length, at);
  if (bytesRead < length) throw new Error('it is cut short: take another backup');
  return buffer;
}

const safe = (name: string): boolean =>
  /^[^/\0]+(\/[^/\0]+)*$/.test(name) && name.split('/').every((each) => each !== '.' && each !== '..');

/** The manifest and every file agree, and this program can read them. */
function check(folder: string, sums: Sums, known: Known): Manifest {
  if (!sums.has(MANIFEST)) throw new Error('it is cut short, or no backup: its manifest is missing');
  const manifest = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as Manifest;
  if (manifest.format > FORMAT || newer(manifest.version, known.version))
    throw new Error(
      `it was made by penstock ${manifest.version}, this is ${known.version}: restore it with that version or a newer one`,
    );
  for (const [name, schema] of Object.entries(manifest.schemas))
    if (schema > (known.schemas[name] ?? 0))
      throw new Error(
        `its ${name} has version ${schema}, this program knows ${known.schemas[name] ?? 0}: use a newer one`,
      );
  const listed = new Map(manifest.files.map((entry) => [entry.name, entry]));
  for (const name of sums.keys())
    if (name !== MANIFEST && !listed.has(name)) throw new Error(`it is damaged: ${name} is not in its manifest`);
  for (const { name, size, sha256 } of manifest.files) {
    const found = sums.get(name);
    if (found?.size !== size || found.sha256 !== sha256)
      throw new Error(`it is damaged: ${name} is ${found ? 'not what was saved' : 'missing'}. Nothing was changed`);
  }
  return manifest;
}

/** 1.10.0 is newer than 1.9.3; what stands behind a hyphen does not count. */
export function newer(one: string, other: string): boolean {
  const numbers = (version: string): number[] => version.split('-')[0]?.split('.').map(Number) ?? [];
  const [a, b] = [numbers(one), numbers(other)];
  const at = a.findIndex((number, i) => number !== (b[i] ?? 0));
  return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0);
}

function prepare(folder: string, dataDir: string): void {
  rmSync(join(folder, MANIFEST));
  for (const name of ['history.db', 'state.db']) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    const db = new DatabaseSync(path);
    try {
      const told = db.prepare('PRAGMA quick_check(1)').get()?.quick_check;
      if (told !== 'ok') throw new Error(`its ${name} is damaged: ${String(told)}`);
      if (name === 'state.db')
        db.exec(`INSERT INTO kv VALUES('sequence', ${LEAP}) ON CONFLICT(key) DO UPDATE SET value = value + ${LEAP}`);
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } finally {
      db.close();
    }
  }
  for (const name of filesBelow(folder)) {
    chmodSync(join(folder, name), 0o600);
    for (const each of parents(name)) own(join(folder, each), dataDir);
  }
}

/** Restored by root, used by the service's own user. */
function own(path: string, dataDir: string): void {
  const { uid, gid } = statSync(dataDir);
  if (process.getuid?.() === 0) chownSync(path, uid, gid);
}

const parents = (name: string): string[] => name.split('/').map((_, i, parts) => parts.slice(0, i + 1).join('/'));

/** Moves what is there aside and the new in its place. A mark says so meanwhile: a gateway does not start over half of it. */
function exchange(folder: string, dataDir: string): { aside?: string } {
  const mark = join(dataDir, RESTORING);
  writeFileSync(mark, 'a restore moves files here; run penstock restore again if it was cut short\n');
  syncFolder(dataDir);
  const stays = /^(lock|pid)$|^lock-|^control\.sock$/;
  const old = readdirSync(dataDir).filter(
    (name) => !stays.test(name) && ![STAGING, ASIDE, RESTORING].some((ours) => name.startsWith(ours)),
  );
  const aside = `${ASIDE}${new Date().toISOString().replace(/[:.]/g, '')}`;
  if (old.length > 0) {
    mkdirSync(join(dataDir, aside), { recursive: true, mode: 0o700 });
    own(join(dataDir, aside), dataDir);
    for (const name of old) renameSync(join(dataDir, name), join(dataDir, aside, name));
    syncFolder(join(dataDir, aside));
  }
  for (const name of readdirSync(folder)) renameSync(join(folder, name), join(dataDir, name));
  rmSync(folder, { recursive: true });
  syncFolder(dataDir);
  rmSync(mark);
  syncFolder(dataDir);
  return old.length > 0 ? { aside: join(dataDir, aside) } : {};
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
}
