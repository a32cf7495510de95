// What a Modbus device file says: the connection's fields, a tag's register, and the checks a schema cannot make.
// Read by config (schemas, check) and by the driver, which gets parsed addresses from here.
import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Point } from '../../driver.ts';
import type { ValueType } from '../../model.ts';

const closed = { additionalProperties: false };

export const connectionSchema = Type.Object(
  {
    host: Type.String({ minLength: 1, description: 'address of the device or gateway' }),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, default: 502, description: 'TCP port' })),
    timeout: Type.Optional(
      Type.Integer({ minimum: 50, maximum: 60000, default: 1000, description: 'ms to wait for an answer' }),
    ),
    connectTimeout: Type.Optional(
      Type.Integer({ minimum: 50, maximum: 60000, default: 3000, description: 'ms to wait for the connection' }),
    ),
    maxRegisters: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 125,
        default: 120,
        description: 'most registers asked for at once; some devices take 32 or 64',
      }),
    ),
    maxGap: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 124,
        default: 16,
        description: 'unused registers read along rather than asking twice',
      }),
    ),
    strict: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'never read a register that no tag names (reads with side effects)',
      }),
    ),
    pause: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 10000,
        default: 0,
        description: 'ms between an answer and the next request',
      }),
    ),
  },
  closed,
);
export type Connection = Required<Static<typeof connectionSchema>>;

export const encodings = [
  'bool',
  'bit',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'string',
] as const;
export type Encoding = (typeof encodings)[number];
export type Order = 'ABCD' | 'CDAB' | 'BADC' | 'DCBA';

export const addressSchema = Type.Object(
  {
    unitId: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 255,
        default: 1,
        description: 'unit id (slave address) behind the connection',
      }),
    ),
    register: Type.Union(
      [
        Type.String({ pattern: '^(ir|hr|co|di):(\\d{1,5}|0x[0-9a-fA-F]{1,4})$|^[0134]\\d{4,5}$' }),
        Type.Integer({ minimum: 1, maximum: 465536 }),
      ],
      { description: 'ir:0 hr:0 co:0 di:0 (counted from 0), or 30001, 40001, 400001 as manuals count' },
    ),
    encoding: Type.Optional(
      Type.Union(
        encodings.map((name) => Type.Literal(name)),
        { default: 'uint16', description: 'how the registers hold the value' },
      ),
    ),
    order: Type.Optional(
      Type.Union([Type.Literal('ABCD'), Type.Literal('CDAB'), Type.Literal('BADC'), Type.Literal('DCBA')], {
        default: 'ABCD',
        description: 'byte order of values of more than one register; ABCD is high word first, CDAB low word first',
      }),
    ),
    bit: Type.Optional(Type.Integer({ minimum: 0, maximum: 15, description: 'with encoding bit: 0 is the lowest' })),
    length: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 120, description: 'with encoding string: registers it takes' }),
    ),
  },
  closed,
);

export type Table = 'ir' | 'hr' | 'co' | 'di';

/** A point's place, ready to be planned: what to ask for and how to read the answer. */
export interface Place {
  tag: number;
  unitId: number;
  table: Table;
  /** 0-based, as on the wire. */
  address: number;
  /** Registers, or bits in the bit tables. */
  size: number;
  encoding: Encoding;
  order: Order;
  bit: number;
  /** ms between readings. */
  interval: number;
}

const sizes: Record<Encoding, number> = {
  bool: 1,
  bit: 1,
  int16: 1,
  uint16: 1,
  int32: 2,
  uint32: 2,
  float32: 2,
  int64: 4,
  uint64: 4,
  float64: 4,
  string: 1,
};

export function connectionOf(given: Record<string, unknown>): Connection {
  const defaults = {
    port: 502,
    timeout: 1000,
    connectTimeout: 3000,
    maxRegisters: 120,
    maxGap: 16,
    strict: false,
    pause: 0,
  };
  return { ...defaults, ...(given as Static<typeof connectionSchema>) };
}

/** Table and 0-based address of `hr:4`, `40005`, `400005`; undefined when it is none of these. */
export function parseRegister(register: string | number): { table: Table; address: number } | undefined {
  const text = String(register);
  const named = /^(ir|hr|co|di):(\d{1,5}|0x[0-9a-fA-F]{1,4})$/.exec(text);
  if (named) return { table: named[1] as Table, address: Number(named[2]) };
  const digits = typeof register === 'number' && register < 10_000 ? text.padStart(5, '0') : text;
  const counted = /^([0134])(\d{4,5})$/.exec(digits);
  if (!counted || Number(counted[2]) === 0) return undefined;
  const table = { 0: 'co', 1: 'di', 3: 'ir', 4: 'hr' }[counted[1] ?? ''] as Table;
  return { table, address: Number(counted[2]) - 1 };
}

export function placeOf(point: Point): Place | undefined {
  const given = point.address as {
    unitId?: number;
    register: string | number;
    encoding?: Encoding;
    order?: Order;
    bit?: number;
    length?: number;
  };
  const at = parseRegister(given.register);
  if (!at) return undefined;
  const bits = at.table === 'co' || at.table === 'di';
  const encoding = given.encoding ?? (bits ? 'bool' : given.bit !== undefined ? 'bit' : 'uint16');
  return {
    ...at,
    tag: point.tag,
    unitId: given.unitId ?? 1,
    size: encoding === 'string' ? (given.length ?? 1) : sizes[encoding],
    encoding,
    order: given.order ?? 'ABCD',
    bit: given.bit ?? 0,
    interval: point.interval,
  };
}

export function valueType(address: Record<string, unknown>): ValueType {
  const place = placeOf({ tag: 0, id: '', type: 'double', interval: 0, address });
  if (place?.encoding === 'bool' || place?.encoding === 'bit') return 'boolean';
  return place?.encoding === 'string' ? 'text' : 'double';
}

export function check(
  connection: Record<string, unknown>,
  points: readonly Point[],
): { path: string; message: string }[] {
  const { maxRegisters } = connectionOf(connection);
  const faults: { path: string; message: string }[] = [];
  points.forEach((point) => {
    const fault = (field: string, message: string) => faults.push({ path: `tags[${point.tag}].${field}`, message });
    const place = placeOf(point);
    if (!place)
      return fault(
        'register',
        `is ${String(point.address.register)}; registers are counted from 1 in this form: 30001, 40001`,
      );
    const bits = place.table === 'co' || place.table === 'di';
    if (place.address + place.size > 65_536)
      fault('register', `ends beyond 65535 (${place.size} registers from ${place.address})`);
    if (bits && place.encoding !== 'bool')
      fault('encoding', `is ${place.encoding}; coils and discrete inputs hold bool`);
    if (!bits && place.encoding === 'bool')
      fault('encoding', 'is bool; a bit of a register is encoding bit with bit 0…15');
    if (point.address.bit !== undefined && place.encoding !== 'bit') fault('bit', 'goes with encoding bit only');
    if (place.encoding === 'string' && point.address.length === undefined)
      fault('length', 'is missing: how many registers the text takes');
    if (point.address.length !== undefined && place.encoding !== 'string')
      fault('length', 'goes with encoding string only');
    if (point.address.order !== undefined && sizes[place.encoding] === 1 && place.encoding !== 'string') {
      fault('order', `has no meaning for ${place.encoding}, which is one register`);
    }
    if (place.size > maxRegisters)
      fault(
        'encoding',
        `takes ${place.size} registers; the device is asked for ${maxRegisters} at most (maxRegisters)`,
      );
  });
  return faults;
}
