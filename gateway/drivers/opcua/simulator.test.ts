// The driver reading a simulated site: every value the plant had, under its own time, types as they are.
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeFor } from '../../../simulators/opcua/nodes.ts';
import { serveOpcua } from '../../../simulators/opcua/server.ts';
import type { Plant, PlantSite, SignalValue } from '../../../simulators/plant.ts';
import type { Point } from '../../driver.ts';
import type { ValueType } from '../../model.ts';
import { Recorder } from './testing.ts';

const signal = (metric: string, type: ValueType): PlantSite['assets'][number]['signals'][number] => ({
  metric,
  name: metric,
  unit: type === 'double' ? 'bar' : '',
  decimals: 1,
  type,
});
const site: PlantSite = {
  id: 'north',
  name: 'North works',
  location: 'Here',
  timezone: 'UTC',
  protocol: 'opcua',
  interval: 1000,
  assets: [
    {
      path: 'north/pump-1',
      name: 'Pump 1',
      kind: 'pump',
      line: null,
      signals: [
        signal('flow', 'double'),
        signal('running', 'boolean'),
        signal('state', 'integer'),
        signal('batch', 'text'),
      ],
    },
  ],
};

test('all values of all types arrive with the time the plant gave them', async () => {
  let values: (SignalValue | null)[] = [0, false, 0, 'B0'];
  const plant: Plant = { site, advance: () => undefined, values: () => values };
  const server = await serveOpcua(plant, { host: '127.0.0.1', port: 0 });
  const asset = site.assets[0]!;
  const points: Point[] = asset.signals.map((one, tag) => ({
    tag,
    id: `${asset.path}/${one.metric}`,
    type: one.type,
    interval: 1000,
    address: { node: nodeFor(site, asset, one), samplingInterval: 0 },
  }));
  const recorder = new Recorder({ endpoint: `opc.tcp://127.0.0.1:${server.port}` }, points);
  try {
    const start = Date.UTC(2026, 4, 5, 6, 7, 8, 9);
    server.update(start);
    await expect.poll(() => recorder.readings.length).toBe(4);
    const truth = points.map(({ tag }) => [{ tag, value: values[tag], status: 0, at: start * 1000 }] as object[]);
    for (let step = 1; step <= 30; step++) {
      values = [step / 10, step % 2 === 1, step, step === 20 ? null : `B${step}`];
      server.update(start + step * 1000);
      for (const { tag } of points) {
        const value = values[tag] ?? null;
        truth[tag]?.push({ tag, value, status: value === null ? 0x808c0000 : 0, at: (start + step * 1000) * 1000 });
      }
    }
    await expect.poll(() => recorder.readings.length).toBe(4 * 31);
    for (const { tag } of points) expect(recorder.of(tag)).toMatchObject(truth[tag] ?? []);
  } finally {
    await recorder.end();
    await server.close();
  }
});

test("a secured connection is refused until the server's certificate is trusted, and never falls back", async () => {
  const plant: Plant = { site, advance: () => undefined, values: () => [1.5, true, 2, 'B'] };
  const server = await serveOpcua(plant, { host: '127.0.0.1', port: 0 });
  const pkiFolder = await mkdtemp(join(tmpdir(), 'penstock-test-'));
  const connection = {
    endpoint: `opc.tcp://127.0.0.1:${server.port}`,
    securityMode: 'SignAndEncrypt',
    securityPolicy: 'Basic256Sha256',
    pkiFolder,
  };
  const asset = site.assets[0]!;
  const points = [
    {
      tag: 1,
      id: 'north/pump-1/flow',
      type: 'double' as const,
      interval: 200,
      address: { node: nodeFor(site, asset, { metric: 'flow' }) },
    },
  ];
  server.update(Date.now());
  const refused = new Recorder(connection, points);
  let trusting: Recorder | undefined;
  try {
    await expect.poll(() => refused.ended).toBeInstanceOf(Error);
    expect(String(refused.ended)).toMatch(/certificate/iu);
    const [certificate] = await readdir(join(pkiFolder, 'rejected'));
    await rename(join(pkiFolder, 'rejected', certificate!), join(pkiFolder, 'trusted', 'certs', certificate!));
    trusting = new Recorder(connection, points);
    await expect.poll(() => trusting?.last(1)?.value ?? String(trusting?.ended)).toBe(1.5);
  } finally {
    await refused.end();
    await trusting?.end();
    await server.close();
    await rm(pkiFolder, { recursive: true, force: true });
  }
});
