// What a raw value becomes: scale, sentinels, clamp and type, and that nothing unusable becomes good.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tag } from '../catalog.ts';
import { quality, Status } from '../model.ts';
import type { Value, ValueType } from '../model.ts';
import { normalize, recipeOf, uncertainEngineeringUnitsExceeded } from './normalize.ts';
import { tagOf } from './plant.ts';

const of = (tag: Partial<Tag>, value: Value, status = 0, engineering = false) =>
  normalize(recipeOf(tagOf('north/pump-1/flow', tag), engineering), value, status, { value: null, status: 0 });

describe('scale', () => {
  test.each([
    [{ multiply: 1, divide: 10, offset: 0 }, 215, 21.5],
    [{ multiply: 1, divide: 10, offset: 0.1 }, 7, 0.8],
    [{ multiply: 1, divide: 10, offset: 273.15 }, 215, 294.65],
    [{ multiply: 1, divide: 1000, offset: -50 }, 61234, 11.234],
    [{ multiply: 5, divide: 9, offset: 0 }, 18, 10],
    [{ multiply: 2, divide: 1, offset: 1 }, 1.25, 3.5],
    [{ multiply: 1, divide: 10, offset: 0 }, 215n, 21.5],
  ])('%j of %s is %s', (scale, raw, value) => expect(of({ scale }, raw)).toEqual({ value, status: 0 }));
  test('engineering values are not scaled again, nor taken for sentinels', () => {
    const tag = { scale: { multiply: 1, divide: 10, offset: 0 }, sentinels: [21] };
    expect(of(tag, 21, 0, true)).toEqual({ value: 21, status: 0 });
  });
  test('every int16 in tenths is the decimal number that people would write', () => {
    fc.assert(
      fc.property(fc.integer({ min: -32768, max: 32767 }), (raw) => {
        const text = `${raw < 0 ? '-' : ''}${Math.floor(Math.abs(raw) / 10)}.${Math.abs(raw) % 10}`;
        expect(of({ scale: { multiply: 1, divide: 10, offset: 0 } }, raw).value).toBe(
          Number(text) + 0 === 0 ? raw / 10 : Number(text),
        );
      }),
    );
  });
});

test('sentinels are compared raw and become a sensor failure', () => {
  const tag = { sentinels: [-32768], scale: { multiply: 1, divide: 10, offset: 0 } };
  expect(of(tag, -32768)).toEqual({ value: null, status: Status.badSensorFailure });
  expect(of(tag, -32768n)).toEqual({ value: null, status: Status.badSensorFailure });
  expect(of(tag, -32767)).toEqual({ value: -3276.7, status: 0 });
});

test('a clamped value stands at the limit and is uncertain; a worse status stays', () => {
  const tag = { clamp: { low: 0, high: 100 } };
  expect(of(tag, 101)).toEqual({ value: 100, status: uncertainEngineeringUnitsExceeded });
  expect(of(tag, -1)).toEqual({ value: 0, status: uncertainEngineeringUnitsExceeded });
  expect(of(tag, 100)).toEqual({ value: 100, status: 0 });
  expect(of(tag, 101, Status.badDeviceFailure)).toEqual({ value: 100, status: Status.badDeviceFailure });
  expect(quality(uncertainEngineeringUnitsExceeded)).toBe('uncertain');
});

describe('types', () => {
  test.each<[ValueType, Value, Value]>([
    ['double', true, 1],
    ['double', 5n, 5],
    ['boolean', 1, true],
    ['boolean', 0n, false],
    ['integer', true, 1],
    ['integer', 5n, 5],
    ['integer', 2n ** 63n, 2n ** 63n],
    ['integer', 2 ** 60, 2n ** 60n],
    ['text', 12.5, '12.5'],
    ['text', 'idle', 'idle'],
  ])('%s of %s is %s', (type, raw, value) => expect(of({ type }, raw)).toEqual({ value, status: 0 }));
  test.each<[ValueType, Value]>([
    ['double', '12.5'],
    ['boolean', 2],
    ['boolean', 'true'],
    ['integer', 1.5],
    ['integer', 'x'],
  ])('%s cannot be had from %s', (type, raw) =>
    expect(of({ type }, raw)).toEqual({ value: null, status: Status.badTypeMismatch }),
  );
  test.each([NaN, Infinity, -Infinity])('%s is no value', (raw) =>
    expect(of({}, raw)).toEqual({ value: null, status: Status.badOutOfRange }),
  );
  test('an integer that a scale made past the range of numbers stays exact', () => {
    const tag: Partial<Tag> = { type: 'integer', scale: { multiply: 3, divide: 1, offset: 1 } };
    expect(of(tag, 2n ** 60n).value).toBe(3n * 2n ** 60n + 1n);
  });
});

test('whatever comes: null is never good, a device’s bad never improves', () => {
  const any = fc.oneof(fc.double(), fc.boolean(), fc.bigInt(), fc.string(), fc.constant(null));
  const types = fc.constantFrom<ValueType>('double', 'boolean', 'integer', 'text');
  fc.assert(
    fc.property(any, types, fc.constantFrom(0, Status.uncertain, Status.badTimeout), (value, type, status) => {
      const out = of({ type, sentinels: [7], clamp: { low: -5, high: 50 } }, value, status);
      if (out.value === null) expect(quality(out.status)).toBe('bad');
      if (quality(status) === 'bad') expect(quality(out.status)).toBe('bad');
      if (typeof out.value === 'number') expect(out.value >= -5 && out.value <= 50).toBe(true);
    }),
  );
});
