// The writing side of the journal's files: frames go from the tail in memory to a file, and are synced.
// Owned by segments.ts; it alone creates, grows and cuts segment files.
import { join } from 'node:path';
import type { Clock } from '../model.ts';
import { writeAll } from './files.ts';
import type { Files } from './files.ts';
import type { FrameMeta } from './head.ts';
import { encodeHeader } from './header.ts';
import { grow, nameOf, segmentAt } from './segment.ts';
import type { Segment, Totals } from './segment.ts';
import { Tail } from './tail.ts';
import type { TailOptions } from './tail.ts';

export interface AppenderOptions extends TailOptions {
  files: Files;
  folder: string;
  clock: Clock;
  /** A segment is closed when the next frame would take it beyond this. */
  segmentBytes: number;
  /** False: written is as good as it gets. */
  synced: boolean;
  /** What recovery found, oldest first; the appender adds its own behind. */
  segments: Segment[];
  /** The first sequence to come. */
  start: number;
}
/** A file in use: how far it is synced, and the counts at that place. */
interface Open extends Totals {
  fd: number;
  size: number;
  end: number;
  /** The folder knows its name, durably. */
  named: boolean;
}

const RETRY = 1000;
const CHUNK = 1024 * 1024;

export class Appender {
  /** One past the highest sequence taken in, in a file, and synced. */
  next: number;
  written: number;
  durable: number;
  readonly tail: Tail;
  /** Why frames wait in memory; empty when they do not. */
  trouble = '';
  failures = 0;
  /** Changes when frames have moved to another file: a remembered place is worth nothing then. */
  generation = 0;
  readonly #options: AppenderOptions;
  readonly #segments: Segment[];
  #open = new Map<Segment, Open>();
  #active: Segment | undefined;
  #syncing: Open | undefined;
  #retryAt = -Infinity;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#segments = options.segments;
    this.next = this.written = this.durable = options.start;
    this.tail = new Tail(options);
  }

  append(bytes: Uint8Array, meta: FrameMeta): void {
    if (meta.seq < this.next) throw new Error(`sequence ${meta.seq} after ${this.next - 1}`);
    this.next = meta.seq + 1;
    this.tail.push(bytes, meta);
  }

  /** Writes what waits, unless a failure was a moment ago; `force` tries all the same. Never throws: see `trouble`. */
  flush(force = false): void {
    if (!force && this.#options.clock.mono() < this.#retryAt) return;
    try {
      while (this.tail.unplaced > 0) this.#place();
    } catch (error) {
      this.#failed('written', error);
    }
  }

  /** Writes and syncs everything taken in by now. Rejects when that failed; frames stay in memory and it may be tried again. */
  async commit(): Promise<void> {
    this.flush(true);
    if (this.tail.unplaced > 0) throw new Error(this.trouble);
    const target = this.next;
    if (this.#options.synced) for (const [segment, open] of [...this.#open]) await this.#sync(segment, open);
    this.#settle(target);
    if (this.tail.unplaced === 0) this.trouble = '';
  }

  /** The segment is damaged: what comes next goes to a new one. */
  retire(segment: Segment): void {
    if (this.#active === segment) this.#active = undefined;
  }

  /** The segment is about to be removed. */
  release(segment: Segment): void {
    const open = this.#open.get(segment);
    if (!open) return;
    this.#open.delete(segment);
    if (this.#active === segment) this.#active = undefined;
    this.#close(open);
  }

  /** Closes the files; what is not durable by then is left to the operating system. */
  close(): void {
    for (const open of this.#open.values()) this.#close(open);
    this.#open.clear();
    this.#active = undefined;
  }

  async #sync(segment: Segment, open: Open): Promise<void> {
    const { files, folder } = this.#options;
    if (this.#open.get(segment) !== open) return;
    const { size, end, frames, samples } = segment;
    this.#syncing = open;
    try {
      if (open.size < size) await files.sync(open.fd);
      if (!open.named) await files.syncFolder(folder);
    } catch (error) {
      this.#rewind();
      this.#failed('synced', error);
      throw error;
    } finally {
      this.#syncing = undefined;
      if (this.#open.get(segment) !== open) this.#attempt(() => files.close(open.fd));
    }
    Object.assign(open, { size, end, frames, samples, named: true });
    this.#settle(end);
    if (segment !== this.#active && segment.size === size && this.#open.delete(segment))
      this.#attempt(() => files.close(open.fd));
  }

  #settle(durable: number): void {
    if (durable <= this.durable) return;
    this.durable = durable;
    this.tail.settle(durable);
  }

  /** Writes one run of frames with one call; a file that took part of it is cut back. */
  #place(): void {
    const { files, segmentBytes, clock } = this.#options;
    const { tail } = this;
    const head = tail.head();
    let active = this.#active;
    if (!active || (active.frames > 0 && active.size + head.bytes.length > segmentBytes))
      active = this.#begin(head.meta.seq);
    const { fd } = this.#open.get(active) as Open;
    const start = active.size;
    const parts: Uint8Array[] = [];
    if (start === 0) {
      const header = encodeHeader(active, this.#segments.at(-2), tail.placed.sources);
      active.begin = header.length;
      parts.push(header);
    }
    let size = (start === 0 ? active.begin : 0) + head.bytes.length;
    const run = tail.run(({ bytes }) => {
      if (size > CHUNK || start + size + bytes.length > segmentBytes) return false;
      size += bytes.length;
      return true;
    });
    for (const { bytes } of run) parts.push(bytes);
    try {
      writeAll(files, fd, Buffer.concat(parts, size), start);
    } catch (error) {
      // Where even this fails, the next try writes the same place again, and recovery knows a frame from its half.
      this.#attempt(() => files.truncate(fd, start));
      if (start === 0) this.#discard(active);
      throw error;
    }
    if (start === 0) active.size = active.begin;
    for (const { bytes, meta } of run) grow(active, meta, bytes.length);
    tail.place(run);
    active.at = clock.now();
    this.written = active.end;
  }

  #begin(seq: number): Segment {
    const { files, folder, clock } = this.#options;
    const { frames, samples } = this.tail.placed;
    const segment = segmentAt(join(folder, nameOf(seq)), seq, { frames, samples }, clock.now());
    const fd = files.open(segment.path, 'create');
    segment.indexed = true;
    this.#open.set(segment, { fd, size: 0, end: seq, frames: 0, samples: 0, named: false });
    this.#segments.push(segment);
    return (this.#active = segment);
  }

  #discard(segment: Segment): void {
    const { files } = this.#options;
    const open = this.#open.get(segment);
    this.#open.delete(segment);
    if (open) this.#close(open);
    this.#attempt(() => files.remove(segment.path));
    const at = this.#segments.indexOf(segment);
    if (at >= 0) this.#segments.splice(at, 1);
    if (this.#active === segment) this.#active = undefined;
  }

  /**
   * After a failed sync the system may have thrown away what it could not write and then call the next sync a success:
   * what was not synced is cut off and written again, to a new file.
   */
  #rewind(): void {
    if (this.tail.letGo) return;
    const { files } = this.#options;
    for (const [segment, open] of [...this.#open]) {
      if (open.size === 0) {
        this.#discard(segment);
        continue;
      }
      this.#attempt(() => files.truncate(open.fd, open.size));
      this.#open.delete(segment);
      this.#close(open);
      const { size, end, frames, samples } = open;
      Object.assign(segment, { size, end, frames, samples, marks: segment.marks.filter((mark) => mark.offset < size) });
    }
    this.#active = undefined;
    this.tail.rewind();
    this.written = this.durable;
    this.generation++;
  }

  #failed(what: 'written' | 'synced', error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.failures++;
    this.trouble = `frames cannot be ${what} and wait in memory: ${reason}`;
    this.#retryAt = this.#options.clock.mono() + RETRY;
  }

  /** A file that is being synced is closed when that is over: its number must not go to another meanwhile. */
  #close(open: Open): void {
    if (open !== this.#syncing) this.#attempt(() => this.#options.files.close(open.fd));
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch {
      this.failures++;
    }
  }
}
