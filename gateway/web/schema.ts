// The REST contract as schemas: what is answered. Fastify writes by them and OpenAPI shows them; handlers are typed by
// them, so that they and wire.ts cannot disagree. What is asked stands in asked.ts.
import { Type } from 'typebox';

export const literals = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values] });
// One schema with two types and not a union of two: the serialiser would try each value of a column against both.
export const nullableNumber = Type.Unsafe<number | null>({ type: ['number', 'null'] });
export const nullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] });

/** A misspelt parameter is said to be one, and not passed over. */
export const closed = { additionalProperties: false };

const SeveritySchema = literals(['low', 'medium', 'high', 'critical'] as const);
const StatusSchema = literals(['operational', 'warning', 'down', 'maintenance', 'offline'] as const);
export const ValueSchema = Type.Unsafe<number | boolean | string | null>({
  type: ['number', 'boolean', 'string', 'null'],
});
const RangeSchema = Type.Object({ low: Type.Number(), high: Type.Number() });
const LimitsSchema = Type.Object({
  ll: Type.Optional(Type.Number()),
  l: Type.Optional(Type.Number()),
  h: Type.Optional(Type.Number()),
  hh: Type.Optional(Type.Number()),
});

const ErrorSchema = Type.Object({
  error: Type.String(),
  message: Type.String(),
  field: Type.Optional(Type.String()),
});
/** Every route's other answers. */
export const failures = { '4xx': ErrorSchema, '5xx': ErrorSchema };

export const FacilitySchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  location: Type.String(),
  timezone: Type.String(),
  assets: Type.Integer(),
});

export const AlarmSchema = Type.Object({
  key: Type.String(),
  event: Type.String(),
  facility: Type.String(),
  asset: Type.Optional(Type.String()),
  assetName: Type.Optional(Type.String()),
  tag: Type.Optional(Type.String()),
  device: Type.Optional(Type.String()),
  kind: literals(['limit', 'state', 'stale', 'quality', 'comm', 'clock'] as const),
  level: Type.Optional(literals(['ll', 'l', 'h', 'hh'] as const)),
  severity: SeveritySchema,
  active: Type.Boolean(),
  unacked: Type.Boolean(),
  raisedAt: Type.Number(),
  clearedAt: Type.Optional(Type.Number()),
  ackedAt: Type.Optional(Type.Number()),
  ackedBy: Type.Optional(Type.String()),
  shelvedUntil: Type.Optional(Type.Number()),
  comment: Type.Optional(Type.String()),
  value: Type.Optional(ValueSchema),
  limit: Type.Optional(Type.Number()),
  unit: Type.Optional(Type.String()),
  message: Type.String(),
});

const LiveValueSchema = Type.Object({
  tag: Type.String(),
  metric: Type.String(),
  name: Type.String(),
  unit: Type.String(),
  decimals: Type.Integer(),
  value: ValueSchema,
  text: Type.Optional(Type.String()),
  quality: literals(['good', 'uncertain', 'bad'] as const),
  status: Type.Integer(),
  timestamp: nullableText,
  stale: Type.Boolean(),
  range: Type.Optional(RangeSchema),
  limits: Type.Optional(LimitsSchema),
  alarm: Type.Optional(SeveritySchema),
});

export const DictSchema = Type.Object({
  rev: Type.Integer(),
  facility: nullableText,
  assets: Type.Array(
    Type.Object({
      path: Type.String(),
      site: Type.String(),
      name: Type.String(),
      kind: Type.String(),
      line: nullableText,
    }),
  ),
  tags: Type.Array(
    Type.Object({
      i: Type.Integer(),
      id: Type.String(),
      asset: Type.String(),
      metric: Type.String(),
      name: Type.String(),
      type: literals(['double', 'boolean', 'integer', 'text'] as const),
      unit: Type.String(),
      decimals: Type.Integer(),
      names: Type.Optional(
        Type.Unsafe<Record<number, string>>({ type: 'object', additionalProperties: { type: 'string' } }),
      ),
      range: Type.Optional(RangeSchema),
      limits: Type.Optional(LimitsSchema),
      staleAfter: Type.Number(),
    }),
  ),
});

