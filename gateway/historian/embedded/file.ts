// Opens history.db for writing: its shape, how it is synced and bounded, and what happens to a file of an older shape.
// Called by the store; readers open the file themselves, read-only.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Micros } from '../../model.ts';
import { SCHEMA_VERSION, schema } from './chunks.ts';

export const NAME = 'history.db';

export interface Opened {
  db: DatabaseSync;
  /** Where an older file was moved to, and how far that had come. */
  aside?: { name: string; position: number; delivered: number };
}

/** Throws in words when a newer program wrote the file. */
export function openFile(dataDir: string): Opened {
  const path = join(dataDir, NAME);
  const aside = existsSync(path) ? setAside(dataDir, path) : undefined;
  const db = new DatabaseSync(path, { timeout: 5000 });
  // A frame may leave the journal once its samples are in chunks: a commit must survive a power cut.
  db.exec('PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
  db.exec('PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=33554432');
  db.exec(`BEGIN; ${schema}; PRAGMA user_version=${SCHEMA_VERSION}; COMMIT`);
  return aside ? { db, aside } : { db };
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
    if (version === SCHEMA_VERSION || !db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sample'").get())
      return undefined;
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
