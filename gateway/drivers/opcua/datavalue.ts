// An OPC UA DataValue as a reading of ours. Pure: called for every notification and read result; keeps nothing of its
// input. The device's status code and times pass as they are; what cannot be a reading becomes a bad one.
import type { DataValue } from 'node-opcua-client';
import { quality, Status } from '../../model.ts';
import type { Micros, Reading, Value, ValueType } from '../../model.ts';

/** Built-in types by their number (OPC 10000-6 §5.1.2); not imported, so that this file loads no library. */
const Kind = {
  null: 0,
  boolean: 1,
  int64: 8,
  uint64: 9,
  float: 10,
  double: 11,
  string: 12,
  dateTime: 13,
  guid: 14,
  xml: 16,
  statusCode: 19,
  localizedText: 21,
} as const;

/** A node-opcua DateTime below this is the protocol's "no time" (1601). */
const EARLIEST = Date.UTC(1602, 0, 1);

/** The parts of a DataValue this file reads. */
export type DataValueParts = Partial<
  Pick<DataValue, 'sourceTimestamp' | 'sourcePicoseconds' | 'serverTimestamp' | 'serverPicoseconds'>
> & {
  statusCode?: { value: number };
  value?: { dataType: number; arrayType: number; value: unknown };
};

/** One tag's reading of what the server sent; its status code is the raw 32 bits unless the value cannot be used. */
export function toReading(tag: number, type: ValueType, data: DataValueParts): Reading {
  let status = (data.statusCode?.value ?? 0) >>> 0;
  const converted = convert(data.value, type);
  const value = converted.value;
  // A server's own bad says more than "no value"; only a value that claims to be usable is judged.
  if (value === null && quality(status) !== 'bad') status = converted.status;
  const reading: Reading = { tag, value, status };
  const at = micros(data.sourceTimestamp, data.sourcePicoseconds);
  const serverAt = micros(data.serverTimestamp, data.serverPicoseconds);
  if (at !== undefined) reading.at = at;
  if (serverAt !== undefined) reading.serverAt = serverAt;
  return reading;
}

/** The queue on the server ran over before this value: InfoType DataValue with the Overflow bit (OPC 10000-4 §7.38.1). */
export function overflowed(status: number): boolean {
  return (status & 0x480) === 0x480;
}

function convert(variant: DataValueParts['value'], type: ValueType): { value: Value; status: number } {
  const none = (status: number): { value: null; status: number } => ({ value: null, status });
  if (!variant || variant.dataType === Kind.null || variant.value === undefined || variant.value === null) {
    return none(Status.badWaitingForInitialData);
  }
  if (variant.arrayType !== 0) return none(Status.badTypeMismatch);
  const { dataType, value } = variant;
  if (dataType === Kind.int64 || dataType === Kind.uint64) {
    const whole = wide(value, dataType === Kind.int64);
    return whole === undefined ? none(Status.badTypeMismatch) : { value: whole, status: Status.good };
  }
  if (dataType >= Kind.boolean && dataType <= Kind.double) {
    if (typeof value === 'boolean') return { value, status: Status.good };
    if (typeof value !== 'number') return none(Status.badTypeMismatch);
    return Number.isFinite(value) ? { value, status: Status.good } : none(Status.badSensorFailure);
  }
  if (dataType === Kind.dateTime && value instanceof Date) {
    const time = value.getTime();
    if (Number.isNaN(time)) return none(Status.badTypeMismatch);
    return { value: type === 'text' ? value.toISOString() : time, status: Status.good };
  }
  if (dataType === Kind.string || dataType === Kind.guid || dataType === Kind.xml) {
    return typeof value === 'string' ? { value, status: Status.good } : none(Status.badTypeMismatch);
  }
  if (dataType === Kind.localizedText && typeof value === 'object' && 'text' in value) {
    return typeof value.text === 'string' ? { value: value.text, status: Status.good } : none(Status.badTypeMismatch);
  }
  if (dataType === Kind.statusCode && typeof value === 'object' && 'value' in value) {
    return typeof value.value === 'number' ? { value: value.value, status: Status.good } : none(Status.badTypeMismatch);
  }
  return none(Status.badTypeMismatch);
}

/** The library gives 64 bits as [high, low] of 32 unsigned bits; past 2^53 the result is a bigint. */
function wide(value: unknown, signed: boolean): number | bigint | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [high, low]: unknown[] = value;
  if (typeof high !== 'number' || typeof low !== 'number') return undefined;
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  const whole = signed ? BigInt.asIntN(64, bits) : bits;
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : whole;
}

function micros(time: Date | null | undefined, picoseconds: number | undefined): Micros | undefined {
  if (!time) return undefined;
  const ms = time.getTime();
  if (!(ms >= EARLIEST)) return undefined;
  return ms * 1000 + Math.floor((picoseconds ?? 0) / 1_000_000);
}
