// One segment file: its header, and the walk over its frames that finds damage. Pure; called by recovery, the appender
// and the reading side. Each header also tells the frames, samples, end and times of the segment before it, so a start
// reads headers and scans the last file only; counts before it run from the journal's beginning and are never reset.
import { crc32 } from 'node:zlib';
import type { Micros } from '../model.ts';
import { readHead } from './head.ts';
import type { FrameMeta } from './head.ts';
import type { Range } from './ranges.ts';

const MAGIC = 'PENSTOCK';
const VERSION = 1;
export const HEADER = 112;
/** Bytes between two marks of the sparse index. */
export const STRIDE = 64 * 1024;

export interface Totals {
  frames: number;
  samples: number;
}
/** What is known of a segment. A fresh one has `end` = `base` and no bytes. */
export interface Segment {
  path: string;
  /** Its first sequence, and one past its last. */
  base: number;
  end: number;
  /** End of its last whole frame in bytes, the header included; what lies behind is no part of it. */
  size: number;
  frames: number;
  samples: number;
  /** Smallest and largest sample time; `from` > `to` as long as it has no samples. */
  from: Micros;
  to: Micros;
  /** Everything journalled before its first frame. */
  before: Totals;
  /** ms since the epoch: when it was made, then when it was last written. */
  at: number;
  /** Places to begin a search at, rising; complete when `indexed`. */
  marks: { seq: number; offset: number }[];
  indexed: boolean;
  /** Sequences lost to damage. */
  holes: Range[];
}

export function segmentAt(path: string, base: number, before: Totals, at: number): Segment {
  const empty = { end: base, size: 0, frames: 0, samples: 0, from: Infinity, to: -Infinity };
  return { path, base, ...empty, before, at, marks: [], indexed: false, holes: [] };
}

/** Sixteen digits, so that names sort as sequences do. */
export const nameOf = (base: number): string => `${String(base).padStart(16, '0')}.seg`;
export const baseOf = (name: string): number | undefined =>
  /^\d{16}\.seg$/.test(name) ? parseInt(name, 10) : undefined;

/** @param previous the segment before it, as it stands when this one begins */
export function encodeHeader(segment: Segment, previous: Segment | undefined): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt16LE(VERSION, 8);
  bytes.writeUInt16LE(HEADER, 10);
  const { base, at, before } = segment;
  const last = previous ?? { base: -1, end: -1, size: 0, frames: 0, samples: 0, from: 0, to: 0 };
  const fields = [base, at, before.frames, before.samples, last.base, last.end, last.size, last.frames, last.samples];
  [...fields, last.from, last.to].forEach((value, i) => bytes.writeDoubleLE(value, 16 + i * 8));
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER - 4)), HEADER - 4);
  return bytes;
}

export interface Header {
  base: number;
  at: number;
  before: Totals;
  previous: { base: number; end: number; size: number; from: Micros; to: Micros } & Totals;
}

/** The header, or undefined when these bytes are none. Throws in words when a newer program wrote it. */
export function decodeHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < HEADER || bytes.toString('latin1', 0, 8) !== MAGIC) return undefined;
  if (crc32(bytes.subarray(0, HEADER - 4)) !== bytes.readUInt32LE(HEADER - 4)) return undefined;
  const version = bytes.readUInt16LE(8);
  if (version > VERSION)
    throw new Error(
      `the journal has version ${version}, this program knows ${VERSION}: start the newer version that wrote it`,
    );
  const field = (i: number): number => bytes.readDoubleLE(16 + i * 8);
  return {
    base: field(0),
    at: field(1),
    before: { frames: field(2), samples: field(3) },
    previous: {
      base: field(4),
      end: field(5),
      size: field(6),
      frames: field(7),
      samples: field(8),
      from: field(9),
      to: field(10),
    },
  };
}

/** Takes a frame that lies at the segment's end into its counts. */
export function grow(segment: Segment, meta: FrameMeta, size: number): void {
  const mark = segment.marks.at(-1);
  if (!mark || segment.size - mark.offset >= STRIDE) segment.marks.push({ seq: meta.seq, offset: segment.size });
  segment.size += size;
  segment.end = meta.seq + 1;
  segment.frames++;
  segment.samples += meta.samples;
  if (meta.samples === 0) return;
  segment.from = Math.min(segment.from, meta.from);
  segment.to = Math.max(segment.to, meta.to);
}

/**
 * Reads a segment's counts and index anew from its bytes. A bad frame whose length still leads to a good one costs
 * itself alone; otherwise, and always when `torn` (the last segment: its tail may never have been written), the rest.
 * @param bytes the file
 * @param known one past its last sequence if a later header tells it: what is missing below it becomes a hole
 * @param bound sequences from here on belong to a later segment
 * @returns false when the bytes do not end with a good frame
 */
export function survey(segment: Segment, bytes: Buffer, known: number, bound: number, torn: boolean): boolean {
  Object.assign(segment, segmentAt(segment.path, segment.base, segment.before, segment.at), { indexed: true });
  segment.size = HEADER;
  let offset = HEADER;
  let leapt = false;
  while (offset < bytes.length) {
    const head = readHead(bytes, offset);
    if (head.ok && head.meta.seq >= segment.end && head.meta.seq < bound) {
      segment.size = offset;
      if (leapt) segment.marks.push({ seq: head.meta.seq, offset });
      leapt = false;
      grow(segment, head.meta, head.next - offset);
      offset = head.next;
      continue;
    }
    if (torn || head.ok || bytes.length - offset < 8) break;
    const next = offset + 8 + bytes.readUInt32LE(offset);
    const beyond = next < bytes.length ? readHead(bytes, next) : undefined;
    if (!beyond?.ok || beyond.meta.seq <= segment.end || beyond.meta.seq >= bound) break;
    segment.holes.push({ from: segment.end, to: beyond.meta.seq });
    offset = next;
    leapt = true;
  }
  if (segment.end < known) {
    segment.holes.push({ from: segment.end, to: known });
    segment.end = known;
  }
  return offset >= bytes.length;
}

/** Where to begin looking for a sequence. */
export function markFor(segment: Pick<Segment, 'base' | 'marks'>, seq: number): { seq: number; offset: number } {
  let low = 0;
  let high = segment.marks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((segment.marks[middle]?.seq ?? Infinity) <= seq) low = middle + 1;
    else high = middle;
  }
  return segment.marks[low - 1] ?? { seq: segment.base, offset: HEADER };
}
