// state.db: what the gateway must remember beside samples: tag indexes, alarm snapshots, small keyed values.
// Opened by the writer worker alone. Every write is durable when the call returns (WAL, synchronous=FULL).
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ValueType } from '../model.ts';
import { backupName, cutShort, lacking, outdated } from './migrations.ts';

/** Backups kept beside the file. */
const KEEP = 3;

/** A tag as the config names it; `formerly` is the id it had before a rename. */
export interface TagClaim {
  id: string;
  type: ValueType;
  formerly?: string;
}

export interface Snapshot {
  body: unknown;
  /** What the journal has from this sequence on is not in the snapshot. */
  seq: number;
}

export interface State {
  /** Gives every tag its index, durably, at `now` (ms since the epoch); a new revision each time. Rows of tags that are gone stay, so an index is never reused. */
  assign(tags: readonly TagClaim[], now: number): { indexes: Map<string, number>; revision: number };
  /** Every tag that ever had an index, under its latest id; with the ids it had before, each until when (µs). */
  tags(): { index: number; id: string; type: ValueType; former?: { id: string; until: number }[] }[];
  /** For a state that knows no tag yet, beside a history that does: those keep their indexes. How many those are. */
  adopt(tags: readonly { index: number; id: string; type: ValueType }[]): number;
  /** The last snapshot saved under a name, undefined before the first. */
  snapshot(name: string): Snapshot | undefined;
  saveSnapshot(name: string, snapshot: Snapshot): void;
  get(key: string): string | undefined;
  set(key: string, value: string): void;
  close(): void;
}

/**
 * Opens (and creates) `dataDir/state.db`; a file of an older version is copied and then brought up to date. Throws in
 * words when the file is from a newer version or cannot be copied; it is then as it was.
 * @param now ms since the epoch, for the name of a copy
 */
