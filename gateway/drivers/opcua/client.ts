// The client object of one run and its session: options that make the library reconnect by itself and give up in time.
// Called by the driver's run; the library is loaded here, on first use, so that a gateway without OPC UA does not pay for it.
import { rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as Opcua from 'node-opcua-client';
import type { ClientSession, OPCUAClient, UserIdentityInfo } from 'node-opcua-client';
import type { Clock } from '../../model.ts';
import type { Connection } from './schema.ts';
import { within } from './within.ts';

export type Library = typeof Opcua;

/** What is private in the library and has no other way: a server may number its namespaces anew when it restarts. */
interface Rebuilding {
  beforeSubscriptionRecreate?: (session: ClientSession) => Promise<Error | undefined>;
}

/** Loads the library, once; its own warnings go to `say` instead of the terminal. */
export async function loadLibrary(say: (message: string) => void): Promise<Library> {
  const library = await import('node-opcua-client');
  const log = (...parts: unknown[]): void => say(parts.map(String).join(' '));
  library.setWarningLogger(log);
  library.setErrorLogger(log);
  return library;
}

let scratch: Promise<string> | undefined;

/** Without security the certificate protects nothing, but the library wants one: it gets a folder that goes with the process. */
function scratchFolder(): Promise<string> {
  scratch ??= mkdtemp(join(tmpdir(), 'penstock-pki-')).then((folder) => {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    return folder;
  });
  return scratch;
}

/** A client that is not connected yet. `rebuild` runs on a new session before the library re-creates the items. */
export async function createClient(
  library: Library,
  connection: Connection,
  rebuild: (session: ClientSession) => Promise<Error | undefined>,
): Promise<OPCUAClient> {
  const { OPCUACertificateManager } = await import('node-opcua-certificate-manager');
  const certificates = new OPCUACertificateManager({
    rootFolder: connection.pkiFolder ?? (await scratchFolder()),
    automaticallyAcceptUnknownCertificate: false,
    disableFileWatchers: true,
  });
  const client: OPCUAClient & Rebuilding = library.OPCUAClient.create({
    applicationName: 'Penstock',
    clientName: 'Penstock',
    applicationUri: connection.applicationUri,
    clientCertificateManager: certificates,
    securityMode: connection.securityMode,
    securityPolicy: connection.securityPolicy,
    endpointMustExist: false,
    // maxRetry 0 would switch reconnection off altogether. Short delays: data within 5 s of the server's return.
    connectionStrategy: { maxRetry: 1, initialDelay: 500, maxDelay: 2_000, randomisationFactor: 0.5 },
    transportTimeout: connection.transportTimeout,
    defaultTransactionTimeout: connection.requestTimeout,
    keepSessionAlive: true,
    keepAliveInterval: connection.keepAlive,
    requestedSessionTimeout: connection.sessionTimeout,
  });
  client.beforeSubscriptionRecreate = rebuild;
  return client;
}

/** Connects and opens a session, each within its limit. Rejects with the reason in one line, TooLate or Aborted. */
export async function openSession(
  library: Library,
  client: OPCUAClient,
  connection: Connection,
  clock: Clock,
  signal: AbortSignal,
): Promise<ClientSession> {
  const { endpoint, connectTimeout, requestTimeout } = connection;
  const connected = client.connect(endpoint).catch((error: unknown) => {
    throw new Error(
      `no connection to ${endpoint}: ${reasonOf(error)}; is the server running, and are its address and security right?`,
      {
        cause: error,
      },
    );
  });
  await within(clock, connectTimeout, `connecting to ${endpoint}`, connected, signal);
  const identity = await userIdentity(library, connection);
  return within(clock, requestTimeout, 'opening a session', client.createSession(identity), signal);
}

/** The library says in three lines what may be wrong, and in the last one's brackets what was. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (/Err = \((.*)\)\s*$/s.exec(text)?.[1] ?? text).replace(/\s+/g, ' ').trim();
}

async function userIdentity(library: Library, { user, passwordFile }: Connection): Promise<UserIdentityInfo> {
  if (user === undefined) return { type: library.UserTokenType.Anonymous };
  const password = passwordFile === undefined ? '' : (await readFile(passwordFile, 'utf8')).replace(/\r?\n$/u, '');
  return { type: library.UserTokenType.UserName, userName: user, password };
}

/** Ends session and connection within 1.6 s, whatever state they are in; never rejects. */
export async function closeClient(
  client: OPCUAClient,
  session: ClientSession | undefined,
  connected: boolean,
  clock: Clock,
): Promise<void> {
  // Closing a session while the library reconnects would wait for the connection to come back.
  if (session && connected) await within(clock, 800, 'closing the session', session.close(true)).catch(() => undefined);
  await within(clock, 800, 'disconnecting', client.disconnect()).catch(() => undefined);
}
