// The segments of a log, oldest first: what they hold of owed ranges, the damage found in them, and reading owed frames.
// Owned by segments.ts; files are created and grown by the appender alone.
import type { GatewayEvent } from '../model.ts';
import type { Files } from './files.ts';
import { eventsOf } from './frame.ts';
import type { Found } from './log.ts';
import { nothing } from './books.ts';
import type { Held } from './books.ts';
import { minus, overlaps, owes } from './ranges.ts';
import type { Range } from './ranges.ts';
import { framesOf, readSome } from './reading.ts';
import type { Cursor, Reach } from './reading.ts';
import { load } from './recovery.ts';
import { survey } from './segment.ts';
import type { Segment } from './segment.ts';

export interface ShelfOptions {
  files: Files;
  segments: Segment[];
  /** The appender's: changes when frames have moved to another file. */
  generation(): number;
  /** A segment is damaged: nothing more is written to it. */
  retire(segment: Segment): void;
  /** Frames that are no more. */
  gone(ranges: readonly Range[], segment: Segment): void;
}

export class Shelf {
  readonly segments: Segment[];
  /** Places where frames of sealed segments are missing. */
  damaged: number;
  readonly #options: ShelfOptions;

  constructor(options: ShelfOptions, damaged: number) {
    this.#options = options;
    this.segments = options.segments;
    this.damaged = damaged;
  }

  get bytes(): number {
    return this.segments.reduce((sum, { size }) => sum + size, 0);
  }

  /** What of all segments these ranges ask for. */
  held(owed: readonly Range[]): Held {
    const sum = nothing();
    for (const segment of this.segments) {
      const { frames, samples, bytes } = this.heldIn(segment, owed);
      sum.frames += frames;
      sum.samples += samples;
      sum.bytes += bytes;
    }
    return sum;
  }
  heldIn(segment: Segment, owed: readonly Range[]): Held {
    const { base, end, begin } = segment;
    if (!overlaps(owed, { from: base, to: end })) return nothing();
    if (segment.holes.length === 0 && owed.some((range) => range.from <= base && range.to >= end))
      return { frames: segment.frames, samples: segment.samples, bytes: segment.size - begin };
    this.inspect(segment);
    const held = nothing();
    for (const { meta } of framesOf(this.#options.files, segment, base)) {
      const { seq, samples, size } = meta;
      if (!owes(owed, seq)) continue;
      held.frames++;
      held.samples += samples;
      held.bytes += size;
    }
    return held;
  }
  /** What a consumer loses with a segment. One that cannot even be read counts in full, as far as so much was owed. */
  shareOf(segment: Segment, owed: readonly Range[], backlog: Held): Held {
    try {
      return this.heldIn(segment, owed);
    } catch {
      const { frames, samples, bytes } = backlog;
      return {
        frames: Math.min(frames, segment.frames),
        samples: Math.min(samples, segment.samples),
        bytes: Math.min(bytes, segment.size),
      };
    }
  }

  /** Events that these ranges ask for; none of a segment that cannot be read. */
  eventsIn(segment: Segment, owed: readonly Range[]): readonly GatewayEvent[] {
    try {
      const frames = framesOf(this.#options.files, segment, segment.base);
      return [...frames.filter(({ meta }) => owes(owed, meta.seq)).flatMap(({ bytes }) => eventsOf(bytes))];
    } catch {
      return [];
    }
  }

  /** Reads a segment of an earlier run (`again`: any) through, for its index; damage is counted. */
  inspect(segment: Segment, again = false): void {
    if (segment.indexed && !again) return;
    const { files, retire, gone } = this.#options;
    const before = segment.holes.length;
    const { from, to } = segment;
    const bytes = load(files, segment.path).subarray(0, segment.size);
    retire(segment);
    survey(segment, bytes, { begin: segment.begin, known: segment.end, bound: Infinity, torn: false });
    // What cannot be read any more had its times too.
    segment.from = Math.min(from, segment.from);
    segment.to = Math.max(to, segment.to);
    this.damaged += Math.max(0, segment.holes.length - before);
    if (segment.holes.length > 0) gone(segment.holes, segment);
  }

  /**
   * Frames of these ranges, lowest first, up to `bytes`; `least`: one even if it does not fit; `passed`: as in order.ts.
   * `again`: damage was found before any frame, and another try knows of it.
   */
  take(
    ranges: readonly Range[],
    cursor: Cursor,
    bytes: number,
    least: boolean,
    passed?: (range: Range) => void,
  ): { frames: Found[]; again: boolean } {
    const { files, generation } = this.#options;
    const frames: Found[] = [];
    const reach: Reach = { room: bytes, scan: SCAN, least, passed };
    const source = {
      files,
      generation: generation(),
      inspect: (segment: Segment, again: boolean): void => this.inspect(segment, again),
    };
    for (const { from, to } of ranges)
      for (const segment of [...this.segments]) {
        if (segment.end <= from || segment.base >= to) continue;
        const { end, frames: more } = readSome(source, cursor, segment, from, to, reach);
        frames.push(...more);
        if (more.length > 0) reach.least = false;
        if (end === 'damaged' && frames.length === 0) return { frames, again: true };
        if (end !== 'clean') return { frames, again: false };
      }
    return { frames, again: false };
  }
}

/** Ranges without the sequences that damage has taken from these segments. */
export const spared = (segments: readonly Segment[], owed: readonly Range[]): Range[] =>
  segments.flatMap((segment) => segment.holes).reduce(minus, [...owed]);
/** Bytes of frames that may be passed over in one reading. */
const SCAN = 4 * 1024 * 1024;
