// Measures the chunk codec by itself: bytes a reading and millions of readings a second, each way, for the signals that
// devices give. Medians of some rounds; the row around a chunk (about 110 bytes with its figures) comes on top.
import { decodeChunk, encodeChunk } from '../historian/embedded/codec.ts';
import type { Series } from '../historian/embedded/series.ts';

const CHUNKS = 64;
const ROUNDS = 15;
const BASE = Date.UTC(2026, 10, 20, 12) * 1000;

let seed = 7;
/** Sum of four: close enough to a bell curve, −2 to 2. */
const noise = (): number => {
  let sum = -2;
  for (let i = 0; i < 4; i++) sum += (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return sum;
};
const wave = (i: number): number => 20 + 5 * Math.sin(i / 600) + 0.02 * noise();
const signals: Record<string, (i: number) => number> = {
  'double, to 0.01': (i) => Math.round(wave(i) * 100) / 100,
  'float32, to 0.01': (i) => Math.fround(Math.round(wave(i) * 100) / 100),
  'int16 ÷ 10': (i) => Math.round(wave(i) * 10 + 100 * Math.sin(i / 50)) / 10,
  'switch 0/1': (i) => (i >>> 7) & 1,
  'noise, full double': () => noise() * 100,
};
const clocks: Record<string, () => number> = { '1 s': () => 0, '1 s ± 25 ms': () => Math.round(noise() * 12) * 1000 };

const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >>> 1] as number;
const timed = (work: () => void): number => {
  const times = Array.from({ length: ROUNDS }, () => {
    const began = performance.now();
    work();
    return performance.now() - began;
  });
  return median(times);
};

console.log('| signal | clock | n | bytes a reading | encode, M/s | decode, M/s |\n|---|---|---|---|---|---|');
for (const [signal, value] of Object.entries(signals))
  for (const [clock, jitter] of Object.entries(clocks))
    for (const n of [240, 900, 1024]) {
      const chunks = Array.from({ length: CHUNKS }, (_, c): Series => {
        const at = (i: number): number => c * n + i;
        return {
          n,
          t: Float64Array.from({ length: n }, (_none, i) => BASE + at(i) * 1_000_000 + jitter()),
          status: new Uint32Array(n),
          flags: new Uint8Array(n),
          values: { kind: 'number', v: Float64Array.from({ length: n }, (_none, i) => value(at(i))), has: undefined },
        };
      });
      const packed = chunks.map(encodeChunk);
      const bytes = packed.reduce((sum, each) => sum + each.length, 0) / CHUNKS / n;
      const rate = (ms: number): string => ((CHUNKS * n) / ms / 1000).toFixed(1);
      const encode = timed(() => chunks.forEach((each) => encodeChunk(each)));
      const decode = timed(() => packed.forEach((each) => decodeChunk(each)));
      console.log(`| ${signal} | ${clock} | ${n} | ${bytes.toFixed(2)} | ${rate(encode)} | ${rate(decode)} |`);
    }
