// GET /api/v1/history/{raw,buckets,states,kpis,limit-time}: what is asked is resolved here (scope, range, width, cursor), answered by
// history.ts, and called off when whoever asked has left. Registered by web.ts.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import type { Catalog } from '../catalog.ts';
import type { Clock } from '../model.ts';
import type { Historian } from '../history.ts';
import { Refusal } from './errors.ts';
import { buckets, cursorOf, figures, raw, states } from './history.ts';
import type { Cursor, Figure, Question } from './history.ts';
import { kpis, limitTime } from './history-figures.ts';
import { BucketsQuery, BucketsSchema, RawQuery, RawSchema, StatesQuery, StatesSchema } from './history-schema.ts';
import { KpisQuery, KpisSchema, LimitTimeQuery, LimitTimeSchema } from './history-schema.ts';
import { rangeOf, widthOf } from './range.ts';
import { failures } from './schema.ts';
import { everything, namesOf, tagsOf } from './scope.ts';

export interface HistoryOptions {
  catalog(): Catalog;
  clock: Clock;
  historian: Historian;
}

interface Asked {
  tags?: string | string[];
  asset?: string;
  facility?: string;
  from?: string;
  to?: string;
  zone?: string;
  cursor?: string;
}

export function historyRoutes({ catalog, clock, historian }: HistoryOptions): FastifyPluginAsyncTypebox {
  const questionOf = (asked: Asked, reply: FastifyReply): { question: Question; cursor: Cursor | undefined } => {
    const cursor = asked.cursor === undefined ? undefined : cursorOf(asked.cursor);
    // A page that says "the last hour" goes on in the hour that it began with.
    const range = { ...rangeOf(asked, clock.micros()), ...(cursor && { from: cursor.from, to: cursor.to }) };
    const tags = tagsOf(catalog(), everything, { ...asked, tags: namesOf(catalog(), asked.tags) });
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort(new Error('whoever asked has left')));
    return { question: { ...range, tags, signal: gone.signal }, cursor };
  };
  /** As text: its columns are long, and a serialiser that looks at each value is slower. */
  const send = <T extends object>(reply: FastifyReply, { from, to, zone }: Question, answer: T): never => {
    const body = { from: zone.text(from), to: zone.text(to), zone: zone.name, ...answer };
    return reply
      .type('application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(JSON.stringify(body)) as never;
  };

  return async (app) => {
    app.get(
      '/history/raw',
      {
        schema: {
          summary: 'Samples of tags, one tag after the other',
          querystring: RawQuery,
          response: { 200: RawSchema, ...failures },
        },
      },
      async (request, reply) => {
        const { question, cursor } = questionOf(request.query, reply);
        return send(reply, question, await raw(historian, question, request.query.limit, cursor));
      },
    );

    app.get(
      '/history/buckets',
      {
        schema: {
          summary: 'Figures of tags in buckets of time, side by side',
          description:
            'min, max, first, last and avg are of the good samples in the bucket; mean is over the time with a good value, ' +
            'the one held from before included, and share is how much of the bucket that is. A bucket without is a gap: null.',
          querystring: BucketsQuery,
          response: { 200: BucketsSchema, ...failures },
        },
      },
      async (request, reply) => {
        const { question, cursor } = questionOf(request.query, reply);
        const width = widthOf(request.query.width);
        const answer = await buckets(historian, question, width, figuresOf(request.query.figures), cursor);
        return send(reply, question, { width: request.query.width, ...answer });
      },
    );

    app.get(
      '/history/states',
      {
        schema: {
          summary: 'How long each value of tags held, one tag after the other',
          querystring: StatesQuery,
          response: { 200: StatesSchema, ...failures },
        },
      },
      async (request, reply) => {
        const { question, cursor } = questionOf(request.query, reply);
        return send(reply, question, await states(historian, question, request.query.limit, cursor));
      },
    );

    app.get(
      '/history/kpis',
      {
        schema: {
          summary: 'Figures of tags over a range: good samples, least, mean, greatest, and the last sample',
          querystring: KpisQuery,
          response: { 200: KpisSchema, ...failures },
        },
      },
      async (request, reply) => {
        const { question } = questionOf(request.query, reply);
        return send(reply, question, await kpis(historian, question));
      },
    );

    app.get(
      '/history/limit-time',
      {
        schema: {
          summary: 'How long tags were above and below a limit, in seconds',
          description:
            'A good value holds until the next sample, the one held from before the range included. Time without one is ' +
            'neither above nor below, nor known; a value that equals the limit is known alone.',
          querystring: LimitTimeQuery,
          response: { 200: LimitTimeSchema, ...failures },
        },
      },
      async (request, reply) => {
        const { question } = questionOf(request.query, reply);
        return send(reply, question, await limitTime(historian, question, request.query.limit));
      },
    );
  };
}

function figuresOf(text: string | undefined): readonly Figure[] {
  if (text === undefined) return figures;
  return text.split(',').map((name) => {
    const figure = figures.find((each) => each === name);
    if (!figure) throw new Refusal(400, `there is no figure "${name}"; there are: ${figures.join(', ')}`, 'figures');
    return figure;
  });
}
