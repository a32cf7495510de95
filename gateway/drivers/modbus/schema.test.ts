// What a device file may say of registers: the forms, and the faults with the sentence an engineer reads.
import { describe, expect, test } from 'vitest';
import { check, parseRegister, placeOf, valueType } from './schema.ts';
import { point } from './peer.ts';

test.each([
  ['ir:0', 'ir', 0],
  ['hr:4', 'hr', 4],
  ['co:65535', 'co', 65535],
  ['di:0x1F', 'di', 31],
  ['30001', 'ir', 0],
  ['40001', 'hr', 0],
  ['10017', 'di', 16],
  ['00001', 'co', 0],
  ['400001', 'hr', 0],
  ['465536', 'hr', 65535],
  ['000001', 'co', 0],
  [40001, 'hr', 0],
  [30010, 'ir', 9],
  [400123, 'hr', 122],
  [1, 'co', 0],
  [9999, 'co', 9998],
])('%s is table %s, address %i', (register, table, address) => {
  expect(parseRegister(register)).toEqual({ table, address });
});

test.each(['40000', '000000', '20001', 'xx:1', 'hr:-1', '', 'hr:', '4x001', 20001, 0, 4000001])(
  '%s is no register',
  (register) => {
    expect(parseRegister(register)).toBeUndefined();
  },
);

test('encoding and type follow from table and fields', () => {
  const place = (register: string, more = {}) => placeOf(point(1, register, more));
  expect(place('hr:0')).toMatchObject({ unitId: 1, size: 1, encoding: 'uint16', order: 'ABCD' });
  expect(place('co:0')).toMatchObject({ encoding: 'bool' });
  expect(place('hr:0', { bit: 3 })).toMatchObject({ encoding: 'bit', bit: 3 });
  expect(place('hr:0', { encoding: 'float64' })?.size).toBe(4);
  expect(place('hr:0', { encoding: 'string', length: 8 })?.size).toBe(8);
  expect(valueType({ register: 'hr:0', bit: 1 })).toBe('boolean');
  expect(valueType({ register: 'di:0' })).toBe('boolean');
  expect(valueType({ register: 'hr:0', encoding: 'string', length: 2 })).toBe('text');
  expect(valueType({ register: 'hr:0', encoding: 'int16' })).toBe('double');
});

describe('check', () => {
  test.each<[string, string, Record<string, unknown>, Record<string, unknown>, string]>([
    ['counted from 0 where it is from 1', '40000', {}, {}, 'register'],
    ['beyond the table', 'hr:65535', { encoding: 'float32' }, {}, 'register'],
    ['six digits beyond the table', '499999', {}, {}, 'register'],
    ['a number in a coil', 'co:0', { encoding: 'int16' }, {}, 'encoding'],
    ['bool in a register', 'hr:0', { encoding: 'bool' }, {}, 'encoding'],
    ['bit of a float', 'hr:0', { encoding: 'float32', bit: 1 }, {}, 'bit'],
    ['a text without length', 'hr:0', { encoding: 'string' }, {}, 'length'],
    ['length of a number', 'hr:0', { encoding: 'int16', length: 2 }, {}, 'length'],
    ['an order of one register', 'hr:0', { encoding: 'int16', order: 'CDAB' }, {}, 'order'],
    ['wider than the device takes', 'hr:0', { encoding: 'float64' }, { maxRegisters: 2 }, 'encoding'],
  ])('%s is one fault', (_what, register, address, connection, field) => {
    const faults = check({ host: 'h', ...connection }, [point(7, register, address)]);
    expect(faults.map((fault) => fault.path)).toEqual([`tags[7].${field}`]);
    expect(faults[0]?.message.length).toBeGreaterThan(10);
  });

  test('what is right has no fault', () => {
    const points = [
      point(0, 'hr:65534', { encoding: 'float32', order: 'DCBA' }),
      point(1, 'co:65535'),
      point(2, '40001', { encoding: 'string', length: 120, order: 'BADC' }),
      point(3, 'ir:0', { bit: 15 }),
    ];
    expect(check({ host: 'h' }, points)).toEqual([]);
  });
});
