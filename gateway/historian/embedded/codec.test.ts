// The codec gives back every bit: shapes that devices produce and shapes they never should, over millions of samples.
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Status } from '../../model.ts';
import type { Value } from '../../model.ts';
import { Damaged, MOST, decodeChunk, encodeChunk } from './codec.ts';
import { seriesOf, valueAt, valuesOf } from './series.ts';
import type { Series } from './series.ts';

/** PENSTOCK_SOAK times as many samples as a unit run's. */
const SOAK = Number(process.env.PENSTOCK_SOAK ?? 1);
const BASE = Date.UTC(2026, 10, 20, 12) * 1000;

/** Random numbers from 0 to 1, the same for the same seed. */
function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let z = Math.imul(a ^ (a >>> 15), a | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}
type Random = () => number;

/** Clocks by name: the time after `t`, µs. */
const clocks: Record<string, (t: number, next: Random) => number> = {
  'every second': (t) => t + 1_000_000,
  'every 15 s': (t) => t + 15_000_000,
  'with jitter of 25 ms': (t, next) => t + 1_000_000 + Math.floor(next() * 50 - 25) * 1000,
  'with jitter in µs': (t, next) => t + 1_000_000 + Math.floor(next() * 20_000),
  'every µs (frozen, counted on)': (t) => t + 1,
  jumping: (t, next) => t + (next() < 0.02 ? Math.floor(next() * 3e13) : 100_000),
  'by exception': (t, next) => t + Math.ceil(-Math.log(1 - next()) * 3e6),
  'back and forth': (t, next) => t + (next() < 0.1 ? -3_600_000_000 : 1_000_000),
  'over all that is a time': (_t, next) => Math.floor((next() - 0.5) * 2 ** 54),
};

const bits = new DataView(new ArrayBuffer(8));
const anyBits = (next: Random): number => {
  bits.setUint32(0, next() * 2 ** 32);
  bits.setUint32(4, next() * 2 ** 32);
  return bits.getFloat64(0);
};
const oddities = [NaN, -0, Infinity, -Infinity, 5e-324, 1.7976931348623157e308, 2 ** 53, -(2 ** 60), 1e-7, 0];

/** Values by name: the one after `last`. */
const shapes: Record<string, (last: number, next: Random, i: number) => number> = {
  'quantised drift': (last, next) => Math.round((last + next() * 0.2 - 0.1) * 100) / 100,
  'scaled int16': (_last, next, i) => Math.round(500 * Math.sin(i / 90) + next() * 6) / 10,
  float32: (_last, next, i) => Math.fround(Math.round((20 + Math.sin(i / 60) + next() * 0.1) * 100) / 100),
  'float32 noise': (_last, next) => Math.fround(next() * 100),
  noise: (_last, next) => next() * 100,
  constant: () => 42.5,
  counter: (last) => last + 3,
  'large counter': (last, next) => (last || 2 ** 52) + Math.floor(next() * 5),
  'switch of nought and one': (last, next) => (next() < 0.01 ? 1 - last : last),
  'all bits': (_last, next) => anyBits(next),
  oddities: (_last, next) => oddities[Math.floor(next() * oddities.length)] as number,
  'decimals with oddities': (_last, next, i) =>
    next() < 0.03 ? (oddities[i % oddities.length] as number) : Math.round(next() * 1e4) / 1000,
  'decimals of all lengths': (_last, next) => Number((next() * 1000).toFixed(Math.floor(next() * 14))),
  'negative float32 with minus nought': (_last, next) => Math.fround(-Math.round(next() * 3) / 10),
};

const statuses: Record<string, (next: Random) => number> = {
  good: () => 0,
  'bad in spells': (next) => (next() < 0.05 ? Status.badNotConnected : Status.good),
  'all codes': (next) => Math.floor(next() * 2 ** 32),
  'the codes of the gateway': (next) => Object.values(Status)[Math.floor(next() * 16)] ?? 0,
};

function generated(seed: number, n: number, clock: string, shape: string, status: string, nulls: boolean): Series {
  const next = random(seed);
  const series: Series = {
    n,
    t: new Float64Array(n),
    status: new Uint32Array(n),
    flags: new Uint8Array(n),
    values: { kind: 'number', v: new Float64Array(n), has: nulls ? new Uint8Array(n) : undefined },
  };
  let t = BASE;
  let v = 0;
  for (let i = 0; i < n; i++) {
    series.t[i] = t = clocks[clock]?.(t, next) as number;
    series.values.v[i] = v = shapes[shape]?.(v, next, i) as number;
    series.status[i] = statuses[status]?.(next) as number;
    if (next() < 0.02) series.flags[i] = Math.floor(next() * 256);
    if (series.values.kind === 'number' && series.values.has) series.values.has[i] = next() < 0.9 ? 1 : 0;
  }
  return series;
}

const bytesOf = (column: Float64Array | Uint32Array | Uint8Array, n: number): Buffer =>
  Buffer.from(column.buffer, column.byteOffset, n * column.BYTES_PER_ELEMENT);

/** Bit for bit, what is null excepted. */
function expectSame(given: Series, back: Series): void {
  expect(back.n).toBe(given.n);
  for (const column of ['t', 'status', 'flags'] as const)
    expect(bytesOf(back[column], given.n).equals(bytesOf(given[column], given.n)), column).toBe(true);
  if (given.values.kind === 'any' || back.values.kind === 'any') return expect(back.values).toEqual(given.values);
  const { v, has, kind } = given.values;
  expect(back.values.kind).toBe(kind);
  expect(back.values.has !== undefined).toBe(has !== undefined);
  const wanted = new Float64Array(given.n);
  const [from, to] = [bytesOf(v, given.n), bytesOf(wanted, given.n)];
  for (let i = 0; i < given.n; i++) if (!has || has[i] !== 0) from.copy(to, i * 8, i * 8, i * 8 + 8);
  expect(bytesOf(back.values.v, given.n).equals(to), 'values').toBe(true);
  if (has && back.values.has) expect(bytesOf(back.values.has, given.n).equals(bytesOf(has, given.n))).toBe(true);
}

