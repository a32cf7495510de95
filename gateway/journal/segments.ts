// The log on disk, behind the interface of log.ts: puts together what writes (appender.ts), what is there (shelf.ts), who is
// owed it (consumers.ts), how much may stay (bounds.ts) and where everybody stands (positions.ts).
// Opened by writer.ts, read by pump.ts; the start is in recovery.ts.
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import type { Clock } from '../model.ts';
import { Appender } from './appender.ts';
import { surplus } from './bounds.ts';
import type { Bounds } from './bounds.ts';
import { Consumers } from './consumers.ts';
import type { Drop } from './consumers.ts';
import { diskFiles } from './files.ts';
import type { Files } from './files.ts';
import type { Account, Found, Log, Own } from './log.ts';
import { inOrder } from './order.ts';
import { loadPositions, savePositions } from './positions.ts';
import { minus, overlaps } from './ranges.ts';
import { recover } from './recovery.ts';
import type { Segment } from './segment.ts';
import { publisher } from './shared.ts';
import { Shelf } from './shelf.ts';
import type { SourceAccount } from './sources.ts';

/** acknowledged = synced; `os`: written only, which survives the process but not the power. */
export type Durability = 'batch' | 'interval' | 'os';

export interface SegmentsOptions extends Partial<Omit<Bounds, 'cap'>> {
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
  /** Made by `sharedEnds`: where the log says for other threads how far it is. */
  shared?: SharedArrayBuffer;
  /** Samples that a consumer will never get; called for each piece of them. */
  dropped?(drop: Drop): void;
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
  /** Each source's account, as its last frame told it and as the journal counted it. */
  sources(): Map<string, SourceAccount>;
  /** Keeps to fewer bytes than the cap, and to no margin of delivered segments, until told otherwise. */
  limit(bytes: number | undefined): void;
  health(): LogHealth;
  /** A consumer that keeps its own position has stored so much by now: what it would need again after a kill stays. */
  hold(consumer: string, own: Own): void;
  /** Bytes of files that stay for it. */
  held(consumer: string): number;
  /** Syncs, stores positions and closes the files. Never rejects; what could not be stored is in `health`. */
  close(): Promise<void>;
}

const LEAP = 2 ** 24;
const SAVE = 1000;
const WRITE = 256 * 1024;