export const SummarySchema = Type.Object({
  facility: FacilitySchema,
  hours: Type.Number(),
  generatedAt: Type.String(),
  counts: Type.Object({
    operational: Type.Integer(),
    warning: Type.Integer(),
    down: Type.Integer(),
    maintenance: Type.Integer(),
    offline: Type.Integer(),
  }),
  alarms: Type.Object({ low: Type.Integer(), medium: Type.Integer(), high: Type.Integer(), critical: Type.Integer() }),
  kpis: Type.Array(
    Type.Object({
      metric: Type.String(),
      name: Type.String(),
      unit: Type.String(),
      decimals: Type.Integer(),
      aggregate: literals(['mean', 'sum', 'max'] as const),
      current: nullableNumber,
      avg: nullableNumber,
      min: nullableNumber,
      max: nullableNumber,
      range: Type.Optional(RangeSchema),
      reporting: Type.Integer(),
      of: Type.Integer(),
      spark: Type.Array(nullableNumber),
    }),
  ),
  incomplete: Type.Optional(Type.String()),
  insights: Type.Array(AlarmSchema),
  assets: Type.Array(
    Type.Object({
      path: Type.String(),
      name: Type.String(),
      kind: Type.String(),
      line: nullableText,
      status: StatusSchema,
      values: Type.Array(LiveValueSchema),
    }),
  ),
});

export const TimeseriesSchema = Type.Object({
  facility: Type.String(),
  metric: Type.String(),
  name: Type.String(),
  unit: Type.String(),
  decimals: Type.Integer(),
  from: Type.String(),
  to: Type.String(),
  bucketMinutes: Type.Number(),
  incomplete: Type.Optional(Type.String()),
  incompleteUntil: Type.Optional(Type.Number()),
  t: Type.Array(Type.Number()),
  series: Type.Array(
    Type.Object({
      asset: Type.String(),
      name: Type.String(),
      tag: Type.String(),
      min: Type.Array(nullableNumber),
      avg: Type.Array(nullableNumber),
      max: Type.Array(nullableNumber),
      limits: Type.Optional(LimitsSchema),
    }),
  ),
});

const count = Type.Integer({ minimum: 0 });
export const LedgerSchema = Type.Object({
  time: Type.String({ format: 'date-time' }),
  holds: Type.Boolean({ description: 'whether every sum holds' }),
  faults: Type.Array(Type.String(), { description: 'which sums do not hold, and by how much' }),
  sources: Type.Array(
    Type.Object(
      {
        source: Type.String(),
        received: count,
        made: Type.Integer({ minimum: 0, description: 'repeats, bad on loss: samples no device said' }),
        rejected: count,
        filtered: count,
        shed: Type.Integer({ minimum: 0, description: 'not journalled for want of disk space' }),
        journalled: count,
        merged: Type.Integer({ minimum: 0, description: 'retransmissions' }),
        inJournal: Type.Integer({ minimum: 0, description: 'the journal’s own count of what it has taken' }),
        holds: Type.Boolean(),
      },
      { description: 'received + made = rejected + filtered + shed + journalled + merged; journalled = inJournal' },
    ),
  ),
  consumers: Type.Array(
    Type.Object(
      {
        consumer: Type.String(),
        journalled: Type.Integer({ minimum: 0, description: 'since the consumer was added' }),
        delivered: count,
        filtered: count,
        backlog: count,
        deadLettered: count,
        dropped: count,
        lost: Type.Optional(
          Type.Object({ from: Type.String(), to: Type.String() }, { description: 'times of the samples dropped' }),
        ),
        holds: Type.Boolean(),
      },
      { description: 'journalled = delivered + filtered + backlog + deadLettered + dropped' },
    ),
  ),
});

/** An operator's act was carried out, and is on disk. */
export const DoneSchema = Type.Object({ ok: Type.Boolean() });