describe('every clock with every shape of values comes back bit for bit', () => {
  test.each(Object.keys(shapes))('%s', (shape) => {
    let seed = 1;
    for (let round = 0; round < 2 * SOAK; round++)
      for (const clock of Object.keys(clocks))
        for (const status of Object.keys(statuses))
          for (const n of [1, 2, 240, 1024 + (seed % 7)]) {
            const series = generated(seed++, n, clock, shape, status, seed % 3 === 0);
            expectSame(series, decodeChunk(encodeChunk(series)));
          }
  });
});

const value = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 140n }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('running', 'stopped', '\ud800', '', '\ufeffx', 'é\n', 2n ** 2000n, -(2n ** 63n)),
);
const kinds = [value, fc.boolean(), fc.double(), fc.bigInt(), fc.string(), fc.constantFrom('off', 'on', null)];
const sample = (of: fc.Arbitrary<Value>) =>
  fc.record({ t: fc.maxSafeInteger(), value: of, status: fc.nat(2 ** 32 - 1), flags: fc.nat(255) });

test('text, booleans, bigint, nulls and mixtures come back as they were', () => {
  for (const kind of kinds)
    fc.assert(
      fc.property(fc.array(sample(kind), { maxLength: 60 }), (samples) => {
        const series = seriesOf(samples);
        const back = decodeChunk(encodeChunk(series));
        expectSame(series, back);
        expect(samples.map((_each, i) => valueAt(back, i))).toEqual(samples.map((each) => each.value));
      }),
      { numRuns: 100 * SOAK },
    );
});

test('columns longer than the series, and parts of them, are written as far as they go', () => {
  const whole = generated(5, 100, 'every second', 'noise', 'all codes', true);
  const given = { ...whole, n: 60 };
  expectSame(given, decodeChunk(encodeChunk(given)));
  const empty = { ...whole, n: 0 };
  expect(decodeChunk(encodeChunk(empty)).n).toBe(0);
});

test.each([
  ['the times and a constant take next to nothing', 'every second', 'constant', 60],
  ['a drift in hundredths takes less than a byte', 'every second', 'quantised drift', 900],
  ['so do float32 of hundredths', 'every second', 'float32', 900],
  ['and a counter', 'every 15 s', 'counter', 60],
])('%s', (_name, clock, shape, bytes) => {
  const series = generated(3, 900, clock, shape, 'good', false);
  series.flags.fill(0);
  expect(encodeChunk(series).length).toBeLessThan(bytes);
});

test('what cannot be kept is refused with the reason', () => {
  const series = generated(1, 3, 'every second', 'noise', 'good', false);
  series.t[1] = 0.5;
  expect(() => encodeChunk(series)).toThrow(/whole microseconds/);
  expect(() => encodeChunk({ ...series, n: MOST + 1 })).toThrow(/at most 1000000/);
});

describe('damaged bytes', () => {
  const chunks = [
    generated(1, 300, 'every second', 'quantised drift', 'bad in spells', true),
    generated(2, 300, 'with jitter in µs', 'noise', 'all codes', false),
    generated(3, 300, 'by exception', 'float32', 'good', true),
    { ...generated(4, 4, 'jumping', 'noise', 'good', false), values: valuesOf(['a', 2n ** 70n, null, -0]) },
    { ...generated(5, 4, 'jumping', 'noise', 'good', false), values: valuesOf([1n, 2n ** 70n, 3n, 4n]) },
  ].map(encodeChunk);
  const resealed = (bytes: Uint8Array): Uint8Array => {
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true);
    return bytes;
  };
  const outcome = (bytes: Uint8Array): string => {
    try {
      return decodeChunk(bytes).n > MOST ? 'too much' : 'read';
    } catch (error) {
      return error instanceof Damaged ? 'damaged' : `${error as Error}`;
    }
  };

  test('cut short anywhere or with any bit turned, the chunk is refused', () => {
    for (const chunk of chunks) {
      for (let end = 0; end < chunk.length; end++) expect(outcome(chunk.subarray(0, end))).toBe('damaged');
      for (let bit = 0; bit < chunk.length * 8; bit += 7) {
        const turned = chunk.slice();
        turned[bit >>> 3] = (turned[bit >>> 3] as number) ^ (1 << (bit & 7));
        expect(outcome(turned)).toBe('damaged');
      }
    }
  });
  test('with a right checksum over wrong bytes it is read or refused, never more', () => {
    const next = random(9);
    for (let round = 0; round < 8000 * SOAK; round++) {
      const chunk = (chunks[round % chunks.length] as Uint8Array).slice(0);
      const cut = next() < 0.3 ? chunk.slice(0, 8 + Math.floor(next() * chunk.length)) : chunk;
      for (let k = 0; k < 1 + next() * 3; k++) cut[Math.floor(next() * cut.length)] = next() * 256;
      if (next() < 0.5) [cut[0], cut[1]] = [1, 0];
      expect(outcome(resealed(cut))).toMatch(/^(read|damaged)$/);
    }
  });
  test('so is garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 200 }), fc.boolean(), (bytes, plain) => {
        if (plain) bytes.set([1, 0].slice(0, bytes.length));
        expect(outcome(resealed(bytes))).toMatch(/^(read|damaged)$/);
      }),
      { numRuns: 3000 * SOAK },
    );
  });
});
