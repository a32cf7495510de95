// A column of whole numbers in few bytes: what is left after the best of four guesses, zeros as runs where they are many.
// Everything in a chunk that can be counted goes through here: times, statuses, flags, scaled values, places in a list.
import { Damaged, sizeOf, unzigzag, zigzag } from './bytes.ts';
import type { Packer, Unpacker } from './bytes.ts';

/** Numbers up to this size are taken: their second differences are still exact, zigzagged. */
export const LARGEST = 2 ** 50;

type Column = Float64Array | Uint32Array | Uint8Array;

/**
 * The guess for the next number: the mean (noise), the last (drift), the last step again (ramps, regular times), or the
 * line from first to last (times with jitter).
 */
const Guess = { mean: 0, last: 1, step: 2, line: 3 } as const;
const RUNS = 4;
/** Half a byte each, and what is larger behind them: about what deflate makes of noise, and read without it. */
const HALVES = 8;
const LARGER = 15;

const residuals = [0, 1, 2, 3].map(() => new Float64Array(1024));

/** What a column would take: bytes before deflate, and how; with halves of bytes instead, how many. */
interface Plan {
  guess: number;
  runs: boolean;
  bytes: number;
  halves: number;
}

function cost(values: Float64Array, n: number): Omit<Plan, 'guess'> {
  let plain = 0;
  let larger = 0;
  let zeros = 0;
  let breaks = 0;
  let before = -1;
  for (let i = 0; i < n; i++) {
    const z = values[i] as number;
    plain += z < 128 ? 1 : z < 16384 ? 2 : sizeOf(z);
    if (z >= LARGER) larger += sizeOf(z - LARGER);
    if (z === 0) {
      zeros++;
      if (before !== 0) breaks++;
    }
    before = z;
  }
  // Deflate does well with zeros in between; only long runs are worth two bytes each.
  const runs = zeros >= 8 * breaks && zeros > 8;
  return { runs, bytes: runs ? plain - zeros + 2 * breaks : plain, halves: Math.ceil(n / 2) + larger };
}

/** Weighs the guesses for the first `n` numbers of the column; leaves their residuals for `packIntegers`. */
export function planIntegers(column: Column, n: number): Plan {
  if ((residuals[0] as Float64Array).length < n)
    for (const i of residuals.keys()) residuals[i] = new Float64Array(Math.max(n, 16_384));
  const [mean, last, step, line] = residuals as [Float64Array, Float64Array, Float64Array, Float64Array];
  const first = column[0] as number;
  const middle = meanOf(column, n);
  const slope = slopeOf(first, column[n - 1] as number, n);
  let x1 = first;
  let d1 = 0;
  for (let i = 0; i < n; i++) {
    const x = column[i] as number;
    const d = x - x1;
    mean[i] = zigzag(x - middle);
    last[i] = zigzag(d);
    step[i] = zigzag(d - d1);
    line[i] = zigzag(x - first - Math.round(i * slope));
    x1 = x;
    d1 = d;
  }
  let best: Plan | undefined;
  for (const guess of [Guess.last, Guess.step, Guess.mean, Guess.line]) {
    const plan = { guess, ...cost(residuals[guess] as Float64Array, n) };
    // Within a byte class the smaller residuals deflate better: a tie goes to the smaller sum.
    if (!best || plan.bytes < best.bytes || (plan.bytes === best.bytes && sum(guess, n) < sum(best.guess, n)))
      best = plan;
  }
  return best as Plan;
}

function sum(guess: number, n: number): number {
  const values = residuals[guess] as Float64Array;
  let total = 0;
  for (let i = 0; i < n; i++) total += values[i] as number;
  return total;
}
function meanOf(column: Column, n: number): number {
  let total = 0;
  for (let i = 0; i < n; i++) total += column[i] as number;
  return n === 0 ? 0 : Math.round(total / n);
}
const slopeOf = (first: number, last: number, n: number): number => (n < 2 ? 0 : (last - first) / (n - 1));

