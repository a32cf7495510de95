// Reads frames back from segment files. Called by the shelf, which is told what is owed; hands on views of one buffer a
// call. A frame that was whole once and is not any more ends the reading, after the segment was read through anew.
import { readAt } from './files.ts';
import type { Files } from './files.ts';
import { readHead } from './head.ts';
import type { Found } from './log.ts';
import type { Range } from './ranges.ts';
import { load } from './recovery.ts';
import { STRIDE, markFor } from './segment.ts';
import type { Segment } from './segment.ts';

export interface Source {
  files: Files;
  /** The appender's: remembered places of another one are worth nothing. */
  generation: number;
  /** Makes sure of the segment's index; `again`: from its bytes, as damage is suspected. */
  inspect(segment: Segment, again: boolean): void;
}

/** Where a reader's next frame lies, as long as `generation` is the appender's. */
export interface Cursor {
  at?: { seq: number; segment: Segment; offset: number; generation: number };
}
/** How far a reading may go. */
export interface Reach {
  /** Bytes of frames; `least`: one even if it does not fit. */
  room: number;
  least: boolean;
  /** Frames that are not live are left out, and their sequences told; at most `scan` bytes of them. */
  passed?: (range: Range) => void;
  scan: number;
}

/** Frames of a segment from a sequence on, as far as they can be read. */
export function* framesOf(files: Files, segment: Segment, from: number): Generator<Omit<Found, 'backlog'>> {
  const bytes = load(files, segment.path);
  let { offset } = markFor(segment, from);
  while (offset < segment.size) {
    const head = readHead(bytes, offset);
    if (!head.ok) {
      const beyond = segment.marks.find((mark) => mark.offset > offset);
      if (!beyond) return;
      offset = beyond.offset;
      continue;
    }
    if (head.meta.seq >= from) yield { meta: head.meta, bytes: bytes.subarray(offset, head.next) };
    offset = head.next;
  }
}

/** Frames of one segment, [from, to), lowest first; takes what it finds off the reach. */
export function readSome(
  source: Source,
  cursor: Cursor,
  segment: Segment,
  from: number,
  to: number,
  reach: Reach,
): { frames: Found[]; end: 'clean' | 'full' | 'damaged' } {
  const { files, inspect, generation } = source;
  inspect(segment, false);
  const { at: known } = cursor;
  const near = known?.seq === from && known.segment === segment && known.generation === generation;
  let { offset } = near ? known : markFor(segment, from);
  const frames: Found[] = [];
  let full = false;
  let seq = from;
  const fd = files.open(segment.path, 'read');
  try {
    let chunk = readAt(files, fd, offset, Math.min(segment.size - offset, Math.max(reach.room, STRIDE)));
    let at = 0;
    while (offset < segment.size && !full) {
      const head = readHead(chunk, at);
      if (head.ok) {
        const { meta } = head;
        if (meta.seq >= to) break;
        if (meta.seq >= from && reach.passed && meta.origin !== 'live') {
          reach.passed({ from: meta.seq, to: meta.seq + 1 });
          reach.scan -= meta.size;
          full = reach.scan < 0;
        } else if (meta.seq >= from) {
          full = meta.size > reach.room && (frames.length > 0 || !reach.least);
          if (full) break;
          frames.push({ meta, bytes: chunk.subarray(at, head.next), backlog: false });
          reach.room -= meta.size;
        }
        at = head.next;
        offset += meta.size;
        seq = meta.seq + 1;
        continue;
      }
      const rest = segment.size - offset;
      const have = chunk.length - at;
      if (head.reason === 'short' && have < rest) {
        full = frames.length > 0;
        if (full) break;
        const size = Math.min(rest, have < 8 ? STRIDE : Math.max(STRIDE, 8 + chunk.readUInt32LE(at)));
        chunk = readAt(files, fd, offset, size);
        at = 0;
        if (chunk.length === size && size > have) continue;
      }
      // Whole when it was written or inspected, and now it is not: what can still be read is found anew, next time.
      inspect(segment, true);
      return { frames, end: 'damaged' };
    }
  } finally {
    files.close(fd);
  }
  if (seq > from) cursor.at = { seq, segment, offset, generation };
  return { frames, end: full ? 'full' : 'clean' };
}
