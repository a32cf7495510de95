// GET /api/v1/export.csv, and the same over the control socket: what is asked for becomes an export, its text a stream
// that is stopped with whoever reads it. Registered by web.ts; control.ts has an `exporter` of its own.
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Catalog } from '../catalog.ts';
import type { Clock } from '../model.ts';
import type { Historian } from '../history.ts';
import { Refusal } from './errors.ts';
import { exported } from './export.ts';
import { rangeOf, widthOf } from './range.ts';
import { everything, namesOf, tagsOf } from './scope.ts';
import { ExportQuery } from './history-schema.ts';
import { failures } from './schema.ts';

export interface ExportOptions {
  catalog(): Catalog;
  clock: Clock;
  historian: Historian;
}

/** Exports at once; each keeps the reader thread busy. */
const atOnce = 4;

export interface OpenExport {
  stream: Readable;
  type: string;
  name: string;
}

/**
 * Opens exports: each as a stream of text, its first rows read; what is wrong with the question is thrown before. The
 * signal stops the query and ends the stream.
 */
export function exporter({ catalog, clock, historian }: ExportOptions) {
  let running = 0;
  return async (asked: Static<typeof ExportQuery>, signal: AbortSignal): Promise<OpenExport> => {
    const range = rangeOf(asked, clock.micros());
    const tags = tagsOf(catalog(), everything, { ...asked, tags: namesOf(catalog(), asked.tags) });
    const { format = 'csv' } = asked;
    const width = asked.width === undefined ? undefined : widthOf(asked.width);
    if (running >= atOnce) throw new Refusal(503, `${atOnce} exports are running already; try again in a moment`);
    running++;
    const rows = exported(historian, { ...range, tags, format, width }, signal);
    let first: IteratorResult<Uint8Array>;
    try {
      first = await rows.next();
    } catch (error) {
      running--;
      throw error;
    }
    const pieces = whole(asked.bom ? '\uFEFF' : '', first, rows);
    const stream = Readable.from(pieces, { objectMode: false, highWaterMark: 1 << 16 });
    stream.once('close', () => running--);
    signal.addEventListener('abort', () => stream.destroy());
    const day = (t: number): string => range.zone.text(t).slice(0, 10);
    return {
      stream,
      type: format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson; charset=utf-8',
      name: `history-${day(range.from)}-${day(range.to)}.${format}`,
    };
  };
}

async function* whole(
  bom: string,
  first: IteratorResult<Uint8Array>,
  rows: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (bom !== '') yield Buffer.from(bom);
  if (first.done) return;
  yield first.value;
  yield* rows;
}

export function exportRoute(options: ExportOptions): FastifyPluginAsyncTypebox {
  const open = exporter(options);
  return async (app) => {
    app.get(
      '/export.csv',
      {
        schema: {
          summary: 'History as a file: samples or buckets of tags, an asset or a facility',
          description:
            'Streamed, tag by tag and within a tag by time. Times carry their offset and the header names their zone; ' +
            'texts that a spreadsheet would run get an apostrophe before them. NDJSON is what import takes. A file that lacks a ' +
            'part ends with a line `# incomplete: …` that says which and why (in NDJSON an object with `incomplete` alone). ' +
            `Beyond ${atOnce} at once the answer is 503 with Retry-After, before the first byte.`,
          querystring: ExportQuery,
          response: {
            200: {
              description: 'the file',
              content: { 'text/csv': { schema: Type.String() }, 'application/x-ndjson': { schema: Type.String() } },
            },
            ...failures,
          },
        },
      },
      async (request, reply) => {
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const { stream, type, name } = await open(request.query, gone.signal);
        void reply.type(type).header('content-disposition', `attachment; filename="${name}"`);
        return reply.header('cache-control', 'no-store').send(stream as unknown as string);
      },
    );
  };
}
