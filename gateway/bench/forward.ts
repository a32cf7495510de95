// Measures how fast the egress thread's part of the journal is: frames followed in their files, decoded and handed to a store,
// for a store that takes everything at once and for the file of lines. Run by the bench command; prints one line a figure.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock } from '../clock.ts';
import { fileForwarder } from '../historian/file/file.ts';
import { Debt } from '../journal/debt.ts';
import { diskFiles } from '../journal/files.ts';
import { Follower } from '../journal/follow.ts';
import { decodeFrame } from '../journal/frame.ts';
import { encodeFrame } from '../journal/testing.ts';
import { readHead } from '../journal/head.ts';
import { pump } from '../journal/pump.ts';
import { openSegments } from '../journal/segments.ts';
import { readEnds, sharedEnds } from '../journal/shared.ts';
import type { Consumer, ForwardTag } from '../consumer.ts';

const FRAMES = 4000;
const TAGS = 500;
const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
const shared = sharedEnds();
const log = openSegments({ dataDir: dir, cap: 1e9, durability: 'os', shared });
const frames: Uint8Array[] = [];
for (let seq = 1; seq <= FRAMES; seq++) {
  const now = clock.micros();
  const samples = Array.from({ length: TAGS }, (_, i) => {
    const t = now - ((i * 7919) % 1000);
    return { tag: i, t, at: t, receivedAt: now, value: Math.sin(i + seq) * 100, status: 0, flags: 0 };
  });
  const bytes = encodeFrame({ origin: 'live', source: 'plc', samples, events: [] }, seq, 1);
  const head = readHead(bytes);
  if (!head.ok) throw new Error(head.message);
  log.append(bytes, head.meta);
  frames.push(bytes);
}
await log.sync();

/** Samples a second from the files to the consumer. */
async function drain(name: string, consumer: Consumer): Promise<number> {
  log.add(name, 1);
  const follower = new Follower({ files: diskFiles, folder: join(dir, 'journal'), ends: () => readEnds(shared) });
  const stop = new AbortController();
  const source = new Debt({
    follower,
    clock,
    owed: log.account(name).owed,
    settled(settled, stored) {
      log.deliver(name, settled, stored === 'lost' ? undefined : stored);
      if (log.account(name).backlog.frames === 0) stop.abort();
    },
    suspect() {},
  });
  const began = performance.now();
  await pump({ source, consumer, clock, bytes: 256 * 1024, pause: 250 }).run(stop.signal);
  await consumer.close();
  return (FRAMES * TAGS * 1000) / (performance.now() - began);
}

const began = performance.now();
for (const bytes of frames) decodeFrame(bytes);
const decoded = (FRAMES * TAGS * 1000) / (performance.now() - began);
const taken = await drain('sink', { write: () => Promise.resolve(), close: () => Promise.resolve() });
const tag = (index: number): ForwardTag => ({
  ...{ index, id: `plant/line-1/asset-${index}/flow`, site: 'plant', asset: `plant/line-1/asset-${index}` },
  ...{ metric: 'flow', type: 'double', unit: 'l/s' },
});
const context = { tag, clock, dataDir: dir, log: () => {}, rewind: () => {}, answered: () => {} };
const written = await drain('file', fileForwarder.create({ path: 'out.ndjson' }, context));
const millions = (n: number): string => `${(n / 1e6).toFixed(2)} M samples/s`;
console.log(`decoding alone              ${millions(decoded)}`);
console.log(
  `to a store that takes all   ${millions(taken)}, ${Math.round((taken / decoded) * 100)} % of decoding alone`,
);
console.log(`to the file of lines        ${millions(written)}`);
await log.close();
rmSync(dir, { recursive: true });
