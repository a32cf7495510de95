// POST /api/v1/ingest/batch: readings from programs that are no device. Each item is judged by itself; the answer comes
// when what was accepted is durable. Registered by web.ts; open only to who holds the token of `web.ingest.tokenFile`.
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Reading } from '../../model.ts';
import { Refusal } from '../errors.ts';
import type { IntakeOptions } from './import.ts';
import { skipped } from './item.ts';
import type { Reason, Rules } from './item.ts';
import { ofObject } from './ndjson.ts';
import { failures } from '../schema.ts';
import { utc } from '../zone.ts';
import { IngestBody, IngestSchema, mostItems } from '../history-schema.ts';

export type IngestOptions = Pick<IntakeOptions, 'clock' | 'catalog' | 'room' | 'durable' | 'ahead' | 'kept'> & {
  file(readings: readonly Reading[]): { accepted: number; rejected: number; shed: number; seq?: number };
  reject(count: number): void;
  /** File with the token; empty: the route is closed. */
  tokenFile: string;
};

/** A request of this size is read, judged and filed in a few milliseconds. */
const bodyLimit = 1024 * 1024;
const faultsShown = 100;
/** Requests that may wait for the disk at once. */
const atOnce = 16;
/** ms a request waits for room in the journal, and s after which to come again. */
const patience = 2000;
const comeAgain = '5';

export function ingestRoute(options: IngestOptions): FastifyPluginAsyncTypebox {
  let waiting = 0;
  return async (app) => {
    app.post(
      '/ingest/batch',
      {
        bodyLimit,
        onRequest: async (request, reply) => {
          const fault = await tokenFault(options.tokenFile, request.headers.authorization);
          if (!fault) return;
          if (fault.statusCode === 401) void reply.header('www-authenticate', 'Bearer');
          throw fault;
        },
        schema: {
          summary: 'Files readings; needs the token of web.ingest.tokenFile as Authorization: Bearer',
          description:
            'Each item is judged by itself: a known tag, a value of its type and within what it can hold, a time from 1990 to now. ' +
            'They go into history and to every store behind it; no alarm is judged by them. The same tag and time again replaces the value.',
          body: IngestBody,
          security: [{ token: [] }],
          response: { 200: IngestSchema, ...failures },
        },
        // Items are refused one by one, not the request for one of them.
        validatorCompiler: () => (body: unknown) => {
          const items = (body as { items?: unknown } | null)?.items;
          return Array.isArray(items) && items.length <= mostItems
            ? { value: body }
            : { error: new Refusal(400, `the body is {"items":[…]} with at most ${mostItems} items`, 'items') };
        },
      },
      async (request, reply) => {
        if (waiting >= atOnce) {
          void reply.header('retry-after', '1');
          throw new Refusal(
            429,
            `${atOnce} requests wait for the disk already: send larger batches, one after the other`,
          );
        }
        waiting++;
        try {
          return await takeBatch(options, (request.body as { items: unknown[] }).items);
        } catch (error) {
          if (error instanceof Refusal && error.statusCode === 503) void reply.header('retry-after', comeAgain);
          throw error;
        } finally {
          waiting--;
        }
      },
    );
  };
}

async function takeBatch(options: IngestOptions, items: readonly unknown[]) {
  const { clock } = options;
  const rules: Rules = {
    catalog: options.catalog(),
    latest: clock.now() + options.ahead,
    nulls: 'reject',
    allowOutOfRange: false,
  };
  const readings: Reading[] = [];
  const reasons: Partial<Record<Reason, number>> = {};
  const errors: { index: number; reason: Reason; message: string }[] = [];
  // Items without a time are of now, each a microsecond after the one before.
  const first = clock.micros() - items.length;
  items.forEach((item, index) => {
    const result = ofItem(item, first + index, rules);
    if (result === skipped) return;
    if (!('reason' in result)) return void readings.push(result);
    reasons[result.reason] = (reasons[result.reason] ?? 0) + 1;
    if (errors.length < faultsShown) errors.push({ index, ...result });
  });
  const refused = items.length - readings.length;
  if (readings.length === 0) {
    options.reject(refused);
    return { accepted: 0, expired: 0, rejected: refused, reasons, errors };
  }
  const inTime = AbortSignal.timeout(patience);
  await options.room(inTime).catch((error: Error) => {
    if (!inTime.aborted) throw error;
    throw new Refusal(
      503,
      'the journal has no room for more history just now; nothing of this was taken, send it again',
    );
  });
  if (refused > 0) options.reject(refused);
  const { accepted, rejected, shed, seq } = options.file(readings);
  if (shed > 0)
    throw new Refusal(503, 'the disk is full: nothing of this was stored, send it again when there is room');
  if (rejected > 0) reasons.refused = rejected;
  const kept = options.kept() * 1000;
  const expired = readings.filter(({ at }) => (at ?? 0) < kept).length;
  if (seq !== undefined) await options.durable(seq);
  return { accepted, expired, rejected: refused + rejected, reasons, errors };
}

/** An item without a time is of `now`, µs; but not one that has its time under another name. */
function ofItem(item: unknown, now: number, rules: Rules): ReturnType<typeof ofObject> {
  if (typeof item !== 'object' || item === null || 'timestamp' in item) return ofObject(item, rules);
  const strange = Object.keys(item).filter((key) => !known.has(key));
  if (strange.length === 0) return ofObject({ ...item, timestamp: utc.text(now) }, rules);
  const message = `it has no "timestamp", but ${strange.slice(0, 5).join(', ')}: name its time "timestamp", or send tag, value, status and quality alone for a value of now`;
  return { reason: 'bad time', message };
}

const known = new Set(['tag', 'value', 'status', 'quality']);

/** Read at each request, so that a new token needs no restart. */
async function tokenFault(file: string, given: string | undefined): Promise<Refusal | undefined> {
  if (file === '')
    return new Refusal(403, 'ingest is off: name a file that holds a token in web.ingest.tokenFile to open it');
  const token = await readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
  if (token === '')
    return new Refusal(503, 'the token file of web.ingest.tokenFile cannot be read or is empty; nobody can be let in');
  const said = /^Bearer\s+(\S+)$/i.exec(given ?? '')?.[1];
  if (said !== undefined && timingSafeEqual(digest(said), digest(token))) return undefined;
  return new Refusal(401, 'the token is missing or wrong: send it as Authorization: Bearer TOKEN');
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
