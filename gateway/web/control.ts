// The command line's way into a running daemon: an HTTP server on a Unix socket that only its user may open.
// Made by daemon; long imports are read in slices, so that nothing else waits for them.
import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Catalog } from '../catalog.ts';
import type { ActResult, Clock, OperatorAct, Reading } from '../model.ts';
import { LineCutter, lineReader, longestLine } from './lines.ts';
import type { LineFault } from './lines.ts';

export interface ControlOptions {
  path: string;
  clock: Clock;
  catalog(): Catalog;
  /** Files readings of history; `seq` is the journal's, when anything was filed. */
  file(
    origin: 'import' | 'seed',
    readings: readonly Reading[],
  ): { accepted: number; rejected: number; shed: number; seq?: number };
  /** Counts lines that could not be read in the source's account. */
  reject(origin: 'import' | 'seed', lines: number): void;
  /** Waits until the journal has room for history. */
  room(signal: AbortSignal): Promise<void>;
  durable(seq: number): Promise<void>;
  act(act: OperatorAct): ActResult;
  status(): object;
}

/** Lines read, and readings filed, between two looks at everything else: about 1 ms of work. */
const slice = 500;
const faultsShown = 20;
/** Bytes of an operator's act. */
const actLimit = 65_536;
/** What sockaddr_un of Linux holds, bytes. */
const longestPath = 107;

/** Listens; a socket left by a dead daemon is replaced (the folder's lock says nobody else is alive). */
export async function createControl(options: ControlOptions): Promise<{ close(): Promise<void> }> {
  if (Buffer.byteLength(options.path) > longestPath)
    throw new Error(
      `${options.path} is too long for a socket (at most ${longestPath} bytes): choose a shorter data folder`,
    );
  rmSync(options.path, { force: true });
  const server = createServer((request, response) => {
    serve(options, request, response).catch((error: Error) =>
      answer(response, 500, { error: 'internal error', message: error.message }),
    );
  });
  // An import of days of history takes longer than any page's request.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.path, resolve);
  });
  chmodSync(options.path, 0o600);
  let closing: Promise<void> | undefined;
  return {
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

async function serve(options: ControlOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://control');
  if (request.method === 'GET' && url.pathname === '/status') return answer(response, 200, options.status());
  if (request.method === 'POST' && url.pathname === '/import') {
    const origin = url.searchParams.get('origin') ?? 'import';
    if (origin !== 'import' && origin !== 'seed')
      return answer(response, 400, { error: 'bad request', message: 'origin is import or seed', field: 'origin' });
    return answer(response, 200, await takeIn(options, request, origin));
  }
  if (request.method === 'POST' && url.pathname === '/act') return carryOut(options, request, response);
  answer(response, 404, { error: 'not found', message: `there is nothing at ${url.pathname}` });
}

/** An operator's act as JSON; answers with its result when that is durable: 200, 400 not an act, 404 unknown, 409 outdated or refused. */
async function carryOut(options: ControlOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of request) {
    // Read to its end all the same: a caller cut off while it sends would not see the answer.
    if (text.length <= actLimit) text += decoder.decode(part as Uint8Array, { stream: true });
  }
  if (text.length > actLimit)
    return answer(response, 413, { error: 'too large', message: `an act has at most ${actLimit} bytes` });
  const act = actOf(text);
  if (!act) {
    const message =
      'an act is {"kind":"acknowledge","key","event","user"}, {"kind":"shelve","key","until","user"} or {"kind":"unshelve","key","user"}';
    return answer(response, 400, { error: 'bad request', message });
  }
  const result = options.act(act);
  if (result.ok) await options.durable(result.seq);
  answer(response, result.ok ? 200 : result.reason === 'unknown' ? 404 : 409, result);
}

function actOf(text: string): OperatorAct | undefined {
  let given: Record<string, unknown>;
  try {
    given = Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { kind, key, user, event, until, comment, reason } = given;
  if (typeof key !== 'string' || typeof user !== 'string') return undefined;
  const note = (said: unknown) => (typeof said === 'string' ? said : undefined);
  if (kind === 'acknowledge' && typeof event === 'string') return { kind, key, event, user, comment: note(comment) };
  if (kind === 'shelve' && Number.isFinite(until))
    return { kind, key, until: until as number, user, reason: note(reason) };
  return kind === 'unshelve' ? { kind, key, user } : undefined;
}

/** Files the body line by line; `lastSeq` is durable when the report is given. */
async function takeIn(options: ControlOptions, request: IncomingMessage, origin: 'import' | 'seed'): Promise<object> {
  const reasons: Record<string, number> = {};
  const firstErrors: { line: number; message: string }[] = [];
  let accepted = 0;
  let rejected = 0;
  let unread = 0;
  let last: number | undefined;
  const read = lineReader(options.catalog(), options.clock.now());
  const gone = new AbortController();
  request.once('close', () => {
    // 'close' also comes after a body that was read to its end.
    if (!request.complete) gone.abort();
  });
  const reject = (line: number, { reason, message }: LineFault) => {
    rejected++;
    unread++;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
    if (firstErrors.length < faultsShown) firstErrors.push({ line, message });
  };

  let readings: Reading[] = [];
  const flush = async () => {
    if (unread > 0) options.reject(origin, unread);
    unread = 0;
    if (readings.length > 0) {
      await options.room(gone.signal);
      const filed = options.file(origin, readings);
      accepted += filed.accepted;
      rejected += filed.rejected + filed.shed;
      if (filed.shed > 0) reasons['disk full'] = (reasons['disk full'] ?? 0) + filed.shed;
      if (filed.rejected > 0) reasons['refused'] = (reasons['refused'] ?? 0) + filed.rejected;
      last = filed.seq ?? last;
      readings = [];
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  };

  let number = 0;
  const cutter = new LineCutter();
  const decoder = new TextDecoder();
  const take = (line: string | undefined) => {
    number++;
    if (line === undefined)
      return reject(number, { reason: 'too long', message: `is longer than ${longestLine} characters` });
    if (line.trim() === '') return;
    const result = read(line);
    if ('reason' in result) reject(number, result);
    else readings.push(result);
  };
  for await (const part of request) {
    for (const line of cutter.push(decoder.decode(part as Uint8Array, { stream: true }))) {
      take(line);
      if (number % slice === 0) await flush();
    }
  }
  take(cutter.end());
  await flush();
  if (last !== undefined) await options.durable(last);
  return { accepted, rejected, reasons, firstErrors, lastSeq: last ?? null };
}

function answer(response: ServerResponse, code: number, body: object): void {
  if (response.headersSent) return;
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
