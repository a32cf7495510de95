// Measures the way from `journal.append` to a queryable history: import speed, main's delay meanwhile, the day query.
// Run by hand or by the bench command; prints one line a figure.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openReader } from '../reader.ts';
import { openWriter } from '../writer.ts';

const TAGS = 64;
const STEP = 30_000_000;
const ROUNDS = 5760;
const BATCH = 1000;
const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
const fail = (error: Error): void => {
  throw error;
};
const writer = await openWriter({ dataDir: dir, onDeath: fail });
const claims = Array.from({ length: TAGS }, (_, i) => ({ id: `north/pump-${i}/flow`, type: 'double' as const }));
const { indexes, revision } = await writer.assign(claims);
const tags = claims.map(({ id, type }) => ({ index: indexes.get(id) as number, id, type }));
await writer.use(tags, revision);
const reader = await openReader({ dataDir: dir, open: writer.open, onDeath: fail });

const end = Math.floor(Date.now() / 300_000) * 300_000_000;
const start = end - ROUNDS * STEP;
const total = TAGS * ROUNDS;
const { signal } = new AbortController();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const began = performance.now();
let encoding = 0;
for (let done = 0; done < total; done += BATCH) {
  await writer.journal.room(signal);
  const samples = Array.from({ length: Math.min(BATCH, total - done) }, (_, k) => {
    const i = done + k;
    const t = start + Math.floor(i / TAGS) * STEP;
    return { tag: i % TAGS, t, receivedAt: end, value: 20 + Math.sin(i / 1e4) * 5, status: 0, flags: 0 };
  });
  const before = performance.now();
  writer.journal.append({ origin: 'seed', source: 'import', samples, events: [] });
  encoding += performance.now() - before;
  await new Promise((resolve) => setImmediate(resolve));
}
while ((await writer.stats()).account.delivered < total) await new Promise((resolve) => setTimeout(resolve, 10));
const took = performance.now() - began;
delay.disable();
console.log(
  `import: ${total} samples in ${took.toFixed(0)} ms = ${Math.round(total / took) * 1000} samples/s, append to queryable`,
);
console.log(`encoding on main: ${((encoding / total) * 1000).toFixed(2)} us a sample`);
console.log(
  `main delay: p50 ${(delay.percentile(50) / 1e6).toFixed(2)} ms, p99 ${(delay.percentile(99) / 1e6).toFixed(2)} ms (1 ms of it the timer)`,
);
for (const name of ['first', 'second', 'third']) {
  const asked = performance.now();
  const series = await reader.buckets(
    tags.slice(0, 16).map((tag) => tag.index),
    start,
    end,
    300_000_000,
  );
  const n = series.reduce((sum, each) => sum + each.n.reduce((a, b) => a + b, 0), 0);
  console.log(`48 h, 16 tags, 5 minutes (${n} samples), ${name}: ${(performance.now() - asked).toFixed(1)} ms`);
}
await reader.close();
await writer.close();
rmSync(dir, { recursive: true, force: true });
