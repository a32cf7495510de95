// Measures what the drain of a backlog costs the live path: 1,000 samples a second appended on main, with the writer's and
// the egress thread beside it and a real QuestDB on the same machine; main's delay and the time until a live sample can be
// queried there, at rest, at the default rate and without a rate. Needs Java and Maven.
import { rmSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openEgress } from '../egress.ts';
import { sectionOf, testServer } from '../historian/questdb/testing.ts';
import { scratch } from '../test/rig.ts';
import { openWriter } from '../writer.ts';

const TAGS = 1000;
const SECONDS = Number(process.argv[2] ?? 20);
/** Samples that wait, enough for the whole of a phase. */
const BACKLOG = 3_000_000;

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const onDeath = (error: Error): never => {
  throw error;
};
const server = await testServer({ java: ['-XX:+UseParallelGC'] });

async function phase(name: string, backlog: number, rate: number): Promise<void> {
  const { path: dataDir, remove } = scratch();
  const writer = await openWriter({ dataDir, journalCap: 1e9, onDeath });
  try {
    await writer.attach(['questdb']);
    const ids = Array.from({ length: TAGS }, (_, i) => ({
      ...{ id: `plant-${i % 4}/pump-${i >> 2}/flow-${i % 4}`, type: 'double' as const },
    }));
    const { indexes, revision } = await writer.assign(ids);
    const tags = [...indexes.values()];
    await writer.use(
      ids.map(({ id, type }) => ({ index: indexes.get(id) ?? 0, id, type })),
      revision,
    );
    const append = (at: number, value: number): number => {
      const samples = tags.map((tag) => ({
        tag,
        t: at * 1000 + tag,
        receivedAt: at * 1000,
        value,
        status: 0,
        flags: 0,
      }));
      return writer.journal.append({ origin: 'live', source: 'line', samples, events: [] });
    };
    const begin = Date.now() - 3_600_000 - backlog;
    for (let n = 0; n < backlog; n += TAGS) {
      const seq = append(begin + n, n);
      if (n % 200_000 === 0) await writer.journal.durable(seq);
    }
    const egress = await openEgress({
      ...{ dataDir, writer, log: silent, onDeath, names: ['questdb'] },
      forward: { rate, timeout: 30_000, questdb: sectionOf(server) },
      tags: (await writer.tags()).map((tag) => ({ ...tag, site: '', asset: '', metric: '', unit: '' })),
    });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const before = (await writer.stats()).accounts.questdb?.delivered ?? 0;
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const behind: number[] = [];
    for (let second = 0; second < SECONDS; second++) {
      const now = Date.now();
      append(now, second);
      await new Promise((resolve) => setTimeout(resolve, 500));
      const [row] = await server.sql('SELECT cast(max(ts) AS long) AS t FROM readings');
      behind.push(Date.now() - Number(row?.t) / 1000);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, now + 1000 - Date.now())));
    }
    delay.disable();
    const delivered = ((await writer.stats()).accounts.questdb?.delivered ?? 0) - before;
    const sorted = behind.sort((a, b) => a - b);
    const at = (share: number): string => ((sorted[Math.floor(sorted.length * share)] ?? 0) / 1000).toFixed(2);
    console.log(
      `${name.padEnd(26)} main delayed p99 ${(delay.percentile(99) / 1e6 - 5).toFixed(1)} ms, at most ${(delay.max / 1e6 - 5).toFixed(1)} ms; newest live sample in QuestDB ${at(0.5)} s old (p95 ${at(0.95)} s); ${Math.round(delivered / SECONDS)} samples/s delivered`,
    );
    await egress.close();
  } finally {
    await writer.close();
    remove();
  }
}

try {
  await phase('no backlog', 0, 10_000);
  await phase('backlog at 10000/s', BACKLOG / 6, 10_000);
  await phase('backlog without a rate', BACKLOG, 1_000_000);
} finally {
  await server.remove();
  rmSync(server.dir, { recursive: true, force: true });
}
