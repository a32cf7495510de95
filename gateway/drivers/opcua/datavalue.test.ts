// What each kind of DataValue becomes: value, status, times.
import { DataType, DataValue, StatusCode, StatusCodes, Variant, VariantArrayType } from 'node-opcua';
import { expect, test } from 'vitest';
import type { ValueType } from '../../model.ts';
import { overflowed, toReading } from './datavalue.ts';

const scalar = (dataType: DataType, value: unknown): { dataType: number; arrayType: number; value: unknown } => ({
  dataType,
  arrayType: VariantArrayType.Scalar,
  value,
});
const WAITING = 0x80320000;
const MISMATCH = 0x80740000;
const SENSOR = 0x808c0000;

const values: [string, ValueType, ReturnType<typeof scalar>, unknown, number][] = [
  ['Double', 'double', scalar(DataType.Double, 7.25), 7.25, 0],
  ['Double -0', 'double', scalar(DataType.Double, -0), -0, 0],
  ['Float', 'double', scalar(DataType.Float, 0.5), 0.5, 0],
  ['NaN', 'double', scalar(DataType.Double, NaN), null, SENSOR],
  ['Infinity', 'double', scalar(DataType.Float, Infinity), null, SENSOR],
  ['Boolean', 'boolean', scalar(DataType.Boolean, false), false, 0],
  ['Int16', 'integer', scalar(DataType.Int16, -5), -5, 0],
  ['UInt32', 'integer', scalar(DataType.UInt32, 4294967295), 4294967295, 0],
  ['Int64 small', 'integer', scalar(DataType.Int64, [4294967295, 4294967291]), -5, 0],
  ['Int64 2^53 - 1', 'integer', scalar(DataType.Int64, [0x1fffff, 0xffffffff]), Number.MAX_SAFE_INTEGER, 0],
  ['Int64 2^53', 'integer', scalar(DataType.Int64, [0x200000, 0]), 2n ** 53n, 0],
  ['Int64 lowest', 'integer', scalar(DataType.Int64, [0x80000000, 0]), -(2n ** 63n), 0],
  ['UInt64 highest', 'integer', scalar(DataType.UInt64, [0xffffffff, 0xffffffff]), 2n ** 64n - 1n, 0],
  ['Int64 garbage', 'integer', scalar(DataType.Int64, [1]), null, MISMATCH],
  ['String', 'text', scalar(DataType.String, 'Ünit'), 'Ünit', 0],
  ['empty String', 'text', scalar(DataType.String, ''), '', 0],
  ['null String', 'text', scalar(DataType.String, null), null, WAITING],
  ['LocalizedText', 'text', scalar(DataType.LocalizedText, { text: 'on', locale: 'en' }), 'on', 0],
  ['DateTime as text', 'text', scalar(DataType.DateTime, new Date(0)), '1970-01-01T00:00:00.000Z', 0],
  ['DateTime as a number', 'integer', scalar(DataType.DateTime, new Date(1500)), 1500, 0],
  ['DateTime that is none', 'text', scalar(DataType.DateTime, new Date(NaN)), null, MISMATCH],
  ['Null', 'double', scalar(DataType.Null, undefined), null, WAITING],
  ['ByteString', 'text', scalar(DataType.ByteString, Buffer.from('a')), null, MISMATCH],
  ['structure', 'double', scalar(DataType.ExtensionObject, {}), null, MISMATCH],
  [
    'array',
    'double',
    { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: new Float64Array([1]) },
    null,
    MISMATCH,
  ],
];

test.each(values)('%s', (_name, type, value, expected, status) => {
  expect(toReading(3, type, { value, statusCode: { value: 0 } })).toEqual({ tag: 3, value: expected, status });
});

test('no value and no status at all', () => {
  expect(toReading(1, 'double', {})).toEqual({ tag: 1, value: null, status: WAITING });
});

test('times in microseconds, with the digits below a millisecond; 1601 means none', () => {
  const data = new DataValue({
    value: new Variant({ dataType: DataType.Double, value: 1 }),
    sourceTimestamp: new Date(1_700_000_000_123),
    sourcePicoseconds: 456_789_000,
    serverTimestamp: new Date(1_700_000_000_124),
  });
  expect(toReading(1, 'double', data)).toEqual({
    tag: 1,
    value: 1,
    status: 0,
    at: 1_700_000_000_123_456,
    serverAt: 1_700_000_000_124_000,
  });
  const none = toReading(1, 'double', { value: data.value, sourceTimestamp: new Date(Date.UTC(1601, 0, 1)) });
  expect(none.at).toBeUndefined();
});

test('status codes pass as raw unsigned 32 bits; bad keeps its own code', () => {
  const of = (statusCode: StatusCode, value: unknown): ReturnType<typeof toReading> =>
    toReading(1, 'double', { statusCode, value: scalar(DataType.Double, value) });
  expect(of(StatusCodes.UncertainLastUsableValue, 4)).toMatchObject({ value: 4, status: 0x40900000 });
  expect(of(StatusCodes.BadSensorFailure, null)).toMatchObject({ value: null, status: 0x808c0000 });
  expect(of(StatusCodes.BadOutOfRange, NaN)).toMatchObject({ value: null, status: 0x803c0000 });
  const overflow = StatusCode.makeStatusCode(StatusCodes.Good, 'Overflow | InfoTypeDataValue');
  expect(of(overflow, 4)).toMatchObject({ value: 4, status: 0x480 });
  expect(overflowed(0x480)).toBe(true);
  expect(overflowed(0x80)).toBe(false);
  expect(overflowed(0)).toBe(false);
});
