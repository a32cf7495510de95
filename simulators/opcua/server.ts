// One simulated site as an OPC UA server: its plant's signals as variables that report by exception.
// Started by the simulator's process and by tests; whoever advances the plant calls update after it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DataType,
  MessageSecurityMode,
  nodesets,
  OPCUACertificateManager,
  OPCUAServer,
  RegisterServerMethod,
  SecurityPolicy,
  StatusCodes,
} from 'node-opcua';
import type { Plant, SignalValue } from '../plant.ts';
import { buildAddressSpace } from './address-space.ts';
import { namespaceUri } from './nodes.ts';

export interface OpcuaOptions {
  host: string;
  /** 0 = any free port. */
  port: number;
  /** Where keys and certificates live; without it a scratch folder that goes with the server. */
  pkiFolder?: string;
}

export interface OpcuaSimulator {
  /** The port it listens on. */
  readonly port: number;
  /** Publishes the plant's current values that differ from the last ones, with this source time (ms since the epoch). */
  update(atMs: number): void;
  /** Ends within 2 s; idempotent. */
  close(): Promise<void>;
}

/** Listens on `host` alone; anonymous without security, or Basic256Sha256. Rejects when the port is taken. */
export async function serveOpcua(plant: Plant, options: OpcuaOptions): Promise<OpcuaSimulator> {
  const pkiFolder = options.pkiFolder ?? (await mkdtemp(join(tmpdir(), 'penstock-opcua-')));
  const certificates = new OPCUACertificateManager({
    rootFolder: pkiFolder,
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true,
  });
  const server = new OPCUAServer({
    host: options.host,
    hostname: options.host,
    port: options.port,
    resourcePath: '',
    nodesets: [nodesets.standard],
    serverCertificateManager: certificates,
    userCertificateManager: certificates,
    serverInfo: { applicationUri: `${namespaceUri(plant.site)}:server`, productUri: 'urn:penstock:simulator' },
    buildInfo: { productName: 'Penstock simulator', manufacturerName: 'Penstock' },
    registerServerMethod: RegisterServerMethod.HIDDEN,
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
    allowAnonymous: true,
    disableDiscovery: false,
    // A supported rate of 0: every change goes out to an item with sampling interval 0, none are merged.
    serverCapabilities: { maxSessions: 100, maxMonitoredItemsQueueSize: 5_000, minSupportedSampleRate: 0 },
    maxConnectionsPerEndpoint: 100,
  });
  const discard = async (): Promise<void> => {
    if (!options.pkiFolder) await rm(pkiFolder, { recursive: true, force: true });
  };
  try {
    await server.initialize();
    const addressSpace = server.engine.addressSpace;
    if (!addressSpace) throw new Error('the OPC UA server has no address space');
    const signals = buildAddressSpace(addressSpace, plant.site);
    await server.start();
    const port = server.endpoints[0]?.port ?? options.port;
    const last: (SignalValue | null | undefined)[] = new Array(signals.length);
    let closing: Promise<void> | undefined;
    return {
      port,
      update(atMs) {
        if (closing) return;
        const at = new Date(atMs);
        const values = plant.values();
        for (const [index, { variable, dataType }] of signals.entries()) {
          const value = values[index] ?? null;
          if (value === last[index]) continue;
          last[index] = value;
          if (value === null) {
            variable.setValueFromSource({ dataType: DataType.Null }, StatusCodes.BadSensorFailure, at);
          } else variable.setValueFromSource({ dataType, value }, StatusCodes.Good, at);
        }
      },
      close() {
        closing ??= bounded(server.shutdown(0), 1_500).finally(discard);
        return closing;
      },
    };
  } catch (error) {
    await bounded(server.shutdown(0), 1_500).catch(() => undefined);
    await discard();
    throw error;
  }
}

/** The library's shutdown can wait for a peer; a simulator must not. */
async function bounded(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
