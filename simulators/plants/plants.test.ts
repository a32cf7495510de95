// The plant models: same seed and start give the same values, assets do not disturb each other, values stay inside
// their instruments' envelope, and the plants are mostly calm.
import { describe, expect, test } from 'vitest';
import type { PlantDefinition } from './index.ts';
import { mainPlants, openPlant, plants } from './index.ts';
import { machines } from './assembly.ts';
import { dwells } from './dwell.ts';
import { localHours } from './load.ts';
import { envelope, processSite } from './process.ts';
import type { Random } from '../random.ts';
import { stream, white } from '../random.ts';

const start = Date.UTC(2026, 5, 1, 6);
const hours = 3_600_000;

function trace(definition: PlantDefinition, seed: number, length: number, every: number): unknown[][] {
  const plant = openPlant(definition, seed, start);
  const rows: unknown[][] = [];
  for (let t = every; t <= length; t += every) {
    plant.advance(start + t);
    rows.push([...plant.values()]);
  }
  return rows;
}

describe('what there is', () => {
  test('sixteen assets with four quantities each in the three plants', () => {
    const assets = mainPlants.flatMap(({ site }) => site.assets);
    expect(mainPlants.map(({ site }) => `${site.name}, ${site.location}`)).toEqual([
      'Power Station Alpha, Houston, TX',
      'Chemical Plant Beta, Rotterdam',
      'Manufacturing Gamma, São Paulo',
    ]);
    expect(assets).toHaveLength(16);
    for (const asset of assets) {
      expect(asset.signals.map((signal) => signal.metric)).toEqual(['temperature', 'pressure', 'power', 'output']);
    }
    expect(assets.flatMap((asset) => asset.signals)).toHaveLength(64);
    const ranges = assets.map((asset) => JSON.stringify(asset.signals.map((signal) => signal.range)));
    expect(new Set(ranges).size).toBe(16);
  });

  test('ranges and limits are in order and inside the envelope', () => {
    for (const asset of mainPlants.flatMap(({ site }) => site.assets)) {
      for (const signal of asset.signals) {
        const [low, high] = envelope[signal.metric as keyof typeof envelope];
        const { ll, l, h, hh } = signal.limits!;
        const ladder = [low, ll, l, signal.range!.low, signal.range!.high, h, hh, high].filter((x) => x !== undefined);
        expect(ladder, `${asset.path} ${signal.metric}`).toEqual([...ladder].sort((a, b) => a - b));
      }
    }
  });

  test('29 machines on four lines', () => {
    const count = (line: string): number => machines.filter((machine) => machine.line === line).length;
    expect(['Transmission', 'Engine', 'Exterior', 'Interior'].map(count)).toEqual([9, 7, 9, 4]);
    expect(machines).toHaveLength(29);
  });

  test('every tag id and site id is unique, both protocols serve about half the sites', () => {
    const tags = plants.flatMap(({ site }) =>
      site.assets.flatMap((a) => a.signals.map((s) => `${a.path}/${s.metric}`)),
    );
    expect(new Set(tags).size).toBe(tags.length);
    for (const tag of tags) expect(tag).toMatch(/^[a-z0-9-]+(\/[a-z0-9-]+){2,3}$/);
    const modbus = plants.filter(({ site }) => site.protocol === 'modbus').length;
    expect(Math.abs(modbus - plants.length / 2)).toBeLessThanOrEqual(1);
    expect(new Set(mainPlants.map(({ site }) => site.protocol)).size).toBe(2);
  });
});

