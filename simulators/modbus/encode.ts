// Values to 16-bit registers, as a device lays them out. The server fills its register image with it; the gateway's
// tests decode what it made. Written from the byte letters (A = most significant), not from anybody's decoder.

export type Encoding =
  'bool' | 'bit' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'float32' | 'float64' | 'string';

/** Which byte stands where; the four-letter orders apply to 64 bits by the same two swaps (words, bytes in a word). */
export type Order = 'ABCD' | 'CDAB' | 'BADC' | 'DCBA';

/** Registers that one value of this encoding takes; `length` counts a string's registers. */
export function registersOf(encoding: Encoding, length = 1): number {
  if (encoding === 'string') return length;
  if (encoding.endsWith('64')) return 4;
  if (encoding.endsWith('32')) return 2;
  return 1;
}

/** The registers of a value. Integers wrap to their width; a string is cut or padded with NUL to `length` registers. */
export function encode(
  encoding: Encoding,
  value: number | bigint | boolean | string,
  order: Order,
  length = 1,
): number[] {
  const bytes = bigEndian(encoding, value, length);
  let words: number[] = [];
  for (let i = 0; i < bytes.length; i += 2) words.push((bytes[i]! << 8) | bytes[i + 1]!);
  if (order === 'BADC' || order === 'DCBA') words = words.map((word) => ((word & 0xff) << 8) | (word >> 8));
  if ((order === 'CDAB' || order === 'DCBA') && encoding !== 'string') words.reverse();
  return words;
}

function bigEndian(encoding: Encoding, value: number | bigint | boolean | string, length: number): Buffer {
  const bytes = Buffer.alloc(registersOf(encoding, length) * 2);
  switch (encoding) {
    case 'bool':
    case 'bit':
      bytes.writeUInt16BE(value ? 1 : 0);
      return bytes;
    case 'int16':
    case 'uint16':
      bytes.writeUInt16BE(Number(BigInt.asUintN(16, BigInt(value))));
      return bytes;
    case 'int32':
    case 'uint32':
      bytes.writeUInt32BE(Number(BigInt.asUintN(32, BigInt(value))));
      return bytes;
    case 'int64':
    case 'uint64':
      bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)));
      return bytes;
    case 'float32':
      bytes.writeFloatBE(Number(value));
      return bytes;
    case 'float64':
      bytes.writeDoubleBE(Number(value));
      return bytes;
    case 'string':
      Buffer.from(String(value), 'utf8').copy(bytes);
      return bytes;
  }
}
