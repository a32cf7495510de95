// For the tests against a real QuestDB: a server in a temporary folder, what a forwarder is given, and a proxy before the
// server that answers for it now and then. The benchmark and the soak use it too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Server as SecureServer, ServerOptions as Certificate } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import type { ForwardContext, ForwardTag } from '../../consumer.ts';
import type { Frame, GatewayEvent, Sample, ValueType } from '../../model.ts';
import { questdbServer } from './server.ts';
import type { QuestdbServer, ServerOptions } from './server.ts';
import type { ForwardSettings } from '../../config/forward.ts';

export interface TestServer extends QuestdbServer {
  readonly dir: string;
  passwordFile: string;
  /** Rows as objects, numbers as JSON has them: ask for `value::string` where it must be exact. */
  sql(statement: string): Promise<Record<string, unknown>[]>;
  /** Waits until every table holds what was taken in. */
  applied(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts in two thirds of the time; slower in the long run. */
const hasty = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** Started, on free ports, with a user and a password of its own. */
export async function testServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-questdb-'));
  const password = 'a secret';
  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  const server = await questdbServer({ root: join(dir, 'root'), user: 'plant', password, java: hasty, ...options });
  const sql: TestServer['sql'] = async (statement) => {
    const authorization = `Basic ${Buffer.from(`${server.user}:${server.password}`).toString('base64')}`;
    const answer = await fetch(`${server.url}/exec?query=${encodeURIComponent(statement)}`, {
      headers: { authorization },
    });
    const body = (await answer.json()) as {
      error?: string;
      columns?: { name: string }[];
      dataset?: unknown[][];
    };
    if (body.error !== undefined) throw new Error(`${statement}: ${body.error}`);
    return (body.dataset ?? []).map((row) =>
      Object.fromEntries((body.columns ?? []).map(({ name }, i) => [name, row[i]])),
    );
  };
  await server.start().catch((error: unknown) => {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  });
  return Object.assign(Object.create(server) as QuestdbServer, {
    dir,
    passwordFile,
    sql,
    async applied() {
      for (let i = 0; i < 500; i++) {
        const rows = await sql('SELECT name FROM wal_tables() WHERE sequencerTxn <> writerTxn');
        if (rows.length === 0) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error('the tables do not catch up');
    },
    async remove() {
      await server.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  });
}

/** Its section of `forward` in the settings, maybe by way of a proxy. */
export function sectionOf({ url, user, passwordFile }: TestServer): ForwardSettings['questdb'] {
  const none = { passwordCommand: '', tokenFile: '', tokenCommand: '' };
  return { url, wire: '', wireTls: 'off', tlsCa: '', user, passwordFile, ...none };
}

export function tagOf(index: number, id: string, type: ValueType = 'double'): ForwardTag {
  const parts = id.split('/');
  return {
    index,
    id,
    site: parts[0] ?? '',
    asset: parts.slice(0, -1).join('/'),
    metric: parts.at(-1) ?? '',
    type,
    unit: '',
  };
}

export interface TestContext extends ForwardContext {
  logged: string[];
  rewound: number[];
}
export function contextOf(dataDir: string, tags: readonly ForwardTag[]): TestContext {
  const logged: string[] = [];
  const rewound: number[] = [];
  return {
    tag: (index) => tags[index],
    clock: systemClock,
    dataDir,
    log: (level, message) => void logged.push(`${level}: ${message}`),
    rewind: (ms) => void rewound.push(ms),
    answered: () => {},
    logged,
    rewound,
  };
}

export function frameOf(seq: number, samples: Partial<Sample>[], events: GatewayEvent[] = []): Frame {
  const whole = samples.map((sample) => ({ tag: 0, t: 0, receivedAt: 0, value: 0, status: 0, flags: 0, ...sample }));
  return { seq, revision: 1, origin: 'live', source: 'line', samples: whole, events };
}

/** What the proxy does with a request: passes it on, answers itself, or fails it before or after the server has it. */
export type Fault = 'pass' | 'refuse' | 'silent' | 'before' | 'after' | 'half' | { status: number; body?: string };

export interface FaultProxy {
  url: string;
  /** Requests on their way just now. */
  busy: number;
  /** Of one that speaks TLS: shows another certificate, also to whoever is connected. */
  show(certificate: Certificate): void;
  close(): Promise<void>;
}
/** A proxy on the way to `to`; `next` is asked for each request, and may change its headers. With a certificate it speaks TLS. */
export async function faultProxy(
  to: string,
  next: (incoming: IncomingMessage) => Fault | Promise<Fault>,
  certificate?: Certificate,
): Promise<FaultProxy> {
  const target = new URL(to);
  // Not those of another proxy: the server may know tables on them that are gone.
  const agent = new Agent({ keepAlive: true });
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    self.busy++;
    outgoing.on('close', () => self.busy--);
    const fault = await next(incoming);
    if (typeof fault === 'object') {
      incoming.resume().on('end', () => outgoing.writeHead(fault.status).end(fault.body ?? ''));
      return;
    }
    if (fault === 'silent') return;
    if (fault === 'refuse') return void incoming.socket.destroy();
    if (fault === 'before') return void incoming.once('data', () => incoming.socket.destroy());
    const { method, url, headers } = incoming;
    const onward = request(
      { agent, host: target.hostname, port: target.port, method, path: url, headers },
      (answer) => {
        if (fault === 'after') {
          answer.resume().on('end', () => incoming.socket.destroy());
        } else if (fault === 'half') {
          answer.resume().on('end', () => {
            outgoing.writeHead(200, { 'content-length': 1000 });
            outgoing.write('{"half');
            setTimeout(() => incoming.socket.destroy(), 5);
          });
        } else {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        }
      },
    );
    onward.on('error', () => incoming.socket.destroy());
    incoming.pipe(onward);
  };
  const asked = (incoming: IncomingMessage, outgoing: ServerResponse): void => void handle(incoming, outgoing);
  const server = certificate ? createSecureServer(certificate, asked) : createServer(asked);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: FaultProxy = {
    url: `http${certificate ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    busy: 0,
    show(other) {
      (server as SecureServer).setSecureContext(other);
      server.closeAllConnections();
    },
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
}
