// The bytes on the wire: the specification's own examples, streams cut anywhere, and what is no answer.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerTo, readRequest, ReplyParser } from './frame.ts';
import type { Reply } from './frame.ts';
import { frame } from './peer.ts';

test('a request is 12 bytes, as the specification shows', () => {
  expect([...readRequest(0x1501, 0xff, 'hr', 107, 3)]).toEqual([0x15, 1, 0, 0, 0, 6, 0xff, 3, 0, 107, 0, 3]);
  expect(['co', 'di', 'hr', 'ir'].map((table) => readRequest(0, 1, table as 'co', 0, 1)[7])).toEqual([1, 2, 3, 4]);
});

describe('the parser', () => {
  const replies = [
    { tid: 1, unitId: 1, pdu: [3, 2, 0, 7] },
    { tid: 65535, unitId: 255, pdu: [0x83, 2] },
    { tid: 2, unitId: 0, pdu: [3, 250, ...Array.from({ length: 250 }, (_, i) => i)] },
  ];
  const stream = Buffer.concat(replies.map((reply) => frame(reply, reply.pdu)));
  const expected = replies.map(({ tid, unitId, pdu }) => ({
    tid,
    unitId,
    code: pdu[0],
    body: Uint8Array.from(pdu.slice(1)),
  }));

  test('gives the same replies however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
        const parser = new ReplyParser();
        const got: (Reply | undefined)[] = [];
        for (let at = 0, i = 0; at < stream.length; at += sizes[i++ % sizes.length]!)
          got.push(...(parser.push(stream.subarray(at, at + sizes[i % sizes.length]!)) ?? [undefined]));
        expect(got).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
  test('byte by byte, and all at once', () => {
    const parser = new ReplyParser();
    expect([...stream].flatMap((byte) => parser.push(Uint8Array.of(byte)) ?? [undefined])).toEqual(expected);
    expect(new ReplyParser().push(stream)).toEqual(expected);
  });

  test.each<[string, number[]]>([
    ['another protocol id', [0, 1, 0, 1, 0, 3, 1, 3, 0]],
    ['length 0', [0, 1, 0, 0, 0, 0, 1, 3]],
    ['length 1', [0, 1, 0, 0, 0, 1, 1]],
    ['a length above 254', [0, 1, 0, 0, 0, 255, 1, 3]],
    ['text', [...Buffer.from('HTTP/1.1 400 Bad Request')]],
  ])('%s is not Modbus TCP', (_what, bytes) => {
    expect(new ReplyParser().push(Uint8Array.from(bytes))).toBeUndefined();
  });

  test('takes any bytes without throwing', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void new ReplyParser().push(bytes)));
  });
});

describe('an answer', () => {
  const asked = { unitId: 5, table: 'hr' as const, count: 2 };
  const reply = (code: number, body: number[], unitId = 5): Reply => ({
    tid: 1,
    unitId,
    code,
    body: Uint8Array.from(body),
  });

  test('is words, bits or an exception', () => {
    expect(answerTo(asked, reply(3, [4, 0x12, 0x34, 0xff, 0xfe]))).toEqual({ words: Uint16Array.of(0x1234, 0xfffe) });
    expect(answerTo({ ...asked, table: 'di', count: 10 }, reply(2, [2, 0b10000001, 0b10]))).toEqual({
      words: Uint16Array.of(1, 0, 0, 0, 0, 0, 0, 1, 0, 1),
    });
    expect(answerTo(asked, reply(0x83, [2]))).toEqual({ exception: 2 });
  });

  test.each<[string, Reply]>([
    ['another unit', reply(3, [4, 0, 0, 0, 0], 6)],
    ['another function', reply(4, [4, 0, 0, 0, 0])],
    ['an exception of another function', reply(0x84, [2])],
    ['an exception without its code', reply(0x83, [])],
    ['too few bytes', reply(3, [2, 0, 0])],
    ['too many bytes', reply(3, [6, 0, 0, 0, 0, 0, 0])],
    ['a byte count that is not the bytes', reply(3, [4, 0, 0])],
    ['bytes that are not the count', reply(3, [2, 0, 0, 0, 0])],
    ['nothing', reply(3, [])],
  ])('%s is none', (_what, wrong) => {
    expect(answerTo(asked, wrong)).toHaveProperty('invalid');
  });
});
