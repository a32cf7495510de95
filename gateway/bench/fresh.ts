// Questions while 10,000 samples a second are written: how long a day's trend takes (p50, p99), how soon a sample is in an
// answer, how late main is meanwhile. `npm run bench fresh`, or by itself with the seconds (20); prints one line a figure.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openReader } from '../reader.ts';
import { scratch } from '../test/rig.ts';
import { openWriter } from '../writer.ts';

const TAGS = 1000;
const PER_SECOND = 10;
const ASKED = 16;
const DAY = 86_400;
const seconds = Number(process.argv[2] ?? 20);
const folder = scratch();
const fail = (error: Error): void => {
  throw error;
};
const { signal } = new AbortController();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const writer = await openWriter({ dataDir: folder.path, onDeath: fail });
const claims = Array.from({ length: TAGS }, (_none, i) => ({ id: `north/pump-${i}/flow`, type: 'double' as const }));
const { indexes, revision } = await writer.assign(claims);
const tags = claims.map(({ id, type }) => ({ index: indexes.get(id) as number, id, type }));
await writer.use(tags, revision);
const reader = await openReader({ dataDir: folder.path, open: writer.open, onDeath: fail });
const asked = tags.slice(0, ASKED).map(({ index }) => index);
const value = (i: number): number => Math.round(2000 + 500 * Math.sin(i / 600)) / 100;

const end = Math.floor(Date.now() / 1000) * 1_000_000;
const start = end - DAY * 1_000_000;
for (let second = 0; second < DAY; second += 60) {
  await writer.journal.room(signal);
  const samples = Array.from({ length: 60 * ASKED }, (_none, i) => {
    const t = start + (second + Math.floor(i / ASKED)) * 1_000_000;
    return { tag: asked[i % ASKED] as number, t, receivedAt: end, value: value(second + i), status: 0, flags: 0 };
  });
  writer.journal.append({ origin: 'seed', source: 'import', samples, events: [] });
  if (second % 600 === 0) await pause(0);
}
// The last quarter of an hour is not over and stays in memory.
for (let settled = false; !settled; await pause(100)) {
  const { account, historian } = await writer.stats();
  settled = account.backlog.samples === 0 && historian.open <= ASKED * 1800;
}

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
let running = true;
let written = 0;
const writing = (async () => {
  const began = performance.now();
  for (let round = 0; running; round++) {
    const t = Math.floor(Date.now() * 1000);
    const samples = tags.map(({ index }, i) => {
      return { tag: index, t: t + i, receivedAt: t, value: value(round + i), status: 0, flags: 0 };
    });
    writer.journal.append({ origin: 'live', source: 'line', samples, events: [] });
    written += samples.length;
    await pause(Math.max(0, began + ((round + 1) * 1000) / PER_SECOND - performance.now()));
  }
})();
const trends: number[] = [];
const ages: number[] = [];
for (const until = performance.now() + seconds * 1000; performance.now() < until; await pause(50)) {
  const began = performance.now();
  await reader.buckets(asked, start, end, 300_000_000);
  trends.push(performance.now() - began);
  const [last] = await reader.latest([asked[0] as number]);
  if (last) ages.push(Date.now() - last.t / 1000);
}
running = false;
await writing;
delay.disable();
const part = (times: number[], share: number): string =>
  (times.sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN).toFixed(1);
console.log(`written: ${Math.round(written / seconds)} samples/s of ${TAGS} tags, for ${seconds} s`);
console.log(
  `24 h of ${ASKED} tags in 5 minutes meanwhile: p50 ${part(trends, 0.5)} ms, p99 ${part(trends, 0.99)} ms (${trends.length} times)`,
);
console.log(
  `age of the newest sample in an answer: p50 ${part(ages, 0.5)} ms, p99 ${part(ages, 0.99)} ms (100 ms between two)`,
);
console.log(
  `main delay: p50 ${(delay.percentile(50) / 1e6).toFixed(2)} ms, p99 ${(delay.percentile(99) / 1e6).toFixed(2)} ms (1 ms of it the timer)`,
);
console.log(`resident memory: ${Math.round(process.memoryUsage.rss() / 1e6)} MB`);
await reader.close();
await writer.close();
folder.remove();
