// The log on disk, behind the interface of log.ts: puts together what writes (appender.ts), what is there (shelf.ts), who is
// owed it (consumers.ts), how much may stay (bounds.ts) and where everybody stands (positions.ts).
// Opened by writing.ts, read by pump.ts; the start is in recovery.ts.
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { Appender } from './appender.ts';
import { surplus } from './bounds.ts';
import type { Bounds } from './bounds.ts';
import { Consumers } from './consumers.ts';
import type { DiskLog, SegmentsOptions } from './disk-log.ts';
import { diskFiles } from './files.ts';
import { eventsOf } from './frame.ts';
import type { Account, Found } from './log.ts';
import { inOrder } from './order.ts';
import { loadPositions } from './positions.ts';
import { minus, overlaps } from './ranges.ts';
import { recover } from './recovery.ts';
import { Saving } from './saving.ts';
import { publisher } from './shared.ts';
import { Shelf } from './shelf.ts';

export type { DiskLog, Durability, LogHealth, SegmentsOptions } from './disk-log.ts';

const LEAP = 2 ** 24;
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
  const { segments, sources, lastReceived } = found;
  const { positions, damaged: lostPositions } = loadPositions(files, folder);
  const totals = {
    frames: Math.max(found.totals.frames, positions?.totals.frames ?? 0),
    samples: Math.max(found.totals.samples, positions?.totals.samples ?? 0),
  };
  const highest = Math.max(segments.at(-1)?.end ?? 0, positions?.next ?? 0, options.known ?? 0);
  const start = Math.max(highest === 0 ? 1 : highest + LEAP, options.lowest ?? 1);
  let committing: Promise<void> | undefined;

  const saving = new Saving({
    files,
    folder,
    clock,
    positions: () => ({
      next: appender.durable,
      totals: appender.tail.durable,
      consumers: consumers.positions(appender.durable),
    }),
    trouble: lostPositions ? 'the stored positions could not be read: every consumer gets what is kept again' : '',
  });
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
    forgotten: ({ meta, bytes }) =>
      saving.changed(consumers.lose(meta, 'the disk took nothing for too long', eventsOf(bytes))),
  });
  const shelf = new Shelf(
    {
      files,
      segments,
      generation: () => appender.generation,
      retire: (segment) => appender.retire(segment),
      gone: (ranges, segment) => saving.changed(consumers.gone(ranges, segment, 'files of the journal are damaged')),
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
    const { delivered, owed } = surplus(segments, [...consumers.all()], clock.now(), { ...bounds, margin: spare });
    for (const segment of [...delivered, ...owed]) {
      consumers.removing(segment, 'the journal was full');
      segments.splice(segments.indexOf(segment), 1);
      appender.release(segment);
      saving.condemn(segment);
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
      await saving.store(now);
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
    lastReceived,
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
    async keep() {
      while (committing) await committing.catch(() => {});
      await (committing = commit(true).finally(() => (committing = undefined))).catch(() => {});
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
      saving.changed();
    },
    remove(consumer) {
      consumers.remove(consumer);
      saving.changed();
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
      if (books.deliver(known, appender.durable, clock.now(), stored)) saving.changed(!books.own);
    },
    lose(consumer, frames) {
      shelf.damaged += frames.length;
      const known = frames.filter(({ seq }) => seq < appender.next);
      for (const frame of known)
        saving.changed(consumers.loseFor(consumer, frame, 'frames of the journal are damaged'));
    },
    account: (consumer): Account => (put(), consumers.of(consumer).account(appender.tail.taken.samples)),
    sources: () => appender.tail.taken.sources.all(),
    backlog: () => [...consumers.all()].reduce((most, books) => Math.max(most, books.backlog.bytes), 0),
    limit(bytes) {
      bounds = bytes === undefined ? { cap, margin } : { cap: bytes, margin: { bytes: 0, ms: 0 } };
      if (bytes === undefined) return;
      bound();
      // The files go with the next commit, which nothing else may bring about.
      if (saving.removing) log.sync().catch(() => {});
    },
    health: () => ({
      trouble: appender.trouble || saving.trouble,
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
      const held = segments.filter(({ base, end }) => overlaps(needs, { from: base, to: end }));
      return held.reduce((sum, { size }) => sum + size, 0) / bounds.cap;
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
