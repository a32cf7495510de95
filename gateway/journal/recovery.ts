// What the journal's folder holds at a start: headers of all segments, the last one scanned and cut at the first bad
// frame, sealed ones that cannot be right scanned too. Called once by segments.ts; hands on the segments, oldest first.
import { join } from 'node:path';
import { readAt } from './files.ts';
import type { Files } from './files.ts';
import type { Range } from './ranges.ts';
import { HEADER, baseOf, decodeHeader, segmentAt, survey } from './segment.ts';
import type { Header, Segment, Totals } from './segment.ts';

export interface Recovered {
  segments: Segment[];
  /** Sequences between two segments that nothing holds: the leap of a restart, or a segment that is gone. */
  gaps: (Range & { vanished: boolean })[];
  totals: Totals;
  /** Bytes cut off the last segment, and places in sealed ones where frames are missing. */
  truncated: number;
  damaged: number;
}

/** Throws when a newer program wrote the journal, or when the last file cannot be cut. */
export function recover(files: Files, folder: string): Recovered {
  const result: Recovered = { segments: [], gaps: [], totals: { frames: 0, samples: 0 }, truncated: 0, damaged: 0 };
  const found: { base: number; path: string; header: Header | undefined; size: number }[] = [];
  for (const name of files.list(folder).sort()) {
    const base = baseOf(name);
    if (base === undefined) continue;
    const path = join(folder, name);
    const fd = files.open(path, 'read');
    try {
      const header = decodeHeader(readAt(files, fd, 0, HEADER));
      found.push({ base, path, header: header?.base === base ? header : undefined, size: files.size(fd) });
    } finally {
      files.close(fd);
    }
  }
  const { segments, gaps, totals } = result;
  found.forEach(({ base, path, header, size }, i) => {
    const next = found[i + 1];
    const before = header?.before ?? { ...totals };
    const segment = segmentAt(path, base, before, header?.at ?? 0);
    const told = next?.header?.previous.base === base ? next.header.previous : undefined;
    if (told && header && told.size <= size) {
      const { end, size: length, frames, samples, from, to } = told;
      Object.assign(segment, { end, size: length, frames, samples, from, to });
    } else {
      const whole = survey(segment, load(files, path), told?.end ?? base, next?.base ?? Infinity, !next);
      result.damaged += segment.holes.length;
      if (!whole && next && segment.holes.length === 0) result.damaged++;
      if (!whole && !next) {
        cut(files, path, segment.size);
        result.truncated += size - segment.size;
      }
      if (told) segment.at = header?.at ?? next?.header?.at ?? 0;
    }
    if (segment.frames === 0 && !next) {
      // Nothing but a header, or half of one: the file of a segment that was never begun.
      files.remove(path);
      return;
    }
    const last = segments.at(-1);
    if (last && last.end < base)
      gaps.push({ from: last.end, to: base, vanished: !!header && header.previous.base !== last.base });
    segments.push(segment);
    const frames = told?.frames ?? segment.frames;
    Object.assign(totals, {
      frames: before.frames + frames,
      samples: before.samples + (told?.samples ?? segment.samples),
    });
  });
  return result;
}

/** A segment's bytes. */
export function load(files: Files, path: string): Buffer {
  const fd = files.open(path, 'read');
  try {
    return readAt(files, fd, 0, files.size(fd));
  } finally {
    files.close(fd);
  }
}

function cut(files: Files, path: string, size: number): void {
  const fd = files.open(path, 'update');
  try {
    files.truncate(fd, size);
  } finally {
    files.close(fd);
  }
}
