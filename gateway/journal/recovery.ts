// What the journal's folder holds at a start: headers of all segments, the last one scanned and cut at the first bad
// frame, sealed ones that cannot be right scanned too. Called once by segments.ts; hands on the segments, oldest first.
import { join } from 'node:path';
import type { Micros } from '../model.ts';
import { readAt } from './files.ts';
import type { Files } from './files.ts';
import type { Range } from './ranges.ts';
import type { FrameMeta } from './head.ts';
import { HEADER, accountsIn, decodeHeader } from './header.ts';
import type { Header } from './header.ts';
import { baseOf, segmentAt, survey } from './segment.ts';
import type { Segment, Totals } from './segment.ts';
import { Sources } from './sources.ts';

interface File {
  base: number;
  path: string;
  header: Header | undefined;
  size: number;
}
export interface Recovered {
  segments: Segment[];
  /** Sequences between two segments that nothing holds: the leap of a restart, or a segment that is gone. */
  gaps: (Range & { vanished: boolean })[];
  totals: Totals;
  /** As of the last whole frame. */
  sources: Sources;
  /** When the gateway got the samples of the last frame that has any; undefined when that lies too far back to be looked for. */
  lastReceived: Micros | undefined;
  /** Bytes cut off the last segment, and places in sealed ones where frames are missing. */
  truncated: number;
  damaged: number;
}

/** Throws when a newer program wrote the journal, or when the last file cannot be cut. */
export function recover(files: Files, folder: string): Recovered {
  const result: Recovered = {
    segments: [],
    gaps: [],
    totals: { frames: 0, samples: 0 },
    sources: new Sources(),
    lastReceived: undefined,
    truncated: 0,
    damaged: 0,
  };
  const found: File[] = [];
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
    const begin = header?.begin;
    const told = next?.header?.previous.base === base ? next.header.previous : undefined;
    if (told && header && told.size <= size) {
      const { end, size: length, frames, samples, from, to } = told;
      Object.assign(segment, { end, size: length, frames, samples, from, to, begin });
    } else {
      const extent = { begin, known: told?.end ?? base, bound: next?.base ?? Infinity, torn: !next };
      const whole = survey(segment, load(files, path), extent);
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
      found.pop();
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
  return { ...result, ...lastWords(files, found) };
}

/** From the newest segment that tells the accounts at its begin, and the frames from there on. */
function lastWords(files: Files, found: readonly File[]): Pick<Recovered, 'sources' | 'lastReceived'> {
  let lastReceived: Micros | undefined;
  let sources: Sources | undefined;
  const later: File[] = [];
  for (const file of [...found].reverse()) {
    later.unshift(file);
    sources = file.header && accountsIn(readSome(files, file.path, file.header.begin), file.header);
    if (sources) break;
  }
  sources ??= new Sources();
  const seen = (meta: FrameMeta): void => {
    sources.add(meta);
    if (meta.samples > 0) lastReceived = meta.receivedAt;
  };
  for (const { path, base, header } of later) {
    const segment = segmentAt(path, base, { frames: 0, samples: 0 }, 0);
    survey(segment, load(files, path), { begin: header?.begin, known: base, bound: Infinity, torn: false, seen });
  }
  return { sources, lastReceived };
}

/** A segment's bytes. */
export const load = (files: Files, path: string): Buffer => readSome(files, path, Infinity);

function readSome(files: Files, path: string, size: number): Buffer {
  const fd = files.open(path, 'read');
  try {
    return readAt(files, fd, 0, Math.min(size, files.size(fd)));
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
