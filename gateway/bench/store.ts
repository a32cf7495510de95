// Measures the embedded historian's writing side, in simulated time: bytes a sample for each kind of source, GB written a
// day (without the journal's), CPU, transactions and memory up to 10,000 tags at 1 Hz, and how fast history is filled.
// Run by the bench command; prints one line a figure. `store.ts TAGS MINUTES KIND` is one measurement by itself.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { ManualClock } from '../clock.ts';
import { openMemory } from '../historian/embedded/open.ts';
import { openStore } from '../historian/embedded/store.ts';
import { stats } from '../historian/embedded/upkeep.ts';
import type { Origin, Sample } from '../model.ts';
import { openReader } from '../reader.ts';
import { openWriter } from '../writer.ts';

/**
 * What a source says of a level that wanders: a double of two places (each second exactly, or off by 1 ms every other
 * time), a float32, a 16-bit register × 0.1, or noise.
 */
const kinds = {
  double: (level: number) => Math.round(level * 100) / 100,
  jitter: (level: number) => Math.round(level * 100) / 100,
  float32: (level: number) => Math.fround(Math.round(level * 100) / 100),
  int16: (level: number) => Math.round(level * 10) / 10,
  noise: (level: number) => level + Math.random() * 1e-9,
};
type Kind = keyof typeof kinds;
const { signal } = new AbortController();
const written = (): number => Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

function opened(dataDir: string, clock: ManualClock) {
  let seq = 1;
  const store = openStore({ dataDir, clock, memory: openMemory(), durable: () => seq });
  return {
    store,
    write: (samples: Sample[], origin: Origin = 'live') =>
      store.write([{ origin, source: 'plc', samples, events: [], seq: seq++, revision: 1 }], signal),
  };
}

async function live(tags: number, minutes: number, kind: Kind): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  const clock = new ManualClock();
  const { store, write } = opened(dir, clock);
  const levels = Array.from({ length: tags }, () => 20 + Math.random() * 50);
  const said = kinds[kind];
  const commits: number[] = [];
  let memory = 0;
  let own = 0;
  const [before, cpu] = [written(), process.cpuUsage()];
  for (let second = 0; second < minutes * 60; second++) {
    const t = clock.micros();
    const samples = levels.map((level, tag): Sample => {
      levels[tag] = level + (Math.random() - 0.5) * 0.2;
      // Each device answers at its own moment of the second.
      const time = t + (tag % 10) * 17_000 + (kind === 'jitter' ? Math.floor(Math.random() * 2) * 1000 : 0);
      return { tag, t: time, receivedAt: t, value: said(level), status: 0, flags: 0 };
    });
    const began = process.cpuUsage();
    await write(samples);
    const { commits: count } = store.stats();
    await clock.advance(1000);
    await store.tend();
    const { user, system } = process.cpuUsage(began);
    own += user + system;
    const figures = store.stats();
    if (figures.commits > count) commits.push(figures.commitMs);
    memory = Math.max(memory, figures.memory);
  }
  const bytes = written() - before;
  const { user, system } = process.cpuUsage(cpu);
  const db = new DatabaseSync(join(dir, 'history.db'), { readOnly: true });
  const { perSample, data, minutes: rollups, samples, chunks } = stats(db);
  db.close();
  commits.sort((a, b) => a - b);
  const n = tags * minutes * 60;
  console.log(
    [
      `${tags} tags × 1 Hz, ${kind}, ${minutes} min: ${perSample.toFixed(2)} B a sample in the file (${(data / samples).toFixed(2)} packed, ${(rollups / samples).toFixed(2)} minutes), ${Math.round(samples / chunks)} samples a chunk`,
      `  written: ${((bytes / minutes) * 1.44e-6).toFixed(2)} GB a day, extrapolated`,
      `  CPU: ${(own / n).toFixed(2)} µs a sample (${((own / n) * tags * 1e-4).toFixed(2)} % of a core); with the making of samples ${((user + system) / n).toFixed(2)} µs`,
      `  transactions: ${commits.length} seen, p50 ${at(commits, 0.5).toFixed(1)} ms, p99 ${at(commits, 0.99).toFixed(1)} ms, most ${at(commits, 1).toFixed(1)} ms`,
      `  memory: open samples at most ${(memory / 1e6).toFixed(0)} MB, RSS at the end ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`,
    ].join('\n'),
  );
  const closing = performance.now();
  const open = store.stats().open;
  await store.close();
  console.log(`  a stop with ${open} open samples: ${(performance.now() - closing).toFixed(0)} ms`);
  rmSync(dir, { recursive: true, force: true });
}

