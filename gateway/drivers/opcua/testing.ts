// What the driver's tests run against: a real OPC UA server made of a few variables, a TCP proxy that can cut, swallow or
// lead elsewhere, and a link that writes down what it is told.
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DataType,
  nodesets,
  OPCUACertificateManager,
  OPCUAServer,
  RegisterServerMethod,
  StatusCodes,
} from 'node-opcua';
import type { UAVariable } from 'node-opcua';
import { afterAll } from 'vitest';
import { systemClock } from '../../clock.ts';
import type { DriverStats, Link, Point } from '../../driver.ts';
import type { Reading } from '../../model.ts';
import { RequestQueue } from '../requests.ts';
import { opcua } from './driver.ts';

/** Keys of the driver's clients; one for all tests of a file, gone with them. */
export const pkiFolder = await mkdtemp(join(tmpdir(), 'penstock-test-'));
afterAll(() => rm(pkiFolder, { recursive: true, force: true }));

export interface TestServer {
  port: number;
  set(uri: string, name: string, value: number, at?: Date): void;
  get(uri: string, name: string): unknown;
  variable(uri: string, name: string): UAVariable;
  add(uri: string, name: string, value: number): void;
  sessions(): number;
  stop(): Promise<void>;
}

/** A server whose namespaces are registered in the order given; all variables are doubles. */
export async function testServer(
  namespaces: Record<string, Record<string, number>>,
  options: { port?: number; maxItems?: number } = {},
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-test-'));
  const certificates = new OPCUACertificateManager({ rootFolder: folder, disableFileWatchers: true });
  const server = new OPCUAServer({
    host: '127.0.0.1',
    hostname: '127.0.0.1',
    port: options.port ?? 0,
    nodesets: [nodesets.standard],
    serverCertificateManager: certificates,
    userCertificateManager: certificates,
    serverInfo: { applicationUri: 'urn:test:server' },
    registerServerMethod: RegisterServerMethod.HIDDEN,
    serverCapabilities: {
      minSupportedSampleRate: 0,
      operationLimits: options.maxItems ? { maxMonitoredItemsPerCall: options.maxItems } : {},
    },
  });
  await server.initialize();
  const space = server.engine.addressSpace!;
  const variables = new Map<string, UAVariable>();
  const add = (uri: string, name: string, value: number): void => {
    const namespace = space.getNamespaceIndex(uri) < 0 ? space.registerNamespace(uri) : space.getNamespace(uri);
    const variable = namespace.addVariable({
      organizedBy: space.rootFolder.objects,
      browseName: name,
      nodeId: `s=${name}`,
      dataType: DataType.Double,
      minimumSamplingInterval: 0,
    });
    variable.setValueFromSource({ dataType: DataType.Double, value }, StatusCodes.Good, new Date());
    variables.set(`${uri} ${name}`, variable);
  };
  for (const [uri, names] of Object.entries(namespaces)) {
    space.registerNamespace(uri);
    for (const [name, value] of Object.entries(names)) add(uri, name, value);
  }
  await server.start();
  const variable = (uri: string, name: string): UAVariable => {
    const found = variables.get(`${uri} ${name}`);
    if (!found) throw new Error(`the test server has no ${name}`);
    return found;
  };
  return {
    port: server.endpoints[0]!.port,
    set: (uri, name, value, at = new Date()) =>
      variable(uri, name).setValueFromSource({ dataType: DataType.Double, value }, StatusCodes.Good, at),
    get: (uri, name) => variable(uri, name).readValue().value.value,
    variable,
    add,
    sessions: () => server.engine.currentSessionCount,
    async stop() {
      await server.shutdown(0);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface TestProxy {
  port: number;
  /** Where new connections lead. */
  target: number;
  /** Refuses and resets everything, as a pulled cable with a helpful switch. */
  cut(): void;
  /** Swallows every byte, as a dropped route: no reset, no answer. */
  swallow(on: boolean): void;
  mend(): void;
  close(): Promise<void>;
}

export async function testProxy(target: number): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  let broken = false;
  let swallowing = false;
  const server = createServer((near) => {
    if (broken) return void near.resetAndDestroy();
    const far = connect(proxy.target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      if (swallowing) from.pause();
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: TestProxy = {
    port: (server.address() as AddressInfo).port,
    target,
    cut() {
      broken = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    swallow(on) {
      swallowing = on;
      for (const socket of sockets) {
        if (on) socket.pause();
        else socket.resume();
      }
    },
    mend() {
      broken = false;
    },
    async close() {
      proxy.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

/** One run of the driver and what it said, in order. */
export class Recorder {
  readonly said: string[] = [];
  readonly readings: Reading[] = [];
  readonly proofs: number[][] = [];
  readonly requests = new RequestQueue();
  readonly done: Promise<void>;
  stats: DriverStats = {};
  ended: 'no' | 'resolved' | Error = 'no';
  readonly #abort = new AbortController();

  constructor(connection: Record<string, unknown>, points: readonly Point[]) {
    const link: Link = {
      clock: systemClock,
      requests: this.requests,
      emit: (readings) => void this.readings.push(...readings),
      online: () => void this.said.push('online'),
      offline: () => void this.said.push('offline'),
      alive: (tags) => void this.proofs.push([...tags]),
      report: (stats) => void (this.stats = stats),
      log: () => undefined,
      follow: () => {
        throw new Error('an OPC UA driver follows no tags');
      },
    };
    this.done = opcua
      .create('device', { pkiFolder, ...connection }, points)
      .run(link, this.#abort.signal)
      .then(
        () => void (this.ended = 'resolved'),
        (error: Error) => void (this.ended = error),
      );
  }
  of(tag: number): Reading[] {
    return this.readings.filter((reading) => reading.tag === tag);
  }
  last(tag: number): Reading | undefined {
    return this.of(tag).at(-1);
  }
  /** Aborts and waits; returns how long that took, ms. */
  async end(): Promise<number> {
    const from = performance.now();
    this.#abort.abort();
    this.requests.end();
    await this.done;
    return performance.now() - from;
  }
}

export function point(tag: number, node: string, more: { interval?: number; address?: object } = {}): Point {
  const { interval = 200, address = {} } = more;
  return { tag, id: `north/pump-1/tag-${tag}`, type: 'double', interval, address: { node, ...address } };
}
