// The simulated OPC UA server seen by the library's own client: nodes, values, source times, qualities, several at once.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttributeIds, OPCUACertificateManager, OPCUAClient, StatusCodes, TimestampsToReturn } from 'node-opcua';
import type { ClientSession, DataValue, ClientSubscription } from 'node-opcua';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Plant, PlantSite, SignalValue } from '../plant.ts';
import { nodeFor, nodeName } from './nodes.ts';
import { serveOpcua } from './server.ts';

const site: PlantSite = {
  id: 'north',
  name: 'North works',
  location: 'Here',
  timezone: 'UTC',
  protocol: 'opcua',
  interval: 100,
  assets: [
    {
      path: 'north/line-1/pump-1',
      name: 'Pump 1',
      kind: 'pump',
      line: 'Line 1',
      signals: [
        {
          metric: 'flow',
          name: 'Flow',
          unit: 'm³/h',
          unece: 'MQH',
          decimals: 1,
          type: 'double',
          range: { low: 10, high: 80 },
          instrument: { low: 0, high: 100 },
        },
        { metric: 'running', name: 'Running', unit: '', decimals: 0, type: 'boolean' },
        { metric: 'state', name: 'State', unit: '', decimals: 0, type: 'integer', names: { 0: 'idle', 2: 'fault' } },
        { metric: 'batch', name: 'Batch', unit: '', decimals: 0, type: 'text' },
      ],
    },
  ],
};

class Board implements Plant {
  readonly site = site;
  now: (SignalValue | null)[] = [1.5, true, 2, 'A1'];
  advance(): void {
    // the test itself sets what the signals show
  }
  values(): readonly (SignalValue | null)[] {
    return this.now;
  }
}

let pki = '';
beforeAll(async () => {
  pki = await mkdtemp(join(tmpdir(), 'penstock-test-'));
});
afterAll(() => rm(pki, { recursive: true, force: true }));

/** With its keys in a scratch folder: by default the library writes them into the home folder. */
function newClient(): OPCUAClient {
  return OPCUAClient.create({
    clientCertificateManager: new OPCUACertificateManager({ rootFolder: pki, disableFileWatchers: true }),
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 0 },
  });
}

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function session(port: number): Promise<ClientSession> {
  const client = newClient();
  await client.connect(`opc.tcp://127.0.0.1:${port}`);
  const opened = await client.createSession();
  ends.push(async () => {
    await opened.close();
    await client.disconnect();
  });
  return opened;
}

async function served(board: Plant): Promise<Awaited<ReturnType<typeof serveOpcua>>> {
  const server = await serveOpcua(board, { host: '127.0.0.1', port: 0 });
  ends.push(() => server.close());
  return server;
}

const asset = site.assets[0]!;
const ids = asset.signals.map((signal) => `ns=2;s=${nodeName(asset, signal)}`);

test('names are what servers in the field use', () => {
  expect(nodeFor(site, asset, { metric: 'flow' })).toBe('nsu=urn:penstock:simulator:north;s=North.Line1.Pump1.Flow');
  expect(nodeName({ path: 'a/unit-1-2' })).not.toBe(nodeName({ path: 'a/unit-12' }));
});

test('values carry type, source time and status; properties carry unit and ranges', async () => {
  const board = new Board();
  const server = await served(board);
  const client = await session(server.port);
  const namespaces = await client.readNamespaceArray();
  expect(namespaces[2]).toBe('urn:penstock:simulator:north');
  const before = await client.read({ nodeId: ids[0]!, attributeId: AttributeIds.Value });
  expect(before.statusCode).toBe(StatusCodes.BadWaitingForInitialData);

  const at = Date.UTC(2026, 1, 3, 4, 5, 6, 789);
  server.update(at);
  const values = await client.read(ids.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })));
  expect(values.map((value) => value.value.value)).toEqual([1.5, true, 2, 'A1']);
  expect(values.map((value) => value.sourceTimestamp?.getTime())).toEqual([at, at, at, at]);

  board.now = [null, true, 2, 'A1'];
  server.update(at + 1000);
  const [flow, running] = await client.read(ids.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })));
  expect(flow?.statusCode).toBe(StatusCodes.BadSensorFailure);
  expect(flow?.sourceTimestamp?.getTime()).toBe(at + 1000);
  expect(running?.sourceTimestamp?.getTime()).toBe(at);

  const properties = await client.browse({ nodeId: ids[0]!, referenceTypeId: 'HasProperty', resultMask: 63 });
  const read = new Map<string, unknown>();
  for (const reference of properties.references ?? []) {
    const value = await client.read({ nodeId: reference.nodeId, attributeId: AttributeIds.Value });
    read.set(String(reference.browseName.name), value.value.value);
  }
  expect(read.get('EURange')).toMatchObject({ low: 10, high: 80 });
  expect(read.get('InstrumentRange')).toMatchObject({ low: 0, high: 100 });
  // 'MQH' as OPC 10000-8 makes a number of it.
  expect(read.get('EngineeringUnits')).toMatchObject({ unitId: 0x4d5148, displayName: { text: 'm³/h' } });
});

test('each change is notified once with its own time, unchanged values are not', async () => {
  const board = new Board();
  const server = await served(board);
  const client = await session(server.port);
  const start = Date.UTC(2026, 0, 1);
  server.update(start);
  const subscription = await client.createSubscription2({ requestedPublishingInterval: 50, publishingEnabled: true });
  const seen: [number, number][] = [];
  const item = await (subscription as ClientSubscription).monitor(
    { nodeId: ids[0]!, attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 1000, discardOldest: true },
    TimestampsToReturn.Both,
  );
  item.on('changed', (value: DataValue) =>
    seen.push([Number(value.value.value), value.sourceTimestamp?.getTime() ?? 0]),
  );
  await expect.poll(() => seen.length).toBe(1);
  const expected: [number, number][] = [[1.5, start]];
  for (let step = 1; step <= 200; step++) {
    board.now = [Math.floor(step / 2), true, 2, 'A1'];
    server.update(start + step * 100);
    if (step % 2 === 0 || step === 1) expected.push([Math.floor(step / 2), start + step * 100]);
  }
  await expect.poll(() => seen.length).toBe(expected.length);
  expect(seen).toEqual(expected);
});

test('four servers start in one process and close at once, with a client still connected', async () => {
  const servers = await Promise.all([new Board(), new Board(), new Board(), new Board()].map(served));
  expect(new Set(servers.map((server) => server.port)).size).toBe(4);
  const client = newClient();
  await client.connect(`opc.tcp://127.0.0.1:${servers[0]!.port}`);
  ends.push(() => client.disconnect());
  await Promise.all(servers.map((server) => server.close()));
  await servers[0]!.close();
  const again = await serveOpcua(new Board(), { host: '127.0.0.1', port: servers[0]!.port });
  await again.close();
});
