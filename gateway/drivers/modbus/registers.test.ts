// The decoder against the simulator's encoder, written apart from it, and against vectors from manuals.
import { describe, expect, test } from 'vitest';
import { encode, registersOf } from '../../../simulators/modbus/encode.ts';
import { Status } from '../../model.ts';
import type { Value } from '../../model.ts';
import { decoderOf } from './registers.ts';
import type { Encoding, Order } from './schema.ts';

const orders: Order[] = ['ABCD', 'CDAB', 'BADC', 'DCBA'];
const decode = (encoding: Encoding, order: Order, words: number[], bit = 0) =>
  decoderOf({ encoding, order, bit, size: words.length })(Uint16Array.from(words), 0);

const values: [Encoding, (number | bigint)[]][] = [
  ['int16', [0, 1, -1, 32767, -32768, 0x1234]],
  ['uint16', [0, 65535, 0x1234]],
  ['int32', [0, -1, 2147483647, -2147483648, 0x12345678]],
  ['uint32', [0, 4294967295, 0x12345678]],
  ['int64', [0, -1, 2 ** 53 - 1, -(2 ** 53 - 1), 2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n, 0x123456789abcden]],
  ['uint64', [0, 2 ** 53 - 1, 2n ** 53n, 2n ** 64n - 1n, 0x0123456789abcdefn]],
  ['float32', [0, 1.5, -273.15, 123456, 3.4028234663852886e38, 1e-45]],
  ['float64', [0, 0.1, -1e300, Math.PI, 5e-324]],
];

describe.each(values)('%s', (encoding, list) => {
  test.each(orders)('comes back as it was encoded in %s', (order) => {
    // One register has no order of words; its bytes are never swapped (check refuses an order there).
    if (registersOf(encoding) === 1 && order !== 'ABCD') return expect(orders).toContain(order);
    for (const value of list) {
      const expected = encoding === 'float32' ? Math.fround(Number(value)) : value;
      const small =
        typeof expected === 'bigint' &&
        expected <= BigInt(Number.MAX_SAFE_INTEGER) &&
        expected >= -BigInt(Number.MAX_SAFE_INTEGER);
      expect(decode(encoding, order, encode(encoding, value, order))).toEqual({
        value: small ? Number(expected) : expected,
        status: Status.good,
      });
    }
  });
});

test.each<[Encoding, Order, number[], Value]>([
  ['float32', 'ABCD', [0x47f1, 0x2000], 123456],
  ['float32', 'CDAB', [0x2000, 0x47f1], 123456],
  ['float32', 'BADC', [0xf147, 0x0020], 123456],
  ['float32', 'DCBA', [0x0020, 0xf147], 123456],
  ['uint32', 'ABCD', [0x0001, 0xe240], 123456],
  ['uint32', 'DCBA', [0x40e2, 0x0100], 123456],
  ['int32', 'CDAB', [0xfffe, 0xffff], -2],
  ['uint64', 'ABCD', [0x0123, 0x4567, 0x89ab, 0xcdef], 0x0123456789abcdefn],
  ['uint64', 'CDAB', [0xcdef, 0x89ab, 0x4567, 0x0123], 0x0123456789abcdefn],
  ['uint64', 'BADC', [0x2301, 0x6745, 0xab89, 0xefcd], 0x0123456789abcdefn],
  ['uint64', 'DCBA', [0xefcd, 0xab89, 0x6745, 0x2301], 0x0123456789abcdefn],
  ['int16', 'ABCD', [0x8000], -32768],
  ['string', 'ABCD', [0x4142, 0x4300], 'ABC'],
  ['string', 'BADC', [0x4241, 0x0043], 'ABC'],
  ['string', 'ABCD', [0x4142, 0x4320, 0x2020], 'ABC'],
  ['string', 'ABCD', [0x4100, 0x4242], 'A'],
  ['string', 'ABCD', [0x0000], ''],
  ['string', 'ABCD', [0x6dc2, 0xb300], 'm³'],
])('%s %s %j is %s', (encoding, order, words, value) => {
  expect(decode(encoding, order, words)).toEqual({ value, status: Status.good });
});

test('bits and bools', () => {
  for (let bit = 0; bit < 16; bit++) {
    expect(decode('bit', 'ABCD', [1 << bit], bit).value).toBe(true);
    expect(decode('bit', 'ABCD', [0xffff ^ (1 << bit)], bit).value).toBe(false);
  }
  expect(decode('bool', 'ABCD', [1]).value).toBe(true);
  expect(decode('bool', 'ABCD', [0]).value).toBe(false);
});

test.each<[Encoding, number[]]>([
  ['float32', [0x7fc0, 0]],
  ['float32', [0x7f80, 0]],
  ['float32', [0xff80, 0]],
  ['float64', [0x7ff8, 0, 0, 0]],
])('%s %j is no number: bad, without a value', (encoding, words) => {
  expect(decode(encoding, 'ABCD', words)).toEqual({ value: null, status: Status.badSensorFailure });
});

test('a value is taken from its own place in the answer', () => {
  const words = Uint16Array.from([9, 9, ...encode('float32', 1.5, 'CDAB'), 9]);
  expect(decoderOf({ encoding: 'float32', order: 'CDAB', bit: 0, size: 2 })(words, 2).value).toBe(1.5);
});