/** Writes the first `n` numbers, each a whole number of at most `LARGEST`; in halves of bytes where the packer wants that. */
export function packIntegers(packer: Packer, column: Column, n: number, plan = planIntegers(column, n)): void {
  if (n === 0) return;
  const halves = packer.halves && plan.halves < plan.bytes;
  packer.byte(plan.guess + (halves ? HALVES : plan.runs ? RUNS : 0));
  const first = column[0] as number;
  packer.int(plan.guess === Guess.mean ? meanOf(column, n) : first);
  if (plan.guess === Guess.line) packer.int((column[n - 1] as number) - first);
  const values = residuals[plan.guess] as Float64Array;
  if (halves) return packHalves(packer, values, n);
  packer.need(8 * n);
  for (let i = 0; i < n; i++) {
    const z = values[i] as number;
    if (z < 128 && !(plan.runs && z === 0)) {
      packer.bytes[packer.length++] = z;
      continue;
    }
    packer.uint(z);
    if (z !== 0) continue;
    const began = i;
    while (i + 1 < n && values[i + 1] === 0) i++;
    packer.uint(i - began);
  }
}

function packHalves(packer: Packer, values: Float64Array, n: number): void {
  const half = (i: number): number => (i < n ? Math.min(values[i] as number, LARGER) : 0);
  for (let i = 0; i < n; i += 2) packer.byte(half(i) + half(i + 1) * 16);
  for (let i = 0; i < n; i++) if ((values[i] as number) >= LARGER) packer.uint((values[i] as number) - LARGER);
}

let read = new Float64Array(1024);

/** Reads `n` numbers of at most 32 bits as they were written; `out` holds at least `n`. */
export function unpackSmall(from: Unpacker, n: number, out: Uint32Array | Uint8Array): void {
  const { at } = from;
  // Most often it is one number all the way.
  if (n > 0 && from.byte() === Guess.last + RUNS) {
    const only = from.int();
    if (from.uint() === 0 && from.uint(n - 1) === n - 1) return void out.fill(only, 0, n);
  }
  from.at = at;
  if (read.length < n) read = new Float64Array(n);
  unpackIntegers(from, n, read);
  for (let i = 0; i < n; i++) out[i] = read[i] as number;
}

/** Reads `n` numbers as they were written; `out` holds at least `n`. Always doubles: the loops are what queries wait for. */
export function unpackIntegers(from: Unpacker, n: number, out: Float64Array): void {
  if (n === 0) return;
  const head = from.byte();
  if (head >= HALVES + RUNS)
    throw new Damaged(`the chunk has a column of kind ${head}, which this version does not know`);
  const guess = head % RUNS;
  const first = from.int();
  const slope = guess === Guess.line ? slopeOf(0, from.int(), n) : 0;
  if (head >= HALVES) unpackHalves(from, n, out);
  else if (head >= RUNS) unpackRuns(from, n, out);
  else unpackEach(from, n, out);
  if (guess === Guess.mean) for (let i = 0; i < n; i++) out[i] = first + (out[i] as number);
  else if (guess === Guess.line)
    for (let i = 0; i < n; i++) out[i] = first + Math.round(i * slope) + (out[i] as number);
  else if (guess === Guess.last) for (let i = 0, x = first; i < n; i++) out[i] = x += out[i] as number;
  else for (let i = 0, x = first, d = 0; i < n; i++) out[i] = x += d += out[i] as number;
}

/** Residuals in halves of bytes. */
function unpackHalves(from: Unpacker, n: number, out: Float64Array): void {
  const halves = from.raw((n + 1) >>> 1);
  let larger = 0;
  for (let i = 0; i < n; i++) {
    const z = ((halves[i >>> 1] as number) >>> ((i & 1) * 4)) & 15;
    out[i] = (z >>> 1) ^ -(z & 1);
    if (z === LARGER) larger++;
  }
  for (let i = 0; larger > 0; i++) {
    if (out[i] !== -8) continue;
    out[i] = unzigzag(LARGER + from.uint());
    larger--;
  }
}
/** Residuals with their zeros as runs. */
function unpackRuns(from: Unpacker, n: number, out: Float64Array): void {
  for (let i = 0; i < n; i++) {
    const residual = (out[i] = from.int());
    if (residual !== 0) continue;
    const end = i + 1 + from.uint(n - 1 - i);
    out.fill(0, i + 1, end);
    i = end - 1;
  }
}
/** Residuals of mostly a byte or two each. */
function unpackEach(from: Unpacker, n: number, out: Float64Array): void {
  const { bytes } = from;
  let { at } = from;
  for (let i = 0; i < n; i++) {
    const low = bytes[at] as number;
    const high = bytes[at + 1] as number;
    if (low < 128) {
      out[i] = (low >>> 1) ^ -(low & 1);
      at++;
    } else if (high < 128) {
      const z = (low & 127) | (high << 7);
      out[i] = (z >>> 1) ^ -(z & 1);
      at += 2;
    } else {
      from.at = at;
      out[i] = from.int();
      at = from.at;
    }
  }
  from.at = at;
}
