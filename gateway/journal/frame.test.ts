// The codec of frames: every batch comes back as it was, and no damage is taken for a frame. Property tests, and the
// sizes that the bars name.
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Batch, GatewayEvent, Sample } from '../model.ts';
import { ByteWriter } from './bytes.ts';
import { decodeFrame, encodeInto } from './frame.ts';
import { VERSION, headsIn, readHead } from './head.ts';
import { asVersion1, encodeFrame, framesIn } from './testing.ts';

const time = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1_700_000_000_000_000, max: 1_800_000_000_000_000 }) },
  { weight: 1, arbitrary: fc.maxSafeInteger() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, -11_644_473_600_000_000, 253_402_300_799_000_000, Number.MAX_SAFE_INTEGER),
  },
);
const value: fc.Arbitrary<Sample['value']> = fc.oneof(
  fc.double(),
  fc.float(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.boolean(),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom<Sample['value']>(null, -0, NaN, Infinity, -Infinity, 5e-324, '', '\ud800', '温度 °C'),
);
const sample: fc.Arbitrary<Sample> = fc.record(
  {
    tag: fc.nat(200_000),
    t: time,
    receivedAt: time,
    at: time,
    valueAt: time,
    value,
    status: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffffffff })),
    flags: fc.nat(15),
  },
  { requiredKeys: ['tag', 't', 'receivedAt', 'value', 'status', 'flags'], noNullPrototype: true },
);
/** Of a device that says no times. */
const timeless = fc
  .tuple(sample, fc.nat(999))
  .map(([one, after]): Sample => ({ ...one, receivedAt: Math.min(one.t + after, Number.MAX_SAFE_INTEGER) }));
const event: fc.Arbitrary<GatewayEvent> = fc.record(
  { kind: fc.constant('clock' as const), id: fc.string(), time: fc.nat(), message: fc.string({ unit: 'binary' }) },
  { noNullPrototype: true },
);
const n = fc.maxSafeNat();
const counts = fc.record(
  { received: n, made: n, rejected: n, filtered: n, shed: n, journalled: n, merged: n },
  { noNullPrototype: true },
);
const batch: fc.Arbitrary<Batch> = fc.record(
  {
    origin: fc.constantFrom('live', 'backfill', 'import', 'seed'),
    source: fc.string({ unit: 'grapheme' }),
    samples: fc.oneof(
      { weight: 4, arbitrary: fc.array(sample, { maxLength: 60 }) },
      { weight: 1, arbitrary: fc.array(timeless, { maxLength: 60 }) },
    ),
    events: fc.array(event, { maxLength: 3 }),
    counts,
  },
  { requiredKeys: ['origin', 'source', 'samples', 'events'], noNullPrototype: true },
);

