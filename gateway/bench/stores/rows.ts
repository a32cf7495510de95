// A row a reading in SQLite, clustered by tag and time: what the built-in historian would be without chunks.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DAY, FIVE_MINUTES, START, TAGS, hourFrom, hourTo, sixteen, timeOf, valueOf } from './plant.ts';
import type { Kept } from './plant.ts';

export const rows: Kept = {
  name: 'SQLite rows, key (tag, t)',
  load(plant, dir) {
    const path = join(dir, 'rows.db');
    const db = new DatabaseSync(path);
    db.exec('PRAGMA journal_mode=WAL; PRAGMA cache_size=-16384');
    db.exec('CREATE TABLE r(tag INTEGER, t INTEGER, v REAL, s INTEGER, PRIMARY KEY(tag, t)) WITHOUT ROWID');
    const put = db.prepare('INSERT INTO r VALUES(?, ?, ?, 0)');
    for (let tag = 0; tag < TAGS; tag++) {
      db.exec('BEGIN');
      for (let i = 0; i < plant.n; i++) put.run(tag, timeOf(plant, i), valueOf(tag, i));
      db.exec('COMMIT');
    }
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const day = db.prepare(
      `SELECT tag, t / ${FIVE_MINUTES} AS b, min(v), avg(v), max(v) FROM r WHERE tag = ? AND t >= ? AND t < ? GROUP BY b`,
    );
    const figures = db.prepare('SELECT count(*), min(v), avg(v), max(v) FROM r WHERE tag = ? AND t >= ? AND t < ?');
    const latest = db.prepare('SELECT t, v FROM r WHERE tag = ? ORDER BY t DESC LIMIT 1');
    const hour = db.prepare('SELECT t, v, s FROM r WHERE tag = ? AND t >= ? AND t < ?');
    const all = Array.from({ length: TAGS }, (_none, tag) => tag);
    return Promise.resolve({
      bytes: statSync(path).size,
      day: () => Promise.resolve({ rows: sixteen.flatMap((tag) => day.all(tag, START, START + DAY)).length }),
      figures: () => Promise.resolve({ rows: all.map((tag) => figures.get(tag, START, START + DAY)).length }),
      latest: () => Promise.resolve({ rows: all.map((tag) => latest.get(tag)).length }),
      hour: () => Promise.resolve({ rows: hour.all(0, hourFrom, hourTo).length }),
      close: () => db.close(),
    });
  },
};
