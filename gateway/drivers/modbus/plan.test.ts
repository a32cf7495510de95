// The plan's promises for any set of points: all covered, legal requests, no value torn; and the cost of a wrong register.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parts, plan } from './plan.ts';
import type { Block } from './plan.ts';
import type { Place } from './schema.ts';

const place = (tag: number, address: number, size = 1, more: Partial<Place> = {}): Place => ({
  tag,
  unitId: 1,
  table: 'hr',
  address,
  size,
  encoding: 'uint16',
  order: 'ABCD',
  bit: 0,
  interval: 1000,
  ...more,
});
const limits = { maxRegisters: 120, maxGap: 16, strict: false };
const spans = (blocks: readonly Block[]) => blocks.map((block) => [block.from, block.count]);

const arbitrary = fc
  .array(
    fc.record({
      unitId: fc.integer({ min: 1, max: 3 }),
      table: fc.constantFrom('ir', 'hr', 'co', 'di'),
      address: fc.integer({ min: 0, max: 4000 }),
      size: fc.constantFrom(1, 2, 4, 20),
      interval: fc.constantFrom(100, 1000),
    }),
    { maxLength: 80 },
  )
  .map((list) =>
    list.map((given, tag) => {
      const size = given.table === 'co' || given.table === 'di' ? 1 : given.size;
      return place(tag, given.address, size, { ...given, size } as Partial<Place>);
    }),
  );
const anyLimits = fc.record({
  maxRegisters: fc.integer({ min: 20, max: 125 }),
  maxGap: fc.integer({ min: 0, max: 124 }),
  strict: fc.boolean(),
});

/** Every place in exactly one block, whole, of its own unit, table and interval; every block legal. */
function sound(blocks: readonly Block[], places: readonly Place[], maxRegisters: number): void {
  expect(blocks.flatMap((block) => block.places.map(({ tag }) => tag)).sort((a, b) => a - b)).toEqual(
    places.map(({ tag }) => tag).sort((a, b) => a - b),
  );
  for (const block of blocks) {
    const bits = block.table === 'co' || block.table === 'di';
    expect(block.count).toBeGreaterThan(0);
    expect(block.count).toBeLessThanOrEqual(bits ? 2000 : maxRegisters);
    for (const { unitId, table, interval, address, size } of block.places) {
      expect([unitId, table, interval]).toEqual([block.unitId, block.table, block.interval]);
      expect(address).toBeGreaterThanOrEqual(block.from);
      expect(address + size).toBeLessThanOrEqual(block.from + block.count);
    }
  }
}

describe('plan', () => {
  test('covers every point whole within the limits, whatever is asked', () => {
    fc.assert(
      fc.property(arbitrary, anyLimits, (places, given) => {
        const blocks = plan(places, given);
        sound(blocks, places, given.maxRegisters);
        for (const block of blocks) {
          const read = new Set<number>();
          for (const { address, size } of block.places) for (let i = 0; i < size; i++) read.add(address + i);
          if (given.strict) expect(read.size).toBe(block.count);
          let hole = 0;
          for (let i = 0; i < block.count; i++) {
            hole = read.has(block.from + i) ? 0 : hole + 1;
            expect(hole).toBeLessThanOrEqual(given.maxGap);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test('fills holes up to the gap, splits at the limit and never through a value', () => {
    expect(spans(plan([place(0, 0), place(1, 17), place(2, 35)], limits))).toEqual([
      [0, 18],
      [35, 1],
    ]);
    expect(spans(plan([place(0, 0), place(1, 2)], { ...limits, strict: true }))).toHaveLength(2);
    const floats = Array.from({ length: 63 }, (_, i) => place(i, i * 2, 2));
    expect(spans(plan(floats, { ...limits, maxRegisters: 125 }))).toEqual([
      [0, 124],
      [124, 2],
    ]);
    const coils = Array.from({ length: 2001 }, (_, i) => place(i, i, 1, { table: 'co' }));
    expect(spans(plan(coils, limits))).toEqual([
      [0, 2000],
      [2000, 1],
    ]);
  });

  test('takes a short value inside a long one along', () => {
    expect(spans(plan([place(0, 0, 20), place(1, 5), place(2, 21)], limits))).toEqual([[0, 22]]);
  });
});

describe('parts', () => {
  test('are sound, smaller, and end in single points', () => {
    fc.assert(
      fc.property(arbitrary, (places) => {
        for (const block of plan(places, limits)) {
          const smaller = parts(block);
          sound(smaller, block.places, 125);
          expect(smaller.length > 1).toBe(block.places.length > 1);
          for (const part of smaller)
            expect(part.places.length).toBeLessThan(block.places.length + (smaller.length > 1 ? 0 : 1));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a few holes go first; among many holes the block is halved instead of read one by one', () => {
    const [few] = plan([place(0, 0), place(1, 1), place(2, 5)], limits);
    expect(spans(parts(few!))).toEqual([
      [0, 2],
      [5, 1],
    ]);
    const [many] = plan(
      Array.from({ length: 40 }, (_, i) => place(i, i * 3)),
      limits,
    );
    expect(spans(parts(many!))).toEqual([
      [0, 58],
      [60, 58],
    ]);
  });
});
