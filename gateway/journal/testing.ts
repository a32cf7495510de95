// For the tests of the journal: frames one by one, a file system whose n-th call fails, and one that forgets what
// was not synced, as a power cut does. Both write real files.
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Batch, Frame, SourceCounts } from '../model.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { diskFiles } from './files.ts';
import type { Files } from './files.ts';
import { decodeFrame, encodeInto } from './frame.ts';
import { readHead } from './head.ts';
import type { FrameFailure, FrameMeta } from './head.ts';
import type { Log } from './log.ts';
import type { SourceAccount } from './sources.ts';

/** A folder in memory where there is one: thousands of syncs are nobody's disk's business. */
export function scratch(): { dir: string; journal: string; clear(): void } {
  const dir = fs.mkdtempSync(join(fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'penstock-journal-'));
  return { dir, journal: join(dir, 'journal'), clear: () => fs.rmSync(dir, { recursive: true, force: true }) };
}

/** One frame in a buffer of its own. */
export function encodeFrame(batch: Batch, seq: number, revision: number): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(256 + batch.samples.length * 16);
  encodeInto(out, batch, seq, revision);
  return out.take();
}

/** Consecutive frames; ends at the first that is none, returning why, or undefined at a clean end. */
export function* framesIn(bytes: Uint8Array, offset = 0): Generator<Frame, FrameFailure | undefined> {
  while (offset < bytes.length) {
    const result = decodeFrame(bytes, offset);
    if (!result.ok) return result;
    yield result.frame;
    offset = result.next;
  }
  return undefined;
}

/** A frame of `samples` samples that carry its sequence; `at`: when the gateway got them, ms since the epoch. */
export function numbered(
  seq: number,
  samples = 2,
  { at = seq, ...batch }: Partial<Batch> & { at?: number } = {},
): { bytes: Uint8Array; meta: FrameMeta } {
  const all = Array.from({ length: samples }, (_, i) => ({
    tag: i,
    t: seq * 1000 + i,
    receivedAt: at * 1000,
    value: seq,
    status: 0,
    flags: 0,
  }));
  const bytes = encodeFrame({ origin: 'live', source: 'line', samples: all, events: [], ...batch }, seq, 1);
  const head = readHead(bytes);
  if (!head.ok) throw new Error(head.message);
  return { bytes, meta: head.meta };
}
/** The same frame as version 1 wrote it: without the source's account. */
export function asVersion1(bytes: Uint8Array): Buffer {
  const head = readHead(bytes);
  if (!head.ok || head.meta.counts) throw new Error('only a frame without counts has been one of version 1');
  const body = Buffer.from(bytes.subarray(8));
  const reader = new ByteReader(body, 16, body.length);
  reader.varint();
  reader.varint();
  body[reader.at] = 1;
  // The mark of no counts lies before the time of receipt.
  const mark = head.start - 8 - 8 - 1;
  const old = Buffer.concat([Buffer.alloc(8), body.subarray(0, mark), body.subarray(mark + 1)]);
  old.writeUInt32LE(old.length - 8, 0);
  old.writeUInt32LE(crc32(old.subarray(8)), 4);
  return old;
}
/** A source that counts what it says, and now and then rejects a reading. */
export class Line {
  readonly name: string;
  readonly counts: SourceCounts;

  constructor(name: string, before?: SourceCounts) {
    this.name = name;
    const none = { received: 0, made: 0, rejected: 0, filtered: 0, shed: 0, journalled: 0, merged: 0 };
    this.counts = { ...none, ...before };
  }
  /** Says so much that is not taken. */
  shed(samples: number): void {
    this.counts.received += samples;
    this.counts.shed += samples;
  }
  next(seq: number, samples = 2): { bytes: Uint8Array; meta: FrameMeta } {
    const { counts } = this;
    counts.received += samples + (seq % 3);
    counts.rejected += seq % 3;
    counts.journalled += samples;
    return numbered(seq, samples, { source: this.name, counts: { ...counts } });
  }
}
/** Appends frames with rising sequences: numbered ones, or in turn what these sources say next. */
export function fill(log: Log, from: number, count: number, samples = 2, lines: readonly Line[] = []): FrameMeta[] {
  return Array.from({ length: count }, (_, i) => {
    const line = lines[i % lines.length];
    const { bytes, meta } = line ? line.next(from + i, samples) : numbered(from + i, samples);
    log.append(bytes, meta);
    return meta;
  });
}
/** What a log must know of its sources after these frames. */
export function accountsOf(metas: readonly FrameMeta[]): Map<string, SourceAccount> {
  const accounts = new Map<string, SourceAccount>();
  for (const { source, counts, samples } of metas)
    if (counts) accounts.set(source, { told: counts, counted: (accounts.get(source)?.counted ?? 0) + samples });
  return accounts;
}
export const owedTo = (log: Log, name: string, below = Infinity): number[] =>
  log.read(name, 1e9, below).map(({ meta }) => meta.seq);

