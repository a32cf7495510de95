// The REST contract as schemas: what is asked, in paths, queries and bodies. Fastify checks by them and OpenAPI shows
// them; the routes are typed by them. What is answered stands in schema.ts.
import { Type } from 'typebox';
import { closed } from './schema.ts';

export const FacilityParams = Type.Object({ facility: Type.String({ minLength: 1 }) });
export const FacilityQuery = Type.Object({ facility: Type.Optional(Type.String({ minLength: 1 })) }, closed);
export const SummaryQuery = Type.Object(
  {
    hours: Type.Integer({
      minimum: 1,
      maximum: 48,
      default: 24,
      description: 'window of average, minimum and maximum',
    }),
  },
  closed,
);
const moment = Type.Optional(
  Type.Integer({ minimum: 0, maximum: 9_999_999_999_999, description: 'ms since the epoch' }),
);
export const TimeseriesQuery = Type.Object(
  {
    metric: Type.String({ minLength: 1, description: 'last part of the tag ids' }),
    hours: Type.Integer({ minimum: 1, maximum: 48, default: 12, description: 'up to `to`, when there is no `from`' }),
    bucket_minutes: Type.Integer({ minimum: 1, maximum: 60, default: 5 }),
    from: moment,
    to: moment,
    points: Type.Optional(
      Type.Integer({
        minimum: 10,
        maximum: 4000,
        description:
          'most buckets, as a screen has pixels; their width follows, down to a second, instead of bucket_minutes',
      }),
    ),
    assets: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }))], {
        description: 'asset paths, one a parameter; all of them when missing',
      }),
    ),
  },
  closed,
);
export const StreamQuery = Type.Object(
  {
    facility: Type.Optional(Type.String({ minLength: 1 })),
    hz: Type.Unsafe<1 | 2 | 4>({ type: 'integer', enum: [1, 2, 4], default: 1, description: 'most updates a second' }),
  },
  closed,
);
const person = Type.Optional(Type.String({ minLength: 1, maxLength: 100 }));
const note = Type.Optional(Type.String({ maxLength: 1000 }));
export const AcknowledgeSchema = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 1000 }),
    event: Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'the occurrence; one that is over is not acknowledged',
    }),
    comment: note,
    user: person,
  },
  closed,
);
export const ShelveSchema = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 1000 }),
    minutes: Type.Integer({ minimum: 0, maximum: 1440, description: '0 takes it off the shelf' }),
    reason: note,
    user: person,
  },
  closed,
);
