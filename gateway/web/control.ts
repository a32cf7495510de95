// The command line's way into a running daemon: an HTTP server on a Unix socket that only its user may open.
// Made by daemon; what takes long is streamed in slices, so that nothing else waits for it.
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ActResult, OperatorAct } from '../model.ts';
import type { Historian } from '../history.ts';
import { sendBackup } from './backup.ts';
import type { TakeBackup } from './backup.ts';
import { answerTo, Refusal } from './errors.ts';
import { exporter } from './export-route.ts';
import type { OpenExport } from './export-route.ts';
import { takeIn } from './intake/import.ts';
import type { IntakeOptions } from './intake/import.ts';
import type { Ask } from './intake/judge.ts';
import { zoneOf } from './zone.ts';

export interface ControlOptions extends IntakeOptions {
  path: string;
  historian: Historian;
  act(act: OperatorAct): ActResult;
  status(): object;
  backup: TakeBackup;
  ledger(): Promise<object>;
  /** Joins small chunks of the history; resolves with how many there are fewer. */
  compact(signal: AbortSignal): Promise<number>;
}

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
  const open = exporter(options);
  const server = createServer((request, response) => {
    serve(options, open, request, response).catch((error: Error) =>
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

type Open = ReturnType<typeof exporter>;

async function serve(
  options: ControlOptions,
  open: Open,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://control');
  if (request.method === 'GET' && url.pathname === '/status') return answer(response, 200, options.status());
  if (request.method === 'GET' && url.pathname === '/ledger') return answer(response, 200, await options.ledger());
  if (request.method === 'POST' && url.pathname === '/import')
    return importFile(options, request, response, url.searchParams);
  if (request.method === 'POST' && url.pathname === '/history/compact')
    return answer(response, 200, { fewer: await options.compact(leaving(response)) });
  if (request.method === 'GET' && url.pathname === '/export') return exportFile(open, url.searchParams, response);
  if (request.method === 'POST' && url.pathname === '/backup') return sendBackup(options.backup, response);
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

/**
 * Files the body; answers with the report when all of it is durable. With `progress` a line of JSON comes at each
 * checkpoint and the report is the last; a failure after the first is a line with `error`.
 */
async function importFile(
  options: ControlOptions,
  request: IncomingMessage,
  response: ServerResponse,
  params: URLSearchParams,
): Promise<void> {
  const ask = askOf(params);
  if ('field' in ask) return answer(response, 400, { error: 'bad request', ...ask });
  const gone = new AbortController();
  request.once('close', () => {
    // 'close' also comes after a body that was read to its end.
    if (!request.complete) gone.abort(new Error('whoever sent the file has left'));
  });
  const say = async (line: object): Promise<void> => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    if (!response.write(`${JSON.stringify(line)}\n`) && !response.destroyed)
      await once(response, 'drain', { signal: gone.signal });
  };
  const progress = params.has('progress');
  // What is refused half way leaves the connection open for its answer.
  const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  try {
    const report = await takeIn(options, body, ask, gone.signal, progress ? say : async () => {});
    if (!progress) return answer(response, 200, report);
    await say({ report });
    response.end();
  } catch (error) {
    const { message } = error as Error;
    // Read to its end all the same: a caller cut off while it sends would not see the answer.
    request.resume();
    if (response.headersSent) response.end(`${JSON.stringify({ error: message })}\n`);
    else if (error instanceof RangeError) answer(response, 400, { error: 'bad request', message });
    else throw error;
  }
}

function askOf(params: URLSearchParams): Ask | { field: string; message: string } {
  const one = <T extends string>(
    field: string,
    values: readonly T[],
  ): T | undefined | { field: string; message: string } => {
    const given = params.get(field) ?? undefined;
    const known = values.find((value) => value === given);
    return known !== undefined || given === undefined
      ? known
      : { field, message: `${field} is one of ${values.join(', ')}` };
  };
  const origin = one('origin', ['import', 'seed']) ?? 'import';
  const format = one('format', ['ndjson', 'csv']);
  const nulls = one('nulls', ['reject', 'skip', 'bad']) ?? 'reject';
  const delimiter = one('delimiter', [',', ';', '\t']);
  const decimal = one('decimal', [',', '.']);
  const zone = params.get('zone') ?? undefined;
  const before = Number(params.get('before') ?? 0);
  for (const wrong of [origin, format, nulls, delimiter, decimal]) if (typeof wrong === 'object') return wrong;
  if (zone !== undefined && !zoneOf(zone))
    return { field: 'zone', message: `there is no time zone "${zone}"; it is a name such as Europe/Berlin or UTC` };
  if (!Number.isSafeInteger(before) || before < 0) return { field: 'before', message: 'before is a number of lines' };
  return {
    ...({ origin, format, nulls, delimiter, decimal } as Pick<
      Ask,
      'origin' | 'format' | 'nulls' | 'delimiter' | 'decimal'
    >),
    // A seed is what simulators made: they may fail as badly as they like.
    allowOutOfRange: params.has('allowOutOfRange') || origin === 'seed',
    ...{ zone, before, dry: params.has('dry') },
  };
}

async function exportFile(open: Open, params: URLSearchParams, response: ServerResponse): Promise<void> {
  const text = (name: string): string | undefined => params.get(name) ?? undefined;
  const tags = params.has('tags') ? params.getAll('tags') : undefined;
  const [asset, facility, from, to] = ['asset', 'facility', 'from', 'to'].map(text);
  const [zone, width, format] = ['zone', 'width', 'format'].map(text);
  let file: OpenExport;
  try {
    if (format !== undefined && format !== 'csv' && format !== 'ndjson')
      throw new Refusal(400, 'format is csv or ndjson', 'format');
    const bom = params.has('bom') ? 1 : 0;
    file = await open({ tags, asset, facility, from, to, zone, width, format, bom }, leaving(response));
  } catch (error) {
    const { status, body } = answerTo(error as Error);
    return answer(response, status, body);
  }
  response.writeHead(200, { 'content-type': file.type });
  // A query that fails in the middle cuts the answer off, so that nobody takes it for whole.
  await pipeline(file.stream, response).catch(() => response.destroy());
}

/** Fires when whoever asked has left. */
function leaving(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('whoever asked has left')));
  return gone.signal;
}

function answer(response: ServerResponse, code: number, body: object): void {
  if (response.headersSent) return;
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
