// One kept-alive HTTP connection to a QuestDB: rows to /write, statements to /exec. One request at a time.
// Called by the forwarder and by watch.ts. Every failure is a sentence and says whether a person must act.
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { authorityOf, certificateFault } from '../certificates.ts';
import type { Credential, Credentials } from '../credentials.ts';

export interface ConnectionOptions {
  /** `http://host:9000`; a path in it is kept, so that a reverse proxy may stand in front. */
  url: string;
  /** Read at every new connection and after a 401. */
  credentials: Credentials;
  /** PEM file of the authority that an https address must show; empty: the system's. Read at every new connection. */
  tlsCa?: string;
  /** ms for one request, answer included. */
  timeout: number;
  /** Told of every answer. */
  answered?(): void;
}
export interface Answer {
  /** What was asked, without the address' own path. */
  path: string;
  status: number;
  body: string;
  /** Where it sends us instead; empty when nowhere. */
  location: string;
  /** With what the gateway had said who it is. */
  by: 'token' | 'user and password';
}
export interface Rows {
  columns: { name: string; type: string }[];
  dataset: unknown[][];
}
export interface Connection {
  readonly host: string;
  /** The answer, whatever its status; rejects when none came whole. */
  request(method: 'GET' | 'POST', path: string, body: Uint8Array | undefined, signal: AbortSignal): Promise<Answer>;
  /** Runs one statement; rejects with the server's words. */
  query(statement: string, signal: AbortSignal): Promise<Rows>;
  /** Ends the connection; a request makes a new one. */
  close(): void;
}

/** No answer of interest is longer; a server that sends more is none of ours. */
const LONGEST = 4 * 1024 * 1024;