/** A day of 64 tags each 15 s, decoded already, in batches of 1,000: into an empty history, and behind live samples. */
async function seed(behind: boolean): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  const clock = new ManualClock();
  const { store, write } = opened(dir, clock);
  const all = 64 * 5760;
  const start = clock.micros() - 86_400e6;
  if (behind)
    await write(Array.from({ length: 64 }, (_, tag) => ({ ...sampleAt(tag, clock.micros()), receivedAt: 0 })));
  const batches = Array.from({ length: Math.ceil(all / 1000) }, (_, k) =>
    Array.from({ length: Math.min(1000, all - k * 1000) }, (_, i) =>
      sampleAt((k * 1000 + i) % 64, start + Math.floor((k * 1000 + i) / 64) * 15e6),
    ),
  );
  const began = performance.now();
  for (const batch of batches) await write(batch, 'seed');
  const queryable = performance.now() - began;
  await clock.advance(5000);
  await store.tend();
  while (store.stats().open > 64) {
    await clock.advance(5000);
    await store.tend();
  }
  console.log(
    `${all} historic samples ${behind ? 'behind live ones' : 'into an empty history'}: queryable after ${queryable.toFixed(0)} ms, in chunks after ${(performance.now() - began).toFixed(0)} ms`,
  );
  await store.close();
  rmSync(dir, { recursive: true, force: true });
}
const sampleAt = (tag: number, t: number): Sample => ({
  tag,
  t,
  receivedAt: t,
  value: Math.round((20 + 5 * Math.sin(t / 4e9 + tag)) * 100) / 100,
  status: 0,
  flags: 0,
});

/** Two days of 64 tags at 1 Hz, of which the first goes while samples come. */
async function retire(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  const clock = new ManualClock();
  let seq = 1;
  const store = openStore({ dataDir: dir, clock, memory: openMemory(), durable: () => seq, retention: 86_400_000 });
  const minute = (): Promise<unknown> => {
    const t = clock.micros();
    const samples = Array.from({ length: 64 * 60 }, (_, i) => sampleAt(i % 64, t + Math.floor(i / 64) * 1e6));
    return store.write([{ origin: 'live', source: 'plc', samples, events: [], seq: seq++, revision: 1 }], signal);
  };
  for (let i = 0; i < 1440 + 360; i++) {
    await minute();
    await clock.advance(60_000);
    await store.tend();
  }
  const removed = (): number => store.stats().removed;
  const [before, bytes] = [removed(), written()];
  await clock.advance(86_400_000 - 360 * 60_000);
  await minute();
  const began = performance.now();
  await clock.advance(60_000);
  do await store.tend();
  while (removed() < before + 64 * 72);
  console.log(
    `retention: ${removed() - before} chunks of 64 tags removed in ${(performance.now() - began).toFixed(0)} ms, ${((written() - bytes) / 1e6).toFixed(1)} MB written`,
  );
  await store.close();
  rmSync(dir, { recursive: true, force: true });
}

/** From `append` on main to a query that sees the sample, through the writer and the reader thread. */
async function fresh(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  const onDeath = (error: Error): void => {
    throw error;
  };
  const writer = await openWriter({ dataDir: dir, onDeath });
  const { indexes, revision } = await writer.assign([{ id: 'north/pump-1/flow', type: 'double' }]);
  const tag = indexes.get('north/pump-1/flow') as number;
  await writer.use([{ index: tag, id: 'north/pump-1/flow', type: 'double' }], revision);
  const reader = await openReader({ dataDir: dir, open: writer.open, onDeath });
  const took: number[] = [];
  for (let i = 0; i < 60; i++) {
    const t = Date.now() * 1000 + i;
    const began = performance.now();
    writer.journal.append({ origin: 'live', source: 'plc', samples: [sampleAt(tag, t)], events: [] });
    while ((await reader.raw(tag, t, t + 1, 1)).t.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    took.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
  }
  took.sort((a, b) => a - b);
  console.log(
    `from append to a query that sees it: p50 ${at(took, 0.5).toFixed(0)} ms, most ${at(took, 1).toFixed(0)} ms`,
  );
  await reader.close();
  await writer.close();
  rmSync(dir, { recursive: true, force: true });
}

const [tags, minutes, kind] = process.argv.slice(2);
if (tags !== undefined) await live(Number(tags), Number(minutes), kind as Kind);
else {
  const script = fileURLToPath(import.meta.url);
  for (const args of [
    ['64', '600', 'double'],
    ['64', '240', 'jitter'],
    ['64', '240', 'float32'],
    ['64', '240', 'int16'],
    ['64', '120', 'noise'],
    ['1000', '120', 'double'],
    ['10000', '50', 'double'],
  ])
    spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' });
  await seed(false);
  await seed(true);
  await retire();
  await fresh();
}
