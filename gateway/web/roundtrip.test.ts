// What a gateway exports, another with the same plant takes in again as it was, whatever history holds: a table of values
// through export, import's rules and the pipeline's.
import { describe, expect, test } from 'vitest';
import { Catalog } from '../catalog.ts';
import type { Tag } from '../catalog.ts';
import { systemClock } from '../clock.ts';
import type { Reading, Value } from '../model.ts';
import { normalize, recipeOf } from '../pipeline/normalize.ts';
import { Past } from './bed.ts';
import { exported } from './export.ts';
import { takeIn } from './intake/import.ts';
import { zoneOf } from './zone.ts';

const specs: Record<string, Partial<Tag>> = {
  flow: { type: 'double', unit: 'm³/h', range: { low: 10, high: 80 } },
  level: { type: 'double', unit: '%', clamp: { low: 0, high: 100 } },
  raw: { type: 'double' },
  on: { type: 'boolean' },
  mode: { type: 'integer', names: { 0: 'off', 1: 'Running' } },
  count: { type: 'integer', range: { low: 0, high: 100 } },
  'label, of "all"': { type: 'text' },
};
const metrics = Object.keys(specs);
const tags = Object.entries(specs).map(([metric, more]) => ({
  ...{ id: `a/p/${metric}`, site: 'a', asset: 'a/p', metric, name: metric, type: 'double' as const, unit: '' },
  ...{ decimals: 1, device: 'd', interval: 1000, address: {}, ...more },
}));
const catalog = new Catalog(
  {
    ...{ enterprise: 'e', metrics: [], tags, devices: [] },
    sites: [{ id: 'a', name: 'A', location: '', timezone: 'UTC' }],
    assets: [{ path: 'a/p', site: 'a', name: 'P', kind: 'pump', line: null }],
  },
  new Map(tags.map(({ id }, index) => [id, index])),
  1,
);
const [good, uncertain, bad] = [0, 0x40940000, 0x80050000];
const label = 'label, of "all"';
/** `comes`: what it is afterwards, where history could not have held it. */
const cases: [metric: string, value: Value, status: number, comes?: { value: Value; status: number }][] = [
  ['flow', 12.5, good],
  ['flow', -32768, good],
  ['flow', 1e300, uncertain],
  ['flow', 12.5, bad],
  ['flow', null, bad],
  ['flow', -0, good],
  ['flow', 1 / 3, 0x0000_0400],
  ['level', 100, uncertain],
  ['level', null, 0x8000_0000],
  ['raw', 5e-324, good],
  ['raw', -1.7976931348623157e308, good],
  ['raw', NaN, good, { value: null, status: 0x803c0000 }],
  ['raw', -Infinity, uncertain, { value: null, status: 0x803c0000 }],
  ['raw', NaN, bad, { value: null, status: bad }],
  ['raw', null, uncertain, { value: null, status: 0x8000_0000 }],
  ['on', true, good],
  ['on', false, uncertain],
  ['on', null, bad],
  ['mode', 0, good],
  ['mode', 1, good],
  ['mode', 99, good],
  ['count', -(2n ** 63n), good],
  ['count', 2n ** 64n - 1n, uncertain],
  ['count', 9007199254740993n, bad],
  ['count', 9007199254740991, good],
  ...[
    '',
    ' ',
    "'",
    "''",
    '=1+1',
    "'=1",
    '@x',
    '-',
    '+1',
    '-1',
    '\tx',
    'null',
    'N/A',
    'NaN',
    '12,5',
    'a;b',
    'say "x"',
  ].flatMap((text): typeof cases => [
    [label, text, good],
    [label, text, bad],
  ]),
  ...[
    'two\nlines',
    'a\r\nb',
    '\r',
    ' kept ',
    'Köln \u2028 \u{1F600}',
    '\uFFFD',
    '\uFEFFx',
    'true',
    '{"a":1}',
    '"',
    '""',
  ].map((text): (typeof cases)[number] => [label, text, good]),
  [label, null, bad],
];
const start = Date.UTC(2026, 9, 25, 0, 30) * 1000;
const signal = new AbortController().signal;

async function fileOf(format: 'csv' | 'ndjson', zone: string): Promise<Buffer> {
  const past = new Past();
  cases.forEach(([metric, value, status], i) => {
    const index = metrics.indexOf(metric);
    const samples = past.samples.get(index) ?? [];
    // Through the hour that comes twice.
    samples.push({ t: start + i * 60_000_001, value, status });
    past.samples.set(index, samples);
  });
  const range = { from: start, to: start + 1e12, zone: zoneOf(zone) ?? zoneOf('UTC')! };
  const parts: Uint8Array[] = [];
  for await (const part of exported(
    past,
    { ...range, tags: catalog.tags.filter((tag) => tag !== undefined), format },
    signal,
  ))
    parts.push(part);
  return Buffer.concat(parts);
}

async function takenIn(file: Buffer): Promise<{ readings: Reading[]; rejected: number; reasons: object }> {
  const readings: Reading[] = [];
  const parts = (async function* () {
    await Promise.resolve();
    for (let at = 0; at < file.length; at += 100) yield file.subarray(at, at + 100);
  })();
  const options = {
    clock: systemClock,
    catalog: () => catalog,
    file: (_origin: string, taken: readonly Reading[]) => {
      readings.push(...taken);
      return { accepted: taken.length, rejected: 0, shed: 0, seq: readings.length };
    },
    reject: () => {},
    room: () => Promise.resolve(),
    durable: () => Promise.resolve(),
    ahead: 1e13,
    kept: () => 0,
  };
  const ask = { origin: 'import', nulls: 'reject', allowOutOfRange: false, dry: false, before: 0 } as const;
  const { rejected, reasons } = await takeIn(options, parts, ask, signal, () => Promise.resolve());
  return { readings, rejected, reasons };
}

describe.each([
  ['csv', 'UTC'],
  ['csv', 'Europe/Berlin'],
  ['ndjson', 'UTC'],
] as const)('%s in %s', (format, zone) => {
  test('everything exported is taken in again as it was', async () => {
    const { readings, rejected, reasons } = await takenIn(await fileOf(format, zone));
    expect([rejected, reasons]).toEqual([0, {}]);
    const at = new Map(readings.map((reading) => [`${reading.tag} ${reading.at}`, reading]));
    expect(at.size).toBe(cases.length);
    cases.forEach(([metric, value, status, comes = { value, status }], i) => {
      const tag = metrics.indexOf(metric);
      const reading = at.get(`${tag} ${start + i * 60_000_001}`);
      const filed = { value: null as Value, status: 0 };
      normalize(recipeOf(catalog.tags[tag] as Tag, true), reading?.value ?? null, reading?.status ?? 0, filed);
      expect({ metric, ...filed }).toEqual({ metric, ...comes });
    });
  });
});
