// For the tests of deep history: real embedded stores with a seam, and whether two of them answer alike.
// Used by deep.test.ts over a database in memory, and by the contract over real ones.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { BucketWidth, Historian } from '../../history.ts';
import type { Micros, Sample, Value } from '../../model.ts';
import { hourOf } from '../embedded/chunks.ts';
import { openQuery } from '../embedded/history.ts';
import type { Query } from '../embedded/history.ts';
import { openMemory } from '../embedded/open.ts';
import { openStore } from '../embedded/store.ts';
import { frameOf, sampleOf } from '../embedded/testing.ts';
import type { RemoteTag } from '../remote.ts';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
/** In a week in which Berlin's clocks go back, and a little after it: now. */
export const START = Date.UTC(2026, 9, 24, 3, 17) * 1000;
export const NOW = START + 60 * HOUR + 123_456;

export const tags: readonly RemoteTag[] = [
  { id: 'north/pump-1/flow', type: 'double' },
  { id: 'south/pump-1/flow', type: 'double' },
  { id: 'north/line-2/pump-1/count', type: 'integer' },
  { id: 'north/pump-1/note', type: 'text' },
  { id: 'north/pump-1/on', type: 'boolean' },
  { id: 'north/pump-1/serial', type: 'integer' },
];
/** One that both know and neither has a sample of. */
export const silent = tags.length;
export const namedOf = (index: number): RemoteTag | undefined =>
  index === silent ? { id: 'north/silent', type: 'double' } : tags[index];

/** Some days of every type: steady, sparse, with gaps, bad, uncertain and without value; whole numbers of any size. */
export function plant(): Sample[] {
  const samples: Sample[] = [];
  const put = (tag: number, t: Micros, value: Value, status = 0): void =>
    void samples.push(sampleOf(tag, t, value, status));
  for (let i = 0, t = START + 7; t < NOW; i++, t += 101 * SECOND + (i % 7)) {
    const gap = i % 600 > 450;
    const bad = i % 97 === 0;
    if (!gap) put(0, t, bad ? null : (i % 160) / 8, bad ? 0x80050000 : i % 53 === 0 ? 0x40900000 : 0);
    if (i % 11 === 0)
      put(2, t + 1, i % 1000 === 0 ? null : 2 ** 53 - 1 + i > 2 ** 53 ? BigInt(2 ** 53) + BigInt(i) : i);
    if (i % 29 === 0) put(4, t + 2, i % 3 === 0);
    if (i % 41 === 0)
      put(3, t + 3, ['off', 'on', 'it\'s "x"', 'off'][(i / 41) % 4] as string, i % 5 === 0 ? 0x80000000 : 0);
  }
  for (let i = 0; i < 9; i++) put(1, START + i * 7.5 * HOUR + 1, [1, 1, -2, 0, 5][i % 5] as number);
  for (let i = 0; i < 30; i++) put(5, START + i * 2 * HOUR + 1, 2n ** 64n + BigInt(i % 3));
  return samples.sort((a, b) => a.t - b.t);
}

export interface Seam {
  /** ms; the store removes what is older by hours. */
  retention?: number;
  /** The store was made then, and has what is older only as far as `late` says. */
  since?: Micros;
  late?(sample: Sample): boolean;
}
export interface Seamed {
  query: Query;
  /** What is older is not kept. */
  retained(): Micros;
  clock: ManualClock;
  dataDir: string;
  close(): void;
}

export async function storeWith(samples: readonly Sample[], { retention, since, late }: Seam = {}): Promise<Seamed> {
  const dataDir = mkdtempSync(join(tmpdir(), 'penstock-seam-'));
  const clock = new ManualClock((since ?? START - HOUR) / 1000);
  const memory = openMemory(1 << 20);
  const { signal } = new AbortController();
  const store = openStore({ dataDir, clock, memory, durable: () => Infinity, retention });
  const here = samples.filter((sample) => since === undefined || sample.t >= since || late?.(sample) === true);
  const steps = 12;
  for (let i = 0; i < steps; i++) {
    const part = here.slice((i * here.length) / steps, ((i + 1) * here.length) / steps);
    if (part.length > 0) await store.write([frameOf(i + 1, part)], signal);
    await clock.advance(Math.max(0, (NOW / 1000 - clock.now()) / (steps - i)));
    await store.tend();
  }
  // What is to be removed goes in small steps.
  for (let i = 0; retention !== undefined && i < 10; i++) {
    await clock.advance(61_000);
    await store.tend();
  }
  const query = openQuery(dataDir, clock, memory);
  return {
    query,
    clock,
    dataDir,
    retained: () => (retention === undefined ? -Infinity : hourOf(clock.micros()) - retention * 1000),
    close() {
      query.close();
      void store.close().then(() => rmSync(dataDir, { recursive: true, force: true }));
    },
  };
}

type Answers = Omit<Historian, 'bucketText' | 'rows'>;
export interface Asked {
  from: Micros;
  to: Micros;
  width: BucketWidth;
  zone: string;
  limit: number;
}

/** Equal but for the last digits of numbers, which adding in another order leaves. */
function alike(got: unknown, wanted: unknown): boolean {
  if (typeof got === 'number' && typeof wanted === 'number')
    return got === wanted || Math.abs(got - wanted) <= 1e-9 * (1 + Math.abs(wanted));
  if (typeof got !== 'object' || typeof wanted !== 'object' || got === null || wanted === null) return got === wanted;
  const keys = new Set([...Object.keys(got), ...Object.keys(wanted)]);
  return [...keys].every((key) =>
    alike((got as Record<string, unknown>)[key], (wanted as Record<string, unknown>)[key]),
  );
}

/** Every kind of answer of `got` is that of `wanted`; bit for bit but for sums. */
export async function expectAlike(got: Answers, wanted: Answers, asked: Asked): Promise<void> {
  const { from, to, width, zone, limit } = asked;
  const all = [...tags.keys(), silent];
  const both = async (name: string, ask: (of: Answers) => Promise<unknown>): Promise<void> => {
    const [a, b] = [await ask(got), await ask(wanted)];
    if (!alike(a, b)) expect(a, `${name} ${JSON.stringify(asked)}`).toEqual(b);
  };
  await both('aggregate', (of) => of.aggregate({ tags: all, from, to, width, zone }));
  const narrow = Math.max(1, Math.ceil((to - from) / 50));
  await both('buckets', (of) => of.buckets(all, from, to, narrow));
  await both('states', (of) => of.states([1, 3, 4, 5, silent], from, to, limit));
  await both('states of numbers', (of) => of.states([0, 2], from, to, limit));
  await both('limitTime', (of) => of.limitTime(all, from, to, 2.5));
  await both('limitTime', (of) => of.limitTime(all, from, to, 0));
  await both('kpis', (of) => of.kpis(all, from, to));
  for (const tag of all) await both('raw', (of) => of.raw(tag, from, to, limit));
}
