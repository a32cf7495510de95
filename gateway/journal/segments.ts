// The log on disk, behind the interface of log.ts: segment files, each consumer's owed ranges, bounds by bytes.
// Opened by writer.ts, read by pump.ts. Writing lives in appender.ts, reading in reading.ts, the start
// in recovery.ts, accounts in books.ts.
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import type { Clock, Stored } from '../model.ts';
import { Appender } from './appender.ts';
import { Books, noneStored, nothing } from './books.ts';
import type { Held } from './books.ts';
import { diskFiles } from './files.ts';
import type { Files } from './files.ts';
import { widen } from './log.ts';
import type { Account, Found, Log, Own } from './log.ts';
import { loadPositions, savePositions } from './positions.ts';
import type { Position } from './positions.ts';
import { framesOf, readSome } from './reading.ts';
import { minus, overlaps, owes } from './ranges.ts';
import type { Range } from './ranges.ts';
import { load, recover } from './recovery.ts';
import { HEADER, survey } from './segment.ts';
import type { Segment } from './segment.ts';
import { publisher } from './shared.ts';

/** acknowledged = synced; `os`: written only, which survives the process but not the power. */
export type Durability = 'batch' | 'interval' | 'os';

export interface SegmentsOptions {
  dataDir: string;
  /** Bytes of segment files; beyond it the oldest go. */
  cap: number;
  durability?: Durability;
  /** The highest sequence that anybody else remembers. */
  known?: number;
  clock?: Clock;
  files?: Files;
  segmentBytes?: number;
  /** Bytes of frames in memory while the disk takes none. */
  memoryBytes?: number;
  /** Delivered segments stay until there are more bytes of them than this, or they are older: for a consumer that must rewind. */
  margin?: { bytes: number; ms: number };
  /** Made by `sharedEnds`: where the log says for other threads how far it is. */
  shared?: SharedArrayBuffer;
}
export interface LogHealth {
  /** In words, why frames wait in memory, or positions cannot be stored; empty when all is well. */
  trouble: string;
  failures: number;
  segments: number;
  bytes: number;
  /** Bytes of frames taken in and not acknowledged yet. */
  waiting: number;
  /** Places where frames of sealed segments are missing, and bytes cut off the last one at the start. */
  damaged: number;
  truncated: number;
}
export interface DiskLog extends Log {
  /** The first sequence of this run. */
  readonly start: number;
  /** Bytes of frames taken in and not acknowledged yet. */
  readonly waiting: number;
  health(): LogHealth;
  /** Syncs, stores positions and closes the files. Never rejects; what could not be stored is in `health`. */
  close(): Promise<void>;
}

const LEAP = 2 ** 24;
const SAVE = 1000;
const WRITE = 256 * 1024;

