// Bytes in and out for the frame codec: a scratch buffer that grows, and a reader that never leaves its bounds.
// Used by frame.ts and columns.ts alone. Numbers are little-endian; varints hold 7 bits a byte, low ones first.

const SAFE = 2 ** 52;

/** Thrown by `ByteReader` when the bytes cannot be what they claim; the codec turns it into a typed failure. */
export class Malformed extends Error {}

/** True when a difference can be written as a zig-zag varint without losing a bit. */
export function isSmall(value: number): boolean {
  return Number.isInteger(value) && value < SAFE && value > -SAFE;
}

/** A scratch buffer kept over many frames; `take` hands out an exact copy and starts again. */
export class ByteWriter {
  length = 0;
  #bytes: Buffer;
  #view: DataView;

  constructor(capacity = 65_536) {
    this.#bytes = Buffer.from(new ArrayBuffer(capacity));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Room for `more` bytes; the single-byte writers below rely on it having been asked for. */
  reserve(more: number): void {
    const need = this.length + more;
    if (need <= this.#bytes.length) return;
    const grown = Buffer.from(new ArrayBuffer(Math.max(need, this.#bytes.length * 2)));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
  byte(value: number): void {
    this.#bytes[this.length++] = value;
  }
  u32(value: number): void {
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }
  f64(value: number): void {
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }
  f32(value: number): void {
    this.#view.setFloat32(this.length, value, true);
    this.length += 4;
  }
  /** @param value an integer from 0 to 2^53 */
  varint(value: number): void {
    let rest = value;
    while (rest > 0x7fffffff) {
      this.#bytes[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      this.#bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.length++] = rest;
  }
  /** @param value an integer for which `isSmall` holds */
  zigzag(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }
  bigint(value: bigint): void {
    let rest = value < 0n ? -value * 2n - 1n : value * 2n;
    this.reserve(16 + Math.ceil(rest.toString(16).length / 1.75));
    while (rest > 0x7fn) {
      this.byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.byte(Number(rest));
  }
  /** Length and text; UTF-8, or UTF-16 (odd length code) where a lone surrogate would be lost. */
  text(value: string): void {
    const wellFormed = value.isWellFormed();
    const size = wellFormed ? Buffer.byteLength(value) : value.length * 2;
    this.reserve(size + 16);
    this.varint(size * 2 + (wellFormed ? 0 : 1));
    this.length += this.#bytes.write(value, this.length, wellFormed ? 'utf8' : 'utf16le');
  }
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }
  view(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }
  /** An exact copy of what was written, in a buffer of its own that may be transferred. */
  take(): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(this.length);
    copy.set(this.#bytes.subarray(0, this.length));
    this.length = 0;
    return copy;
  }
}

/** Reads between two bounds; everything outside throws `Malformed`. */
export class ByteReader {
  at: number;
  readonly end: number;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array, from: number, end: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = from;
    this.end = end;
  }
  get left(): number {
    return this.end - this.at;
  }
  #claim(size: number): number {
    const from = this.at;
    if (size > this.end - from) throw new Malformed('the frame ends early');
    this.at = from + size;
    return from;
  }
  byte(): number {
    return this.#bytes[this.#claim(1)] ?? 0;
  }
  f64(): number {
    return this.#bytes.readDoubleLE(this.#claim(8));
  }
  f32(): number {
    return this.#bytes.readFloatLE(this.#claim(4));
  }
  varint(): number {
    let value = 0;
    let unit = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) {
        if (value > 2 ** 53) break;
        return value;
      }
      unit *= 128;
    }
    throw new Malformed('a number is too long');
  }
  zigzag(): number {
    const code = this.varint();
    return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
  }
  bigint(): bigint {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
      shift += 7n;
    }
    return value & 1n ? -((value + 1n) >> 1n) : value >> 1n;
  }
  text(): string {
    const code = this.varint();
    const size = Math.floor(code / 2);
    const from = this.#claim(size);
    return this.#bytes.toString(code % 2 === 0 ? 'utf8' : 'utf16le', from, from + size);
  }
}
