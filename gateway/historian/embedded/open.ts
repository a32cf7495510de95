// Samples that are in no chunk yet, in memory that two threads share: the writer fills it (filling.ts), the reader reads
// it here at once, without a lock and without asking. Made on main, which hands it to both.
// A tag has a run (its samples in time order) and stragglers (older ones, in order of arrival), each a chain of blocks.
// The writer counts a sample only when it is whole; when it takes samples out it makes the tag's version odd, so a
// reader that finds another version after reading reads again.
import type { Value } from '../../model.ts';
import { merged, ordered, valuesOf } from './series.ts';
import type { Series } from './series.ts';

/** Crosses threads as it is. */
export interface OpenMemory {
  blocks: SharedArrayBuffer;
  tags: SharedArrayBuffer;
}

/** Samples in a block. A block: next u32, 12 free bytes, then columns t f64, value f64, status u32, flags u8, kind u8. */
export const PER_BLOCK = 64;
const BYTES = 16 + PER_BLOCK * 22;
const IN_F64 = BYTES / 8;
const IN_U32 = BYTES / 4;
/** Bytes of text in a block. */
export const TEXT_BYTES = BYTES - 16;
export const END = 0xffffffff;

/** What a value's eight bytes are. Text: its first block and its length in bytes; `huge`: a bigint as text. */
export const Kind = { number: 0, null: 1, boolean: 2, bigint: 3, text: 4, huge: 5 } as const;

/** Fields of a tag, u32: two chains of first block, place of the first sample in it, and count. */
const FIELDS = 8;
export const Field = { version: 0, run: 1, late: 4 } as const;
export type Chain = typeof Field.run | typeof Field.late;

/** Tags beyond this cannot be kept: their rows' ids would pass 2^53. */
export const MAX_TAGS = 2 ** 21;

/** Address space of `bytes` for samples; pages that are never written cost nothing. With 10,000 tags a second this is what fills up. */
export function openMemory(bytes = 72 * 1024 * 1024): OpenMemory {
  return {
    blocks: new SharedArrayBuffer(Math.floor(bytes / BYTES) * BYTES),
    tags: new SharedArrayBuffer(MAX_TAGS * FIELDS * 4),
  };
}

/** The memory as columns; places are those of `cell`. */
export class OpenColumns {
  readonly blocks: number;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly tags: Uint32Array<SharedArrayBuffer>;

  constructor({ blocks, tags }: OpenMemory) {
    this.blocks = blocks.byteLength / BYTES;
    this.f64 = new Float64Array(blocks);
    this.i64 = new BigInt64Array(blocks);
    this.u32 = new Uint32Array(blocks);
    this.u8 = new Uint8Array(blocks);
    this.tags = new Uint32Array(tags);
  }
  field(tag: number, field: number): number {
    return tag * FIELDS + field;
  }
  next(block: number): number {
    return block * IN_U32;
  }
  t(block: number, i: number): number {
    return block * IN_F64 + 2 + i;
  }
  value(block: number, i: number): number {
    return block * IN_F64 + 2 + PER_BLOCK + i;
  }
  status(block: number, i: number): number {
    return block * IN_U32 + 4 + PER_BLOCK * 4 + i;
  }
  flags(block: number, i: number): number {
    return block * BYTES + 16 + PER_BLOCK * 20 + i;
  }
  kind(block: number, i: number): number {
    return block * BYTES + 16 + PER_BLOCK * 21 + i;
  }
  text(block: number): number {
    return block * BYTES + 16;
  }
}

const TRIES = 10_000;

/** A tag's open samples in time order, the newest word for each time; undefined without any. Throws when it cannot be read. */
export function readOpen(columns: OpenColumns, tag: number): Series | undefined {
  if (!(tag >= 0 && tag < MAX_TAGS)) return undefined;
  const { tags } = columns;
  const version = columns.field(tag, Field.version);
  for (let i = 0; i < TRIES; i++) {
    const before = Atomics.load(tags, version);
    if (before % 2 === 0) {
      const run = readChain(columns, tag, Field.run);
      const late = readChain(columns, tag, Field.late);
      // Adding nothing: an operation that what was read above cannot be moved behind.
      if (run && late && Atomics.add(tags, version, 0) === before) return whole(run, late);
    }
    if (i > 100) Atomics.wait(new Int32Array(tags.buffer), version, before | 0, 1);
  }
  throw new Error('the newest samples cannot be read: they change all the time');
}

