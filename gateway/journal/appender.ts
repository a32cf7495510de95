// The writing side of the journal's files: frames wait in memory until they are in a file and synced, so that a failed
// write or sync costs nothing but time. Owned by segments.ts; it alone creates, grows and cuts segment files.
import { join } from 'node:path';
import type { Clock } from '../model.ts';
import { writeAll } from './files.ts';
import type { Files } from './files.ts';
import type { FrameMeta } from './head.ts';
import { HEADER, encodeHeader, grow, nameOf, segmentAt } from './segment.ts';
import type { Segment, Totals } from './segment.ts';

export interface AppenderOptions {
  files: Files;
  folder: string;
  clock: Clock;
  /** A segment is closed when the next frame would take it beyond this. */
  segmentBytes: number;
  /** Bytes of frames kept in memory while the disk takes none; beyond it the oldest are forgotten. */
  memoryBytes: number;
  /** False: written is as good as it gets. */
  synced: boolean;
  /** What recovery found, oldest first; the appender adds its own behind. */
  segments: Segment[];
  /** Everything journalled so far. */
  totals: Totals;
  /** The first sequence to come. */
  start: number;
  /** A frame that could not be written in time is gone. */
  forgotten(meta: FrameMeta): void;
}
interface Waiting {
  bytes: Uint8Array;
  meta: FrameMeta;
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
  readonly totals: Totals;
  /** Why frames wait in memory; empty when they do not. */
  trouble = '';
  failures = 0;
  /** Changes when frames have moved to another file: a remembered place is worth nothing then. */
  generation = 0;
  readonly #options: AppenderOptions;
  readonly #segments: Segment[];
  /** Frames not yet durable, in order; the last `#unwritten` of them are in no file yet. */
  #tail: Waiting[] = [];
  #unwritten = 0;
  #unwrittenBytes = 0;
  #bytes = 0;
  #letGo = false;
  #placed: Totals;
  #open = new Map<Segment, Open>();
  #active: Segment | undefined;
  #syncing: Open | undefined;
  #retryAt = -Infinity;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#segments = options.segments;
    this.next = this.written = this.durable = options.start;
    this.totals = { ...options.totals };
    this.#placed = { ...options.totals };
  }

  /** Everything journalled up to the durable sequence. */
  get durableTotals(): Totals {
    const { frames, samples } = this.totals;
    return {
      frames: frames - this.#tail.length,
      samples: this.#tail.reduce((n, { meta }) => n - meta.samples, samples),
    };
  }
  /** Bytes of frames that are in no file yet. */
  get unwritten(): number {
    return this.#unwrittenBytes;
  }
  /** Bytes of frames in memory that are not durable yet. */
  get waiting(): number {
    return this.#bytes;
  }

  append(bytes: Uint8Array, meta: FrameMeta): void {
    if (meta.seq < this.next) throw new Error(`sequence ${meta.seq} after ${this.next - 1}`);
    this.next = meta.seq + 1;
    this.totals.frames++;
    this.totals.samples += meta.samples;
    this.#tail.push({ bytes, meta });
    this.#unwritten++;
    this.#unwrittenBytes += bytes.length;
    this.#bytes += bytes.length;
    while (this.#bytes > this.#options.memoryBytes && this.#tail.length > 1) this.#forget();
  }

  /** Writes what waits, unless a failure was a moment ago; `force` tries all the same. Never throws: see `trouble`. */
  flush(force = false): void {
    if (!force && this.#options.clock.mono() < this.#retryAt) return;
    try {
      while (this.#unwritten > 0) this.#place();
    } catch (error) {
      this.#failed('written', error);
    }
  }

  /** Writes and syncs everything taken in by now. Rejects when that failed; frames stay in memory and it may be tried again. */
  async commit(): Promise<void> {
    this.flush(true);
    if (this.#unwritten > 0) throw new Error(this.trouble);
    const target = this.next;
    if (this.#options.synced) for (const [segment, open] of [...this.#open]) await this.#sync(segment, open);
    this.#settle(target);
    if (this.#unwritten === 0) this.trouble = '';
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

  /** Everything below `durable` is acknowledged and leaves memory. */
  #settle(durable: number): void {
    if (durable <= this.durable) return;
    this.durable = durable;
    let done = 0;
    for (; done < this.#tail.length; done++) {
      const entry = this.#tail[done] as Waiting;
      if (entry.meta.seq >= durable) break;
      this.#bytes -= entry.bytes.length;
    }
    if (done > 0) this.#tail.splice(0, done);
    if (this.#tail.length === 0) this.#letGo = false;
  }

  /** Writes one run of frames with one call; a file that took part of it is cut back. */
  #place(): void {
    const { files, segmentBytes, clock } = this.#options;
    const first = this.#tail.length - this.#unwritten;
    const head = this.#tail[first] as Waiting;
    let active = this.#active;
    if (!active || (active.frames > 0 && active.size + head.bytes.length > segmentBytes))
      active = this.#begin(head.meta.seq);
    const { fd } = this.#open.get(active) as Open;
    const start = active.size;
    const previous = this.#segments.at(-2);
    const parts: Uint8Array[] = start === 0 ? [encodeHeader(active, previous)] : [];
    let size = start === 0 ? HEADER : 0;
    let end = first;
    for (; end < this.#tail.length; end++) {
      const { bytes } = this.#tail[end] as Waiting;
      if (end > first && (size > CHUNK || start + size + bytes.length > segmentBytes)) break;
      parts.push(bytes);
      size += bytes.length;
    }
    try {
      writeAll(files, fd, Buffer.concat(parts, size), start);
    } catch (error) {
      // Where even this fails, the next try writes the same place again, and recovery knows a frame from its half.
      this.#attempt(() => files.truncate(fd, start));
      if (start === 0) this.#discard(active);
      throw error;
    }
    if (start === 0) active.size = HEADER;
    for (const { bytes, meta } of this.#tail.slice(first, end)) {
      grow(active, meta, bytes.length);
      this.#unwrittenBytes -= bytes.length;
      this.#placed.frames++;
      this.#placed.samples += meta.samples;
    }
    active.at = clock.now();
    this.#unwritten -= end - first;
    this.written = active.end;
  }

  #begin(seq: number): Segment {
    const { files, folder, clock } = this.#options;
    const segment = segmentAt(join(folder, nameOf(seq)), seq, { ...this.#placed }, clock.now());
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
    if (this.#letGo) return;
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
    this.#unwritten = this.#tail.length;
    this.#unwrittenBytes = this.#bytes;
    this.#placed = { ...this.totals };
    for (const { meta } of this.#tail) {
      this.#placed.frames--;
      this.#placed.samples -= meta.samples;
    }
    this.written = this.durable;
    this.generation++;
  }

  /** Makes room in memory: copies of what is in a file already, a quarter of all at once, or else the oldest frame itself. */
  #forget(): void {
    const inFile = this.#tail.length - this.#unwritten;
    if (inFile > 0) {
      let count = 0;
      for (; count < inFile && this.#bytes > this.#options.memoryBytes * 0.75; count++)
        this.#bytes -= (this.#tail[count] as Waiting).bytes.length;
      this.#tail.splice(0, count);
      this.#letGo = true;
      return;
    }
    const entry = this.#tail.shift();
    if (!entry) return;
    this.#bytes -= entry.bytes.length;
    this.#unwritten--;
    this.#unwrittenBytes -= entry.bytes.length;
    this.#placed.frames++;
    this.#placed.samples += entry.meta.samples;
    this.#options.forgotten(entry.meta);
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
