// The chunks that are open: each tag's samples in shared memory, with the sequences they came with. Owned by the store,
// which asks what is to be closed next and says what has been.
import type { Micros, Sample } from '../../model.ts';
import { WINDOW, windowOf } from './chunks.ts';
import { Filling } from './filling.ts';
import { Field, PER_BLOCK, TEXT_BYTES } from './open.ts';
import type { OpenMemory } from './open.ts';
import { indexOf, part } from './series.ts';
import type { Series } from './series.ts';
import {
  addLate,
  addToRun,
  closed,
  closing,
  countOf,
  firstOf,
  foldedIn,
  nothingWaits,
  overBy,
  unfolded,
} from './waiting.ts';
import type { Closing, Waiting } from './waiting.ts';

/** Stragglers of a tag that do not wait for their window's end. */
const LATE = 4096;
/** Samples packed in one transaction, some 15 ms of work; a tag counts as so many at least, for what its chunk holds already. */
const SLICE = 15_000;
const LEAST = 500;
/** Windows of a tag with stragglers that a closing bears: each is a chunk unpacked and packed again. */
const SCATTERED = 16;

export class OpenChunks {
  readonly #filling: Filling;
  readonly #tags = new Map<number, Waiting>();
  /** Tags with too many stragglers. */
  readonly urgent = new Set<number>();

  constructor(memory: OpenMemory) {
    this.#filling = new Filling(memory);
  }

  /** Tags that have any. */
  get tags(): number {
    return this.#tags.size;
  }
  get samples(): number {
    return this.#tags.values().reduce((sum, waiting) => sum + countOf(waiting), 0);
  }
  /** Share of the memory in use, and bytes. */
  get fullness(): number {
    return this.#filling.used / this.#filling.blocks;
  }
  get bytes(): number {
    return this.fullness * this.#filling.columns.u8.length;
  }

