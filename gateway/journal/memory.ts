// The log in memory: nothing survives the process, so "durable" is what has been taken in. Bounded by bytes.
// For tests and for whoever needs no disk; the form on disk passes the same contract suite.
import { Books, noneStored } from './books.ts';
import type { FrameMeta } from './head.ts';
import type { Found, Log } from './log.ts';
import { inOrder } from './order.ts';
import type { Take } from './order.ts';
import { minus } from './ranges.ts';

interface Kept {
  meta: FrameMeta;
  bytes: Uint8Array;
}

/** @param cap bytes of frames kept at most; @param start the first sequence to come; @param now ms since the epoch */
export function memoryLog(cap: number, start = 1, now = Date.now): Log {
  let kept: Kept[] = [];
  let head = 0;
  let size = 0;
  let written = start;
  let durable = start;
  let journalled = 0;
  const consumers = new Map<string, Books>();

  const booksOf = (consumer: string): Books => {
    const books = consumers.get(consumer);
    if (!books) throw new Error(`no consumer ${consumer}`);
    return books;
  };
  const shift = (): void => {
    size -= kept[head]?.bytes.length ?? 0;
    head++;
    if (head > 1024 && head * 2 > kept.length) {
      kept = kept.slice(head);
      head = 0;
    }
  };
  const dropOldest = (): void => {
    const oldest = kept[head];
    if (!oldest) return;
    for (const books of consumers.values()) books.lose(oldest.meta);
    shift();
  };
  /** What nobody wants goes. */
  const tidy = (): void => {
    const wanted = (seq: number): boolean => [...consumers.values()].some((books) => books.owes(seq));
    while (head < kept.length && !wanted((kept[head] as Kept).meta.seq)) shift();
  };
  /** Index of the first kept frame at or above a sequence. */
  const find = (seq: number): number => {
    let low = head;
    let high = kept.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((kept[middle] as Kept).meta.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const take: Take<Found> = (ranges, bytes, least, passed) => {
    const found: Found[] = [];
    let room = bytes;
    for (const { from, to } of ranges)
      for (let i = find(from); i < kept.length; i++) {
        const frame = kept[i] as Kept;
        const { seq, size, origin } = frame.meta;
        if (seq >= to) break;
        if (passed && origin !== 'live') {
          passed({ from: seq, to: seq + 1 });
          continue;
        }
        if (size > room && (found.length > 0 || !least)) return found;
        found.push({ ...frame, backlog: false });
        room -= size;
      }
    return found;
  };

  return {
    append(bytes, meta) {
      if (meta.seq < written) throw new Error(`sequence ${meta.seq} after ${written - 1}`);
      written = meta.seq + 1;
      journalled += meta.samples;
      let owed = false;
      for (const books of consumers.values()) {
        if (!books.owes(meta.seq)) continue;
        owed = true;
        books.add(meta.samples, bytes.length);
      }
      if (!owed) return;
      kept.push({ meta, bytes });
      size += bytes.length;
      while (size > cap && kept.length - head > 1) dropOldest();
    },
    sync() {
      durable = written;
      return Promise.resolve();
    },
    get written() {
      return written;
    },
    get durable() {
      return durable;
    },
    get first() {
      return kept[head]?.meta.seq ?? written;
    },
    add(consumer, from, { order } = {}) {
      const found = kept.slice(find(from));
      const since = journalled - found.reduce((sum, { meta }) => sum + meta.samples, 0);
      const owed = [{ from, to: Infinity }];
      const books = new Books({ owed, ...noneStored(), dropped: 0, since, before: noneStored() }, false);
      for (const { meta, bytes } of found) books.add(meta.samples, bytes.length);
      books.liveFirst = order === 'liveFirst';
      consumers.set(consumer, books);
    },
    remove(consumer) {
      consumers.delete(consumer);
      tidy();
    },
    consumers: () => [...consumers.keys()],
    read(consumer, bytes, below = Infinity) {
      const { owed, order, liveFirst } = booksOf(consumer);
      const end = Math.min(below, written);
      if (!liveFirst) return take(minus(owed, { from: end, to: Infinity }), bytes, true);
      const { live, backlog } = inOrder(order, owed, end, now(), bytes, take);
      for (const frame of backlog) frame.backlog = true;
      return [...live, ...backlog];
    },
    deliver(consumer, frames, stored) {
      const books = booksOf(consumer);
      books.deliver(
        frames.filter(({ seq }) => seq < written),
        durable,
        stored,
      );
      tidy();
    },
    lose(consumer, frames) {
      const books = booksOf(consumer);
      for (const frame of frames) if (frame.seq < written) books.lose(frame);
      tidy();
    },
    account: (consumer) => booksOf(consumer).account(journalled),
    backlog() {
      let most = 0;
      for (const books of consumers.values()) most = Math.max(most, books.backlog.bytes);
      return most;
    },
  };
}
