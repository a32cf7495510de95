// The built-in historian itself: chunks written as the writer thread does it, and asked through the reader's queries.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { openFile } from '../../historian/embedded/file.ts';
import { Chunks } from '../../historian/embedded/fold.ts';
import { openQuery } from '../../historian/embedded/history.ts';
import type { Series } from '../../historian/embedded/series.ts';
import { DAY, FIVE_MINUTES, START, TAGS, hourFrom, hourTo, kindOf, kinds, sixteen, timeOf, valueOf } from './plant.ts';
import type { Kept, Loaded, Plant } from './plant.ts';

const all = Array.from({ length: TAGS }, (_none, tag) => tag);

export const chunks: Kept = {
  name: 'Penstock, from rollups',
  load: (plant, dir) => Promise.resolve(loaded(plant, dir, FIVE_MINUTES)),
};
/** The same buckets but for a second, which no rollup has: every sample is decoded. */
export const decoded: Kept = {
  name: 'Penstock, decoded (buckets of 301 s)',
  load: (plant, dir) => Promise.resolve(loaded(plant, dir, FIVE_MINUTES + 1_000_000)),
};

function loaded(plant: Plant, dir: string, width: number): Loaded {
  const { db } = openFile(dir);
  if (!db.prepare('SELECT 1 FROM chunk LIMIT 1').get()) {
    db.exec('INSERT OR IGNORE INTO account VALUES(1, 0, 0, 0, 0)');
    const into = new Chunks(db);
    for (const tag of all) {
      db.exec('BEGIN');
      into.fold(tag, seriesOf(plant, tag));
      into.settleHours(timeOf(plant, plant.n));
      db.exec('COMMIT');
    }
  }
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  const end = timeOf(plant, plant.n);
  const query = openQuery(dir, { mono: () => performance.now(), micros: () => end });
  const filled = (series: { n: number[] }[]): number =>
    series.reduce((sum, { n }) => sum + n.filter((x) => x > 0).length, 0);
  return {
    bytes: statSync(join(dir, 'history.db')).size,
    async day() {
      return { rows: filled(await query.buckets(sixteen, START, START + DAY, width)) };
    },
    async figures() {
      return { rows: (await query.kpis(all, START, START + DAY)).filter(({ n }) => n > 0).length };
    },
    async latest() {
      return { rows: (await query.latest(all)).length };
    },
    async hour() {
      return { rows: (await query.raw(0, hourFrom, hourTo, 100_000)).t.length };
    },
    close: () => query.close(),
  };
}

function seriesOf(plant: Plant, tag: number): Series {
  const { n } = plant;
  return {
    n,
    t: Float64Array.from({ length: n }, (_none, i) => timeOf(plant, i)),
    status: new Uint32Array(n),
    flags: new Uint8Array(n),
    values: { kind: 'number', v: Float64Array.from({ length: n }, (_none, i) => valueOf(tag, i)), has: undefined },
  };
}

/** Bytes of chunk rows a reading, by kind of signal: packed samples, minutes, and the row with its figures around them. */
export function bytesByKind(dir: string): { kind: string; samples: number; minutes: number; row: number }[] {
  const { db } = openFile(dir);
  const page = db.prepare(
    `SELECT count(*) AS rows, sum(n) AS n, sum(length(data)) AS data, sum(length(minutes)) AS minutes FROM chunk WHERE id >= ? AND id < ?`,
  );
  const pages = db.prepare('PRAGMA page_count').get() as { page_count: number };
  const size = db.prepare('PRAGMA page_size').get() as { page_size: number };
  const sums = kinds.map((kind) => ({ kind, rows: 0, n: 0, data: 0, minutes: 0 }));
  for (const tag of all) {
    const sum = sums.find(({ kind }) => kind === kindOf(tag));
    const found = page.get(tag * 2 ** 32, (tag + 1) * 2 ** 32) as Record<'rows' | 'n' | 'data' | 'minutes', number>;
    if (sum) for (const key of ['rows', 'n', 'data', 'minutes'] as const) sum[key] += Number(found[key]);
  }
  db.close();
  const blobs = sums.reduce((total, { data, minutes }) => total + data + minutes, 0);
  const rows = sums.reduce((total, each) => total + each.rows, 0);
  const row = (pages.page_count * size.page_size - blobs) / rows;
  return sums.map(({ kind, rows, n, data, minutes }) => ({
    ...{ kind, samples: data / n, minutes: minutes / n, row: (row * rows) / n },
  }));
}
