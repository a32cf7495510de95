// The newest frames, in memory until they are in a file and synced, so that a failed write or sync costs nothing but time.
// Bounded: what the disk does not take for too long is forgotten. Pure; owned by the appender, which moves the bytes.
import type { FrameMeta } from './head.ts';
import type { Totals } from './segment.ts';
import type { Sources } from './sources.ts';

export interface Waiting {
  bytes: Uint8Array;
  meta: FrameMeta;
}
export interface TailOptions {
  /** Bytes of frames kept while the disk takes none; beyond it the oldest are forgotten. */
  memoryBytes: number;
  /** Everything journalled so far. */
  totals: Totals;
  sources: Sources;
  /** A frame that could not be written in time is gone. */
  forgotten(frame: Waiting): void;
}
/** What is journalled up to some place, of all sources and of each. */
class Tally {
  frames: number;
  samples: number;
  readonly sources: Sources;

  constructor({ frames, samples }: Totals, sources: Sources) {
    this.frames = frames;
    this.samples = samples;
    this.sources = sources.copy();
  }
  add(meta: FrameMeta): void {
    this.frames++;
    this.samples += meta.samples;
    this.sources.add(meta);
  }
}

export class Tail {
  /** Everything taken in; what of it is in files (or forgotten); and what has left memory. */
  readonly taken: Tally;
  placed: Tally;
  readonly #left: Tally;
  /** Frames whose copies were let go before they were durable: nothing can be written again. */
  letGo = false;
  readonly #options: TailOptions;
  /** In order; the last `#unplaced` of them are in no file yet. */
  #frames: Waiting[] = [];
  #unplaced = 0;
  #unplacedBytes = 0;
  #bytes = 0;

  constructor(options: TailOptions) {
    this.#options = options;
    const { totals, sources } = options;
    this.taken = new Tally(totals, sources);
    this.placed = new Tally(totals, sources);
    this.#left = new Tally(totals, sources);
  }

  /** Bytes of frames in memory, and of those among them that are in no file yet. */
  get bytes(): number {
    return this.#bytes;
  }
  get unplacedBytes(): number {
    return this.#unplacedBytes;
  }
  get unplaced(): number {
    return this.#unplaced;
  }
  /** Everything journalled up to the oldest frame in memory. */
  get durable(): Totals {
    const { frames, samples } = this.#left;
    return { frames, samples };
  }

  push(bytes: Uint8Array, meta: FrameMeta): void {
    this.taken.add(meta);
    this.#frames.push({ bytes, meta });
    this.#unplaced++;
    this.#unplacedBytes += bytes.length;
    this.#bytes += bytes.length;
    while (this.#bytes > this.#options.memoryBytes && this.#frames.length > 1) this.#forget();
  }

  /** The oldest frame that is in no file, and the run of frames from it on that `fits` takes one after the other. */
  head(): Waiting {
    return this.#frames[this.#frames.length - this.#unplaced] as Waiting;
  }
  run(fits: (frame: Waiting) => boolean): Waiting[] {
    const first = this.#frames.length - this.#unplaced;
    let end = first + 1;
    while (end < this.#frames.length && fits(this.#frames[end] as Waiting)) end++;
    return this.#frames.slice(first, end);
  }
  /** The run is in a file. */
  place(run: readonly Waiting[]): void {
    for (const { bytes, meta } of run) {
      this.#unplacedBytes -= bytes.length;
      this.placed.add(meta);
    }
    this.#unplaced -= run.length;
  }
  /** Everything below `durable` is acknowledged and leaves memory. */
  settle(durable: number): void {
    let done = 0;
    while (done < this.#frames.length && (this.#frames[done] as Waiting).meta.seq < durable) done++;
    this.#leave(done);
    if (this.#frames.length === 0) this.letGo = false;
  }
  /** What is in memory is in no file any more. */
  rewind(): void {
    this.#unplaced = this.#frames.length;
    this.#unplacedBytes = this.#bytes;
    this.placed = new Tally(this.#left, this.#left.sources);
  }

  /** Makes room: copies of what is in a file already, a quarter of all at once, or else the oldest frame itself. */
  #forget(): void {
    const inFile = this.#frames.length - this.#unplaced;
    if (inFile > 0) {
      let left = this.#bytes;
      let count = 0;
      while (count < inFile && left > this.#options.memoryBytes * 0.75)
        left -= (this.#frames[count++] as Waiting).bytes.length;
      this.#leave(count);
      this.letGo = true;
      return;
    }
    const frame = this.head();
    const { bytes, meta } = frame;
    this.#unplaced--;
    this.#unplacedBytes -= bytes.length;
    this.placed.add(meta);
    this.#leave(1);
    this.#options.forgotten(frame);
  }
  #leave(count: number): void {
    for (const { bytes, meta } of this.#frames.splice(0, count)) {
      this.#bytes -= bytes.length;
      this.#left.add(meta);
    }
  }
}
