// Measures the journal on disk: appended frames a second per durability (also with 10 ms added to each sync), bytes a
// reading and written a day, and how long a start takes over a journal of 1 GiB. Run by the bench command; prints one line
// a figure. `journal.ts written TAGS PROFILE` is one measurement of what is written, in a process of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock.ts';
import { Committer, intervals } from '../journal/commit.ts';
import type { Profile } from '../journal/commit.ts';
import { diskFiles } from '../journal/files.ts';
import { encodeFrame } from '../journal/testing.ts';
import { readHead } from '../journal/head.ts';
import type { FrameMeta } from '../journal/head.ts';
import { openSegments } from '../journal/segments.ts';
import type { Durability } from '../journal/segments.ts';

const DAY = 86_400;
const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
let folder = 0;
const fresh = (): string => join(dir, String(folder++));

/** A second of a device: one reading a tag, noisy doubles with a device time each, and the device's account. */
function frame(seq: number, tags: number, device = 0): { bytes: Uint8Array<ArrayBuffer>; meta: FrameMeta } {
  const now = 1_780_000_000_000_000 + seq * 1_000_000;
  const samples = Array.from({ length: tags }, (_, i) => {
    const t = now - ((i * 7919) % 1000);
    return { tag: i, t, at: t, receivedAt: now, value: Math.sin(i + seq) * 100, status: 0, flags: 0 };
  });
  const all = seq * tags;
  const counts = { received: all, made: 0, rejected: 0, filtered: 0, shed: 0, journalled: all, merged: 0 };
  const bytes = encodeFrame({ origin: 'live', source: `plc-${device}`, samples, events: [], counts }, seq, 1);
  const head = readHead(bytes);
  if (!head.ok) throw new Error(head.message);
  return { bytes, meta: head.meta };
}

async function rate(durability: Durability, slow: number, tags: number): Promise<string> {
  const files = {
    ...diskFiles,
    async sync(fd: number) {
      await diskFiles.sync(fd);
      if (slow > 0) await new Promise((resolve) => setTimeout(resolve, slow));
    },
  };
  const log = openSegments({ dataDir: fresh(), cap: 256 * 1024 * 1024, durability, files });
  const commits = new Committer({ log, clock: systemClock, durability, done() {} });
  const { bytes, meta } = frame(1, tags);
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < 2000) {
    // A block from main is up to 256 KiB of frames; with `batch` each waits for its sync, as one who appends in turn would.
    const block = durability === 'batch' ? 1 : Math.ceil((256 * 1024) / bytes.length);
    for (let i = 0; i < block; i++, count++) log.append(bytes, { ...meta, seq: count + 1 });
    commits.taken(false);
    if (durability === 'batch') await log.sync();
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await log.sync();
  const seconds = (performance.now() - began) / 1000;
  commits.close();
  await log.close();
  const each = Math.round(count / seconds);
  return `${each} frames/s of ${bytes.length} B (${((each * bytes.length) / 1e6).toFixed(1)} MB/s)`;
}

async function recovery(megabytes: number): Promise<void> {
  const dataDir = fresh();
  const log = openSegments({ dataDir, cap: 4e9, durability: 'os' });
  log.add('all', 1);
  let written = 0;
  for (let seq = 1; written < megabytes * 1024 * 1024; seq++) {
    const { bytes, meta } = frame(seq, 64);
    log.append(bytes, meta);
    written += bytes.length;
    if (seq % 2000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await log.close();
  const began = performance.now();
  const again = openSegments({ dataDir, cap: 4e9 });
  again.add('all', 1);
  const took = performance.now() - began;
  const { segments, bytes } = again.health();
  console.log(
    `recovery of ${(bytes / 2 ** 20).toFixed(0)} MiB in ${segments} segments: ${took.toFixed(1)} ms, page cache warm`,
  );
  const start = performance.now();
  let read = 0;
  for (let found = again.read('all', 1e6); found.length > 0; found = again.read('all', 1e6)) {
    read += found.length;
    again.deliver(
      'all',
      found.map(({ meta }) => meta),
    );
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(`read back: ${read} frames in ${seconds.toFixed(2)} s = ${(bytes / 1e6 / seconds).toFixed(0)} MB/s`);
  await again.close();
}

/** Bytes that this process has had written to storage so far; undefined where the system does not say. */
function writtenBytes(): number | undefined {
  try {
    return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

/** What a plant of so many tags at 1 Hz, some hundred a device, has written by the journal, over `seconds` in real time. */
async function written(tags: number, profile: Profile, seconds: number): Promise<void> {
  const devices = Math.ceil(tags / 100);
  const log = openSegments({ dataDir: fresh(), cap: 4e9 });
  log.add('all', 1);
  const interval = intervals[profile];
  const commits = new Committer({ log, clock: systemClock, durability: 'interval', interval, done() {} });
  const before = writtenBytes();
  let bytes = 0;
  let seq = 0;
  for (let second = 0; second < seconds; second++) {
    const began = performance.now();
    for (let device = 0; device < devices; device++) {
      const { bytes: encoded, meta } = frame(++seq, Math.round(tags / devices), device);
      log.append(encoded, meta);
      bytes += encoded.length;
      commits.taken(false);
      await new Promise((resolve) => setTimeout(resolve, 900 / devices));
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + 1000 - performance.now())));
  }
  await log.sync();
  const after = writtenBytes();
  commits.close();
  await log.close();
  const frames = `${(bytes / (tags * seconds)).toFixed(2)} B a reading in frames`;
  if (before === undefined || after === undefined) return console.log(`${tags} tags, ${profile}: ${frames}`);
  const day = ((after - before) / seconds) * DAY;
  console.log(
    `${tags} tags at 1 Hz on ${devices} devices, ${profile}: ${frames}, ` +
      `${((after - before) / (tags * seconds)).toFixed(2)} B a reading and ${(day / 1e9).toFixed(3)} GB a day written ` +
      `(write_bytes over ${seconds} s, extrapolated; without the file system's own journal)`,
  );
}
/** All at once, each in a process of its own: the system counts by process. */
async function allWritten(): Promise<void> {
  const cases = [
    [64, 'ssd'],
    [64, 'emmc'],
    [64, 'sd'],
    [1000, 'ssd'],
    [1000, 'sd'],
    [10_000, 'ssd'],
  ] as const;
  const script = fileURLToPath(import.meta.url);
  const lines = cases.map(
    ([tags, profile]) =>
      new Promise<string>((resolve, reject) => {
        const child = spawn(process.execPath, [script, 'written', String(tags), profile]);
        let text = '';
        child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
        child.on('error', reject);
        child.on('close', (code) => (code === 0 ? resolve(text.trim()) : reject(new Error(`it ended with ${code}`))));
      }),
  );
  for (const line of await Promise.all(lines)) console.log(line);
}

async function everything(): Promise<void> {
  await allWritten();
  for (const tags of [2, 64])
    for (const slow of [0, 10])
      for (const durability of ['batch', 'interval', 'os'] as const)
        console.log(
          `append, ${durability}${slow ? `, ${slow} ms more a sync` : ''}: ${await rate(durability, slow, tags)}`,
        );
  await recovery(1024);
}

try {
  const [what, tags, profile] = process.argv.slice(2);
  // Three syncs of the slowest profile.
  if (what === 'written') await written(Number(tags), profile as Profile, 45);
  else await everything();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
