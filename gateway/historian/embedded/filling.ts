// The writer's side of the shared memory of open.ts: takes samples in, and out again when their chunks are stored.
// Used by the store alone; a block given back is used again at once, which a reader notices by the tag's version.
import type { Sample, Value } from '../../model.ts';
import { END, Field, Kind, OpenColumns, PER_BLOCK, TEXT_BYTES, readChain, readOpen, whole } from './open.ts';
import type { Chain, OpenMemory } from './open.ts';
import type { Series } from './series.ts';

/** The end of a chain: where the next sample goes. */
interface Tail {
  block: number;
  place: number;
}
interface Tag {
  run: Tail;
  late: Tail;
  /** Time of the run's last sample. */
  last: number;
  /** A chain holds text, whose blocks must be given back too. */
  text: boolean;
}

const none = (): Tail => ({ block: END, place: PER_BLOCK });

export class Filling {
  readonly columns: OpenColumns;
  readonly #tags = new Map<number, Tag>();
  /** Blocks given back; those from `#fresh` on were never used. */
  readonly #free: number[] = [];
  #fresh = 0;

  constructor(memory: OpenMemory) {
    this.columns = new OpenColumns(memory);
  }

  /** Blocks in all, and those in use. */
  get blocks(): number {
    return this.columns.blocks;
  }
  get used(): number {
    return this.#fresh - this.#free.length;
  }
  count(tag: number, chain: Chain): number {
    return this.columns.tags[this.columns.field(tag, chain + 2)] as number;
  }
  /** Time of the newest sample in the run; −Infinity when that is empty. */
  last(tag: number): number {
    return this.count(tag, Field.run) === 0 ? -Infinity : (this.#tags.get(tag)?.last ?? -Infinity);
  }

  /** Takes a sample in: into the run if it is newer than all there, else to the stragglers. False when memory is full. */
  add(sample: Sample): boolean {
    const { tag, t, value, status, flags } = sample;
    const { columns } = this;
    let state = this.#tags.get(tag);
    if (!state) this.#tags.set(tag, (state = { run: none(), late: none(), last: -Infinity, text: false }));
    const chain = t > this.last(tag) ? Field.run : Field.late;
    const tail = chain === Field.run ? state.run : state.late;
    const text = textOf(value);
    const blocks = text ? Math.ceil(text.length / TEXT_BYTES) : 0;
    if (this.blocks - this.used < blocks + (tail.place === PER_BLOCK ? 1 : 0)) return false;
    const count = this.count(tag, chain);
    if (tail.place === PER_BLOCK) {
      const block = this.#take();
      if (count === 0) {
        Atomics.store(columns.tags, columns.field(tag, chain), block);
        Atomics.store(columns.tags, columns.field(tag, chain + 1), 0);
      } else columns.u32[columns.next(tail.block)] = block;
      tail.block = block;
      tail.place = 0;
    }
    const { block, place } = tail;
    const at = columns.value(block, place);
    columns.f64[columns.t(block, place)] = t;
    columns.u32[columns.status(block, place)] = status;
    columns.u8[columns.flags(block, place)] = flags;
    let kind: number = Kind.null;
    if (typeof value === 'number') {
      kind = Kind.number;
      columns.f64[at] = value;
    } else if (text) {
      kind = typeof value === 'string' ? Kind.text : Kind.huge;
      state.text = true;
      columns.u32[at * 2] = this.#write(text);
      columns.u32[at * 2 + 1] = text.length;
    } else if (typeof value === 'boolean') {
      kind = Kind.boolean;
      columns.f64[at] = value ? 1 : 0;
    } else if (typeof value === 'bigint') {
      kind = Kind.bigint;
      columns.i64[at] = value;
    }
    columns.u8[columns.kind(block, place)] = kind;
    tail.place++;
    if (chain === Field.run) state.last = t;
    Atomics.store(columns.tags, columns.field(tag, chain + 2), count + 1);
    return true;
  }

  /** The first `count` samples of the run. */
  run(tag: number, count: number): Series {
    return readChain(this.columns, tag, Field.run, count) as Series;
  }
  /** The first samples of the run, and the first stragglers, in one. */
  both(tag: number, count: number, late: number): Series | undefined {
    const stragglers = readChain(this.columns, tag, Field.late, late) as Series;
    return whole(this.run(tag, count), stragglers);
  }
  /** Run and stragglers in one. */
  all(tag: number): Series | undefined {
    return readOpen(this.columns, tag);
  }

  /** The first `count` samples of the run are in chunks now, and the first `late` stragglers. */
  remove(tag: number, count: number, late: number): void {
    const { columns } = this;
    const state = this.#tags.get(tag);
    if (!state) return;
    const version = columns.field(tag, Field.version);
    const freed: number[] = [];
    Atomics.add(columns.tags, version, 1);
    this.#cut(tag, state, Field.run, count, freed);
    if (late > 0) this.#cut(tag, state, Field.late, late, freed);
    Atomics.add(columns.tags, version, 1);
    for (const block of freed) this.#free.push(block);
    if (this.count(tag, Field.run) + this.count(tag, Field.late) === 0) this.#tags.delete(tag);
  }

  #cut(tag: number, state: Tag, chain: Chain, count: number, freed: number[]): void {
    const { columns } = this;
    const { tags, u32 } = columns;
    const left = this.count(tag, chain) - count;
    let block = tags[columns.field(tag, chain)] as number;
    let place = tags[columns.field(tag, chain + 1)] as number;
    for (let gone = 0; gone < count;) {
      if (state.text) this.#freeText(block, place, Math.min(PER_BLOCK, place + count - gone), freed);
      const step = Math.min(PER_BLOCK - place, count - gone);
      gone += step;
      place += step;
      if (place < PER_BLOCK && left > 0) break;
      freed.push(block);
      // The block after a full last one is not there yet.
      if (gone < count || left > 0) block = u32[columns.next(block)] as number;
      place = 0;
    }
    Atomics.store(tags, columns.field(tag, chain + 2), left);
    Atomics.store(tags, columns.field(tag, chain), block);
    Atomics.store(tags, columns.field(tag, chain + 1), place);
    if (left === 0) Object.assign(chain === Field.run ? state.run : state.late, none());
  }
  #freeText(block: number, from: number, to: number, freed: number[]): void {
    const { columns } = this;
    for (let place = from; place < to; place++) {
      const kind = columns.u8[columns.kind(block, place)] as number;
      if (kind !== Kind.text && kind !== Kind.huge) continue;
      const at = columns.value(block, place);
      let each = columns.u32[at * 2] as number;
      for (let left = columns.u32[at * 2 + 1] as number; left > 0; left -= TEXT_BYTES) {
        freed.push(each);
        each = columns.u32[columns.next(each)] as number;
      }
    }
  }
  /** The text's first block; none for an empty one. */
  #write(text: Uint8Array): number {
    const { columns } = this;
    let first = END;
    for (let start = (Math.ceil(text.length / TEXT_BYTES) - 1) * TEXT_BYTES; start >= 0; start -= TEXT_BYTES) {
      const block = this.#take();
      columns.u8.set(text.subarray(start, start + TEXT_BYTES), columns.text(block));
      columns.u32[columns.next(block)] = first;
      first = block;
    }
    return first;
  }
  #take(): number {
    return this.#free.pop() ?? this.#fresh++;
  }
}

const INT64 = 2n ** 63n;

/** A value that takes blocks of its own. */
function textOf(value: Value): Uint8Array | undefined {
  if (typeof value === 'string') return Buffer.from(value);
  return typeof value === 'bigint' && !(value >= -INT64 && value < INT64) ? Buffer.from(String(value)) : undefined;
}
