// The columns of a frame: times as small differences, rare fields as runs, values by kind.
// Called by frame.ts only; every `read…` undoes the `write…` beside it, bit for bit.
import type { Value } from '../model.ts';
import { Malformed, isSmall } from './bytes.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

/** Kinds of value as stored. A column is runs of one kind, each run its count, kind and values. */
const Kind = { null: 0, double: 1, integer: 2, bigint: 3, false: 4, true: 5, text: 6, single: 7 } as const;

/** In place of a column of times: they are less than a millisecond after those of another column. */
const NEAR = 4;

/** Times relative to `base`: all equal to it (1 byte), differences from the one before, or whole doubles when a clock is absurd. */
export function writeTimes(out: ByteWriter, times: Float64Array, n: number, base: number): void {
  let equal = true;
  let small = Number.isInteger(base);
  let before = base;
  for (let i = 0; i < n; i++) {
    const time = times[i] as number;
    if (time !== base) equal = false;
    if (!isSmall(time - before) || !Number.isSafeInteger(time) || Object.is(time, -0)) small = false;
    before = time;
  }
  out.reserve(n * 8 + 1);
  if (equal && n > 0 && !Object.is(times[0], -0)) return out.byte(0);
  out.byte(small ? 1 : 2);
  before = base;
  for (let i = 0; i < n; i++) {
    const time = times[i] as number;
    if (small) out.zigzag(time - before);
    else out.f64(time);
    before = time;
  }
}

/** Times as runs of so many microseconds, 0 to 999, after those of another column that comes before. */
export function writeNear(out: ByteWriter, after: Uint32Array, n: number): void {
  out.reserve(1);
  out.byte(NEAR);
  writeRuns(out, after, n);
}

/** @param others the column that times written by `writeNear` stand beside */
export function readTimes(from: ByteReader, n: number, base: number, others?: Float64Array): Float64Array {
  const times = new Float64Array(n);
  const mode = from.byte();
  if (mode === 0) return times.fill(base);
  if (mode === NEAR && others) {
    const after = readRuns(from, n);
    return times.map((_, i) => (others[i] as number) + (after[i] as number));
  }
  if (mode > 2) throw new Malformed(`times in an unknown form ${mode}`);
  let before = base;
  for (let i = 0; i < n; i++) {
    before = mode === 1 ? before + from.zigzag() : from.f64();
    times[i] = before;
  }
  return times;
}

/** Whole numbers from 0 to 2^32 as runs: a column that is zero throughout costs two or three bytes. */
export function writeRuns(out: ByteWriter, values: Uint32Array, n: number): void {
  out.reserve(n * 10);
  let i = 0;
  while (i < n) {
    const value = values[i] as number;
    let end = i + 1;
    while (end < n && values[end] === value) end++;
    out.varint(end - i);
    out.varint(value);
    i = end;
  }
}

export function readRuns(from: ByteReader, n: number): Uint32Array {
  const values = new Uint32Array(n);
  let i = 0;
  while (i < n) {
    const run = from.varint();
    const value = from.varint();
    if (run === 0 || run > n - i || value > 0xffffffff) throw new Malformed('a run does not fit');
    values.fill(value, i, i + run);
    i += run;
  }
  return values;
}

/** Numbers with a whole value may be stored as varints; −0 and huge ones may not. */
function isInteger(value: Value | undefined): boolean {
  return typeof value === 'number' && isSmall(value) && !Object.is(value, -0);
}

function kindOf(value: Value | undefined, next: Value | undefined, before: number): number {
  if (typeof value === 'number') {
    // What many devices measure in: four bytes of a double's eight would be zeros.
    if (!isInteger(value)) return Math.fround(value) === value ? Kind.single : Kind.double;
    // A single whole number among fractions is cheaper as one of them than as a run of its own.
    return before === Kind.double && !isInteger(next) ? Kind.double : Kind.integer;
  }
  if (typeof value === 'boolean') return value ? Kind.true : Kind.false;
  if (typeof value === 'bigint') return Kind.bigint;
  if (typeof value === 'string') return Kind.text;
  return Kind.null;
}

/** @param values the column; `null` for a value that could not be had. NaN keeps being NaN, its payload does not. */
export function writeValues(out: ByteWriter, values: readonly Value[]): void {
  const n = values.length;
  let i = 0;
  let kind = n > 0 ? kindOf(values[0], values[1], Kind.double) : Kind.null;
  while (i < n) {
    let end = i + 1;
    let next: number = kind;
    while (end < n && (next = kindOf(values[end], values[end + 1], kind)) === kind) end++;
    out.reserve((end - i) * 8 + 16);
    out.varint((end - i) * 8 + kind);
    if (kind === Kind.double) for (; i < end; i++) out.f64(values[i] as number);
    else if (kind === Kind.single) for (; i < end; i++) out.f32(values[i] as number);
    else if (kind === Kind.integer) for (; i < end; i++) out.zigzag(values[i] as number);
    else if (kind === Kind.bigint) for (; i < end; i++) out.bigint(values[i] as bigint);
    else if (kind === Kind.text) for (; i < end; i++) out.text(values[i] as string);
    i = end;
    kind = next;
  }
}

export function readValues(from: ByteReader, n: number): Value[] {
  const values: Value[] = new Array<Value>(n);
  let i = 0;
  while (i < n) {
    const head = from.varint();
    const kind = head % 8;
    const end = i + Math.floor(head / 8);
    if (end === i || end > n) throw new Malformed('a run of values does not fit');
    if (kind === Kind.double) for (; i < end; i++) values[i] = from.f64();
    else if (kind === Kind.single) for (; i < end; i++) values[i] = from.f32();
    else if (kind === Kind.integer) for (; i < end; i++) values[i] = from.zigzag();
    else if (kind === Kind.bigint) for (; i < end; i++) values[i] = from.bigint();
    else if (kind === Kind.text) for (; i < end; i++) values[i] = from.text();
    else if (kind === Kind.null) for (; i < end; i++) values[i] = null;
    else if (kind === Kind.true || kind === Kind.false) for (; i < end; i++) values[i] = kind === Kind.true;
    else throw new Malformed(`a value of unknown kind ${kind}`);
  }
  return values;
}
