// The readings that every store of the historian's benchmark is given, and the four questions each is asked.
// 64 tags on 16 assets, in thirds: doubles to 0.01, float32 to 0.01, int16 ÷ 10; quantised as sensors are.
import type { Micros } from '../../model.ts';

export const TAGS = 64;
export const START: Micros = Date.UTC(2026, 10, 18) * 1000;
export const DAY = 86_400_000_000;
export const FIVE_MINUTES = 300_000_000;

export interface Plant {
  /** Readings of each tag, and µs between two. */
  n: number;
  step: Micros;
}
/** A day at 15 s: 368,640 readings. */
export const small: Plant = { n: 5760, step: 15_000_000 };
/** `readings` in all, one a second. */
export const large = (readings: number): Plant => ({ n: Math.floor(readings / TAGS), step: 1_000_000 });

export const timeOf = ({ step }: Plant, i: number): Micros => START + i * step;

/** A bell curve's worth of noise, −2 to 2, the same for the same tag and reading. */
function noise(tag: number, i: number): number {
  let z = Math.imul(tag * 7919 + i, 0x9e3779b1);
  let sum = -2;
  for (let k = 0; k < 4; k++) {
    z = Math.imul(z ^ (z >>> 15), 0x2c1b3c6d) + k;
    sum += ((z ^ (z >>> 13)) >>> 0) / 2 ** 32;
  }
  return sum;
}
export const kinds = ['double', 'float32', 'int16 ÷ 10'] as const;
export const kindOf = (tag: number): (typeof kinds)[number] => kinds[tag % 3] as (typeof kinds)[number];
export function valueOf(tag: number, i: number): number {
  const wave = 20 + 5 * Math.sin(i / (500 + tag)) + 0.02 * noise(tag, i);
  if (tag % 3 === 0) return Math.round(wave * 100) / 100;
  if (tag % 3 === 1) return Math.fround(Math.round(wave * 100) / 100);
  return Math.round(wave * 10 + 100 * Math.sin(i / 50)) / 10;
}

export interface Answered {
  /** Buckets with a value, or tags: so that nobody is quick by leaving something out. */
  rows: number;
}
/** A store with a plant's readings in it. Times are of the day from `START`. */
export interface Loaded {
  bytes: number;
  /** 24 h of 16 tags in 5-minute buckets, min, avg, max. */
  day(): Promise<Answered>;
  /** Count, min, avg, max of 64 tags over 24 h. */
  figures(): Promise<Answered>;
  /** The newest value of each tag. */
  latest(): Promise<Answered>;
  /** One tag, one hour. */
  hour(): Promise<Answered>;
  close(): Promise<void> | void;
}
export interface Kept {
  name: string;
  /** Rejects in a sentence where the program is not to be had. */
  load(plant: Plant, dir: string): Promise<Loaded>;
}
/** The sixteen tags of the day question. */
export const sixteen = Array.from({ length: 16 }, (_none, i) => i * 4);
export const hourFrom = START + 5 * 3_600_000_000;
export const hourTo = hourFrom + 3_600_000_000;
