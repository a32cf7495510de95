// The REST contract of what goes into history and what comes out of it, as schemas. Fastify checks by them and OpenAPI
// shows them; used by the routes of ingest, export and history.
import { Type } from 'typebox';
import { figures } from './history.ts';
import { closed, literals, nullableNumber, nullableText, ValueSchema } from './schema.ts';

/** Items of one request to ingest. */
export const mostItems = 5000;
const ItemSchema = Type.Object({
  tag: Type.String({ description: 'id of the tag' }),
  value: ValueSchema,
  timestamp: Type.Optional(
    Type.Unsafe<string | number>({
      type: ['string', 'number'],
      description:
        'ISO 8601 with Z or an offset, or seconds, ms, µs or ns since 1970, told by their size; now when it is missing and nothing but the other fields is there',
    }),
  ),
  status: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff, description: 'OPC UA StatusCode' })),
  quality: Type.Optional(literals(['good', 'uncertain', 'bad'] as const)),
});
export const IngestBody = Type.Object({ items: Type.Array(ItemSchema, { maxItems: mostItems }) }, closed);
export const IngestSchema = Type.Object({
  accepted: Type.Integer({ description: 'durable when this is read' }),
  expired: Type.Integer({
    description:
      'of the accepted: not kept here, being older than history.retention, or than what its bytes or a full disk have left; stores elsewhere may take them',
  }),
  rejected: Type.Integer(),
  reasons: Type.Unsafe<Record<string, number>>({
    type: 'object',
    additionalProperties: { type: 'integer' },
    description: 'rejected items by reason',
  }),
  errors: Type.Array(Type.Object({ index: Type.Integer(), reason: Type.String(), message: Type.String() }), {
    description: 'the first hundred rejected items by their place in the request',
  }),
});

const tagNames = Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }))], {
  description: 'tag ids, with commas between or one a parameter',
});
const within = {
  from: Type.Optional(Type.String({ description: 'ISO 8601, ms, now or such as now-24h' })),
  to: Type.Optional(Type.String({ description: 'the same; now when it is missing. The range is [from, to)' })),
  zone: Type.Optional(
    Type.String({ description: 'IANA name: of times without an offset, and of those answered; UTC' }),
  ),
};
const about = {
  tags: Type.Optional(tagNames),
  asset: Type.Optional(Type.String({ minLength: 1, description: 'path of an asset, or of a line or area' })),
  facility: Type.Optional(Type.String({ minLength: 1 })),
};
export const ExportQuery = Type.Object(
  {
    ...about,
    ...within,
    width: Type.Optional(Type.String({ description: 'buckets of 30s, 5m, 1h, day … instead of samples' })),
    format: Type.Optional(literals(['csv', 'ndjson'] as const)),
    bom: Type.Optional(Type.Integer({ minimum: 0, maximum: 1, description: '1 for spreadsheets that need it' })),
  },
  closed,
);

const page = {
  ...about,
  ...within,
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: '`next` of the answer before; the rest of the question as it was',
    }),
  ),
};
export const KpisQuery = Type.Object({ ...about, ...within }, closed);
export const LimitTimeQuery = Type.Object(
  { ...about, ...within, limit: Type.Number({ description: 'a value in the tag’s unit' }) },
  closed,
);
export const RawQuery = Type.Object(
  {
    ...page,
    limit: Type.Integer({ minimum: 1, maximum: 5000, default: 1000, description: 'samples in all of the answer' }),
  },
  closed,
);
export const StatesQuery = Type.Object(
  {
    ...page,
    limit: Type.Integer({ minimum: 1, maximum: 5000, default: 1000, description: 'spans in all of the answer' }),
  },
  closed,
);
export const BucketsQuery = Type.Object(
  {
    ...page,
    width: Type.String({ description: '30s, 5m, 1h …, or hour, day, week, month, year of the zone’s calendar' }),
    figures: Type.Optional(
      Type.String({
        minLength: 1,
        description: `of ${figures.join(', ')}, with commas between; all of them when missing`,
      }),
    ),
  },
  closed,
);

const range = { from: Type.String(), to: Type.String(), zone: Type.String() };
const lacking = {
  incomplete: Type.Optional(
    Type.String({
      description:
        'what is missing, and why: a store that does not answer, samples that retention removed or that are damaged on disk',
    }),
  ),
  incompleteUntil: Type.Optional(
    Type.String({ description: 'what is missing lies before this; not with damaged samples' }),
  ),
};
const answered = {
  ...range,
  next: Type.Unsafe<string | null>({ ...nullableText, description: 'cursor of the rest; null: this is all' }),
};
export const RawSchema = Type.Object({
  ...answered,
  series: Type.Array(
    Type.Object({
      tag: Type.String(),
      unit: Type.String(),
      t: Type.Array(Type.String()),
      value: Type.Array(ValueSchema, { description: 'integers past 2^53 as text' }),
      status: Type.Array(Type.Integer(), { description: 'OPC UA StatusCodes' }),
      ...lacking,
    }),
  ),
});
const optionalFigures = Object.fromEntries(
  figures.map((figure) => [figure, Type.Optional(Type.Array(nullableNumber))]),
);
export const BucketsSchema = Type.Object({
  ...answered,
  width: Type.String(),
  t: Type.Array(Type.String(), { description: 'start of each bucket' }),
  end: Type.String({ description: 'where the last one ends' }),
  series: Type.Array(
    Type.Object(
      { tag: Type.String(), unit: Type.String(), ...optionalFigures, ...lacking },
      { description: 'one number a bucket; null where there was no good value' },
    ),
  ),
});
export const StatesSchema = Type.Object({
  ...answered,
  series: Type.Array(
    Type.Object({
      tag: Type.String(),
      spans: Type.Array(
        Type.Object({
          from: Type.String(),
          to: Type.String(),
          value: ValueSchema,
          text: Type.Optional(Type.String({ description: 'name of an enumeration’s value' })),
          quality: literals(['good', 'uncertain', 'bad', 'none'] as const),
        }),
      ),
      durations: Type.Array(
        Type.Object({
          value: ValueSchema,
          text: Type.Optional(Type.String()),
          seconds: Type.Number(),
          times: Type.Integer(),
        }),
        { description: 'time spent in each good value within this answer, longest first' },
      ),
      ...lacking,
    }),
  ),
});
export const KpisSchema = Type.Object({
  ...range,
  series: Type.Array(
    Type.Object(
      {
        tag: Type.String(),
        unit: Type.String(),
        n: Type.Integer({ description: 'good samples' }),
        min: nullableNumber,
        avg: nullableNumber,
        max: nullableNumber,
        last: Type.Unsafe<{ t: string; value: unknown; status: number } | null>({
          type: ['object', 'null'],
          description: 'the last sample of the range, of any quality: t, value, status',
        }),
        ...lacking,
      },
      { description: 'null where there was no good value' },
    ),
  ),
});
export const LimitTimeSchema = Type.Object({
  ...range,
  limit: Type.Number(),
  series: Type.Array(
    Type.Object({
      tag: Type.String(),
      unit: Type.String(),
      above: Type.Number({ description: 'seconds' }),
      below: Type.Number({ description: 'seconds' }),
      known: Type.Number({ description: 'seconds with a good value' }),
      ...lacking,
    }),
  ),
});