/** Does no I/O. Throws when the URL cannot be one. */
export function connection({ url, credentials, tlsCa = '', timeout, answered }: ConnectionOptions): Connection {
  const base = new URL(url);
  if (base.protocol !== 'http:' && base.protocol !== 'https:')
    throw new Error(`${url} is not an address of QuestDB's HTTP port: write http://host:9000`);
  const secure = base.protocol === 'https:';
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 });
  const prefix = base.pathname.replace(/\/$/, '');
  let authorization: string | undefined;
  let ca: string | undefined;

  const once = (method: string, path: string, body: Uint8Array | undefined, signal: AbortSignal): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = { 'accept-encoding': 'identity' };
      if (body) headers['content-length'] = body.length;
      if (authorization) headers.authorization = authorization;
      const { hostname, port } = base;
      const host = hostname.replace(/^\[|\]$/g, '');
      const outgoing = (secure ? httpsRequest : httpRequest)({
        agent,
        host,
        port,
        method,
        path: prefix + path,
        headers,
        ca,
      });
      const stop = (): void => void outgoing.destroy(signal.reason instanceof Error ? signal.reason : undefined);
      const late = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeout / 1000} s`)), timeout);
      const settle = (): void => {
        clearTimeout(late);
        signal.removeEventListener('abort', stop);
      };
      const fail = (error: Error): void => {
        settle();
        // A connection that was idle too long is closed by the server just as we write to it.
        const { code = '' } = error as NodeJS.ErrnoException;
        const stale = outgoing.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(code);
        if (stale && !signal.aborted) resolve(once(method, path, body, signal));
        else reject(error);
      };
      signal.addEventListener('abort', stop, { once: true });
      outgoing.on('error', fail);
      outgoing.on('response', (incoming) => {
        textOf(incoming).then((text) => {
          settle();
          answered?.();
          const by = headers.authorization?.toString().startsWith('Bearer') ? 'token' : 'user and password';
          const { statusCode: status = 0, headers: told } = incoming;
          resolve({ path, status, body: text, location: told.location ?? '', by });
        }, fail);
      });
      outgoing.on('socket', (socket) => socket.setNoDelay(true));
      if (signal.aborted) stop();
      else outgoing.end(body);
    });

  const self: Connection = {
    host: base.host,
    async request(method, path, body, signal) {
      signal.throwIfAborted();
      const before = authorization;
      if (before === undefined) {
        ca = await authorityOf(tlsCa);
        authorization = headerOf(await credentials.read(signal));
      }
      let answer: Answer;
      try {
        answer = await once(method, path, body, signal);
        if (answer.status !== 401) return answer;
        authorization = headerOf(await credentials.read(signal));
        // Only what has changed since is worth a second try.
        if (before !== undefined && authorization !== before) answer = await once(method, path, body, signal);
      } catch (error) {
        authorization = undefined;
        throw unreachable(base.host, error);
      }
      if (answer.status === 401) authorization = undefined;
      return answer;
    },
    async query(statement, signal) {
      const path = `/exec?query=${encodeURIComponent(statement)}`;
      const answer = await self.request('GET', path, undefined, signal);
      const parsed = jsonOf(answer.body);
      if (answer.status !== 200 || typeof parsed.error === 'string') throw refusal(base.host, answer);
      if ('ddl' in parsed) return { columns: [], dataset: [] };
      if (!Array.isArray(parsed.dataset) || !Array.isArray(parsed.columns))
        throw new Error(`${base.host} does not answer as a QuestDB does: is the address right?`);
      return parsed as unknown as Rows;
    },
    close: () => agent.destroy(),
  };
  return self;
}

/** What a server said instead of doing it, as a sentence that names whose turn it is where that is known. */
export function refusal(host: string, { path, status, body, location, by }: Answer): Error {
  const [at] = path.split('?');
  if (status === 401)
    return new Error(
      `QuestDB at ${host} does not accept the ${by} (${status}): correct ${by === 'token' ? 'it' : 'them'} where the settings say; nothing is lost meanwhile`,
    );
  if (status === 403)
    return new Error(
      `QuestDB at ${host} lets the gateway in, but forbids it ${at} (403): allow it there, or in what stands before it; nothing is lost meanwhile`,
    );
  // It has answered other questions before that.
  if (at === '/write' && (status === 404 || status === 405))
    return new Error(
      `QuestDB at ${host} takes no rows at /write (${status}): set its line.http.enabled to true, or have what stands before it pass them on; nothing is lost meanwhile`,
    );
  if (status === 404)
    return new Error(`${host} answers, but not as a QuestDB (404): is it the address of QuestDB's HTTP port?`);
  // Followed, it might take the credentials anywhere.
  const elsewhere = location !== '' && URL.canParse(location, `http://${host}`) && new URL(location, `http://${host}`);
  if (status >= 300 && status < 400 && elsewhere)
    return new Error(
      `${host} sends on to ${elsewhere.origin} (${status}), which is not followed: give the address of QuestDB itself`,
    );
  const { message, error } = jsonOf(body);
  const words = typeof message === 'string' ? message : typeof error === 'string' ? error : textIn(body);
  return new Error(`QuestDB at ${host} answered ${status}: ${words.slice(0, 300).trim() || 'nothing more'}`);
}

/** Of a page what its title says: proxies answer with pages. */
function textIn(body: string): string {
  if (!body.trimStart().startsWith('<')) return body;
  const [, title = body.replace(/<[^>]*>/g, ' ')] = /<title[^>]*>([^<]*)<\/title>/i.exec(body) ?? [];
  return title.replace(/\s+/g, ' ').trim();
}

/** The members of a JSON object; empty for anything else. */
export function jsonOf(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function unreachable(host: string, cause: unknown): Error {
  if (cause instanceof Error && cause.name === 'AbortError') return cause;
  const certificate = certificateFault(cause, 'forward.questdb.tlsCa');
  if (certificate) return new Error(`QuestDB at ${host} ${certificate}`, { cause });
  const words = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : String(cause);
  return new Error(`QuestDB at ${host} cannot be reached: ${words}`, { cause });
}

/** Empty: the server asks nobody who they are. */
function headerOf({ user, password, token }: Credential): string {
  if (token !== undefined) return `Bearer ${token}`;
  return user === '' ? '' : `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`;
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > LONGEST) throw new Error('the answer is too long');
  }
  return Buffer.concat(chunks).toString('utf8');
}
