// The built-in historian beside other stores, all with the same readings in one run: how large, how quick with a day's
// trend, the figures of all tags, the newest values, a raw hour. Prints one table in Markdown.
// `npm run bench historian`, or by itself with the readings (10240000) and names of stores; what is not installed is left out with a line.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesByKind, chunks, decoded } from './stores/chunks.ts';
import { duckdb } from './stores/duckdb.ts';
import { TAGS, large, small } from './stores/plant.ts';
import type { Answered, Kept, Loaded, Plant } from './stores/plant.ts';
import { postgres } from './stores/postgres.ts';
import { questdb } from './stores/questdb.ts';
import { rows } from './stores/rows.ts';

const WARM = 4;
const ROUNDS = 9;
const stores = [chunks, decoded, rows, duckdb, postgres, questdb];

/** Median of some rounds once it runs warm, ms. */
async function timed(question: () => Promise<Answered>): Promise<{ ms: string; rows: number }> {
  const { rows } = await question();
  for (let i = 0; i < WARM; i++) await question();
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const began = performance.now();
    await question();
    times.push(performance.now() - began);
  }
  const median = times.sort((a, b) => a - b)[ROUNDS >>> 1] as number;
  return { ms: median < 10 ? median.toFixed(1) : median.toFixed(0), rows };
}

async function measured(store: Kept, plant: Plant, dir: string): Promise<string> {
  const began = performance.now();
  const loaded: Loaded = await store.load(plant, dir);
  const seconds = (performance.now() - began) / 1000;
  try {
    const cells = [];
    for (const question of [loaded.day, loaded.figures, loaded.latest, loaded.hour]) cells.push(await timed(question));
    console.error(
      `${store.name}: loaded in ${seconds.toFixed(1)} s; rows of the answers ${cells.map(({ rows }) => rows).join(', ')}`,
    );
    const bytes = loaded.bytes / (plant.n * TAGS);
    return `| ${store.name} | ${bytes.toFixed(2)} | ${cells.map(({ ms }) => ms).join(' | ')} |`;
  } finally {
    await loaded.close();
  }
}

const readings = Number(process.argv[2] ?? 10_240_000);
const wanted = process.argv.slice(3).map((name) => name.toLowerCase());
const chosen = stores.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part)),
);
for (const plant of [small, large(readings)]) {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  console.log(`\n${plant.n * TAGS} readings, ${TAGS} tags, every ${plant.step / 1e6} s\n`);
  console.log(
    '| store | bytes a reading | day of 16 tags, 5 min, ms | figures of 64 tags, ms | latest, ms | raw hour, ms |',
  );
  console.log('|---|---|---|---|---|---|');
  for (const store of chosen) {
    const own = store === decoded ? join(dir, chunks.name) : join(dir, store.name);
    mkdirSync(own, { recursive: true });
    try {
      console.log(await measured(store, plant, own));
    } catch (error) {
      console.log(`| ${store.name} | left out: ${error instanceof Error ? error.message : String(error)} | | | | |`);
    }
    if (store === decoded)
      for (const { kind, samples, minutes, row } of bytesByKind(own))
        console.error(
          `${kind}: ${(samples + minutes + row).toFixed(2)} bytes a reading (samples ${samples.toFixed(2)}, minutes ${minutes.toFixed(2)}, row ${row.toFixed(2)})`,
        );
  }
  rmSync(dir, { recursive: true, force: true });
}
console.log(`\nresident memory of this process at the end: ${Math.round(process.memoryUsage().rss / 1e6)} MB`);
