// Opens history.db for writing: its shape, how it is synced and bounded, and what happens to a file of an older shape.
// Called by the store; readers open the file themselves, read-only.
import { existsSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Micros } from '../../model.ts';
import { SCHEMA_VERSION, schema } from './chunks.ts';
import { NAME, bySqlite, makeWay, unreadable } from './unreadable.ts';

export interface Opened {
  db: DatabaseSync;
  /** Where an older file was moved to, and how far that had come. */
  aside?: { name: string; position: number; delivered: number };
  /** Where the newest commits of a file that is not there were moved to: SQLite would remove them. */
  orphan?: string;
}

/** Throws in words when a newer program, or none of ours, wrote the file, or it cannot be opened; SQLite's own error when it is damaged. */
export function openFile(dataDir: string, now = Date.now()): Opened {
  const path = join(dataDir, NAME);
  try {
    if (existsSync(path)) {
      const aside = setAside(dataDir, path);
      return { db: prepared(path), ...(aside && { aside }) };
    }
    const orphan = existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0 && `${makeWay(dataDir, now)}-wal`;
    return { db: prepared(path), ...(orphan && { orphan }) };
  } catch (error) {
    throw notOpened(path, error, 'in a folder with room, that this user may write');
  }
}

/** For looking only. Throws in words when there is no history of ours in it; SQLite's own error when it is damaged. */
export function openToRead(dataDir: string): DatabaseSync {
  const path = join(dataDir, NAME);
  if (!statSync(path).isFile()) throw new Error(`${path} is no file: move it away`);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    const kind = kindOf(db, path);
    if (kind === 'ours') return db;
    throw new Error(
      kind === 'empty'
        ? `${path} is empty: the gateway begins a new history in it at its next start`
        : `${path} was written by an older version: start the gateway once`,
    );
  } catch (error) {
    db?.close();
    throw notOpened(path, error, 'in a folder where this user may write too, as long as it is looked at');
  }
}

/** SQLite's bare words in a sentence; what is damaged, and what is one already, stays. */
function notOpened(path: string, error: unknown, must: string): unknown {
  if (unreadable(error) || !bySqlite(error)) return error;
  return new Error(`${path} cannot be opened (${error.message}): it must be a file, ${must}`, { cause: error });
}

function prepared(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5000 });
  try {
    prepare(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepare(db: DatabaseSync): void {
  // A frame may leave the journal once its samples are in chunks: a commit must survive a power cut.
  db.exec('PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
  db.exec('PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=33554432');
  db.exec(`BEGIN; ${schema}; PRAGMA user_version=${SCHEMA_VERSION}; COMMIT`);
}

/** The history in the folder, if any, comes from a backup: what was stored after that, until now, is not in it. */
export function beginAgain(dataDir: string, now: Micros): void {
  const path = join(dataDir, NAME);
  if (!existsSync(path)) return;
  const db = new DatabaseSync(path, { timeout: 5000 });
  try {
    db.exec(schema);
    db.prepare('INSERT OR REPLACE INTO begun VALUES(1, ?)').run(now);
  } finally {
    db.close();
  }
}

/** Whose file it is; throws in words for one of a newer or of another program. `rows`: of the first shape, which is no longer read. */
function kindOf(db: DatabaseSync, path: string): 'ours' | 'empty' | 'rows' {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  const tables = new Set(
    db
      .prepare('SELECT name FROM sqlite_schema')
      .all()
      .map(({ name }) => name),
  );
  const ours = tables.has('chunk') && tables.has('account');
  if (ours && version > SCHEMA_VERSION)
    throw new Error(
      `${NAME} has version ${version}, this program knows ${SCHEMA_VERSION}: start the newer version that wrote it`,
    );
  if (ours && version > 0) return 'ours';
  if (tables.size === 0) return 'empty';
  if (version === 0 && tables.has('sample') && tables.has('kv')) return 'rows';
  throw new Error(`${path} is a database of another program: move it away and start again`);
}

function setAside(dataDir: string, path: string): Opened['aside'] {
  const db = new DatabaseSync(path, { timeout: 5000 });
  let old: { position: number; delivered: number };
  try {
    if (kindOf(db, path) !== 'rows') return undefined;
    const kv = db.prepare('SELECT value FROM kv WHERE key = ?');
    const read = (key: string): number => Number(kv.get(key)?.value ?? 0);
    old = { position: read('position'), delivered: read('delivered') };
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
  const name = 'history.rows.db';
  for (const tail of ['', '-wal', '-shm'])
    if (existsSync(path + tail)) renameSync(path + tail, join(dataDir, name + tail));
  return { name, ...old };
}
