// A chunk as bytes and back, losslessly: what the store writes into history.db and the queries read from it. Pure.
// version, form (0 plain, 1 deflated), n, [length when inflated], columns: times, statuses, flags, values; CRC-32 of all.
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { packAnything, unpackAnything } from './anything.ts';
import { Damaged, Packer, Unpacker } from './bytes.ts';
import { LARGEST, packIntegers, unpackIntegers, unpackSmall } from './integers.ts';
import { packNumbers, unpackNumbers } from './numbers.ts';
import type { Numbers, Series } from './series.ts';

export { Damaged } from './bytes.ts';

/** Samples a chunk can hold at most: no second of a tag has more microseconds. So many, of one value, fit into a few bytes. */
export const MOST = 1_000_000;
const VERSION = 1;
/** Deflate makes no more of a byte than this many. */
const INFLATION = 1032;
/** Bytes that inflating must be worth: a short chunk is read in a third of the time without. */
const WORTH = 24;
/** Bytes a sample that a chunk may be larger for being read without. */
const DEARER = 1 / 8;
/** Units of time steps as powers of ten of a microsecond; 255: the times as doubles. */
const SECOND = 6;
const UNEVEN = 255;
const Kind = { number: 0, boolean: 1, any: 2 } as const;
const NULLS = 4;
const small = { level: 1, windowBits: 12, memLevel: 5, chunkSize: 2048 } as const;

const body = new Packer(65_536);

/**
 * The chunk's bytes. Times are whole microseconds of any order, numbers any bits.
 * Throws RangeError for more than `MOST` samples or a time that is no whole number.
 */
export function encodeChunk(series: Series): Uint8Array {
  const { n } = series;
  if (n > MOST) throw new RangeError(`a chunk holds at most ${MOST} samples, not ${n}`);
  packBody(series, false);
  let plain: Uint8Array = body.bytes.slice(0, body.length);
  const deflated = deflateRawSync(plain, small);
  let form = deflated.length + WORTH < plain.length ? 1 : 0;
  packBody(series, true);
  // Inflating takes half of the time of reading a chunk.
  if (body.length < plain.length && body.length <= deflated.length + WORTH + n * DEARER) {
    plain = body.bytes.subarray(0, body.length);
    form = 0;
  }
  const chunk = new Packer(Math.min(deflated.length, plain.length) + 16);
  chunk.byte(VERSION);
  chunk.byte(form);
  chunk.uint(n);
  if (form === 1) chunk.uint(plain.length);
  chunk.raw(form === 1 ? deflated : plain);
  const sum = crc32(chunk.bytes.subarray(0, chunk.length));
  chunk.need(4);
  for (let shift = 0; shift < 32; shift += 8) chunk.byte((sum >>> shift) & 255);
  return chunk.bytes.subarray(0, chunk.length);
}

function packBody(series: Series, halves: boolean): void {
  const { n, values } = series;
  body.length = 0;
  body.halves = halves;
  packTimes(series);
  packIntegers(body, series.status, n);
  packIntegers(body, series.flags, n);
  if (values.kind === 'any') {
    body.byte(Kind.any);
    packAnything(body, values.v, n);
  } else packColumn(values, n);
}

function packTimes({ t, n }: Series): void {
  const first = n > 0 ? (t[0] as number) : 0;
  let unit = SECOND;
  let step = 10 ** unit;
  let even = true;
  for (let i = 0; i < n; i++) {
    const time = t[i] as number;
    if (!Number.isSafeInteger(time)) throw new RangeError(`a sample's time must be whole microseconds, not ${time}`);
    const since = time - first;
    even &&= since <= LARGEST && since >= -LARGEST;
    while (since % step !== 0 && unit > 0) step = 10 ** --unit;
  }
  body.byte(even ? unit : UNEVEN);
  if (!even) for (let i = 0; i < n; i++) body.double(t[i] as number);
  else {
    body.double(first);
    const steps = new Float64Array(n);
    for (let i = 0; i < n; i++) steps[i] = ((t[i] as number) - first) / step;
    packIntegers(body, steps, n);
  }
}

