// What the config may say about an OPC UA connection and a tag's place on it. Read by config/ through the protocol's
// registry entry and by the driver; the reference documentation is generated from the descriptions.
import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Point } from '../../driver.ts';
import { parseNode } from './namespaces.ts';

export const connectionSchema = Type.Object(
  {
    endpoint: Type.String({
      pattern: '^opc\\.tcp://.+',
      description: 'Address of the server: opc.tcp://host:port/path',
    }),
    securityMode: Type.Union([Type.Literal('None'), Type.Literal('Sign'), Type.Literal('SignAndEncrypt')], {
      default: 'None',
      description: 'Protection of the messages; never lowered by itself',
    }),
    securityPolicy: Type.Union(
      [
        Type.Literal('None'),
        Type.Literal('Basic256Sha256'),
        Type.Literal('Aes128_Sha256_RsaOaep'),
        Type.Literal('Aes256_Sha256_RsaPss'),
      ],
      { default: 'None', description: 'Security policy; set together with securityMode' },
    ),
    pkiFolder: Type.Optional(
      Type.String({ description: 'Folder of own key, trusted and rejected certificates; needed with security' }),
    ),
    applicationUri: Type.String({
      default: 'urn:penstock:gateway',
      description: 'The application URI this gateway presents; stands in its certificate',
    }),
    user: Type.Optional(Type.String({ description: 'User name; anonymous when absent' })),
    passwordFile: Type.Optional(Type.String({ description: "File that holds the user's password" })),
    plainPassword: Type.Boolean({ default: false, description: 'Allow a password over a connection without security' }),
    publishingInterval: Type.Optional(
      Type.Number({ minimum: 50, description: 'ms between publications; default: the tag interval, 100 to 500' }),
    ),
    samplingInterval: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'ms between samples for tags that do not say; 0: every change; default: half the tag interval',
      }),
    ),
    keepAlive: Type.Number({ default: 5_000, minimum: 500, description: 'Longest silence of a healthy server, ms' }),
    sessionTimeout: Type.Number({
      default: 120_000,
      minimum: 10_000,
      description: 'How long the server keeps session and queues through an outage, ms',
    }),
    transportTimeout: Type.Number({
      default: 10_000,
      minimum: 1_000,
      description: 'Limit for a silent connection, ms',
    }),
    connectTimeout: Type.Number({ default: 15_000, minimum: 1_000, description: 'Limit for connecting, ms' }),
    requestTimeout: Type.Number({ default: 10_000, minimum: 1_000, description: 'Limit for one request, ms' }),
    chunk: Type.Integer({ default: 500, minimum: 1, maximum: 1_000, description: 'Most nodes in one request' }),
  },
  { additionalProperties: false },
);

export const addressSchema = Type.Object({
  node: Type.String({ description: 'nsu=<namespace uri>;s=… (or i=, g=, b=); ns=<index>;… is accepted' }),
  samplingInterval: Type.Optional(Type.Number({ minimum: 0, description: 'ms between samples; 0: every change' })),
  queueSize: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100_000, description: 'Values the server keeps through an outage' }),
  ),
});

export type Connection = Static<typeof connectionSchema>;
export type Address = Static<typeof addressSchema>;
export type OpcuaPoint = Point<Address>;

/** The connection with every default in place, whether or not the config's reader has filled them in. */
export function withDefaults(connection: Record<string, unknown>): Connection {
  const filled: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(connectionSchema.properties)) {
    const fallback: unknown = 'default' in property ? property.default : undefined;
    filled[name] = connection[name] ?? fallback;
  }
  return filled as Connection;
}

/** What the schemas cannot say; one sentence an error. */
export function check(
  connection: Record<string, unknown>,
  points: readonly Point[],
): { path: string; message: string }[] {
  const { securityMode, securityPolicy, pkiFolder, user, passwordFile, plainPassword } = withDefaults(connection);
  const errors: { path: string; message: string }[] = [];
  if ((securityMode === 'None') !== (securityPolicy === 'None')) {
    errors.push({
      path: 'connection.securityPolicy',
      message: `securityMode ${securityMode} does not go with securityPolicy ${securityPolicy}: both None or neither`,
    });
  }
  if (securityMode !== 'None' && !pkiFolder) {
    errors.push({
      path: 'connection.pkiFolder',
      message: 'a secured connection needs a pkiFolder for its certificates',
    });
  }
  if (user !== undefined && passwordFile === undefined) {
    errors.push({ path: 'connection.passwordFile', message: 'a user needs a passwordFile' });
  }
  if (user !== undefined && securityMode === 'None' && !plainPassword) {
    errors.push({
      path: 'connection.plainPassword',
      message: 'without security the password could be read on the network: set securityMode, or plainPassword: true',
    });
  }
  for (const [index, point] of points.entries()) {
    const { node } = point.address;
    if (typeof node !== 'string') continue; // the schema has said so
    const parsed = parseNode(node);
    if (typeof parsed === 'string') errors.push({ path: `tags.${index}.node`, message: parsed });
  }
  return errors;
}
