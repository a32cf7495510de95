// Words to values: one decoder per point, compiled once. Pure; used by the driver on every answer.
// Scale, sentinels and clamps belong to the pipeline: what leaves here is what the registers say.
import { Status } from '../../model.ts';
import type { Value } from '../../model.ts';
import type { Order, Place } from './schema.ts';

export interface Decoded {
  value: Value;
  status: number;
}
/** Reads the value that begins `at` words into an answer; the answer is known to be long enough. */
export type Decoder = (words: Uint16Array, at: number) => Decoded;

const good = (value: Value): Decoded => ({ value, status: Status.good });
const real = (value: number): Decoded =>
  Number.isFinite(value) ? good(value) : { value: null, status: Status.badSensorFailure };

/** Bytes of an order: `ABCD` as sent, `BADC` with the bytes of each word swapped, `CDAB` and `DCBA` with the words turned around. */
function swaps(order: Order): { bytes: boolean; words: boolean } {
  return { bytes: order === 'BADC' || order === 'DCBA', words: order === 'CDAB' || order === 'DCBA' };
}

export function decoderOf(place: Pick<Place, 'encoding' | 'order' | 'bit' | 'size'>): Decoder {
  const { bytes, words: turned } = swaps(place.order);
  const view = new DataView(new ArrayBuffer(8));
  const load = (words: Uint16Array, at: number): DataView => {
    for (let i = 0; i < place.size; i++) {
      const word = words[at + (turned ? place.size - 1 - i : i)] ?? 0;
      view.setUint16(i * 2, bytes ? ((word & 0xff) << 8) | (word >>> 8) : word);
    }
    return view;
  };
  switch (place.encoding) {
    case 'bool':
      return (words, at) => good(words[at] === 1);
    case 'bit':
      return (words, at) => good((((words[at] ?? 0) >>> place.bit) & 1) === 1);
    case 'uint16':
      return (words, at) => good(words[at] ?? 0);
    case 'int16':
      return (words, at) => good(((words[at] ?? 0) << 16) >> 16);
    case 'uint32':
      return (words, at) => good(load(words, at).getUint32(0));
    case 'int32':
      return (words, at) => good(load(words, at).getInt32(0));
    case 'float32':
      return (words, at) => real(load(words, at).getFloat32(0));
    case 'float64':
      return (words, at) => real(load(words, at).getFloat64(0));
    case 'int64':
      return (words, at) => good(exact(load(words, at).getBigInt64(0)));
    case 'uint64':
      return (words, at) => good(exact(load(words, at).getBigUint64(0)));
    case 'string':
      return (words, at) => good(text(words, at, place.size, bytes));
  }
}

/** A number where it is exact, a bigint past 2^53. */
function exact(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function text(words: Uint16Array, at: number, size: number, swapped: boolean): string {
  const bytes = Buffer.alloc(size * 2);
  for (let i = 0; i < size; i++) {
    if (swapped) bytes.writeUInt16LE(words[at + i] ?? 0, i * 2);
    else bytes.writeUInt16BE(words[at + i] ?? 0, i * 2);
  }
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end).trimEnd();
}
