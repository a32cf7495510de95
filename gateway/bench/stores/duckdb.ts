// DuckDB, for comparison only: fetched by npm into the benchmark's own folder, left out where that cannot be had.
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DAY, FIVE_MINUTES, START, TAGS, hourFrom, hourTo, sixteen, timeOf, valueOf } from './plant.ts';
import type { Kept } from './plant.ts';

const PACKAGE = '@duckdb/node-api@1.5.6-r.1';

/** What is used of it. */
interface Appender {
  appendInteger(value: number): void;
  appendBigInt(value: bigint): void;
  appendDouble(value: number): void;
  endRow(): void;
  closeSync(): void;
}
interface Connection {
  run(sql: string): Promise<unknown>;
  runAndReadAll(sql: string): Promise<{ getRows(): unknown[][] }>;
  createAppender(table: string): Promise<Appender>;
  closeSync(): void;
}
interface Duckdb {
  DuckDBInstance: { create(path: string): Promise<{ connect(): Promise<Connection>; closeSync(): void }> };
}

export const duckdb: Kept = {
  name: 'DuckDB 1.5',
  async load(plant, dir) {
    try {
      const npm = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', dir, PACKAGE];
      execFileSync('npm', npm, { cwd: dir, stdio: 'ignore', timeout: 180_000 });
    } catch (error) {
      throw new Error(`${PACKAGE} cannot be had`, { cause: error });
    }
    const module = pathToFileURL(join(dir, 'node_modules/@duckdb/node-api/lib/index.js')).href;
    const { default: api } = (await import(module)) as { default: Duckdb };
    const path = join(dir, 'duck.db');
    const instance = await api.DuckDBInstance.create(path);
    const db = await instance.connect();
    await db.run('CREATE TABLE r(tag INTEGER, t BIGINT, v DOUBLE, s INTEGER)');
    const into = await db.createAppender('r');
    for (let tag = 0; tag < TAGS; tag++)
      for (let i = 0; i < plant.n; i++) {
        into.appendInteger(tag);
        into.appendBigInt(BigInt(timeOf(plant, i)));
        into.appendDouble(valueOf(tag, i));
        into.appendInteger(0);
        into.endRow();
      }
    into.closeSync();
    await db.run('CHECKPOINT');
    const within = `t >= ${START} AND t < ${START + DAY}`;
    const ask = async (sql: string): Promise<{ rows: number }> => ({
      rows: (await db.runAndReadAll(sql)).getRows().length,
    });
    return {
      bytes: statSync(path).size,
      day: () =>
        ask(
          `SELECT tag, t // ${FIVE_MINUTES} AS b, min(v), avg(v), max(v) FROM r WHERE tag IN (${sixteen.join()}) AND ${within} GROUP BY tag, b`,
        ),
      figures: () => ask(`SELECT tag, count(*), min(v), avg(v), max(v) FROM r WHERE ${within} GROUP BY tag`),
      latest: () => ask('SELECT tag, max(t), arg_max(v, t) FROM r GROUP BY tag'),
      hour: () => ask(`SELECT t, v, s FROM r WHERE tag = 0 AND t >= ${hourFrom} AND t < ${hourTo} ORDER BY t`),
      close() {
        db.closeSync();
        instance.closeSync();
      },
    };
  },
};
