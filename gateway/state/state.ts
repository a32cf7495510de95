// state.db: what the gateway must remember beside samples: tag indexes, alarm snapshots, small keyed values.
// Opened by the writer worker alone. Every write is durable when the call returns (WAL, synchronous=FULL).
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import type { ValueType } from '../model.ts';

const VERSION = 1;

/** A tag as the config names it; `formerly` is the id it had before a rename. */
export interface TagClaim {
  id: string;
  type: ValueType;
  formerly?: string;
}

export interface State {
  /** Gives every tag its index, durably; a new revision each time. Rows of tags that are gone stay, so an index is never reused. */
  assign(tags: readonly TagClaim[]): { indexes: Map<string, number>; revision: number };
  /** Every tag that ever had an index, under its latest id. */
  tags(): { index: number; id: string; type: ValueType }[];
  /** The last snapshot saved under a name, undefined before the first. */
  snapshot(name: string): unknown;
  saveSnapshot(name: string, body: unknown): void;
  get(key: string): string | undefined;
  set(key: string, value: string): void;
  close(): void;
}

/** Opens (and creates) `dataDir/state.db`. Throws in words when the file is from a newer version. */
export function openState(dataDir: string): State {
  const db = new DatabaseSync(join(dataDir, 'state.db'), { timeout: 5000 });
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON');
  const found = Number(db.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  if (found > VERSION) {
    db.close();
    throw new Error(
      `state.db has version ${found}, this program knows ${VERSION}: start the newer version that wrote it`,
    );
  }
  if (found < 1)
    db.exec(`BEGIN;
      CREATE TABLE tag(idx INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, UNIQUE(id, type)) STRICT;
      CREATE TABLE snapshot(name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
      CREATE TABLE kv(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
      PRAGMA user_version=1;
      COMMIT`);

  const kvGet = db.prepare('SELECT value FROM kv WHERE key = ?');
  const kvSet = db.prepare('INSERT INTO kv VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value');
  const snapGet = db.prepare('SELECT body FROM snapshot WHERE name = ?');
  const snapSet = db.prepare('INSERT INTO snapshot VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET body = excluded.body');
  const get = (key: string): string | undefined => kvGet.get(key)?.value as string | undefined;

  return {
    assign(tags) {
      db.exec('BEGIN IMMEDIATE');
      try {
        const indexes = assignIn(db, tags);
        const revision = Number(get('revision') ?? 0) + 1;
        kvSet.run('revision', String(revision));
        db.exec('COMMIT');
        return { indexes, revision };
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    tags: () =>
      db
        .prepare('SELECT idx, id, type FROM tag ORDER BY idx')
        .all()
        .map(({ idx, id, type }) => ({ index: Number(idx), id: String(id), type: String(type) as ValueType })),
    snapshot(name) {
      const body = snapGet.get(name)?.body;
      return typeof body === 'string' ? JSON.parse(body) : undefined;
    },
    saveSnapshot: (name, body) => void snapSet.run(name, JSON.stringify(body ?? null)),
    get,
    set: (key, value) => void kvSet.run(key, value),
    close: () => {
      if (db.isOpen) db.close();
    },
  };
}

/** Renames first (a chain a→b→c in the order that leaves each its own), then new rows for what is still unknown. */
function assignIn(db: DatabaseSync, tags: readonly TagClaim[]): Map<string, number> {
  const known = new Map<string, number>();
  const keyOf = (id: string, type: string): string => `${type}\n${id}`;
  let top = 0;
  for (const row of db.prepare('SELECT idx, id, type FROM tag').all()) {
    known.set(keyOf(String(row.id), String(row.type)), Number(row.idx));
    top = Math.max(top, Number(row.idx) + 1);
  }
  const rename = db.prepare('UPDATE tag SET id = ? WHERE idx = ?');
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
      known.delete(keyOf(tag.formerly as string, tag.type));
      known.set(keyOf(tag.id, tag.type), index);
      moved = true;
    }
  }
  const indexes = new Map<string, number>();
  for (const { id, type } of tags) {
    let index = known.get(keyOf(id, type));
    if (index === undefined) {
      insert.run((index = top++), id, type);
      known.set(keyOf(id, type), index);
    }
    indexes.set(id, index);
  }
  return indexes;
}