describe('frame', () => {
  test('gives back every batch as it was', () => {
    fc.assert(
      fc.property(batch, fc.maxSafeInteger(), fc.nat(), (given, seq, revision) => {
        const result = decodeFrame(encodeFrame(given, seq, revision));
        if (!result.ok) throw new Error(result.message);
        expect(Object.is(result.frame.seq, -0) ? 0 : result.frame.seq).toBe(Object.is(seq, -0) ? 0 : seq);
        expect(result.frame.revision).toBe(revision);
        expect(result.frame).toStrictEqual({ ...given, seq: result.frame.seq, revision });
      }),
      { numRuns: 400 },
    );
  });

  test('a head tells all that a log needs, and the same as the encoder', () => {
    fc.assert(
      fc.property(batch, fc.maxSafeNat(), (given, seq) => {
        const out = new ByteWriter();
        const meta = encodeInto(out, given, seq, 1);
        const { origin, source, samples } = given;
        const receivedAt = samples[0]?.receivedAt ?? 0;
        expect(meta).toMatchObject({ seq, origin, source, samples: samples.length, receivedAt, size: out.length });
        expect(readHead(out.take())).toMatchObject({ ok: true, meta });
      }),
    );
  });

  test('a frame of version 1, without counts, is still read', () => {
    const given: Batch = { origin: 'import', source: 'line', samples: [plain(1, 5), plain(2, 6.5)], events: [] };
    const old = asVersion1(encodeFrame(given, 7, 3));
    expect(decodeFrame(old)).toEqual({ ok: true, frame: { ...given, seq: 7, revision: 3 }, next: old.length });
    expect([...headsIn(Buffer.concat([old, old]))].map(({ meta }) => meta.source)).toEqual(['line', 'line']);
  });

  test('a frame of a newer version is refused in words', () => {
    const bytes = encodeFrame({ origin: 'live', source: 'x', samples: [], events: [] }, 1, 1);
    const at = 8 + 16 + 2;
    expect(bytes[at]).toBe(VERSION);
    bytes[at] = VERSION + 1;
    new DataView(bytes.buffer).setUint32(4, crc32(bytes.subarray(8)), true);
    expect(decodeFrame(bytes)).toMatchObject({
      ok: false,
      message: expect.stringMatching(/version 4.*knows 3/) as string,
    });
  });

  test('never throws on garbage, and never takes a damaged frame for a good one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeFrame(bytes).ok).toBe(false);
      }),
    );
    fc.assert(
      fc.property(batch, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, place, flip) => {
        const bytes = encodeFrame(given, 7, 1);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] as number) ^ flip;
        expect(decodeFrame(bytes).ok).toBe(false);
      }),
    );
  });

  test('a torn tail ends the reading at the last whole frame', () => {
    const given: Batch = { origin: 'live', source: 'line', samples: [plain(1, 5), plain(2, 6.5)], events: [] };
    const frames = [1, 2, 3].map((seq) => encodeFrame(given, seq, 1));
    const whole = Buffer.concat(frames);
    const twoEnd = (frames[0]?.length ?? 0) + (frames[1]?.length ?? 0);
    for (let cut = twoEnd; cut < whole.length; cut++) {
      const iterator = framesIn(whole.subarray(0, cut));
      const seen: number[] = [];
      let step = iterator.next();
      for (; !step.done; step = iterator.next()) seen.push(step.value.seq);
      expect(seen).toEqual([1, 2]);
      expect(step.value?.reason).toBe(cut === twoEnd ? undefined : 'short');
    }
    expect([...headsIn(whole)].map((head) => head.meta)).toMatchObject(
      [1, 2, 3].map((seq) => ({ seq, samples: 2, from: 1_780_000_000_000_001, to: 1_780_000_000_000_002 })),
    );
  });

  test('a thousand doubles a second take at most 14 bytes each', () => {
    const now = 1_780_000_000_123_456;
    const spread = (i: number): Sample => ({
      ...plain(i * 3, Math.sin(i) * 100),
      t: now - ((i * 7919) % 1000),
      at: now - ((i * 7919) % 1000),
    });
    const samples = Array.from({ length: 1000 }, (_, i) => spread(i));
    expect(encodeFrame({ origin: 'live', source: 'plc', samples, events: [] }, 1, 1).length).toBeLessThanOrEqual(
      14_000,
    );
    const mixed = samples.map((given, i) => ({ ...given, status: i % 10 === 0 ? 0x40900000 : 0 }));
    expect(encodeFrame({ origin: 'live', source: 'plc', samples: mixed, events: [] }, 1, 1).length).toBeLessThanOrEqual(
      14_000,
    );
  });

  test('a thousand registers of 32-bit floats, read one after the other, take at most 9 bytes each', () => {
    const samples = Array.from({ length: 1000 }, (_, i): Sample => {
      const t = 1_780_000_000_000_000 + i * 1500;
      return { ...plain(i, Math.fround(Math.sin(i) * 100)), t, receivedAt: t };
    });
    expect(encodeFrame({ origin: 'live', source: 'plc', samples, events: [] }, 1, 1).length).toBeLessThanOrEqual(9000);
  });

  test('a head that lies about its samples is refused', () => {
    expect(readHead(new Uint8Array(7))).toMatchObject({ ok: false, reason: 'short' });
    const huge = new Uint8Array(64).fill(255);
    expect(readHead(huge)).toMatchObject({ ok: false, reason: 'damaged' });
  });
});

function plain(tag: number, value: Sample['value']): Sample {
  const t = 1_780_000_000_000_000 + tag;
  return { tag, t, receivedAt: 1_780_000_000_000_000, value, status: 0, flags: 0 };
}