describe('determinism', () => {
  test.each(plants.map((each) => [each.site.id, each] as const))(
    '%s: same seed and start, same values',
    (_id, plant) => {
      const first = trace(plant, 7, 2 * hours, 60_000);
      expect(trace(plant, 7, 2 * hours, 60_000)).toEqual(first);
      expect(trace(plant, 8, 2 * hours, 60_000)).not.toEqual(first);
      // However large the strides, and whether or not it is looked at in between.
      expect(trace(plant, 7, 2 * hours, 2 * hours).at(-1)).toEqual(first.at(-1));
    },
  );

  test('an asset more changes no other', () => {
    const one = { id: 'a', name: 'A', kind: 'pump', line: 'L' };
    const spans = { temperature: [70, 90], pressure: [2, 4], power: [150, 300], output: [80, 150] } as const;
    const site = { id: 'x', name: 'X', location: 'Y', timezone: 'UTC', protocol: 'opcua', interval: 1000 } as const;
    const alone = processSite(site, 'grid', [{ ...one, ...spans }]);
    const both = processSite(site, 'grid', [
      { ...one, id: 'b', ...spans },
      { ...one, ...spans },
    ]);
    const rows = trace(alone, 1, 3 * hours, 60_000);
    expect(trace(both, 1, 3 * hours, 60_000).map((row) => row.slice(4))).toEqual(rows);
    expect(trace(both, 1, 3 * hours, 60_000).map((row) => row.slice(0, 4))).not.toEqual(rows);
  });

  test('going back is an error', () => {
    const plant = openPlant(plants[0]!, 1, start);
    plant.advance(start + 5000);
    expect(() => plant.advance(start + 1000)).toThrow(RangeError);
  });

  test('streams of one asset are independent and known', () => {
    const draw = (random: Random): number[] => [random.next(), random.next()];
    expect(draw(stream(1, 'a', 'x'))).toEqual(draw(stream(1, 'a', 'x')));
    expect(draw(stream(1, 'a', 'x'))).not.toEqual(draw(stream(1, 'a', 'y')));
    const random = stream(1, 'a', 'gauss');
    const values = Array.from({ length: 20_000 }, () => random.gaussian());
    const noise = Array.from({ length: 20_000 }, (_, k) => white(12345, k));
    for (const sample of [values, noise]) {
      const mean = sample.reduce((sum, x) => sum + x, 0) / sample.length;
      const variance = sample.reduce((sum, x) => sum + (x - mean) ** 2, 0) / sample.length;
      expect(Math.abs(mean)).toBeLessThan(0.03);
      expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    }
  });
});