  add(seq: number, sample: Sample): void {
    const { tag, t } = sample;
    const run = this.#filling.count(tag, Field.run);
    if (!this.#filling.add(sample)) throw new Error('the memory for open chunks is full');
    let waiting = this.#tags.get(tag);
    if (!waiting) this.#tags.set(tag, (waiting = nothingWaits()));
    if (this.#filling.count(tag, Field.run) > run) addToRun(waiting, windowOf(t), seq);
    else {
      addLate(waiting, windowOf(t), seq);
      if (waiting.late >= LATE) this.urgent.add(tag);
    }
  }
  /** Whether all these samples fit into what is free. */
  fits(samples: readonly Sample[]): boolean {
    const free = this.#filling.blocks - this.#filling.used;
    let texts = 0;
    for (const { value } of samples)
      if (typeof value === 'string' || typeof value === 'bigint')
        texts += 1 + Math.ceil((3 * String(value).length) / TEXT_BYTES);
    if (samples.length + texts <= free) return true;
    // Closer: a block for 64 samples, and two begun ones for each tag.
    const tags = new Set(samples.map(({ tag }) => tag)).size;
    return Math.ceil(samples.length / PER_BLOCK) + 2 * tags + texts <= free;
  }

  /** Tags with windows over by `now`, or too many stragglers, in the order of their windows. */
  due(now: Micros): number[] {
    return [...this.#tags]
      .filter(([tag, waiting]) => this.urgent.has(tag) || overBy(waiting, now) > 0)
      .sort((a, b) => (a[1].parts[0]?.window ?? 0) - (b[1].parts[0]?.window ?? 0) || a[0] - b[0])
      .map(([tag]) => tag);
  }
  /** Tags in the order in which they began. */
  oldest(): number[] {
    return [...this.#tags].sort((a, b) => firstOf(a[1]) - firstOf(b[1])).map(([tag]) => tag);
  }
  /** Tags that have anything of frames up to `seq`. */
  upTo(seq: number): number[] {
    return [...this.#tags].filter(([, waiting]) => firstOf(waiting) <= seq).map(([tag]) => tag);
  }
  /** What one transaction bears of these tags: windows over by `over`, of sequences below `durable` alone. */
  closings(tags: readonly number[], over: Micros, durable: number): Closing[] {
    const closings: Closing[] = [];
    let samples = 0;
    for (const tag of tags) {
      const waiting = this.#tags.get(tag);
      const parts = waiting ? overBy(waiting, over) : 0;
      if (!waiting || (parts === 0 && waiting.late < LATE)) continue;
      const each = closing(tag, waiting, parts, SLICE / 2, durable);
      if (!each) continue;
      closings.push(each);
      samples += Math.max(LEAST, each.n + each.late) + LEAST * waiting.lateIn.size;
      if (samples >= SLICE) break;
    }
    return closings;
  }
  /**
   * The first of these tags that would be closed whole with more windows than a transaction bears, and some of those: they
   * are to go into chunks ahead of it. Of sequences below `durable` alone.
   */
  scattered(tags: readonly number[], over: Micros, durable: number): { tag: number; windows: Set<Micros> } | undefined {
    for (const tag of tags) {
      const waiting = this.#tags.get(tag);
      if (!waiting || waiting.late === 0 || waiting.parts.length + waiting.lateIn.size <= SCATTERED) continue;
      if (overBy(waiting, over) === 0 && waiting.late < LATE) continue;
      // The last window of the run goes on.
      const now = waiting.parts.at(-1)?.window;
      const rest = unfolded(waiting).filter(({ window }) => window !== now);
      if (rest.length <= SCATTERED || Math.max(waiting.lateLast, waiting.parts.at(-2)?.last ?? -1) >= durable) continue;
      const windows = new Set<Micros>();
      let samples = 0;
      for (const { window, n } of rest) {
        windows.add(window);
        if ((samples += Math.max(LEAST, n)) >= SLICE) break;
      }
      return { tag, windows };
    }
    return undefined;
  }
  /** What is open in these windows, which are in order; those that follow each other together. */
  within(tag: number, windows: Iterable<Micros>): Generator<Series> {
    return inWindows(this.#filling.all(tag), windows);
  }
  /** All there is of these windows is in chunks, and stays here until the tag is closed. */
  folded(tag: number, windows: ReadonlySet<Micros>): void {
    const waiting = this.#tags.get(tag);
    if (waiting) foldedIn(waiting, windows);
  }
  /** What is in no chunk yet of what is to be closed. */
  *series({ tag, n, late }: Closing): Generator<Series> {
    const waiting = this.#tags.get(tag);
    if (!waiting || late === 0) yield this.#filling.run(tag, n);
    else {
      const windows = unfolded(waiting).map(({ window }) => window);
      yield* inWindows(this.#filling.both(tag, n, late), windows);
    }
  }
  /** The first sequence of which anything is here; Infinity without any. `closings` count as closed. */
  first(closings: readonly Closing[] = []): number {
    const rest = new Map(closings.map(({ tag, rest }) => [tag, rest]));
    let first = Infinity;
    for (const [tag, waiting] of this.#tags) first = Math.min(first, rest.get(tag) ?? firstOf(waiting));
    return first;
  }
  /** These are in chunks, for good. */
  closed(closings: readonly Closing[]): void {
    for (const each of closings) {
      const { tag, n, late, whole } = each;
      this.#filling.remove(tag, n, late);
      const waiting = this.#tags.get(tag);
      if (waiting) closed(waiting, each);
      if (whole) this.#tags.delete(tag);
      this.urgent.delete(tag);
    }
  }
}

function* inWindows(all: Series | undefined, windows: Iterable<Micros>): Generator<Series> {
  if (!all) return;
  let [from, to] = [0, 0];
  for (const window of windows) {
    if (window !== to) {
      yield part(all, indexOf(all, from), indexOf(all, to));
      from = window;
    }
    to = window + WINDOW;
  }
  yield part(all, indexOf(all, from), indexOf(all, to));
}
