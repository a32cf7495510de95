// The writing side of history.db: a consumer of the journal in the writer worker. One transaction per write holds the
// samples, their rollups and the position, so each frame is stored exactly once however the process ends.
// Rollups of minutes before the mark are always right in the file; newer ones stay in memory and are read from samples.
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import type { Clock, Consumer, Sample, ValueType } from '../../model.ts';
import { HOUR, MINUTE, addTo, countable, hourOf, rollup, rollupId, schema, toStored } from './schema.ts';
import type { Rollup } from './schema.ts';

/** Minutes of rollups kept in memory before they are written, and those left out for stragglers. */
const EVERY = 5;
const GRACE = 1;
const PRUNE = 20_000;

export interface Store extends Consumer {
  /** One past the last sequence stored; 0 in a new file. */
  readonly position: number;
  /** Samples of all frames taken since the file was made, counted in the same transaction as the position. */
  readonly delivered: number;
  use(tags: readonly { index: number; id: string; type: ValueType }[]): void;
  /** Removes what is older than the retention, a small transaction a call; true when more is left. */
  prune(): boolean;
  stats(): { samples: number; expired: number; pruned: number };
}

/** @param days samples older than this are neither kept nor taken */
export function openStore(dataDir: string, clock: Clock, days = 30): Store {
  const db = new DatabaseSync(join(dataDir, 'history.db'), { timeout: 5000 });
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000');
  db.exec(schema);
  const insert = db.prepare('INSERT OR IGNORE INTO sample VALUES(?, ?, ?, ?)');
  const replace = db.prepare('UPDATE sample SET status = ?3, value = ?4 WHERE t = ?1 AND tag = ?2');
  const getRollup = db.prepare('SELECT data FROM rollup WHERE id = ?');
  const putRollup = db.prepare('INSERT OR REPLACE INTO rollup VALUES(?, ?)');
  const putLatest = db.prepare(
    'INSERT INTO latest VALUES(?, ?, ?, ?) ON CONFLICT(tag) DO UPDATE SET t = excluded.t, status = excluded.status, value = excluded.value WHERE excluded.t >= latest.t',
  );
  const putTag = db.prepare('INSERT OR REPLACE INTO tag VALUES(?, ?, ?)');
  const range = db.prepare('SELECT tag, t, status, value FROM sample WHERE t >= ? AND t < ?');
  range.setReadBigInts(true);
  const kvGet = db.prepare('SELECT value FROM kv WHERE key = ?');
  const kvPut = db.prepare('INSERT OR REPLACE INTO kv VALUES(?, ?)');
  const nth = db.prepare('SELECT t FROM sample ORDER BY t LIMIT 1 OFFSET ?');
  const pruneSamples = db.prepare('DELETE FROM sample WHERE t < ?');
  const pruneRollups = db.prepare('DELETE FROM rollup WHERE id < ?');

  const types: (ValueType | undefined)[] = [];
  const read = (key: string): number => Number(kvGet.get(key)?.value ?? 0);
  const minuteNow = (): number => Math.floor(clock.now() / 60_000);
  let position = read('position');
  let delivered = read('delivered');
  let mark = 0;
  let fresh = false;
  const counts = { samples: 0, expired: 0, pruned: 0 };
  const cache = new Map<number, Rollup>();
  const dirty = new Set<number>();
  /** Rollups touched before the mark: they are written in the same transaction. */
  const late = new Set<number>();
  const latest = new Map<number, Sample>();

  const begin = (): void => db.exec('BEGIN IMMEDIATE');
  const load = (id: number): Rollup => {
    let found = cache.get(id);
    if (!found) {
      const data = getRollup.get(id)?.data;
      found = rollup(data instanceof Uint8Array ? data : undefined);
      // Minutes from the mark on may have been written half full; memory is rebuilt from the samples.
      const first = Math.max(0, mark - hourOf(id) * 60);
      if (first < 60) found.n.fill(0, first);
      cache.set(id, found);
    }
    return found;
  };
  const count = (tag: number, t: number, value: unknown, status: number): void => {
    const number = countable(value, status);
    if (number === undefined) return;
    const hour = Math.floor(t / HOUR);
    const id = rollupId(hour, tag);
    addTo(load(id), Math.floor((t - hour * HOUR) / MINUTE), number);
    (t < mark * MINUTE ? late : dirty).add(id);
  };
  /** Memory anew from the file: after an opening and after a transaction that failed. */
  const rebuild = (): void => {
    cache.clear();
    dirty.clear();
    late.clear();
    latest.clear();
    mark = Math.min(read('mark') || minuteNow(), minuteNow() + EVERY);
    position = read('position');
    delivered = read('delivered');
    for (const row of range.iterate(mark * MINUTE, Number.MAX_SAFE_INTEGER)) {
      const [tag, t, status] = [Number(row.tag), Number(row.t), Number(row.status)];
      count(tag, t, row.value, status);
    }
    fresh = true;
  };
  const recount = (changed: ReadonlySet<number>, minutes: ReadonlySet<number>): void => {
    for (const minute of minutes) {
      const hour = Math.floor(minute / 60);
      for (const id of changed) if (hourOf(id) === hour) load(id).n[minute - hour * 60] = 0;
      for (const row of range.iterate(minute * MINUTE, (minute + 1) * MINUTE))
        if (changed.has(rollupId(hour, Number(row.tag))))
          count(Number(row.tag), Number(row.t), row.value, Number(row.status));
    }
  };
  const flush = (): void => {
    const now = minuteNow();
    const due = now >= mark + EVERY + GRACE || now + EVERY < mark;
    // A clock set back lowers the mark: what memory does not hold of the minutes after it must be read anew.
    if (now + EVERY < mark) fresh = false;
    if (due) mark = now - GRACE;
    for (const id of due ? dirty.union(late) : late) putRollup.run(id, load(id).bytes);
    late.clear();
    if (due) dirty.clear();
    for (const [tag, sample] of latest) putLatest.run(tag, sample.t, sample.status, toStored(sample.value, types[tag]));
    latest.clear();
    kvPut.run('mark', mark);
  };

  return {
    get position() {
      return position;
    },
    get delivered() {
      return delivered;
    },
    use(tags) {
      begin();
      for (const { index, id, type } of tags) {
        types[index] = type;
        putTag.run(index, id, type);
      }
      db.exec('COMMIT');
    },
    write(frames) {
      if (!fresh) rebuild();
      const floor = (Math.floor(clock.now() / 3_600_000) - days * 24) * HOUR;
      begin();
      try {
        const changed = new Set<number>();
        const minutes = new Set<number>();
        for (const frame of frames) {
          if (frame.seq < position) continue;
          for (const sample of frame.samples) {
            const { tag, t, status, value } = sample;
            if (t < floor || !Number.isSafeInteger(t)) {
              counts.expired++;
              continue;
            }
            const stored = toStored(value, types[tag]);
            if (insert.run(t, tag, status, stored).changes === 1) count(tag, t, stored, status);
            else {
              replace.run(t, tag, status, stored);
              changed.add(rollupId(Math.floor(t / HOUR), tag));
              minutes.add(Math.floor(t / MINUTE));
            }
            const newest = latest.get(tag);
            if (!newest || t >= newest.t) latest.set(tag, sample);
            counts.samples++;
          }
          delivered += frame.samples.length;
          position = frame.seq + 1;
        }
        for (const id of changed) (hourOf(id) * 60 < mark ? late : dirty).add(id);
        recount(changed, minutes);
        flush();
        kvPut.run('position', position);
        kvPut.run('delivered', delivered);
        db.exec('COMMIT');
        for (const id of cache.keys())
          if (!dirty.has(id) && hourOf(id) * 60 + 60 <= mark && cache.size > 4096) cache.delete(id);
        return Promise.resolve();
      } catch (error) {
        fresh = false;
        if (db.isTransaction) db.exec('ROLLBACK');
        position = read('position');
        delivered = read('delivered');
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    },
    prune() {
      const hour = Math.floor(clock.now() / 3_600_000) - days * 24;
      const bound = nth.get(PRUNE)?.t;
      const first = nth.get(0)?.t;
      if (first === undefined || Number(first) >= hour * HOUR) return false;
      const before = Math.min(hour * HOUR, typeof bound === 'number' ? bound : Infinity);
      begin();
      let changes: number | bigint;
      try {
        changes = pruneSamples.run(before).changes;
        pruneRollups.run(rollupId(Math.floor(before / HOUR), 0));
        db.exec('COMMIT');
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
      for (const id of [...cache.keys()]) if (hourOf(id) < Math.floor(before / HOUR)) cache.delete(id);
      counts.pruned += Number(changes);
      return before < hour * HOUR && Number(changes) > 0;
    },
    stats: () => ({ ...counts }),
    close() {
      if (db.isOpen) db.close();
      return Promise.resolve();
    },
  };
}
