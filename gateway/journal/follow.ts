// The journal's files as another thread reads them: no index from the writer, no lock, and at any moment a segment may be
// cut, written anew or gone. Used by the egress thread, one for all its consumers; hands on frames that are whole.
// What a read does not find stays owed: the writer alone says what is lost.
import { join } from 'node:path';
import { readAt } from './files.ts';
import type { Files } from './files.ts';
import type { FrameMeta } from './head.ts';
import type { Range } from './ranges.ts';
import { HEADER, decodeHeader } from './header.ts';
import { load } from './recovery.ts';
import { STRIDE, baseOf, firstFrame, markFor, nameOf } from './segment.ts';
import type { Ends } from './shared.ts';
import { Window } from './window.ts';

export interface FollowerOptions {
  files: Files;
  /** Of the segments. */
  folder: string;
  /** What the writer published last. */
  ends(): Ends;
  /** Bytes passed over in one read, so that nothing else in the thread waits for long. */
  most?: number;
}
export interface Reading {
  frames: { meta: FrameMeta; bytes: Uint8Array }[];
  /** Everything asked for below this sequence was looked at. */
  reached: number;
  /** Bytes that are no frame stand where one was expected: the writer should look. */
  suspect: boolean;
}
interface Segment {
  base: number;
  /** Where the next begins; Infinity for the last. */
  bound: number;
  path: string;
  /** Where its first frame lies; 0 as long as nobody has looked. */
  begin: number;
  /** Places to begin a search at, rising. */
  marks: { seq: number; offset: number }[];
}
interface Search {
  ranges: readonly Range[];
  /** Index of the range in hand. */
  at: number;
  written: number;
  wanted(meta: FrameMeta): boolean;
  /** Bytes of frames that still fit, and bytes that may still be passed over. */
  room: number;
  budget: number;
  found: Reading;
}

export class Follower {
  readonly #options: FollowerOptions;
  #segments: Segment[] = [];
  #generation = -1;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  ends(): Ends {
    return this.#options.ends();
  }

  /**
   * Frames of these ranges in order, as far as they are written: at least one if any, then up to `bytes`. Throws when
   * the files cannot be read at all.
   */
  read(ranges: readonly Range[], bytes: number, wanted: (meta: FrameMeta) => boolean = () => true): Reading {
    const { written, generation } = this.ends();
    const { most: budget = 16 * 1024 * 1024 } = this.#options;
    const found: Reading = { frames: [], reached: ranges[0]?.from ?? 0, suspect: false };
    const search: Search = { ranges, at: 0, written, wanted, room: bytes, budget, found };
    this.#list(generation);
    for (const segment of this.#segments) {
      const range = rangeAt(search, segment.base);
      if (!range || Math.max(range.from, segment.base) >= written) break;
      if (range.from >= segment.bound) continue;
      if (!this.#open(segment, search)) return found;
      found.reached = Math.max(found.reached, Math.min(segment.bound, written));
    }
    found.reached = Math.max(found.reached, written);
    return found;
  }

  #list(generation: number): void {
    const { files, folder } = this.#options;
    const known = new Map(generation === this.#generation ? this.#segments.map((one) => [one.base, one]) : []);
    this.#generation = generation;
    const bases = files.list(folder).map(baseOf);
    const rising = bases.filter((base) => base !== undefined).sort((a, b) => a - b);
    this.#segments = rising.map((base, i) => ({
      base,
      bound: rising[i + 1] ?? Infinity,
      path: join(folder, nameOf(base)),
      begin: known.get(base)?.begin ?? 0,
      marks: known.get(base)?.marks ?? [],
    }));
  }

  /** False when no more fits. */
  #open(segment: Segment, search: Search): boolean {
    const { files } = this.#options;
    let fd: number;
    try {
      fd = files.open(segment.path, 'read');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      throw error;
    }
    try {
      segment.begin ||=
        decodeHeader(readAt(files, fd, 0, HEADER))?.begin ??
        firstFrame(load(files, segment.path), segment.base, segment.bound);
      const window = new Window(files, fd, Math.max(STRIDE, Math.min(search.room, STRIDE * 4)));
      return this.#walk(window, segment, search);
    } finally {
      files.close(fd);
    }
  }

  #walk(window: Window, segment: Segment, search: Search): boolean {
    const { found, written } = search;
    let { offset } = markFor(segment, rangeAt(search, segment.base)?.from ?? 0);
    for (;;) {
      const head = window.head(offset);
      if (!head.ok) {
        const beyond = this.#beyond(window, segment, offset);
        found.suspect ||= beyond !== 'end';
        if (typeof beyond === 'string') return true;
        offset = beyond;
        continue;
      }
      const { meta } = head;
      const range = rangeAt(search, meta.seq);
      const end = Math.min(written, segment.bound);
      if (meta.seq >= end || !range || range.from >= end) return true;
      const last = segment.marks.at(-1);
      if (!last || offset - last.offset >= STRIDE) segment.marks.push({ seq: meta.seq, offset });
      if (meta.seq >= range.from && search.wanted(meta)) {
        if (found.frames.length > 0 && meta.size > search.room) return false;
        found.frames.push({ meta, bytes: window.bytes(offset, meta.size) });
        search.room -= meta.size;
      } else if (meta.seq >= range.from) search.budget -= meta.size;
      found.reached = Math.max(found.reached, meta.seq + 1);
      // Behind the last frame may stand half of one that is being written.
      if (found.reached >= written) return true;
      if (search.budget <= 0) return false;
      offset += meta.size;
      if (meta.seq < range.from) offset = Math.max(offset, markFor(segment, range.from).offset);
    }
  }

  /** What lies behind bytes that are no frame: a frame again, the segment's end, or nothing that can be found. */
  #beyond(window: Window, segment: Segment, offset: number): number | 'end' | 'lost' {
    const next = this.#segments.find(({ base }) => base === segment.bound);
    const size = window.size(offset);
    // Of the last segment nobody says where it ends.
    if (next ? offset >= sealedSize(this.#options.files, next, segment) : size === 0) return 'end';
    segment.marks = segment.marks.filter((mark) => mark.offset < offset);
    return size > 0 && window.head(offset + size).ok ? offset + size : 'lost';
  }
}

/** The first range that does not end at or below a sequence. */
function rangeAt(search: Search, seq: number): Range | undefined {
  while ((search.ranges[search.at]?.to ?? Infinity) <= seq) search.at++;
  return search.ranges[search.at];
}

/** How long a segment is, as the one behind it tells; 0 when it cannot. */
function sealedSize(files: Files, next: Segment, { base }: Segment): number {
  try {
    const fd = files.open(next.path, 'read');
    try {
      const previous = decodeHeader(readAt(files, fd, 0, HEADER))?.previous;
      return previous?.base === base ? previous.size : 0;
    } finally {
      files.close(fd);
    }
  } catch {
    return 0;
  }
}
