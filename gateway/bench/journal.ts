// Measures the journal on disk: appended frames a second per durability (also with 10 ms added to each sync), bytes a
// reading, and how long a start takes over a large journal. Run by the bench command; prints one line a figure.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { Committer } from '../journal/commit.ts';
import { diskFiles } from '../journal/files.ts';
import { encodeFrame } from '../journal/frame.ts';
import { readHead } from '../journal/head.ts';
import type { FrameMeta } from '../journal/head.ts';
import { openSegments } from '../journal/segments.ts';
import type { Durability } from '../journal/segments.ts';

const DAY = 86_400;
const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
let folder = 0;
const fresh = (): string => join(dir, String(folder++));

/** A second of a plant: one reading a tag, noisy doubles with a device time each. */
function frame(seq: number, tags: number): { bytes: Uint8Array<ArrayBuffer>; meta: FrameMeta } {
  const now = 1_780_000_000_000_000 + seq * 1_000_000;
  const samples = Array.from({ length: tags }, (_, i) => {
    const t = now - ((i * 7919) % 1000);
    return { tag: i, t, at: t, receivedAt: now, value: Math.sin(i + seq) * 100, status: 0, flags: 0 };
  });
  const bytes = encodeFrame({ origin: 'live', source: 'plc', samples, events: [] }, seq, 1);
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
  const each = took / (bytes / 2 ** 20);
  console.log(
    `recovery of ${(bytes / 2 ** 20).toFixed(0)} MiB in ${segments} segments: ${took.toFixed(1)} ms, page cache warm; ` +
      `extrapolated to 1 GiB at most ${(each * 1024).toFixed(0)} ms`,
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

try {
  for (const tags of [64, 1000, 10_000]) {
    const each = frame(1, tags).bytes.length / tags;
    const day = (each * tags * DAY) / 1e9;
    console.log(
      `${tags} tags: ${each.toFixed(2)} B a reading, ${day.toFixed(2)} GB a day at 1 Hz in one frame a second`,
    );
  }
  for (const tags of [2, 64])
    for (const slow of [0, 10])
      for (const durability of ['batch', 'interval', 'os'] as const)
        console.log(
          `append, ${durability}${slow ? `, ${slow} ms more a sync` : ''}: ${await rate(durability, slow, tags)}`,
        );
  await recovery(256);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
