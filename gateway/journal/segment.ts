// What is known of one segment file, and the walk over its frames that finds damage. Pure; called by recovery, the
// appender and the reading side.
import type { Micros } from '../model.ts';
import { readHead } from './head.ts';
import type { FrameMeta } from './head.ts';
import { HEADER } from './header.ts';
import type { Range } from './ranges.ts';

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
  /** Where its first frame lies: the header's size. */
  begin: number;
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
  const empty = { end: base, begin: HEADER, size: 0, frames: 0, samples: 0, from: Infinity, to: -Infinity };
  return { path, base, ...empty, before, at, marks: [], indexed: false, holes: [] };
}

/** Sixteen digits, so that names sort as sequences do. */
export const nameOf = (base: number): string => `${String(base).padStart(16, '0')}.seg`;
export const baseOf = (name: string): number | undefined =>
  /^\d{16}\.seg$/.test(name) ? parseInt(name, 10) : undefined;

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

export interface Survey {
  /** Where the first frame lies; undefined when the header is damaged: it is looked for. */
  begin: number | undefined;
  /** One past its last sequence if a later header tells it: what is missing below it becomes a hole. */
  known: number;
  /** Sequences from here on belong to a later segment. */
  bound: number;
  /** The last segment: its tail may never have been written, so the first bad frame is the end. */
  torn: boolean;
  /** Hears of each good frame. */
  seen?(meta: FrameMeta): void;
}

/**
 * Reads a segment's counts and index anew from the bytes of its file. A bad frame whose length still leads to a good one
 * costs itself alone; otherwise, and always when `torn`, the rest.
 * @returns false when the bytes do not end with a good frame
 */
export function survey(segment: Segment, bytes: Buffer, { begin, known, bound, torn, seen }: Survey): boolean {
  Object.assign(segment, segmentAt(segment.path, segment.base, segment.before, segment.at), { indexed: true });
  segment.size = segment.begin = begin ?? firstFrame(bytes, segment.base, bound);
  let offset = segment.size;
  let leapt = false;
  while (offset < bytes.length) {
    const head = readHead(bytes, offset);
    if (head.ok && head.meta.seq >= segment.end && head.meta.seq < bound) {
      segment.size = offset;
      if (leapt) segment.marks.push({ seq: head.meta.seq, offset });
      leapt = false;
      grow(segment, head.meta, head.next - offset);
      seen?.(head.meta);
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

/** Where the frames of a file with a damaged header begin. */
export function firstFrame(bytes: Buffer, base: number, bound: number): number {
  for (let offset = HEADER; offset < bytes.length; offset++) {
    const head = readHead(bytes, offset);
    if (head.ok && head.meta.seq >= base && head.meta.seq < bound) return offset;
  }
  return Math.min(HEADER, bytes.length);
}

/** Where to begin looking for a sequence. */
export function markFor(
  segment: Pick<Segment, 'base' | 'begin' | 'marks'>,
  seq: number,
): { seq: number; offset: number } {
  let low = 0;
  let high = segment.marks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((segment.marks[middle]?.seq ?? Infinity) <= seq) low = middle + 1;
    else high = middle;
  }
  return segment.marks[low - 1] ?? { seq: segment.base, offset: segment.begin };
}
