// A column of doubles, bit for bit: as whole numbers over a power of ten where they are decimals, as the shortest decimals
// that round to them where they are float32, as XORed byte planes where they are noise. Called by the codec.
import { Damaged } from './bytes.ts';
import type { Packer, Unpacker } from './bytes.ts';
import { LARGEST, packIntegers, planIntegers, unpackIntegers } from './integers.ts';

const Mode = { decimal: 0, float32: 1, planes64: 2, planes32: 3 } as const;
const PLACES = 12;
const powers = Array.from({ length: PLACES + 1 }, (_, places) => 10 ** places);

/** Whole numbers that give the values back when divided by 10^places; the few that do not are kept by themselves. */
interface Decimals {
  places: number;
  odd: number[];
}
let whole = new Float64Array(1024);
let words = new Uint32Array(2048);

const same = (value: number): number => value;

/** The fewest places from `places` on that give `x` back through `narrow`; undefined when none do. */
function placesOf(x: number, places: number, narrow: (value: number) => number): number | undefined {
  for (let p = places; p <= PLACES; p++) {
    const power = powers[p] as number;
    const m = Math.round(x * power);
    if (m > LARGEST || m < -LARGEST) return undefined;
    if (narrow(m / power) === x) return p;
  }
  return undefined;
}

/** Fills `whole`, or says undefined where more than one value in sixteen is no such decimal. */
function decimals(v: Float64Array, n: number, narrow: (value: number) => number): Decimals | undefined {
  const bearable = Math.max(1, n >>> 4);
  for (let places = 0; ;) {
    const power = powers[places] as number;
    const odd: number[] = [];
    let more: number | undefined;
    let none = 0;
    let before = 0;
    for (let i = 0; i < n && odd.length <= bearable; i++) {
      const x = v[i] as number;
      const m = Math.round(x * power);
      if (narrow(m / power) === x && m <= LARGEST && m >= -LARGEST && (m !== 0 || Object.is(x, 0))) {
        whole[i] = before = m;
        continue;
      }
      whole[i] = before;
      odd.push(i);
      const needed = placesOf(x, places + 1, narrow);
      if (needed === undefined) none++;
      else more ??= needed;
    }
    if (odd.length <= bearable) return { places, odd };
    if (more === undefined || none > bearable / 2) return undefined;
    places = more;
  }
}

/** Bytes that differ from the value before: about what the planes take after deflate. */
function planesCost(n: number, width: 1 | 2): number {
  let bytes = 0;
  for (let i = 0; i < n; i++) {
    const high = words[width * i + width - 1] as number;
    if (high !== 0) bytes += (39 - Math.clz32(high)) >>> 3;
    if (width === 2) bytes += high !== 0 || words[2 * i] !== 0 ? 4 : 0;
  }
  return bytes;
}

/** Fills `words` with each value's bits XOR those before it. */
function xored(bits: Uint32Array, n: number, width: 1 | 2): void {
  for (let i = 0; i < n * width; i++) words[i] = (bits[i] as number) ^ (i < width ? 0 : (bits[i - width] as number));
}

/** Writes the first `n` doubles. */
export function packNumbers(packer: Packer, v: Float64Array, n: number): void {
  if (whole.length < n) {
    const room = Math.max(n, 16_384);
    [whole, words] = [new Float64Array(room), new Uint32Array(2 * room)];
  }
  let narrow = false;
  let found = decimals(v, n, same);
  if (!found && isFloat32(v, n)) {
    narrow = true;
    found = decimals(v, n, Math.fround);
  }
  const plan = found && planIntegers(whole, n);
  if (!found || !plan || plan.bytes + 9 * found.odd.length > 2 * n) {
    const width = narrow || isFloat32(v, n) ? 1 : 2;
    xored(width === 1 ? bitsOf(Float32Array.from(v.subarray(0, n))) : bitsOf(v), n, width);
    if (!found || !plan || planesCost(n, width) < plan.bytes + 9 * found.odd.length) {
      packer.byte(width === 1 ? Mode.planes32 : Mode.planes64);
      return packPlanes(packer, n, width);
    }
  }
  packer.byte(narrow ? Mode.float32 : Mode.decimal);
  packer.byte(found.places);
  packIntegers(packer, whole, n, plan);
  packer.uint(found.odd.length);
  const bits = bitsOf(v);
  for (const [k, i] of found.odd.entries()) {
    packer.uint(i - (found.odd[k - 1] ?? 0));
    packer.double32(bits[2 * i] as number, bits[2 * i + 1] as number);
  }
}

/** Every value is a float32's; a NaN is not taken for one, whatever its payload. */
function isFloat32(v: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) if (Math.fround(v[i] as number) !== v[i]) return false;
  return true;
}
function bitsOf(v: Float64Array | Float32Array): Uint32Array {
  return new Uint32Array(v.buffer, v.byteOffset, v.byteLength / 4);
}

function packPlanes(packer: Packer, n: number, width: 1 | 2): void {
  packer.need(4 * n * width);
  for (let plane = 0; plane < 4 * width; plane++) {
    const shift = (plane & 3) * 8;
    for (let i = plane >>> 2; i < n * width; i += width)
      packer.bytes[packer.length++] = ((words[i] as number) >>> shift) & 255;
  }
}

/** Reads `n` doubles as they were written; `v` holds at least `n`. */
export function unpackNumbers(from: Unpacker, n: number, v: Float64Array): void {
  const mode = from.byte();
  if (mode === Mode.planes32 || mode === Mode.planes64) {
    unpackPlanes(from, n, mode === Mode.planes32 ? 1 : 2, v);
    return;
  }
  if (mode !== Mode.decimal && mode !== Mode.float32)
    throw new Damaged(`the chunk has numbers of kind ${mode}, which this version does not know`);
  const power = powers[from.byte()];
  if (power === undefined) throw new Damaged(`the chunk has numbers of more than ${PLACES} places`);
  unpackIntegers(from, n, v);
  if (mode === Mode.float32) for (let i = 0; i < n; i++) v[i] = Math.fround((v[i] as number) / power);
  else if (power !== 1) for (let i = 0; i < n; i++) v[i] = (v[i] as number) / power;
  let at = 0;
  for (let left = from.uint(n); left > 0; left--) {
    at += from.uint(n - 1 - at);
    new Uint8Array(v.buffer, v.byteOffset + at * 8, 8).set(from.raw(8));
  }
}

function unpackPlanes(from: Unpacker, n: number, width: 1 | 2, v: Float64Array): void {
  const narrow = new Float32Array(width === 1 ? n : 0);
  const bits = bitsOf(width === 1 ? narrow : v.fill(0, 0, n));
  const planes = from.raw(4 * n * width);
  for (let plane = 0; plane < 4 * width; plane++) {
    const shift = (plane & 3) * 8;
    const first = plane >>> 2;
    for (let i = 0; i < n; i++) {
      const k = i * width + first;
      bits[k] = (bits[k] as number) | ((planes[plane * n + i] as number) << shift);
    }
  }
  for (let i = width; i < n * width; i++) bits[i] = (bits[i] as number) ^ (bits[i - width] as number);
  if (width === 1) v.set(narrow);
}
