// Reads frames back from segment files. Called by segments.ts, which knows what is owed to whom; hands on views of one
// buffer a call. A frame that was whole once and is not any more ends the reading, after the segment was read through anew.
import type { Books } from './books.ts';
import { readAt } from './files.ts';
import type { Files } from './files.ts';
import { readHead } from './head.ts';
import type { FrameMeta } from './head.ts';
import type { Found } from './log.ts';
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

/** Frames of a segment from a sequence on, as far as they can be read. */
export function* framesOf(files: Files, segment: Segment, from: number): Generator<FrameMeta> {
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
    if (head.meta.seq >= from) yield head.meta;
    offset = head.next;
  }
}

/** Owed frames of one segment, [from, to), from one read of the file; `least`: one even if it does not fit. */
export function readSome(
  source: Source,
  books: Books,
  segment: Segment,
  from: number,
  to: number,
  room: number,
  least: boolean,
): { frames: Found[]; end: 'clean' | 'full' | 'damaged' } {
  const { files, inspect, generation } = source;
  inspect(segment, false);
  const { cursor } = books;
  const near = cursor?.seq === from && cursor.segment === segment && cursor.generation === generation;
  let { offset } = near ? cursor : markFor(segment, from);
  const frames: Found[] = [];
  let full = false;
  const fd = files.open(segment.path, 'read');
  try {
    let chunk = readAt(files, fd, offset, Math.min(segment.size - offset, Math.max(room, STRIDE)));
    let at = 0;
    while (offset < segment.size && !full) {
      const head = readHead(chunk, at);
      if (head.ok) {
        const size = head.next - at;
        if (head.meta.seq >= to) break;
        if (head.meta.seq >= from) {
          full = size > room && (frames.length > 0 || !least);
          if (full) break;
          frames.push({ meta: head.meta, bytes: chunk.subarray(at, head.next), backlog: false });
          room -= size;
        }
        at = head.next;
        offset += size;
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
  const last = frames.at(-1);
  if (last) books.cursor = { seq: last.meta.seq + 1, segment, offset, generation };
  return { frames, end: full ? 'full' : 'clean' };
}
