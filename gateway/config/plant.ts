// Schemas of plant.yaml and of what is common to every device file; a protocol adds its own fields.
// Used by load to check, and by reference to write the docs and the JSON Schema.
import { Type } from 'typebox';
import type { Static } from 'typebox';

const segment = '[^+#/$_\\u0000-\\u001f][^+#/\\u0000-\\u001f]*';
const severity = Type.Union([
  Type.Literal('low'),
  Type.Literal('medium'),
  Type.Literal('high'),
  Type.Literal('critical'),
]);
const aggregate = Type.Union([Type.Literal('mean'), Type.Literal('sum'), Type.Literal('max')], {
  description: 'how a site’s figure is made of those of its assets',
});
const status = Type.Union([
  Type.Literal('operational'),
  Type.Literal('warning'),
  Type.Literal('down'),
  Type.Literal('maintenance'),
  Type.Literal('offline'),
]);
const time = (what: string) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.String({ pattern: '^\\s*\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)?\\s*$' })], {
    description: `a duration (500ms, 5s, 2m, 1h or a number of ms): ${what}`,
  });
const closed = { additionalProperties: false };

const names = Type.Record(Type.String({ pattern: '^-?\\d+$' }), Type.String(), {
  ...closed,
  description: 'what whole numbers mean: { 0: stopped, 1: running }',
});

export const AssetMetric = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, description: 'what people read; default: the metric’s name' })),
    unit: Type.Optional(Type.String()),
    decimals: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
    range: Type.Optional(
      Type.Tuple([Type.Number(), Type.Number()], { description: 'normal operating range [low, high]' }),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          ll: Type.Optional(Type.Number()),
          l: Type.Optional(Type.Number()),
          h: Type.Optional(Type.Number()),
          hh: Type.Optional(Type.Number()),
        },
        { ...closed, description: 'values beyond which an alarm is raised: low low, low, high, high high' },
      ),
    ),
    deadband: Type.Optional(Type.Number({ minimum: 0, description: 'a raised limit clears only this far inside it' })),
    onDelay: Type.Optional(time('how long a value must be beyond a limit before the alarm is raised')),
    offDelay: Type.Optional(time('how long it must be back before the alarm clears')),
    severity: Type.Optional(
      Type.Object(
        {
          ll: Type.Optional(severity),
          l: Type.Optional(severity),
          h: Type.Optional(severity),
          hh: Type.Optional(severity),
        },
        { ...closed, description: 'of the alarm at each limit; default: high at ll and hh, medium at l and h' },
      ),
    ),
    names: Type.Optional(names),
    states: Type.Optional(
      Type.Array(Type.Object({ value: Type.Integer(), severity, message: Type.String({ minLength: 1 }) }, closed), {
        description: 'values that are an alarm in themselves',
      }),
    ),
    aggregate: Type.Optional(aggregate),
  },
  closed,
);

export const PlantFile = Type.Object(
  {
    sites: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.Optional(
              Type.String({
                pattern: `^${segment}$`,
                description: 'first part of every tag id of the site; default: made from the name',
              }),
            ),
            name: Type.String({ minLength: 1 }),
            location: Type.Optional(Type.String()),
            timezone: Type.Optional(Type.String({ description: 'IANA name, such as Europe/Amsterdam; default UTC' })),
          },
          closed,
        ),
      ),
    ),
    metrics: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object(
          {
            name: Type.Optional(Type.String({ minLength: 1 })),
            unit: Type.Optional(Type.String()),
            decimals: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
            aggregate: Type.Optional(aggregate),
          },
          closed,
        ),
      ),
    ),
    assets: Type.Optional(
      Type.Array(
        Type.Object(
          {
            path: Type.String({ pattern: `^${segment}(/${segment}){1,6}$`, description: 'site/(area/line/)asset' }),
            name: Type.Optional(Type.String({ minLength: 1 })),
            kind: Type.Optional(Type.String()),
            line: Type.Optional(Type.String()),
            status: Type.Optional(
              Type.Object(
                {
                  metric: Type.String(),
                  map: Type.Record(Type.String({ pattern: '^-?\\d+$' }), status, {
                    ...closed,
                    description: 'whole numbers and what they mean: { 0: offline, 1: operational, 2: down }',
                  }),
                },
                { ...closed, description: 'the machine’s status, from a metric of it: what each of its values means' },
              ),
            ),
            metrics: Type.Optional(Type.Record(Type.String(), AssetMetric)),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);
export type PlantFile = Static<typeof PlantFile>;

/** Fields of a tag that do not depend on the protocol. */
export const tagFields = {
  tag: Type.String({
    pattern: `^${segment}(/${segment}){2,7}$`,
    description: 'the tag id: site/…/asset/metric, three to eight names without + # and not beginning with _ or $',
  }),
  type: Type.Optional(
    Type.Union([Type.Literal('double'), Type.Literal('boolean'), Type.Literal('integer'), Type.Literal('text')]),
  ),
  interval: Type.Optional(time('how often it is read, the interval of the device by default')),
  scale: Type.Optional(Type.Number({ description: 'value = raw × scale + offset; 0.1 is computed exactly' })),
  offset: Type.Optional(Type.Number({ description: 'see scale' })),
  clamp: Type.Optional(
    Type.Tuple([Type.Number(), Type.Number()], {
      description:
        '[low, high]: a value beyond is taken as the nearer end, its quality as uncertain; an import refuses it',
    }),
  ),
  sentinels: Type.Optional(Type.Array(Type.Number(), { description: 'raw values that mean "no value"' })),
  formerly: Type.Optional(Type.String({ description: 'the tag’s id before it was renamed: its history goes on' })),
  storeDeadband: Type.Optional(
    Type.Number({
      minimum: 0,
      description:
        'a value nearer than this to the last one stored goes into no store, here or elsewhere, but for one each gateway.maxSilence',
    }),
  ),
};

interface Fields {
  properties?: Record<string, { default?: unknown }>;
  required?: string[];
}

/** Names an engineer must write: those required and without a default. */
function needed({ properties = {}, required = [] }: Fields): string[] {
  return required.filter((name) => properties[name]?.default === undefined);
}

/** Schema of a device file for one protocol; without its parts, for any. */
export function deviceSchema(connection: object = {}, address?: object) {
  const fields = (address as Fields | undefined)?.properties ?? {};
  return Type.Object(
    {
      device: Type.String({ pattern: `^${segment}$` }),
      protocol: Type.String(),
      enabled: Type.Optional(Type.Boolean()),
      connection: Type.Unsafe<Record<string, unknown>>({ ...connection, required: needed(connection) }),
      interval: Type.Optional(time('how often its tags are read')),
      tags: Type.Array(
        Type.Unsafe<DeviceTag>({
          type: 'object',
          properties: { ...tagFields, ...fields },
          required: ['tag', ...needed(address ?? {})],
          additionalProperties: address === undefined,
        }),
      ),
    },
    closed,
  );
}

export type DeviceTag = Static<ReturnType<typeof Type.Object<typeof tagFields>>> & Record<string, unknown>;
export interface DeviceFile {
  device: string;
  protocol: string;
  enabled?: boolean;
  connection: Record<string, unknown>;
  interval?: number | string;
  tags: DeviceTag[];
}
