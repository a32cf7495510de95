// The REST routes under /api/v1. Each is a few lines: parameters are checked by schema.ts, answers made by dashboard.ts
// and values.ts. Used by web.ts.
import { Type } from 'typebox';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Catalog, Site } from '../catalog.ts';
import type { ActResult, Clock, OperatorAct, Present } from '../model.ts';
import type { Dashboard } from './dashboard.ts';
import { release } from './timeseries.ts';
import { Refusal } from './errors.ts';
import {
  AcknowledgeSchema,
  FacilityParams,
  FacilityQuery,
  ShelveSchema,
  SummaryQuery,
  TimeseriesQuery,
} from './asked.ts';
import {
  AlarmSchema,
  DictSchema,
  DoneSchema,
  failures,
  FacilitySchema,
  LedgerSchema,
  SummarySchema,
  TimeseriesSchema,
} from './schema.ts';
import { Dicts } from './dict.ts';
import { everything, facilityOf, sitesOf } from './scope.ts';
import { wireAlarm, wireFacility } from './values.ts';
import type { Dict, Timeseries, WireLedger } from './wire.ts';

export interface RoutesOptions {
  catalog(): Catalog;
  clock: Clock;
  present: Present;
  dashboard: Dashboard;
  act(act: OperatorAct): ActResult;
  durable(seq: number): Promise<void>;
  devices(): unknown;
  ledger(): Promise<WireLedger>;
}

/** ms of a curve. */
const longest = 10 * 366 * 86_400_000;
/** Who acts when nobody says a name: until users exist, whoever sits at the page. */
const somebody = 'operator';
export function routes(options: RoutesOptions): FastifyPluginAsyncTypebox {
  const { clock, present, dashboard } = options;
  const dicts = new Dicts();

  const siteOf = (id: string): Site => facilityOf(options.catalog(), everything, id);
  const carryOut = async (act: OperatorAct) => {
    const result = options.act(act);
    if (!result.ok) {
      const field = { unknown: 'key', outdated: 'event', refused: undefined }[result.reason];
      throw new Refusal(result.reason === 'unknown' ? 404 : 409, result.message, field);
    }
    await within(options.durable(result.seq), clock);
    return { ok: true };
  };

  return async (app) => {
    app.get(
      '/facilities',
      { schema: { summary: 'Sites of this gateway', response: { 200: Type.Array(FacilitySchema) } } },
      () => sitesOf(options.catalog(), everything).map(wireFacility),
    );

    app.get(
      '/dict',
      {
        schema: {
          summary: 'Tag table of a facility, or of all: what the stream’s columns mean',
          querystring: FacilityQuery,
          response: { 200: DictSchema, 304: Type.Null(), ...failures },
        },
      },
      async (request, reply) => {
        const { facility } = request.query;
        const { body, etag } = dicts.of(options.catalog(), facility === undefined ? undefined : siteOf(facility));
        void reply.header('etag', etag).header('cache-control', 'no-cache');
        if (request.headers['if-none-match'] === etag) return reply.code(304).send(null);
        // Already text: a large plant's table is serialised once, not at each page that opens.
        return reply.type('application/json; charset=utf-8').send(body as unknown as Dict);
      },
    );

    app.get(
      '/dashboard/summary/:facility',
      {
        schema: {
          summary: 'Figures, alarms and assets of a facility',
          params: FacilityParams,
          querystring: SummaryQuery,
          response: { 200: SummarySchema, ...failures },
        },
      },
      async (request) => dashboard.summary(options.catalog(), siteOf(request.params.facility), request.query.hours),
    );

    app.get(
      '/dashboard/timeseries/:facility',
      {
        schema: {
          summary: 'One metric of every asset, in buckets; gaps are null',
          params: FacilityParams,
          querystring: TimeseriesQuery,
          response: { 200: TimeseriesSchema, ...failures },
        },
      },
      async (request, reply) => {
        const site = siteOf(request.params.facility);
        const { metric, from, to = clock.now() } = request.query;
        if (from !== undefined && (from >= to || to - from > longest))
          throw new Refusal(400, 'from must lie before to, by ten years at most', 'from');
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const body = await dashboard.timeseries(site, request.query, gone.signal);
        // Bytes already: the schema is for the docs, and a test holds the bytes against it.
        if (body) {
          reply.raw.once('finish', () => release(body));
          return reply.type('application/json; charset=utf-8').send(body as unknown as Timeseries);
        }
        const metrics = new Set(
          site.assets.flatMap((asset) => asset.tags.filter((tag) => tag.type !== 'text').map((tag) => tag.metric)),
        );
        throw new Refusal(
          400,
          `no asset of this facility has the metric "${metric}"; there are: ${[...metrics].join(', ')}`,
          'metric',
        );
      },
    );

    app.get(
      '/alarms',
      {
        schema: {
          summary: 'Every alarm that is not normal',
          querystring: FacilityQuery,
          response: { 200: Type.Object({ alarms: Type.Array(AlarmSchema) }), ...failures },
        },
      },
      async (request) => {
        const site = request.query.facility === undefined ? undefined : siteOf(request.query.facility);
        const alarms = present.alarms().filter((alarm) => !site || alarm.site === site.id);
        return { alarms: alarms.map((alarm) => wireAlarm(alarm, options.catalog())) };
      },
    );

    app.post(
      '/alarms/acknowledge',
      {
        schema: {
          summary: 'Acknowledge one occurrence of an alarm',
          body: AcknowledgeSchema,
          response: { 200: DoneSchema, ...failures },
        },
      },
      ({ body: { key, event, comment, user = somebody } }) =>
        carryOut({ kind: 'acknowledge', key, event, comment, user }),
    );

    app.post(
      '/alarms/shelve',
      {
        schema: {
          summary: 'Put an alarm on the shelf for a time, or take it off',
          body: ShelveSchema,
          response: { 200: DoneSchema, ...failures },
        },
      },
      ({ body: { key, minutes, reason, user = somebody } }) =>
        carryOut(
          minutes === 0
            ? { kind: 'unshelve', key, user }
            : { kind: 'shelve', key, until: clock.now() + minutes * 60_000, reason, user },
        ),
    );

    app.get(
      '/ledger',
      {
        schema: {
          summary: 'Every sample accounted for: what came in, what became of it, and whether the sums hold',
          response: { 200: LedgerSchema, ...failures },
        },
      },
      () => options.ledger(),
    );

    app.get(
      '/devices',
      {
        schema: { summary: 'State of each device connection', response: { 200: Type.Array(Type.Unsafe<unknown>({})) } },
      },
      () => {
        const devices = options.devices();
        return Array.isArray(devices) ? (devices as unknown[]) : [];
      },
    );
  };
}

/** ms an operator waits to hear that an act is stored. */
const storedWithin = 10_000;

/** Rejects with 503 when storing takes too long: the act is done, but might not outlive a power cut. */
async function within(stored: Promise<void>, clock: Clock): Promise<void> {
  let callOff = () => {};
  const late = new Promise<never>((_resolve, reject) => {
    callOff = clock.after(storedWithin, () =>
      reject(new Refusal(503, 'it is done, but the disk has not yet confirmed it; look again in a moment')),
    );
  });
  try {
    await Promise.race([stored, late]);
  } finally {
    callOff();
  }
}