/** mulberry32: the same faults at every run. */
export const seeded = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

export type Call = 'open' | 'write' | 'sync' | 'syncFolder' | 'rename' | 'truncate' | 'remove';

/** Counts calls and lets some fail: the n-th of all, or each from the n-th on. `short`: half is written first. */
export function faulty(options: {
  calls: readonly Call[];
  nth: number;
  lasting?: boolean;
  code?: string;
  short?: boolean;
}): { files: Files; count(): number; heal(): void } {
  const { calls, nth, lasting = false, code = 'EIO', short = false } = options;
  let count = 0;
  let healed = false;
  const due = (call: Call): boolean => {
    if (!calls.includes(call)) return false;
    count++;
    return !healed && (lasting ? count >= nth : count === nth);
  };
  const check = (call: Call): void => {
    if (due(call)) throw Object.assign(new Error(`${code}: ${call} failed`), { code });
  };
  let shortened = false;
  const files: Files = {
    ...diskFiles,
    open: (path, how) => (how === 'create' && check('open'), diskFiles.open(path, how)),
    write(fd, bytes, position) {
      if (shortened) {
        shortened = false;
        throw Object.assign(new Error(`${code}: no space`), { code });
      }
      if (!due('write')) return diskFiles.write(fd, bytes, position);
      if (!short) throw Object.assign(new Error(`${code}: write failed`), { code });
      // As the kernel does it: less than asked and no error; the error comes with the next call.
      shortened = true;
      return diskFiles.write(fd, bytes.subarray(0, Math.ceil(bytes.length / 2)), position);
    },
    truncate: (fd, size) => (check('truncate'), diskFiles.truncate(fd, size)),
    sync: async (fd) => (check('sync'), diskFiles.sync(fd)),
    syncFolder: async (path) => (check('syncFolder'), diskFiles.syncFolder(path)),
    rename: (from, to) => (check('rename'), diskFiles.rename(from, to)),
    remove: (path) => (check('remove'), diskFiles.remove(path)),
  };
  return { files, count: () => count, heal: () => void (healed = true) };
}

/** Remembers what is synced. After `cut` the folder is as a power cut may leave it. */
export function forgetful(random: () => number): { files: Files; cut(folder: string): void } {
  const paths = new Map<number, string>();
  /** Bytes of each file that a sync covered, by path; and whether the folder knows the name. */
  const synced = new Map<string, number>();
  const named = new Set<string>();
  const replaced = new Map<string, Buffer | undefined>();
  const files: Files = {
    ...diskFiles,
    open(path, how) {
      const fd = diskFiles.open(path, how);
      paths.set(fd, path);
      if (how === 'create') synced.set(path, 0);
      return fd;
    },
    async sync(fd) {
      const path = paths.get(fd) ?? '';
      const { size } = fs.fstatSync(fd);
      await diskFiles.sync(fd);
      synced.set(path, Math.max(size, synced.get(path) ?? 0));
    },
    truncate(fd, size) {
      diskFiles.truncate(fd, size);
      const path = paths.get(fd) ?? '';
      if ((synced.get(path) ?? 0) > size) synced.set(path, size);
    },
    async syncFolder(path) {
      const present = fs.readdirSync(path).map((name) => join(path, name));
      await diskFiles.syncFolder(path);
      for (const name of present) named.add(name);
      replaced.clear();
    },
    rename(from, to) {
      if (!replaced.has(to)) replaced.set(to, fs.existsSync(to) ? fs.readFileSync(to) : undefined);
      diskFiles.rename(from, to);
      synced.set(to, synced.get(from) ?? 0);
    },
  };
  return {
    files,
    cut(folder) {
      for (const [path, before] of replaced)
        if (random() < 0.5) {
          if (before) fs.writeFileSync(path, before);
          else fs.rmSync(path, { force: true });
          synced.set(path, before?.length ?? 0);
        }
      for (const name of fs.readdirSync(folder)) {
        const path = join(folder, name);
        const safe = synced.get(path);
        if (safe === undefined) continue;
        if (!named.has(path) && random() < 0.5) {
          fs.rmSync(path);
          continue;
        }
        const bytes = fs.readFileSync(path);
        const kept = safe + Math.floor(random() * (bytes.length - safe + 1));
        if (random() < 0.3) bytes.fill(0, safe, kept);
        fs.writeFileSync(path, bytes.subarray(0, kept));
      }
    },
  };
}

/** Segment files of a journal's folder, oldest first. */
export const segmentFiles = (folder: string): string[] =>
  fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.seg'))
    .sort()
    .map((name) => join(folder, basename(name)));