/** Recovers what is there. Throws when the folder cannot be read or was written by a newer program. */
export function openSegments(options: SegmentsOptions): DiskLog {
  const { cap, clock = systemClock, files = diskFiles, durability = 'interval' } = options;
  const { memoryBytes = 64 * 1024 * 1024, dropped = () => {} } = options;
  // Whole segments are dropped: a small cap needs smaller ones.
  const segmentBytes = Math.min(options.segmentBytes ?? 8 * 1024 * 1024, cap / 8);
  const margin = options.margin ?? { bytes: Math.min(64 * 1024 * 1024, cap / 4), ms: 30 * 60_000 };
  const folder = join(options.dataDir, 'journal');
  files.makeFolder(folder);
  const found = recover(files, folder);
  const { segments, sources } = found;
  const { positions, damaged: lostPositions } = loadPositions(files, folder);
  const totals = {
    frames: Math.max(found.totals.frames, positions?.totals.frames ?? 0),
    samples: Math.max(found.totals.samples, positions?.totals.samples ?? 0),
  };
  const highest = Math.max(segments.at(-1)?.end ?? 0, positions?.next ?? 0, options.known ?? 0);
  const start = highest === 0 ? 1 : highest + LEAP;
  let unsaved = false;
  let savedAt = -Infinity;
  let saveTrouble = lostPositions
    ? 'the stored positions could not be read: every consumer gets what is kept again'
    : '';
  /** Files of segments that are gone for everybody, until the positions that say so are stored. */
  let condemned: Segment[] = [];
  let committing: Promise<void> | undefined;

  const changed = (did: boolean): void => void (unsaved ||= did);
  const appender = new Appender({
    files,
    folder,
    clock,
    segmentBytes,
    memoryBytes,
    synced: durability !== 'os',
    segments,
    totals,
    sources,
    start,
    forgotten: (meta) => changed(consumers.lose(meta, 'the disk took nothing for too long')),
  });
  const shelf = new Shelf(
    {
      files,
      segments,
      generation: () => appender.generation,
      retire: (segment) => appender.retire(segment),
      gone: (ranges, segment) => changed(consumers.gone(ranges, segment, 'files of the journal are damaged')),
    },
    found.damaged + (lostPositions ? 1 : 0),
  );
  const consumers = new Consumers({
    shelf,
    positions: positions?.consumers ?? new Map(),
    gaps: found.gaps,
    start,
    journalled: () => appender.tail.taken.samples,
    dropped,
  });
  const publish = options.shared ? publisher(options.shared) : () => {};
  const tell = (): void => {
    const { written, durable, generation, next } = appender;
    publish({ written, durable, generation, first: segments[0]?.base ?? next });
  };

  let bounds: Bounds = { cap, margin };
  const bound = (spare = bounds.margin): void => {
    const { delivered, owed } = surplus(segments, consumers.all(), clock.now(), { ...bounds, margin: spare });
    for (const segment of [...delivered, ...owed]) {
      consumers.removing(segment, 'the journal was full');
      segments.splice(segments.indexOf(segment), 1);
      appender.release(segment);
      condemned.push(segment);
      unsaved = true;
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
      await savePositions(files, folder, {
        next: appender.durable,
        totals: appender.tail.durable,
        consumers: consumers.positions(appender.durable),
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
      bound({ bytes: 0, ms: 0 });
      throw error;
    } finally {
      tell();
      await store(now);
    }
  };
  /** Writes what waits in memory and keeps to the cap. */
  const put = (): void => {
    if (appender.tail.unplaced === 0) return;
    appender.flush();
    if (shelf.bytes > bounds.cap) bound();
    tell();
  };
  let putting = false;

  const read = (consumer: string, bytes: number, below: number): { frames: Found[]; again: boolean } => {
    const { owed, order, cursors, liveFirst } = consumers.of(consumer);
    const end = Math.min(below, appender.next);
    if (!liveFirst) return shelf.take(minus(owed, { from: end, to: Infinity }), cursors.backlog, bytes, true);
    let again = false;
    const { live, backlog } = inOrder<Found>(order, owed, end, clock.now(), bytes, (ranges, room, least, passed) => {
      const cursor = passed ? cursors.live : cursors.backlog;
      const taken = shelf.take(ranges, cursor, room, least, passed);
      again ||= taken.again;
      return taken.frames;
    });
    for (const frame of backlog) frame.backlog = true;
    return { frames: [...live, ...backlog], again: again && live.length + backlog.length === 0 };
  };

  const log: DiskLog = {
    start,
    get waiting() {
      return appender.tail.bytes;
    },
    append(bytes, meta) {
      appender.append(bytes, meta);
      for (const books of consumers.all()) if (books.owes(meta.seq)) books.add(meta.samples, bytes.length);
      if (appender.tail.unplacedBytes >= WRITE) put();
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
    add(consumer, from, joining = {}) {
      consumers.add(consumer, from, joining);
      unsaved = true;
    },
    remove(consumer) {
      consumers.remove(consumer);
      unsaved = true;
      bound();
    },
    consumers: () => consumers.names(),
    read(consumer, bytes, below = Infinity) {
      put();
      for (let tries = 0; tries < 2; tries++) {
        const { frames, again } = read(consumer, bytes, below);
        if (!again) return frames;
      }
      throw new Error(`frames for ${consumer} cannot be read from the journal`);
    },
    deliver(consumer, frames, stored) {
      const books = consumers.of(consumer);
      const known = frames.filter(({ seq }) => seq < appender.next);
      if (books.deliver(known, appender.durable, stored) && !books.own) unsaved = true;
    },
    lose(consumer, frames) {
      shelf.damaged += frames.length;
      const known = frames.filter(({ seq }) => seq < appender.next);
      for (const frame of known) changed(consumers.loseFor(consumer, frame, 'frames of the journal are damaged'));
    },
    account: (consumer): Account => (put(), consumers.of(consumer).account(appender.tail.taken.samples)),
    sources: () => appender.tail.taken.sources.all(),
    backlog: () => consumers.all().reduce((most, books) => Math.max(most, books.backlog.bytes), 0),
    limit(bytes) {
      bounds = bytes === undefined ? { cap, margin } : { cap: bytes, margin: { bytes: 0, ms: 0 } };
      if (bytes === undefined) return;
      bound();
      // The files go with the next commit, which nothing else may bring about.
      if (condemned.length > 0) log.sync().catch(() => {});
    },
    health: () => ({
      trouble: appender.trouble || saveTrouble,
      failures: appender.failures,
      segments: segments.length,
      bytes: shelf.bytes,
      waiting: appender.tail.bytes,
      damaged: shelf.damaged,
      truncated: found.truncated,
    }),
    hold(consumer, own) {
      consumers.of(consumer).word = own;
    },
    held(consumer) {
      const { needs } = consumers.of(consumer);
      return segments.reduce(
        (sum, { base, end, size }) => sum + (overlaps(needs, { from: base, to: end }) ? size : 0),
        0,
      );
    },
    async close() {
      await committing?.catch(() => {});
      await commit(true).catch(() => {});
      appender.close();
    },
  };
  consumers.meet();
  tell();
  return log;
}
