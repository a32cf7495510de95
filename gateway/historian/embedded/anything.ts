// A column of values that are no doubles: text, bigint, or kinds mixed, each exactly as it was. Called by the codec.
// Different values are written once, in a list, and the column says which; counters of bigint as steps.
import { Damaged } from './bytes.ts';
import type { Packer, Unpacker } from './bytes.ts';
import { packIntegers, unpackIntegers } from './integers.ts';
import type { Value } from '../../model.ts';

const Mode = { list: 0, steps: 1 } as const;
const Kind = { null: 0, false: 1, true: 2, number: 3, positive: 4, negative: 5, utf8: 6, utf16: 7 } as const;
const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Bits of the largest integers that are written as steps. */
const COUNTER = 128;
const MINUS_ZERO = Symbol('-0');

/** Writes the first `n` values. */
export function packAnything(packer: Packer, values: readonly Value[], n: number): void {
  if (n > 0 && values.every((value, i) => i >= n || (typeof value === 'bigint' && isCounter(value)))) {
    packer.byte(Mode.steps);
    for (let i = 0; i < n; i++) packBigint(packer, (values[i] as bigint) - (i === 0 ? 0n : (values[i - 1] as bigint)));
    return;
  }
  packer.byte(Mode.list);
  const list = new Map<Value | symbol, number>();
  const places = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const value = values[i] ?? null;
    const key = Object.is(value, -0) ? MINUS_ZERO : value;
    const place = list.get(key) ?? list.size;
    list.set(key, place);
    places[i] = place;
  }
  packer.uint(list.size);
  for (const key of list.keys()) packValue(packer, typeof key === 'symbol' ? -0 : key);
  packIntegers(packer, places, n);
}

/** Small enough that the sums of damaged steps stay small too. */
const isCounter = (value: bigint): boolean => BigInt.asIntN(COUNTER, value) === value;

function packValue(packer: Packer, value: Value): void {
  if (value === null) packer.byte(Kind.null);
  else if (typeof value === 'boolean') packer.byte(value ? Kind.true : Kind.false);
  else if (typeof value === 'number') {
    packer.byte(Kind.number);
    packer.double(value);
  } else if (typeof value === 'bigint') packBigint(packer, value);
  else if (value.isWellFormed()) {
    const bytes = utf8.encode(value);
    packer.byte(Kind.utf8);
    packer.uint(bytes.length);
    packer.raw(bytes);
  } else {
    packer.byte(Kind.utf16);
    packer.uint(value.length);
    for (let i = 0; i < value.length; i++) packer.uint(value.charCodeAt(i));
  }
}

function packBigint(packer: Packer, value: bigint): void {
  packer.byte(value < 0n ? Kind.negative : Kind.positive);
  const hex = (value < 0n ? -value : value).toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  packer.uint(bytes.length);
  packer.raw(bytes);
}

/** Reads `n` values as they were written. */
export function unpackAnything(from: Unpacker, n: number): Value[] {
  const mode = from.byte();
  const values: Value[] = [];
  if (mode === Mode.steps) {
    let last = 0n;
    for (let i = 0; i < n; i++) {
      const step = unpackValue(from);
      if (typeof step !== 'bigint' || !isCounter(step + last))
        throw new Damaged('the chunk has a step that leads nowhere');
      values.push((last += step));
    }
    return values;
  }
  if (mode !== Mode.list) throw new Damaged(`the chunk has values of kind ${mode}, which this version does not know`);
  const list: Value[] = [];
  for (let left = from.uint(n); left > 0; left--) list.push(unpackValue(from));
  const places = new Float64Array(n);
  unpackIntegers(from, n, places);
  for (const place of places) {
    const value = list[place];
    if (value === undefined) throw new Damaged('the chunk names a value that is not in its list');
    values.push(value);
  }
  return values;
}

function unpackValue(from: Unpacker): Value {
  const kind = from.byte();
  if (kind === Kind.null) return null;
  if (kind === Kind.false || kind === Kind.true) return kind === Kind.true;
  if (kind === Kind.number) return from.double();
  if (kind === Kind.positive || kind === Kind.negative) {
    const bytes = from.raw(from.uint());
    const size = BigInt(`0x0${Buffer.from(bytes).toString('hex')}`);
    return kind === Kind.negative ? -size : size;
  }
  if (kind === Kind.utf8) {
    try {
      return fromUtf8.decode(from.raw(from.uint()));
    } catch {
      throw new Damaged('the chunk has text that is no UTF-8');
    }
  }
  if (kind !== Kind.utf16) throw new Damaged(`the chunk has a value of kind ${kind}, which this version does not know`);
  let text = '';
  for (let left = from.uint(); left > 0; left--) text += String.fromCharCode(from.uint(0xffff));
  return text;
}