describe('48 hours', () => {
  const runs = plants.map((definition) => ({ definition, rows: trace(definition, 1, 48 * hours, 30_000) }));
  const columns = runs.flatMap(({ definition, rows }) =>
    definition.site.assets
      .flatMap((asset) => asset.signals.map((signal) => ({ id: `${asset.path}/${signal.metric}`, signal })))
      .map((each, i) => ({ ...each, values: rows.map((row) => row[i]) })),
  );
  const column = (id: string): number[] => columns.find((each) => each.id === id)!.values as number[];

  test('every signal stays inside its instrument and envelope, is finite and has its resolution', () => {
    const bounds: Record<string, readonly [number, number]> = { ph: [6.5, 7.5], agitator: [300, 600] };
    for (const { id, signal, values } of columns) {
      const [site] = id.split('/') as [string];
      const main = mainPlants.some((plant) => plant.site.id === site);
      const bound = main ? envelope[signal.metric as keyof typeof envelope] : bounds[signal.metric];
      for (const value of values) {
        if (signal.type === 'boolean') expect(typeof value, id).toBe('boolean');
        else if (typeof value !== 'number' || !Number.isFinite(value)) expect.fail(`${id} gave ${String(value)}`);
        else {
          const [low, high] = bound ?? [signal.instrument?.low ?? 0, signal.instrument?.high ?? 2 ** 32];
          if (value < low || value > high) expect.fail(`${id} gave ${value}`);
          if (signal.type === 'integer' && !Number.isInteger(value)) expect.fail(`${id} gave ${value}`);
          if (Number(value.toFixed(signal.decimals)) !== value) expect.fail(`${id} gave ${value}`);
        }
      }
    }
  });

  test('fermenters keep 35 to 40 °C and agitate over most of their range', () => {
    const temperatures = columns.filter((each) => /fermenter.*temperature/.test(each.id));
    expect(temperatures).toHaveLength(4);
    for (const { values } of temperatures) {
      expect(Math.min(...(values as number[]))).toBeGreaterThanOrEqual(35);
      expect(Math.max(...(values as number[]))).toBeLessThanOrEqual(40);
    }
    const speed = column('fermentation-hall/fermenter-101/agitator');
    expect(Math.max(...speed) - Math.min(...speed)).toBeGreaterThan(200);
  });

  test('output follows power, but for the excursions of one of them', () => {
    for (const { site } of mainPlants) {
      for (const asset of site.assets) {
        const [power, output] = [column(`${asset.path}/power`), column(`${asset.path}/output`)];
        const { high } = asset.signals[2]!.range!;
        const { low } = asset.signals[3]!.range!;
        const calm = power.map((_, i) => i).filter((i) => power[i]! <= high && output[i]! >= low);
        const pick = (values: number[]): number[] => calm.map((i) => values[i]!);
        expect(correlation(pick(power), pick(output)), asset.path).toBeGreaterThan(0.6);
      }
    }
  });

  test('counters never go back', () => {
    for (const { id, values } of columns) {
      if (!/total$|parts$|rejects$|uptime$|starts$/.test(id)) continue;
      const counts = values as number[];
      expect(counts.at(-1)!, id).toBeGreaterThan(counts[0]!);
      expect(counts.every((value, i) => i === 0 || value >= counts[i - 1]!)).toBe(true);
    }
  });

  test('calm: a few values outside their limits or machines down at a time, and hardly ever more than ten', () => {
    const active = new Array<number>(5760).fill(0);
    for (const { id, signal, values } of columns) {
      values.forEach((value, i) => {
        const { l = -Infinity, h = Infinity } = signal.limits ?? {};
        const down = id.endsWith('/state') && value === 2;
        if (down || (typeof value === 'number' && (value < l || value > h))) active[i]!++;
      });
    }
    active.sort((a, b) => a - b);
    expect(active[2880]).toBeGreaterThanOrEqual(1);
    expect(active[2880]).toBeLessThanOrEqual(6);
    expect(active[5700]).toBeLessThanOrEqual(10);
  });
});

test('29 machines over 30 days: 60 % operational, 30 % warning, the rest down or in maintenance', () => {
  const shares = [0, 0, 0, 0];
  const days = 30 * 86_400;
  for (let machine = 0; machine < 29; machine++) {
    let t = 0;
    for (const dwell of dwells(stream(1, `machine-${machine}`, 'state'))) {
      shares[dwell.state]! += Math.min(dwell.seconds, days - t);
      t += dwell.seconds;
      if (t >= days) break;
    }
  }
  const total = 29 * days;
  expect(shares[0]! / total).toBeCloseTo(0.6, 1.5);
  expect(shares[1]! / total).toBeCloseTo(0.3, 1.5);
  expect(Math.abs(shares[2]! / total - 0.07)).toBeLessThan(0.015);
  expect(Math.abs(shares[3]! / total - 0.03)).toBeLessThan(0.015);
});

test('the hour of the day is that of the plant, also over a change of the clocks', () => {
  const houston = localHours('America/Chicago');
  expect(houston(Date.UTC(2026, 0, 15, 12, 30))).toBe(6.5);
  expect(houston(Date.UTC(2026, 6, 15, 12, 36))).toBeCloseTo(7.6, 9);
  const rotterdam = localHours('Europe/Amsterdam');
  expect(rotterdam(Date.UTC(2026, 2, 29, 0, 59))).toBeCloseTo(1 + 59 / 60, 9);
  expect(rotterdam(Date.UTC(2026, 2, 29, 1, 0))).toBe(3);
});

function correlation(a: number[], b: number[]): number {
  const mean = (x: number[]): number => x.reduce((sum, each) => sum + each, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
