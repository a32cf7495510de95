// Lists of sequence ranges against a plain set of numbers, for any order of adding and taking away.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minus, overlaps, owes, plus, without } from './ranges.ts';
import type { Range } from './ranges.ts';

const range = fc.tuple(fc.nat(40), fc.nat(12)).map(([from, n]): Range => ({ from, to: from + n }));
const step = fc.tuple(fc.boolean(), range);
const members = (ranges: readonly Range[]): number[] =>
  Array.from({ length: 60 }, (_, seq) => seq).filter((seq) => owes(ranges, seq));

test('adding and taking away keep ordered ranges that do not touch, with the right members', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let ranges: Range[] = [];
      const model = new Set<number>();
      for (const [add, it] of steps) {
        ranges = add ? plus(ranges, it) : minus(ranges, it);
        for (let seq = it.from; seq < it.to; seq++)
          if (add) model.add(seq);
          else model.delete(seq);
        if (it.to > it.from) expect(overlaps(ranges, it)).toBe(add);
        for (let i = 1; i < ranges.length; i++) expect(ranges[i]?.from).toBeGreaterThan(ranges[i - 1]?.to ?? NaN);
      }
      expect(members(ranges)).toEqual([...model].sort((a, b) => a - b));
    }),
  );
});

test('what is taken away at once is what is taken away one by one', () => {
  const set = fc.array(range).map((all) => all.reduce<Range[]>(plus, []));
  fc.assert(
    fc.property(set, set, (ranges, gone) => {
      expect(without(ranges, gone)).toEqual(gone.reduce(minus, ranges));
    }),
  );
  expect(without([{ from: 1, to: Infinity }], [{ from: 3, to: 5 }])).toEqual([
    { from: 1, to: 3 },
    { from: 5, to: Infinity },
  ]);
});
