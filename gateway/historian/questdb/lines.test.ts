// Values as lines of QuestDB's protocol, byte by byte: where each type goes, and what cannot be said in it.
import { describe, expect, test } from 'vitest';
import type { Value, ValueType } from '../../model.ts';
import { Encoder, Lines, place } from './lines.ts';
import type { Placed } from './lines.ts';
import { frameOf, tagOf } from './testing.ts';

const I63 = 2n ** 63n;

describe('where a value goes', () => {
  const none = { value: null };
  const cases: [ValueType, Value, Placed][] = [
    ['double', 1.5, { table: 'readings', value: 1.5 }],
    ['double', -0, { table: 'readings', value: -0 }],
    ['double', null, { table: 'readings', ...none }],
    ['double', NaN, { table: 'readings', ...none }],
    ['double', Infinity, { table: 'readings', ...none }],
    ['double', -Infinity, { table: 'readings', ...none }],
    ['boolean', true, { table: 'readings', value: 1 }],
    ['boolean', false, { table: 'readings', value: 0 }],
    ['double', 2n ** 60n + 1n, { table: 'readings', ...none, text: '1152921504606846977' }],
    ['integer', 7, { table: 'readings_integer', value: 7n }],
    ['integer', true, { table: 'readings_integer', value: 1n }],
    ['integer', 2 ** 53, { table: 'readings_integer', value: 2n ** 53n }],
    ['integer', I63 - 1n, { table: 'readings_integer', value: I63 - 1n }],
    ['integer', -I63 + 1n, { table: 'readings_integer', value: -I63 + 1n }],
    ['integer', -I63, { table: 'readings_integer', ...none, text: '-9223372036854775808' }],
    ['integer', I63, { table: 'readings_integer', ...none, text: '9223372036854775808' }],
    ['integer', 1.5, { table: 'readings_integer', ...none, text: '1.5' }],
    ['integer', NaN, { table: 'readings_integer', ...none }],
    ['integer', null, { table: 'readings_integer', ...none }],
    ['text', 'on', { table: 'readings_text', value: 'on' }],
    ['text', '', { table: 'readings_text', value: '' }],
    ['text', 12, { table: 'readings_text', value: '12' }],
    ['text', null, { table: 'readings_text', ...none }],
  ];
  test.each(cases)('%s %s', (type, value, placed) => expect(place(type, value)).toEqual(placed));
});

describe('lines', () => {
  const sample = frameOf(1, [{ t: 1_700_000_000_000_001, status: 4294967295 }]).samples[0]!;
  const line = (type: ValueType, id: string, value: Placed['value']): string => {
    const lines = new Lines<number>(place(type, null).table);
    new Encoder().sample(lines, tagOf(0, id, type), sample, value, 0);
    return lines.slice().toString('latin1');
  };
  test.each<[ValueType, string, Placed['value'], string]>([
    ['integer', 'n/p/c', 5n, 'readings_integer,tag=n/p/c,site=n,asset=n/p,metric=c value=5i,status=4294967295i '],
    ['integer', 'n/p/c', null, 'readings_integer,tag=n/p/c,site=n,asset=n/p,metric=c status=4294967295i '],
    [
      'text',
      'n/a b,c=d/e',
      'q"\n\\',
      'readings_text,tag=n/a\\ b\\,c\\=d/e,site=n,asset=n/a\\ b\\,c\\=d,metric=e value="q\\"\\\n\\\\",status=4294967295i ',
    ],
  ])('%s %s %s', (type, id, value, expected) => {
    expect(line(type, id, value)).toBe(`${expected}1700000000000001t\n`);
  });

  test('a double is eight bytes, little-endian', () => {
    const bytes = Buffer.from(line('double', 'n/p/f', -1.25), 'latin1');
    const at = bytes.indexOf('value==') + 7;
    expect([bytes[at], bytes.readDoubleLE(at + 1), bytes.subarray(at + 9, at + 17).toString()]).toEqual([
      16,
      -1.25,
      ',status=',
    ]);
  });

  test.each([0, 1, 999_999, 1_000_000, 1_000_001, 1_699_999_999_999_999, 1_700_000_000_000_000, 8_999_999_999_999_999])(
    'a time of %d µs after another of the same and of another second',
    (t) => {
      const lines = new Lines<number>('readings_integer');
      const encoder = new Encoder();
      const times = [t, t + 1_234_567, t, t + 1];
      for (const each of times) encoder.sample(lines, tagOf(0, 'a/b', 'integer'), { ...sample, t: each }, 1n, 0);
      const found = [
        ...lines
          .slice()
          .toString()
          .matchAll(/ (-?\d+)t\n/g),
      ].map((match) => Number(match[1]));
      expect(found).toEqual(times);
    },
  );

  test('rows are cut where they end; a renamed tag that keeps its index gets its new name', () => {
    const encoder = new Encoder();
    const lines = new Lines<string>('readings_integer');
    for (const [i, id] of ['n/p/old', 'n/p/new', 'n/p/new'].entries())
      encoder.sample(lines, tagOf(3, id, 'integer'), { ...sample, t: i, status: i }, BigInt(i), id);
    expect(lines.rows).toBe(3);
    expect(lines.slice(0, 1).toString()).toContain('tag=n/p/old');
    expect(lines.slice(1, 2).toString()).toMatch(/^readings_integer,tag=n\/p\/new.* value=1i,status=1i 1t\n$/);
    expect(lines.slice(0, 1).length + lines.slice(1, 3).length).toBe(lines.slice().length);
    expect(lines.of).toEqual(['n/p/old', 'n/p/new', 'n/p/new']);
  });
});
