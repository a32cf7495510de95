// Opens history.db for writing: its shape, how it is synced and bounded, and what happens to a file of an older shape.
// Called by the store; readers open the file themselves, read-only.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Micros } from '../../model.ts';
import { SCHEMA_VERSION, schema } from './chunks.ts';
import { NAME, unreadable } from './unreadable.ts';

export interface Opened {
  db: DatabaseSync;
  /** Where an older file was moved to, and how far that had come. */
  aside?: { name: string; position: number; delivered: number };
}

/** Throws in words when a newer program, or none of ours, wrote the file, or it cannot be opened; SQLite's own error when it is damaged. */
export function openFile(dataDir: string): Opened {
  const path = join(dataDir, NAME);
  try {
    const aside = existsSync(path) ? setAside(dataDir, path) : undefined;
    return { db: prepared(path), ...(aside && { aside }) };
  } catch (error) {
    if (unreadable(error) || !(error instanceof Error) || !('errcode' in error)) throw error;
    throw new Error(
      `${path} cannot be opened (${error.message}): it must be a file, in a folder with room, that this user may write`,
      { cause: error },
    );
  }
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

function setAside(dataDir: string, path: string): Opened['aside'] {
  const db = new DatabaseSync(path, { timeout: 5000 });
  let old: { position: number; delivered: number };
  try {
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
    if (version > SCHEMA_VERSION)
      throw new Error(
        `${NAME} has version ${version}, this program knows ${SCHEMA_VERSION}: start the newer version that wrote it`,
      );
    if (version > 0 && version <= SCHEMA_VERSION) return undefined;
    const tables = db.prepare('SELECT name FROM sqlite_schema').all();
    if (tables.length === 0) return undefined;
    if (!tables.some(({ name }) => name === 'sample'))
      throw new Error(`${path} is a database of another program: move it away and start again`);
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