/** The straggler said last wins, over an earlier one and over the run. */
export function whole(run: Series, late: Series): Series | undefined {
  if (late.n === 0) return run.n === 0 ? undefined : run;
  const sorted = ordered(late);
  return run.n === 0 ? sorted : merged(run, sorted);
}

/** A copy of a chain in its own order; undefined when it was torn while being read. */
export function readChain(columns: OpenColumns, tag: number, chain: Chain, most = Infinity): Series | undefined {
  const { tags, f64, u32, u8 } = columns;
  // The count first: what it counts was written before it.
  const n = Math.min(most, Atomics.load(tags, columns.field(tag, chain + 2)));
  let block = Atomics.load(tags, columns.field(tag, chain));
  let place = Atomics.load(tags, columns.field(tag, chain + 1));
  if (n > columns.blocks * PER_BLOCK) return undefined;
  const t = new Float64Array(n);
  const v = new Float64Array(n);
  const status = new Uint32Array(n);
  const flags = new Uint8Array(n);
  const kinds = new Uint8Array(n);
  /** Where the value of a sample lies that is no number, null or boolean. */
  const others: { i: number; at: number }[] = [];
  let seen = 0;
  for (let i = 0; i < n;) {
    if (block >= columns.blocks || place >= PER_BLOCK) return undefined;
    const end = Math.min(n, i + PER_BLOCK - place);
    for (; i < end; i++, place++) {
      const kind = u8[columns.kind(block, place)] as number;
      const at = columns.value(block, place);
      t[i] = f64[columns.t(block, place)] as number;
      v[i] = f64[at] as number;
      status[i] = u32[columns.status(block, place)] as number;
      flags[i] = u8[columns.flags(block, place)] as number;
      kinds[i] = kind;
      seen |= 1 << kind;
      if (kind > Kind.boolean) others.push({ i, at });
    }
    block = u32[columns.next(block)] as number;
    place = 0;
  }
  const numbers = (seen & (1 << Kind.boolean)) === 0;
  const booleans = (seen & (1 << Kind.number)) === 0;
  if (others.length === 0 && (numbers || booleans)) {
    const has = seen & (1 << Kind.null) ? kinds.map((kind) => (kind === Kind.null ? 0 : 1)) : undefined;
    const kind = seen & (1 << Kind.boolean) ? 'boolean' : 'number';
    return { n, t, status, flags, values: { kind, v, has } };
  }
  const values: Value[] = Array.from(v, (number, i) =>
    kinds[i] === Kind.null ? null : kinds[i] === Kind.boolean ? number !== 0 : number,
  );
  for (const { i, at } of others) {
    const value = otherAt(columns, kinds[i] as number, at);
    if (value === undefined) return undefined;
    values[i] = value;
  }
  return { n, t, status, flags, values: valuesOf(values) };
}

function otherAt(columns: OpenColumns, kind: number, at: number): Value | undefined {
  if (kind === Kind.bigint) return columns.i64[at] as bigint;
  let block = columns.u32[at * 2] as number;
  const length = columns.u32[at * 2 + 1] as number;
  if (length > columns.blocks * TEXT_BYTES) return undefined;
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; done += TEXT_BYTES) {
    if (block >= columns.blocks) return undefined;
    const start = columns.text(block);
    bytes.set(columns.u8.subarray(start, start + Math.min(TEXT_BYTES, length - done)), done);
    block = columns.u32[columns.next(block)] as number;
  }
  const text = bytes.toString();
  if (kind === Kind.text) return text;
  return /^-?\d+$/.test(text) ? BigInt(text) : undefined;
}
