// The register maps of the simulated sites: no two values in one register, every encoding against known bytes,
// and what a correct client must decode.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PlantSite, Signal } from '../plant.ts';
import { plants } from '../plants/index.ts';
import { encode, registersOf } from './encode.ts';
import type { Encoding, Order } from './encode.ts';
import { registerMap, registersFor } from './map.ts';

const sites = plants.map(({ site }) => site).filter(({ protocol }) => protocol === 'modbus');

function siteOf(...signals: (Partial<Signal> & { metric: string })[]): PlantSite {
  const filled = signals.map((signal) => ({
    name: signal.metric,
    unit: '',
    decimals: 1,
    type: 'double' as const,
    ...signal,
  }));
  const asset = { name: 'Pump', kind: 'pump', line: null, signals: filled };
  return {
    ...{ id: 'north', name: 'North', location: '', timezone: 'UTC', protocol: 'modbus', interval: 1000 },
    assets: [
      { path: 'north/pump-1', ...asset },
      { path: 'north/pump-2', ...asset },
    ],
  };
}

describe('encode', () => {
  // 123456.0 is 0x47F12000; the letters say which byte comes first.
  test.each<[Encoding, number | bigint | string | boolean, Order, number[]]>([
    ['float32', 123456, 'ABCD', [0x47f1, 0x2000]],
    ['float32', 123456, 'CDAB', [0x2000, 0x47f1]],
    ['float32', 123456, 'BADC', [0xf147, 0x0020]],
    ['float32', 123456, 'DCBA', [0x0020, 0xf147]],
    ['uint32', 0x01020304, 'CDAB', [0x0304, 0x0102]],
    ['int32', -2, 'ABCD', [0xffff, 0xfffe]],
    ['int16', -1, 'ABCD', [0xffff]],
    ['uint16', 65534, 'ABCD', [65534]],
    ['uint64', 0x0102030405060708n, 'ABCD', [0x0102, 0x0304, 0x0506, 0x0708]],
    ['uint64', 0x0102030405060708n, 'CDAB', [0x0708, 0x0506, 0x0304, 0x0102]],
    ['uint64', 0x0102030405060708n, 'BADC', [0x0201, 0x0403, 0x0605, 0x0807]],
    ['uint64', 0x0102030405060708n, 'DCBA', [0x0807, 0x0605, 0x0403, 0x0201]],
    ['float64', -2, 'ABCD', [0xc000, 0, 0, 0]],
    ['bool', true, 'ABCD', [1]],
    ['string', 'PUMP', 'ABCD', [0x5055, 0x4d50]],
    ['string', 'PUMP', 'BADC', [0x5550, 0x504d]],
  ])('%s %s as %s', (encoding, value, order, words) => {
    expect(encode(encoding, value, order, 2)).toEqual(words);
  });
});

describe.each(sites.map((site) => [site.id, site] as const))('the map of %s', (_id, site) => {
  const { entries } = registerMap(site);

  test('has every signal, in the plant order, under one unit an asset', () => {
    const ids = site.assets.flatMap((asset) => asset.signals.map(({ metric }) => `${asset.path}/${metric}`));
    expect(entries.map(({ tag }) => tag)).toEqual(ids);
    expect(entries.map(({ signal }) => signal)).toEqual(ids.map((_, i) => i));
    const unitsOf = Map.groupBy(entries, ({ tag }) => tag.slice(0, tag.lastIndexOf('/')));
    const units = [...unitsOf.values()].map((group) => new Set(group.map(({ unitId }) => unitId)));
    expect(units.every(({ size }) => size === 1)).toBe(true);
    expect(new Set(units.map((set) => [...set][0])).size).toBe(site.assets.length);
  });

  test('gives no register to two values', () => {
    const taken = new Set<string>();
    for (const { unitId, table, address, size, bit } of entries) {
      for (let i = address; i < address + size; i++) {
        const cell = `${unitId} ${table}:${i}${bit === undefined ? '' : `.${bit}`}`;
        expect(taken.has(cell), cell).toBe(false);
        taken.add(cell);
        // A word of bits is not also a number.
        if (bit !== undefined) expect(taken.has(`${unitId} ${table}:${i}`), cell).toBe(false);
      }
    }
  });

  test('an instrument fits its scaled register', () => {
    const signals = site.assets.flatMap((asset) => asset.signals);
    const map = registerMap(site);
    for (const { signal, scale } of entries) {
      const { instrument, decimals } = signals[signal]!;
      if (scale === undefined || !instrument) continue;
      for (const end of [instrument.low, instrument.high])
        expect(map.served(signal, end)).toBe(Number(end.toFixed(decimals)));
    }
  });
});