function unpackTimes(from: Unpacker, n: number, t: Float64Array): void {
  const unit = from.byte();
  if (unit === UNEVEN) for (let i = 0; i < n; i++) t[i] = from.double();
  else if (unit <= SECOND) {
    const first = from.double();
    const step = 10 ** unit;
    unpackIntegers(from, n, t);
    for (let i = 0; i < n; i++) t[i] = first + (t[i] as number) * step;
  } else throw new Damaged(`the chunk has times in a unit ${unit}, which this version does not know`);
}

function packColumn({ kind, v, has }: Numbers, n: number): void {
  body.byte(Kind[kind] + (has ? NULLS : 0));
  if (has) packIntegers(body, has, n);
  let column = v;
  if (has || kind === 'boolean') {
    // What stands where the value is null is nobody's business: the value before costs least.
    column = new Float64Array(n);
    const bits = new BigUint64Array(column.buffer);
    const given = new BigUint64Array(v.buffer, v.byteOffset, n);
    for (let i = 0; i < n; i++) {
      if (has && has[i] === 0) bits[i] = i > 0 ? (bits[i - 1] as bigint) : 0n;
      else if (kind === 'boolean') column[i] = v[i] === 0 ? 0 : 1;
      else bits[i] = given[i] as bigint;
    }
  }
  packNumbers(body, column, n);
}

function unpackColumn(from: Unpacker, head: number, n: number, v: Float64Array): Numbers {
  const kind = head % NULLS === Kind.boolean ? 'boolean' : 'number';
  let has: Uint8Array | undefined;
  if (head >= NULLS) {
    has = new Uint8Array(n);
    unpackSmall(from, n, has);
  }
  unpackNumbers(from, n, v);
  if (has) for (let i = 0; i < n; i++) if (has[i] === 0) v[i] = 0;
  return { kind, v, has };
}

/** Columns that chunks are decoded into, one after the other, so that a long scan leaves no garbage. */
export type Scratch = Pick<Series, 't' | 'status' | 'flags'> & { v: Float64Array };
export function scratchOf(n: number): Scratch {
  return { t: new Float64Array(n), status: new Uint32Array(n), flags: new Uint8Array(n), v: new Float64Array(n) };
}

/**
 * The samples of a chunk, in new columns or, if they are large enough, in `scratch`. Throws `Damaged` when the bytes are
 * not what `encodeChunk` gave.
 */
export function decodeChunk(bytes: unknown, scratch?: Scratch): Series {
  // Of a page that is damaged, rows come that lack what no row may lack.
  if (!(bytes instanceof Uint8Array)) throw new Damaged('the chunk has no bytes');
  const end = bytes.length - 4;
  if (end < 4) throw new Damaged('the chunk ends too early');
  const sum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
  if (crc32(bytes.subarray(0, end)) !== sum) throw new Damaged('the chunk is damaged: its checksum does not hold');
  const head = new Unpacker(bytes.subarray(0, end));
  const version = head.byte();
  if (version !== VERSION) throw new Damaged(`the chunk is of version ${version}, which this version does not know`);
  const form = head.byte();
  const n = head.uint(MOST);
  const from = form === 1 ? new Unpacker(inflated(head, end)) : head;
  const { t, status, flags, v } = scratch && scratch.t.length >= n ? scratch : scratchOf(n);
  unpackTimes(from, n, t);
  unpackSmall(from, n, status);
  unpackSmall(from, n, flags);
  const kind = from.byte();
  if (kind === 3 || kind > Kind.boolean + NULLS)
    throw new Damaged(`the chunk has values of kind ${kind}, which this version does not know`);
  const values: Series['values'] =
    kind === Kind.any ? { kind: 'any', v: unpackAnything(from, n) } : unpackColumn(from, kind, n, v);
  from.end();
  return { n, t, status, flags, values };
}

function inflated(head: Unpacker, end: number): Uint8Array {
  const length = head.uint(INFLATION * end);
  const deflated = head.raw(end - head.at);
  let plain: Uint8Array;
  try {
    plain = inflateRawSync(deflated, { maxOutputLength: Math.max(1, length), chunkSize: Math.max(64, length) });
  } catch (error) {
    throw new Damaged('the chunk cannot be inflated', { cause: error });
  }
  if (plain.length !== length) throw new Damaged('the chunk inflates to another length than it says');
  return plain;
}