export function openState(dataDir: string, now: number): State {
  const path = join(dataDir, 'state.db');
  const db = new DatabaseSync(path, { timeout: 5000 });
  try {
    db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON');
    migrate(db, dataDir, now);
  } catch (error) {
    db.close();
    if (!(error instanceof Error && 'errcode' in error)) throw error;
    throw new Error(
      `${path} cannot be read or written (${error.message}): put a backup back with penstock restore, or, if the file is damaged, move it away and start again, then alarms begin as they are found and tags keep their history`,
      { cause: error },
    );
  }

  const kvGet = db.prepare('SELECT value FROM kv WHERE key = ?');
  const kvSet = db.prepare('INSERT INTO kv VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value');
  const snapGet = db.prepare('SELECT body, seq FROM snapshot WHERE name = ?');
  const snapSet = db.prepare(
    'INSERT INTO snapshot(name, body, seq) VALUES(?, ?, ?) ON CONFLICT(name) DO UPDATE SET body = excluded.body, seq = excluded.seq',
  );
  const get = (key: string): string | undefined => kvGet.get(key)?.value as string | undefined;

  return {
    assign(tags, now) {
      db.exec('BEGIN IMMEDIATE');
      try {
        const indexes = assignIn(db, tags, now * 1000);
        const revision = Number(get('revision') ?? 0) + 1;
        kvSet.run('revision', String(revision));
        db.exec('COMMIT');
        return { indexes, revision };
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    tags() {
      const former = Map.groupBy(db.prepare('SELECT idx, id, until FROM former').all(), ({ idx }) => Number(idx));
      return db
        .prepare('SELECT idx, id, type FROM tag ORDER BY idx')
        .all()
        .map(({ idx, id, type }) => {
          const tag = { index: Number(idx), id: String(id), type: String(type) as ValueType };
          const names = former.get(tag.index)?.map((one) => ({ id: String(one.id), until: Number(one.until) }));
          return names ? { ...tag, former: names } : tag;
        });
    },
    adopt(tags) {
      if (tags.length === 0 || db.prepare('SELECT 1 FROM tag LIMIT 1').get()) return 0;
      const insert = db.prepare('INSERT OR IGNORE INTO tag(idx, id, type) VALUES(?, ?, ?)');
      db.exec('BEGIN IMMEDIATE');
      for (const { index, id, type } of tags) insert.run(index, id, type);
      db.exec('COMMIT');
      return tags.length;
    },
    snapshot(name) {
      const row = snapGet.get(name);
      return row && { body: JSON.parse(String(row.body)) as unknown, seq: Number(row.seq) };
    },
    saveSnapshot: (name, { body, seq }) => void snapSet.run(name, JSON.stringify(body ?? null), seq),
    get,
    set: (key, value) => void kvSet.run(key, value),
    close: () => {
      if (db.isOpen) db.close();
    },
  };
}

function migrate(db: DatabaseSync, dataDir: string, now: number): void {
  const found = Number(db.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  const steps = lacking(found);
  if (found > 0 && steps.length > 0) backUp(db, dataDir, found, now);
  for (const { to, step } of steps) {
    try {
      db.exec(`BEGIN IMMEDIATE; ${step.sql}; PRAGMA user_version=${to}; COMMIT`);
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw new Error(
        `state.db cannot be brought from version ${to - 1} to ${to} (${step.brings}): ${(error as Error).message}; it is as it was`,
        { cause: error },
      );
    }
  }
}

/** A whole copy under its final name, or none; the newest few stay. */
function backUp(db: DatabaseSync, dataDir: string, version: number, now: number): void {
  const path = join(dataDir, backupName(version, now));
  const part = `${path}.part`;
  try {
    for (const name of cutShort(readdirSync(dataDir))) rmSync(join(dataDir, name), { force: true });
    db.prepare('VACUUM INTO ?').run(part);
    sync(part);
    renameSync(part, path);
    sync(dataDir);
  } catch (error) {
    rmSync(part, { force: true });
    throw new Error(
      `state.db must be copied before it is brought up to date, and that failed (${(error as Error).message}): make room in ${resolve(dataDir)} or let this user write there; nothing was changed`,
      { cause: error },
    );
  }
  for (const name of outdated(readdirSync(dataDir), KEEP)) rmSync(join(dataDir, name), { force: true });
}

function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Renames first (a chain a→b→c in the order that leaves each its own), then new rows for what is still unknown. */
function assignIn(db: DatabaseSync, tags: readonly TagClaim[], until: number): Map<string, number> {
  const known = new Map<string, number>();
  const keyOf = (id: string, type: string): string => `${type}\n${id}`;
  let top = 0;
  for (const row of db.prepare('SELECT idx, id, type FROM tag').all()) {
    known.set(keyOf(String(row.id), String(row.type)), Number(row.idx));
    top = Math.max(top, Number(row.idx) + 1);
  }
  const rename = db.prepare('UPDATE tag SET id = ? WHERE idx = ?');
  const leave = db.prepare('INSERT OR REPLACE INTO former(idx, id, until) VALUES(?, ?, ?)');
  const left = db.prepare('INSERT OR IGNORE INTO former(idx, id, until) VALUES(?, ?, ?)');
  const insert = db.prepare('INSERT INTO tag(idx, id, type) VALUES(?, ?, ?)');
  const claims = new Map(tags.map((tag) => [tag.id, tag]));
  const moves = (tag: TagClaim): number | undefined =>
    tag.formerly !== undefined && tag.formerly !== tag.id ? known.get(keyOf(tag.formerly, tag.type)) : undefined;
  for (let moved = true; moved;) {
    moved = false;
    for (const tag of tags) {
      const index = moves(tag);
      if (index === undefined || known.has(keyOf(tag.id, tag.type))) continue;
      const holder = claims.get(tag.formerly as string);
      if (holder && holder.type === tag.type && moves(holder) === undefined) continue;
      rename.run(tag.id, index);
      leave.run(index, tag.formerly as string, until);
      known.delete(keyOf(tag.formerly as string, tag.type));
      known.set(keyOf(tag.id, tag.type), index);
      moved = true;
    }
  }
  const indexes = new Map<string, number>();
  for (const { id, type, formerly = id } of tags) {
    let index = known.get(keyOf(id, type));
    if (index === undefined) {
      insert.run((index = top++), id, type);
      known.set(keyOf(id, type), index);
    }
    indexes.set(id, index);
    // Renamed under another data folder, or before this was noted: stores elsewhere have it by that name.
    if (!claims.has(formerly)) left.run(index, formerly, until);
  }
  return indexes;
}
