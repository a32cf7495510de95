// Bytes of a chunk, written and read: unsigned and signed whole numbers in as many bytes as they need, doubles by bits.
// The columns of the codec are built on these two. Reading past the end, or a number no one wrote, throws `Damaged`.

/** What is read is no chunk this program wrote, or not all of it. */
export class Damaged extends Error {
  override name = 'Damaged';
}

/** Signed to unsigned, small magnitudes staying small; exact for |x| ≤ 2^52. */
export const zigzag = (x: number): number => (x < 0 ? -2 * x - 1 : 2 * x);
export const unzigzag = (z: number): number => (z % 2 === 0 ? z / 2 : -(z + 1) / 2);

/** Bytes that `uint` takes for `x`. */
export function sizeOf(x: number): number {
  let size = 1;
  for (let rest = x; rest >= 128; rest /= 128) size++;
  return size;
}

const bits = new DataView(new ArrayBuffer(8));

export class Packer {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  /** What is written will not be deflated: numbers may be packed into halves of bytes. */
  halves = false;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  /** Makes room for `more` bytes. */
  need(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
  byte(value: number): void {
    this.need(1);
    this.bytes[this.length++] = value;
  }
  /** A whole number from 0 to 2^53, seven bits a byte, lowest first. */
  uint(value: number): void {
    this.need(8);
    let rest = value;
    for (; rest >= 0x80000000; rest = Math.floor(rest / 128)) this.bytes[this.length++] = (rest % 128) | 128;
    for (; rest >= 128; rest >>>= 7) this.bytes[this.length++] = (rest & 127) | 128;
    this.bytes[this.length++] = rest;
  }
  int(value: number): void {
    this.uint(zigzag(value));
  }
  double(value: number): void {
    bits.setFloat64(0, value, true);
    this.double32(bits.getUint32(0, true), bits.getUint32(4, true));
  }
  /** A double as its two words, so that the payload of a NaN survives. */
  double32(low: number, high: number): void {
    this.need(8);
    for (const word of [low, high])
      for (let shift = 0; shift < 32; shift += 8) this.bytes[this.length++] = (word >>> shift) & 255;
  }
  raw(bytes: Uint8Array): void {
    this.need(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }
}

export class Unpacker {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  /** The next `count` bytes, in place. */
  raw(count: number): Uint8Array {
    if (count > this.bytes.length - this.at) throw new Damaged('the chunk ends too early');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  byte(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new Damaged('the chunk ends too early');
    return value;
  }
  /** A whole number of at most `most`. */
  uint(most = 2 ** 53): number {
    let value = this.bytes[this.at] as number;
    if (value < 128 && value <= most) {
      this.at++;
      return value;
    }
    value = 0;
    for (let factor = 1, count = 0; ; factor *= 128, count++) {
      const next = this.byte();
      value += (next & 127) * factor;
      if (next < 128) break;
      if (count >= 7) throw new Damaged('a number in the chunk has no end');
    }
    if (value > most) throw new Damaged(`a number in the chunk is ${value}, at most ${most} is possible`);
    return value;
  }
  int(): number {
    return unzigzag(this.uint());
  }
  double(): number {
    const at = this.raw(8);
    return new DataView(at.buffer, at.byteOffset, 8).getFloat64(0, true);
  }
  end(): void {
    if (this.at !== this.bytes.length) throw new Damaged('the chunk has bytes left over');
  }
}
