// QuestDB, asked with SAMPLE BY: a server of its own in a temporary folder, rows as the forwarder sends them.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { testServer } from '../../historian/questdb/testing.ts';
import { DAY, START, TAGS, hourFrom, hourTo, sixteen, timeOf, valueOf } from './plant.ts';
import type { Kept } from './plant.ts';

const BATCH = 20_000;
const at = (t: number): string => `'${new Date(t / 1000).toISOString()}'`;
const id = (tag: number): string => `plant/pump-${tag >> 2}/metric-${tag & 3}`;

export const questdb: Kept = {
  name: 'QuestDB 9.3.4, SAMPLE BY',
  async load(plant) {
    const server = await testServer({ java: ['-XX:+UseParallelGC'] });
    await server.sql(
      'CREATE TABLE readings (ts TIMESTAMP, tag SYMBOL, site SYMBOL, asset SYMBOL, metric SYMBOL, value DOUBLE, status LONG) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, tag)',
    );
    const authorization = `Basic ${Buffer.from(`${server.user}:${server.password}`).toString('base64')}`;
    const heads = Array.from({ length: TAGS }, (_none, tag) => {
      const [site, asset, metric] = id(tag).split('/');
      return `readings,tag=${id(tag)},site=${site},asset=${site}/${asset},metric=${metric} value=`;
    });
    let lines: string[] = [];
    const send = async (): Promise<void> => {
      const answer = await fetch(`${server.url}/write?precision=u`, {
        method: 'POST',
        headers: { authorization },
        body: lines.join(''),
      });
      if (!answer.ok) throw new Error(await answer.text());
      lines = [];
    };
    for (let i = 0; i < plant.n; i++) {
      for (let tag = 0; tag < TAGS; tag++)
        lines.push(`${heads[tag]}${valueOf(tag, i)},status=0i ${timeOf(plant, i)}\n`);
      if (lines.length >= BATCH) await send();
    }
    await send();
    await server.applied();
    const within = `ts >= ${at(START)} AND ts < ${at(START + DAY)}`;
    const list = sixteen.map((tag) => `'${id(tag)}'`).join();
    const ask = async (sql: string): Promise<{ rows: number }> => ({ rows: (await server.sql(sql)).length });
    return {
      bytes: partitions(join(server.dir, 'root', 'db')),
      day: () =>
        ask(
          `SELECT ts, tag, min(value), avg(value), max(value) FROM readings WHERE tag IN (${list}) AND ${within} SAMPLE BY 5m`,
        ),
      figures: () => ask(`SELECT tag, count(), min(value), avg(value), max(value) FROM readings WHERE ${within}`),
      latest: () => ask('SELECT ts, tag, value FROM readings LATEST ON ts PARTITION BY tag'),
      hour: () =>
        ask(
          `SELECT ts, value, status FROM readings WHERE tag = '${id(0)}' AND ts >= ${at(hourFrom)} AND ts < ${at(hourTo)}`,
        ),
      close: () => server.remove(),
    };
  },
};

/** Bytes on disk of the days' folders; what is written ahead is not counted. */
function partitions(folder: string, day = false): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += partitions(path, day || /^\d{4}-\d\d-\d\d/.test(entry.name));
    else if (day) bytes += statSync(path).blocks * 512;
  }
  return bytes;
}