/** Recovers what is there. Throws when the folder cannot be read or was written by a newer program. */
export function openSegments(options: SegmentsOptions): DiskLog {
  const { cap, clock = systemClock, files = diskFiles, durability = 'interval' } = options;
  const { memoryBytes = 64 * 1024 * 1024 } = options;
  // Whole segments are dropped: a small cap needs smaller ones.
  const segmentBytes = Math.min(options.segmentBytes ?? 8 * 1024 * 1024, cap / 8);
  const margin = options.margin ?? { bytes: Math.min(64 * 1024 * 1024, cap / 4), ms: 30 * 60_000 };
  const folder = join(options.dataDir, 'journal');
  files.makeFolder(folder);
  const found = recover(files, folder);
  const { positions, damaged: lostPositions } = loadPositions(files, folder);
  const { segments } = found;
  const totals = {
    frames: Math.max(found.totals.frames, positions?.totals.frames ?? 0),
    samples: Math.max(found.totals.samples, positions?.totals.samples ?? 0),
  };
  const highest = Math.max(segments.at(-1)?.end ?? 0, positions?.next ?? 0, options.known ?? 0);
  const start = highest === 0 ? 1 : highest + LEAP;
  const consumers = new Map<string, Books>();
  let damaged = found.damaged + (lostPositions ? 1 : 0);
  let unsaved = false;
  let savedAt = -Infinity;
  let saveTrouble = lostPositions
    ? 'the stored positions could not be read: every consumer gets what is kept again'
    : '';
  /** Files of segments that are gone for everybody, until the positions that say so are stored. */
  let condemned: Segment[] = [];
  let committing: Promise<void> | undefined;

  const appender = new Appender({
    files,
    folder,
    clock,
    segmentBytes,
    memoryBytes,
    synced: durability !== 'os',
    segments,
    totals,
    start,
    forgotten(meta) {
      unsaved = true;
      for (const books of consumers.values()) books.lose(meta);
    },
  });
  const publish = options.shared ? publisher(options.shared) : () => {};
  const tell = (): void => {
    const { written, durable, generation, next } = appender;
    publish({ written, durable, generation, first: segments[0]?.base ?? next });
  };
  const booksOf = (consumer: string): Books => {
    const books = consumers.get(consumer);
    if (!books) throw new Error(`no consumer ${consumer}`);
    return books;
  };

  /** What of a segment these ranges ask for. */
  const heldIn = (segment: Segment, owed: readonly Range[]): Held => {
    const { base, end } = segment;
    if (!overlaps(owed, { from: base, to: end })) return nothing();
    if (segment.holes.length === 0 && owed.some((range) => range.from <= base && range.to >= end))
      return { frames: segment.frames, samples: segment.samples, bytes: segment.size - HEADER };
    inspect(segment);
    const held = nothing();
    for (const { seq, samples, size } of framesOf(files, segment, base)) {
      if (!owes(owed, seq)) continue;
      held.frames++;
      held.samples += samples;
      held.bytes += size;
    }
    return held;
  };
  const held = (owed: readonly Range[]): Held => {
    const sum = nothing();
    for (const segment of segments) {
      const { frames, samples, bytes } = heldIn(segment, owed);
      sum.frames += frames;
      sum.samples += samples;
      sum.bytes += bytes;
    }
    return sum;
  };
  /** Sequences that are no more are owed to nobody; each consumer's share is counted as dropped. */
  const gone = (ranges: readonly Range[], times: { from: number; to: number }): void => {
    for (const books of consumers.values()) {
      if (!ranges.some((range) => overlaps(books.owed, range))) continue;
      const left = ranges.reduce((owed, range) => minus(owed, range), books.owed);
      books.drop(ranges, held(left), times);
      unsaved = true;
    }
  };
  /** Reads a segment of an earlier run (`again`: any) through, for its index; damage is counted. */
  const inspect = (segment: Segment, again = false): void => {
    if (segment.indexed && !again) return;
    const before = segment.holes.length;
    const bytes = load(files, segment.path).subarray(0, segment.size);
    appender.retire(segment);
    survey(segment, bytes, segment.end, Infinity, false);
    damaged += Math.max(0, segment.holes.length - before);
    if (segment.holes.length > 0) gone(segment.holes, segment);
  };
  const bytesKept = (): number => segments.reduce((sum, { size }) => sum + size, 0);
  const wanted = ({ base, end }: Segment, by = consumers.values()): boolean =>
    by.some((books) => overlaps(books.owed, { from: base, to: end }));
  const remove = (segment: Segment): void => {
    const range = { from: segment.base, to: segment.end };
    for (const books of consumers.values()) {
      if (!overlaps(books.owed, range)) continue;
      const share = shareOf(segment, books);
      const { frames, samples, bytes } = books.backlog;
      const left = { frames: frames - share.frames, samples: samples - share.samples, bytes: bytes - share.bytes };
      books.drop([range], left, segment);
    }
    segments.splice(segments.indexOf(segment), 1);
    appender.release(segment);
    condemned.push(segment);
    unsaved = true;
  };
  /** What a consumer loses with a segment. One that cannot even be read counts in full, as far as so much was owed. */
  const shareOf = (segment: Segment, books: Books): Held => {
    try {
      return heldIn(segment, books.owed);
    } catch {
      const { frames, samples, bytes } = books.backlog;
      return {
        frames: Math.min(frames, segment.frames),
        samples: Math.min(samples, segment.samples),
        bytes: Math.min(bytes, segment.size),
      };
    }
  };
  /** Delivered segments beyond the margin go; beyond the cap the oldest, first those the historian can spare. */
  const bound = (spareAll = false): void => {
    let kept = bytesKept();
    const closed = (): Segment[] => segments.slice(0, -1);
    let spare = 0;
    for (const segment of closed().reverse()) {
      if (wanted(segment)) continue;
      spare += segment.size;
      if (!spareAll && spare <= margin.bytes && clock.now() - segment.at <= margin.ms) continue;
      kept -= segment.size;
      remove(segment);
    }
    while (kept > cap && segments.length > 1) {
      const able = closed();
      const own = [...consumers.values()].filter((books) => books.own);
      const victim =
        able.find((segment) => !wanted(segment)) ??
        able.find((segment) => !wanted(segment, own.values())) ??
        (able[0] as Segment);
      kept -= victim.size;
      remove(victim);
    }
  };
  const store = async (now: boolean): Promise<void> => {
    if (!unsaved && condemned.length === 0) return;
    if (!now && condemned.length === 0 && clock.mono() - savedAt < SAVE) return;
    unsaved = false;
    savedAt = clock.mono();
    const doomed = condemned;
    condemned = [];
    try {
      const entries = [...consumers].map(([name, books]) => [name, books.position(appender.durable)] as const);
      await savePositions(files, folder, {
        next: appender.durable,
        totals: appender.durableTotals,
        consumers: new Map(entries),
      });
      saveTrouble = '';
    } catch (error) {
      unsaved = true;
      saveTrouble = `positions cannot be stored: ${error instanceof Error ? error.message : String(error)}`;
    }
    // Also when they could not be stored: on a full disk this is what makes room again. A start sees what is missing.
    for (const segment of doomed)
      try {
        files.remove(segment.path);
      } catch {
        condemned.push(segment);
      }
  };
  const commit = async (now: boolean): Promise<void> => {
    try {
      await appender.commit();
      bound();
    } catch (error) {
      // On a full disk what everybody has makes room.
      bound(true);
      throw error;
    } finally {
      tell();
      await store(now);
    }
  };
  /** Writes what waits in memory and keeps to the cap. */
  const put = (): void => {
    if (appender.unwritten === 0) return;
    appender.flush();
    if (bytesKept() > cap) bound();
    tell();
  };
  let putting = false;

  const log: DiskLog = {
    start,
    get waiting() {
      return appender.waiting;
    },
    append(bytes, meta) {
      appender.append(bytes, meta);
      for (const books of consumers.values()) if (books.owes(meta.seq)) books.add(meta.samples, bytes.length);
      if (appender.unwritten >= WRITE) put();
      else if (!putting) {
        // Once for all frames of one message from main.
        putting = true;
        queueMicrotask(() => {
          putting = false;
          put();
        });
      }
    },
    async sync() {
      const target = appender.next;
      for (;;) {
        await (committing ??= commit(false).finally(() => (committing = undefined)));
        if (appender.durable >= target) return;
      }
    },
    get written() {
      return appender.written;
    },
    get durable() {
      return appender.durable;
    },
    get first() {
      put();
      return segments[0]?.base ?? appender.next;
    },
    add(consumer, from, { own } = {}) {
      if (own || !consumers.has(consumer)) consumers.set(consumer, joined(consumer, from, own));
      unsaved = true;
    },
    remove(consumer) {
      positions?.consumers.delete(consumer);
      if (!consumers.delete(consumer)) return;
      unsaved = true;
      bound();
    },
    consumers: () => [...consumers.keys()],
    read(consumer, bytes, below = Infinity) {
      put();
      const books = booksOf(consumer);
      return readOwed(books, bytes, below) ?? readOwed(books, bytes, below) ?? unreadable(consumer);
    },
    deliver(consumer, frames, stored) {
      const books = booksOf(consumer);
      const known = frames.filter(({ seq }) => seq < appender.next);
      if (books.deliver(known, appender.durable, stored) && !books.own) unsaved = true;
    },
    lose(consumer, frames) {
      damaged += frames.length;
      const books = booksOf(consumer);
      for (const frame of frames) if (frame.seq < appender.next && books.lose(frame)) unsaved = true;
    },
    account(consumer): Account {
      put();
      return booksOf(consumer).account(appender.totals.samples);
    },
    backlog() {
      let most = 0;
      for (const books of consumers.values()) most = Math.max(most, books.backlog.bytes);
      return most;
    },
    health: () => ({
      trouble: appender.trouble || saveTrouble,
      failures: appender.failures,
      segments: segments.length,
      bytes: bytesKept(),
      waiting: appender.waiting,
      damaged,
      truncated: found.truncated,
    }),
    async close() {
      await committing?.catch(() => {});
      await commit(true).catch(() => {});
      appender.close();
    },
  };

  // Whoever was there before holds what it is owed until it is added or removed.
  for (const name of positions?.consumers.keys() ?? []) consumers.set(name, joined(name, start, undefined));
  tell();

  function joined(consumer: string, from: number, own: Own | undefined): Books {
    const known = positions?.consumers.get(consumer);
    const { before } = known ?? {};
    // A store that has less than we know of it is a new one under the old name.
    const fresh = own && known && before && stored(own) < stored(known) + stored(before);
    return known && !fresh ? again(known, own) : anew(from, own);
  }
  /** A consumer the journal has not met. */
  function anew(from: number, own: Own | undefined): Books {
    const owed = ranged([{ from: Math.max(from, own?.position ?? 0), to: Infinity }]);
    const backlog = held(owed);
    const since = appender.totals.samples - backlog.samples;
    const { delivered = 0, filtered = 0, deadLettered = 0 } = own ?? {};
    const before = { delivered, filtered, deadLettered };
    const books = new Books({ owed: spared(owed), ...noneStored(), dropped: 0, since, before }, !!own);
    books.backlog = backlog;
    return books;
  }
  /** A consumer of an earlier run; its own word on where it stands is newer than ours. */
  function again(known: Position, own: Own | undefined): Books {
    const asked = own ? [{ from: own.position, to: Infinity }] : known.owed;
    const { before } = known;
    const counts = own && {
      delivered: own.delivered - before.delivered,
      filtered: (own.filtered ?? 0) - before.filtered,
      deadLettered: (own.deadLettered ?? 0) - before.deadLettered,
    };
    const owed = ranged(asked);
    const backlog = held(owed);
    const books = new Books({ ...known, ...counts, owed: spared(owed) }, !!own);
    books.backlog = backlog;
    const vanished = [{ from: 0, to: segments[0]?.base ?? start }, ...found.gaps.filter((gap) => gap.vanished)];
    const evidence = [...vanished, ...segments.flatMap((segment) => segment.holes)];
    if (!evidence.some((range) => overlaps(asked, range))) return books;
    // Files of another run that are gone or spoilt: what was in them can only be counted as what is missing.
    const { journalled, dropped } = books.account(appender.totals.samples);
    const samples = Math.max(0, journalled - stored(books.counts) - dropped - backlog.samples);
    const times = segments.filter(({ samples }) => samples > 0);
    books.dropped += samples;
    books.lost = widen(books.lost, { from: times[0]?.from ?? 0, to: times.at(-1)?.to ?? 0, samples });
    return books;
  }
  /** Ranges without the sequences that no segment holds. */
  function ranged(owed: readonly Range[]): Range[] {
    const end = segments.at(-1)?.end ?? 0;
    const missing = [{ from: 0, to: segments[0]?.base ?? start }, ...found.gaps];
    if (end < start) missing.push({ from: end, to: start, vanished: false });
    return missing.reduce(minus, [...owed]);
  }
  function spared(owed: readonly Range[]): Range[] {
    return segments.flatMap((segment) => segment.holes).reduce(minus, [...owed]);
  }

  /** Undefined when damage was found instead: another try knows of it. */
  function readOwed(books: Books, bytes: number, below: number): Found[] | undefined {
    const frames: Found[] = [];
    let room = bytes;
    for (const { from, to } of [...books.owed])
      for (const segment of [...segments]) {
        if (segment.end <= from || segment.base >= Math.min(to, below)) continue;
        const part = readSome(
          { files, inspect, generation: appender.generation },
          books,
          segment,
          from,
          Math.min(to, below),
          room,
          frames.length === 0,
        );
        for (const frame of part.frames) {
          frames.push(frame);
          room -= frame.bytes.length;
        }
        if (part.end === 'damaged' && frames.length === 0) return undefined;
        if (part.end !== 'clean') return frames;
      }
    return frames;
  }
  function unreadable(consumer: string): never {
    throw new Error(`frames for ${consumer} cannot be read from the journal`);
  }

  return log;
}

/** All samples that a consumer has settled by itself. */
const stored = ({ delivered, filtered = 0, deadLettered = 0 }: Partial<Stored> & { delivered: number }): number =>
  delivered + filtered + deadLettered;
