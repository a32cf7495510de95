// PostgreSQL as Debian has it, asked with date_bin: a cluster in a temporary folder, rows as the forwarder keys them.
import pg from 'pg';
import { startPostgres } from '../../historian/postgres/testing.ts';
import { DAY, START, TAGS, hourFrom, hourTo, sixteen, timeOf, valueOf } from './plant.ts';
import type { Kept } from './plant.ts';

const BATCH = 20_000;
const at = (t: number): string => `to_timestamp(${t / 1e6})`;

export const postgres: Kept = {
  name: 'PostgreSQL 15, date_bin',
  async load(plant) {
    const server = await startPostgres();
    const { port, password } = server;
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'penstock', password, database: 'postgres' });
    await client.connect();
    await client.query("SET timezone = 'UTC'");
    await client.query('SET max_parallel_workers_per_gather = 2');
    await client.query('CREATE TABLE r(tag int, t timestamptz, v float8, s bigint)');
    for (let tag = 0; tag < TAGS; tag++)
      for (let i = 0; i < plant.n; i += BATCH) {
        const length = Math.min(BATCH, plant.n - i);
        const times = Array.from({ length }, (_none, k) => timeOf(plant, i + k) / 1e6);
        const values = Array.from({ length }, (_none, k) => valueOf(tag, i + k));
        await client.query(
          'INSERT INTO r SELECT $1::int, to_timestamp(t), v, 0 FROM unnest($2::float8[], $3::float8[]) AS u(t, v)',
          [tag, times, values],
        );
      }
    await client.query('ALTER TABLE r ADD PRIMARY KEY (tag, t)');
    await client.query('VACUUM ANALYZE r');
    const within = `t >= ${at(START)} AND t < ${at(START + DAY)}`;
    const ask = async (sql: string): Promise<{ rows: number }> => ({ rows: (await client.query(sql)).rows.length });
    const size = await client.query<{ size: string }>("SELECT pg_total_relation_size('r') AS size");
    return {
      bytes: Number(size.rows[0]?.size),
      day: () =>
        ask(
          `SELECT tag, date_bin('5 minutes', t, '2000-01-01') AS b, min(v), avg(v), max(v) FROM r WHERE tag IN (${sixteen.join()}) AND ${within} GROUP BY tag, b`,
        ),
      figures: () => ask(`SELECT tag, count(*), min(v), avg(v), max(v) FROM r WHERE ${within} GROUP BY tag`),
      latest: () =>
        ask(
          `SELECT g.tag, l.* FROM generate_series(0, ${TAGS - 1}) AS g(tag), LATERAL (SELECT t, v FROM r WHERE r.tag = g.tag ORDER BY t DESC LIMIT 1) AS l`,
        ),
      hour: () => ask(`SELECT t, v, s FROM r WHERE tag = 0 AND t >= ${at(hourFrom)} AND t < ${at(hourTo)} ORDER BY t`),
      async close() {
        await client.end();
        await server.close();
      },
    };
  },
};
