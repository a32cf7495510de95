// In which order a consumer gets its frames after an outage: live first where it asked for it, everything once.
import { expect, test } from 'vitest';
import { inOrder } from './order.ts';
import type { Order } from './order.ts';
import { minus, owes } from './ranges.ts';
import type { Range } from './ranges.ts';

interface Plain {
  seq: number;
  live: boolean;
  meta: { size: number; receivedAt: number };
}
const MINUTE = 60_000;

/** A log of frames of size 1, and a consumer that reads it. */
function bed(): {
  order: Order;
  add(count: number, at: number, live?: boolean): void;
  /** Reads at a time, delivers, and tells what came: live sequences, then those of the backlog. */
  read(now: number, bytes?: number, deliver?: boolean): [number[], number[]];
} {
  const frames: Plain[] = [];
  const order: Order = { passed: [] };
  let owed: Range[] = [{ from: 1, to: Infinity }];
  return {
    order,
    add(count, at, live = true) {
      for (let i = 0; i < count; i++)
        frames.push({ seq: frames.length + 1, live, meta: { size: 1, receivedAt: at * 1000 } });
    },
    read(now, bytes = 100, deliver = true) {
      const { live, backlog } = inOrder<Plain>(
        order,
        owed,
        frames.length + 1,
        now,
        bytes,
        (ranges, room, least, passed) => {
          const found: Plain[] = [];
          for (const frame of frames.filter(({ seq }) => owes(ranges, seq))) {
            if (passed && !frame.live) passed({ from: frame.seq, to: frame.seq + 1 });
            else if (found.length < room || (least && found.length === 0)) found.push(frame);
            else break;
          }
          return found;
        },
      );
      if (deliver) for (const { seq } of [...live, ...backlog]) owed = minus(owed, { from: seq, to: seq + 1 });
      return [live.map(({ seq }) => seq), backlog.map(({ seq }) => seq)];
    },
  };
}

test.each([
  ['just below five minutes', 5 * MINUTE, [[1, 2, 3], []]],
  ['above', 5 * MINUTE + 1, [[], [1, 2, 3]]],
  ['a clock set back', -60 * MINUTE, [[1, 2, 3], []]],
])('an oldest frame of age %s', (_name, age, expected) => {
  const { add, read } = bed();
  add(3, 1000 * MINUTE);
  expect(read(1000 * MINUTE + age)).toEqual(expected);
});

test('frames of events alone have no age; the next one tells', () => {
  const { add, read } = bed();
  add(2, 0);
  expect(read(100 * MINUTE, 100, false)).toEqual([[1, 2], []]);
  add(1, MINUTE);
  expect(read(100 * MINUTE)).toEqual([[], [1, 2, 3]]);
});

test('after an outage what is new goes first, the backlog follows in order, and then all is as before', () => {
  const { add, read, order } = bed();
  add(6, MINUTE);
  expect(read(20 * MINUTE, 3)).toEqual([[], [1, 2, 3]]);
  add(2, 20 * MINUTE);
  expect(read(20 * MINUTE, 4)).toEqual([
    [7, 8],
    [4, 5],
  ]);
  add(1, 20 * MINUTE);
  expect(read(20 * MINUTE, 1)).toEqual([[9], [6]]);
  expect(read(20 * MINUTE)).toEqual([[], []]);
  expect(order).toEqual({ passed: [] });
  add(2, 21 * MINUTE);
  expect(read(21 * MINUTE)).toEqual([[10, 11], []]);
});

test('a read that was not delivered comes again', () => {
  const { add, read } = bed();
  add(3, MINUTE);
  expect(read(20 * MINUTE, 2, false)).toEqual([[], [1, 2]]);
  add(1, 20 * MINUTE);
  for (let i = 0; i < 2; i++) expect(read(20 * MINUTE, 2, false)).toEqual([[4], [1]]);
});

test('an import or a correction waits until it is the lowest, live frames pass it', () => {
  const { add, read } = bed();
  add(2, MINUTE);
  expect(read(20 * MINUTE, 1)).toEqual([[], [1]]);
  add(1, 20 * MINUTE);
  add(2, 20 * MINUTE, false);
  add(1, 20 * MINUTE);
  expect(read(20 * MINUTE, 2)).toEqual([[3, 6], [2]]);
  add(1, 20 * MINUTE);
  expect(read(20 * MINUTE)).toEqual([[7], []]);
  add(1, 20 * MINUTE);
  expect(read(20 * MINUTE)).toEqual([[4, 5, 8], []]);
});

test('one that has waited for long goes behind what is live, and still after all lower ones', () => {
  const { add, read } = bed();
  add(3, MINUTE);
  expect(read(20 * MINUTE, 1)).toEqual([[], [1]]);
  add(1, 20 * MINUTE, false);
  expect(read(20 * MINUTE, 1)).toEqual([[], [2]]);
  expect(read(30 * MINUTE, 1)).toEqual([[], [3]]);
  add(2, 30 * MINUTE);
  expect(read(30 * MINUTE)).toEqual([[5, 6], []]);
  add(1, 30 * MINUTE);
  expect(read(30 * MINUTE)).toEqual([[], [4, 7]]);
});

test('a second outage in the middle of making up for the first', () => {
  const { add, read } = bed();
  add(4, MINUTE);
  expect(read(20 * MINUTE, 1)).toEqual([[], [1]]);
  add(3, 20 * MINUTE);
  expect(read(40 * MINUTE, 2)).toEqual([[], [2, 3]]);
  add(2, 40 * MINUTE);
  expect(read(40 * MINUTE, 3)).toEqual([[8, 9], [4]]);
  add(1, 40 * MINUTE);
  expect(read(40 * MINUTE)).toEqual([[10], [5, 6, 7]]);
});
