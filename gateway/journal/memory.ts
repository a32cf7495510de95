// The log in memory: nothing survives the process, so "durable" is what has been taken in. Bounded by bytes.
// Made by writer.ts; the form on disk takes its place behind the same interface and the same contract suite.
import type { FrameMeta } from './frame.ts';
import { owes as owesIn, widen, without } from './log.ts';
import type { Account, Log, Range } from './log.ts';

interface Kept {
  meta: FrameMeta;
  bytes: Uint8Array;
}
type Books = Omit<Account, 'owed' | 'journalled'> & { owed: Range[]; since: number };

/** @param cap bytes of frames kept at most; @param start the first sequence to come */
export function memoryLog(cap: number, start = 1): Log {
  let kept: Kept[] = [];
  let head = 0;
  let size = 0;
  let written = start;
  let durable = start;
  let journalled = 0;
  const consumers = new Map<string, Books>();

  const owes = (books: Books, seq: number): boolean => owesIn(books.owed, seq);
  const booksOf = (consumer: string): Books => {
    const books = consumers.get(consumer);
    if (!books) throw new Error(`no consumer ${consumer}`);
    return books;
  };
  const settle = (books: Books, { meta, bytes }: Kept): void => {
    books.owed = without(books.owed, meta.seq);
    books.backlog.frames--;
    books.backlog.samples -= meta.samples;
    books.backlog.bytes -= bytes.length;
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
    for (const books of consumers.values()) {
      if (!owes(books, oldest.meta.seq)) continue;
      settle(books, oldest);
      books.dropped += oldest.meta.samples;
      books.lost = widen(books.lost, oldest.meta);
    }
    shift();
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

  return {
    append(bytes, meta) {
      if (meta.seq < written) throw new Error(`sequence ${meta.seq} after ${written - 1}`);
      written = meta.seq + 1;
      journalled += meta.samples;
      let owed = false;
      for (const books of consumers.values()) {
        if (!owes(books, meta.seq)) continue;
        owed = true;
        books.backlog.frames++;
        books.backlog.samples += meta.samples;
        books.backlog.bytes += bytes.length;
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
    add(consumer, from) {
      const books: Books = {
        owed: [{ from, to: Infinity }],
        delivered: 0,
        dropped: 0,
        backlog: { frames: 0, samples: 0, bytes: 0 },
        since: journalled,
      };
      for (const { meta, bytes } of kept.slice(find(from))) {
        books.backlog.frames++;
        books.backlog.samples += meta.samples;
        books.backlog.bytes += bytes.length;
      }
      books.since -= books.backlog.samples;
      consumers.set(consumer, books);
    },
    read(consumer, bytes, below = Infinity) {
      const found: Kept[] = [];
      let total = 0;
      for (const range of booksOf(consumer).owed)
        for (let i = find(range.from); i < kept.length; i++) {
          const frame = kept[i] as Kept;
          if (frame.meta.seq >= Math.min(range.to, below)) break;
          if (found.length > 0 && total + frame.bytes.length > bytes) return found;
          found.push(frame);
          total += frame.bytes.length;
        }
      return found;
    },
    deliver(consumer, frames) {
      const books = booksOf(consumer);
      for (const { seq } of frames) {
        const frame = kept[find(seq)];
        if (!frame || frame.meta.seq !== seq || !owes(books, seq)) continue;
        settle(books, frame);
        books.delivered += frame.meta.samples;
      }
      const wanted = (seq: number): boolean => [...consumers.values()].some((other) => owes(other, seq));
      while (head < kept.length && !wanted((kept[head] as Kept).meta.seq)) shift();
    },
    lose(consumer, frames) {
      const books = booksOf(consumer);
      const before = books.delivered;
      for (const meta of frames) if (owes(books, meta.seq)) books.lost = widen(books.lost, meta);
      this.deliver(consumer, frames);
      books.dropped += books.delivered - before;
      books.delivered = before;
    },
    account(consumer) {
      const { since, owed, backlog, ...rest } = booksOf(consumer);
      return { ...rest, journalled: journalled - since, owed: [...owed], backlog: { ...backlog } };
    },
    backlog() {
      let most = 0;
      for (const books of consumers.values()) most = Math.max(most, books.backlog.bytes);
      return most;
    },
  };
}