test('the sites together show what real maps show', () => {
  const all = sites.flatMap((site) => registerMap(site).entries);
  expect(new Set(all.filter(({ encoding }) => encoding === 'float32').map(({ order }) => order))).toEqual(
    new Set(['ABCD', 'CDAB']),
  );
  for (const encoding of ['float32', 'uint16', 'uint32'])
    expect(
      all.some((entry) => entry.encoding === encoding),
      encoding,
    ).toBe(true);
  expect(all.some(({ scale }) => scale !== undefined)).toBe(true);
  const count = (table: string) => all.filter((entry) => entry.table === table).length;
  expect(count('hr')).toBeGreaterThan(0);
  expect(count('ir')).toBeGreaterThan(count('hr'));
});

describe('what a client reads', () => {
  const site = siteOf(
    { metric: 'float', range: { low: 0, high: 9 } },
    { metric: 'scaled', instrument: { low: 0, high: 6000 } },
    { metric: 'float2', range: { low: 0, high: 9 } },
    { metric: 'signed', instrument: { low: -200, high: 800 } },
    { metric: 'total' },
    { metric: 'starts', type: 'integer' },
    { metric: 'state', type: 'integer', names: { 0: 'idle' } },
    { metric: 'running', type: 'boolean' },
    { metric: 'model', type: 'text' },
    { metric: 'last' },
  );
  const map = registerMap(site);
  const at = (metric: string) => map.entries.find(({ tag }) => tag === `north/pump-1/${metric}`)!;
  const reads = (metric: string, value: number | boolean | string | null) => map.served(at(metric).signal, value);

  test('is laid out as expected', () => {
    const shape = (metric: string) => [at(metric).table, at(metric).encoding, at(metric).scale];
    expect(shape('float')).toEqual(['ir', 'float32', undefined]);
    expect(shape('scaled')).toEqual(['ir', 'uint16', 0.1]);
    expect(shape('signed')).toEqual(['ir', 'int16', 0.1]);
    expect(shape('total')).toEqual(['ir', 'float64', undefined]);
    expect(shape('starts')).toEqual(['ir', 'uint32', undefined]);
    expect(shape('state')).toEqual(['ir', 'uint16', undefined]);
    expect(shape('running')).toEqual(['di', 'bool', undefined]);
    expect(shape('model')).toEqual(['hr', 'string', undefined]);
    expect(at('last').table).toBe('hr');
    const second = map.entries.find(({ tag }) => tag === 'north/pump-2/running')!;
    expect(second).toMatchObject({ table: 'ir', encoding: 'bit', bit: 0 });
  });

  test('is the quantised value, exactly', () => {
    expect(reads('scaled', 21.5)).toBe(21.5);
    expect(reads('scaled', 21.449)).toBe(21.4);
    expect(reads('signed', -0.3)).toBe(-0.3);
    expect(Object.is(reads('signed', -0.01), 0)).toBe(true);
    expect(reads('float', 7.2)).toBe(Math.fround(7.2));
    expect(reads('total', 123456789.1)).toBe(123456789.1);
    expect(reads('starts', 4_000_000_000)).toBe(4_000_000_000);
    expect(reads('model', 'Ä'.repeat(40))).toBe('Ä'.repeat(16));
    expect(reads('running', true)).toBe(true);
  });

  test('saturates at the width, wraps as counters do, and is nothing where there is no value', () => {
    expect(reads('scaled', 1e6)).toBe(6553.4);
    expect(reads('scaled', -1)).toBe(0);
    expect(reads('signed', -1e6)).toBe(-3276.7);
    expect(reads('starts', 2 ** 32 + 6)).toBe(7);
    for (const metric of ['float', 'scaled', 'signed', 'total', 'starts', 'state'])
      expect(reads(metric, null)).toBe(null);
    expect(reads('running', null)).toBe(false);
    expect(registersFor(at('scaled'), null)).toEqual([0xffff]);
    expect(registersFor(at('signed'), null)).toEqual([0x8000]);
    expect(registersFor(at('starts'), null)).toEqual([0xffff, 0xffff]);
  });

  test('a value served again is served unchanged, and fills its registers', () => {
    fc.assert(
      fc.property(fc.constantFrom(...map.entries), fc.double({ noNaN: true, min: -1e5, max: 1e10 }), (entry, value) => {
        if (entry.type !== 'double' && entry.type !== 'integer') return;
        const once = map.served(entry.signal, value);
        expect(map.served(entry.signal, once)).toBe(once);
        expect(registersFor(entry, value)).toHaveLength(registersOf(entry.encoding));
      }),
    );
  });
});

test('more assets than unit ids are refused with a sentence', () => {
  const site = siteOf({ metric: 'flow' });
  const many = { ...site, assets: Array.from({ length: 248 }, () => site.assets[0]!) };
  expect(() => registerMap(many)).toThrow('north: 248 assets, but Modbus has 247 unit ids');
});
