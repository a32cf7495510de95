// What every request meets, whichever route it asks for: who may ask, how errors are answered, what is counted, which
// policy a browser gets; and the page's files and the API's description. Made by web.ts, which adds the routes.
import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';
import fastifyHelmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import type { FastifySchema } from 'fastify';
import type { Status } from '../status.ts';
import { answerTo, Refusal } from './errors.ts';
import { hostAllowed, originAllowed } from './guards.ts';

const bodyLimit = 64 * 1024;
/** ms in which a request must have come in. */
const patience = 10_000;
/** Seconds after which what is busy or cannot be read just now may be asked again. */
const retryAfter = 5;

/** Numbers as a query may write them. */
const numbers: Record<string, RegExp> = {
  integer: /^-?\d{1,15}$/,
  number: /^-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?$/,
};

export interface AppSettings {
  host: string;
  /** Further names under which the page is reached. */
  hosts: string[];
  /** Whether it may be reached from elsewhere without users. */
  insecure: boolean;
  /** Folder of the built dashboard; where it holds none, the rest is served without it. */
  assets: string;
  version: string;
}

interface Described {
  properties?: Record<string, object>;
  required?: string[];
}

/** The same route as it is described: what has a default is required of the handler, not of who asks. */
function asAsked(schema: FastifySchema): FastifySchema {
  const query = schema.querystring as Described | undefined;
  if (!query?.required) return schema;
  const required = query.required.filter((name) => !('default' in (query.properties?.[name] ?? {})));
  return { ...schema, querystring: { ...query, required } };
}

/** A server without a route of its own that listens nowhere yet. */
export function createApp(settings: AppSettings, status: Status) {
  const app = fastify({
    bodyLimit,
    requestTimeout: patience,
    // Node takes the shorter of the two for the head of a request and the longer for all of it.
    http: { headersTimeout: patience, connectionsCheckingInterval: patience / 5 },
    // Open streams would hold a close for ever; the hub ends them, the rest is cut.
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 500 },
    ajv: { customOptions: { removeAdditional: false, allErrors: false, coerceTypes: false, verbose: true } },
    frameworkErrors: (error, _request, reply) => {
      const { status: code, body } = answerTo(error);
      reply.raw.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  const built = existsSync(join(settings.assets, 'index.html'));
  const hashed = join(settings.assets, 'assets') + sep;
  if (!built) status.log.warn({ folder: settings.assets }, 'there is no built dashboard: run npm run build');

  // A query is text and its numbers are read here; a body says what it means: there, null is not 0 and "5" not 5.
  app.addHook('preValidation', async (request) => {
    const schema = request.routeOptions.schema?.querystring as { properties?: Record<string, object> } | undefined;
    const query = request.query as Record<string, unknown>;
    for (const [name, property] of Object.entries(schema?.properties ?? {})) {
      const given = query[name];
      const form = 'type' in property ? numbers[String(property.type)] : undefined;
      if (form && typeof given === 'string' && form.test(given)) query[name] = Number(given);
    }
  });
  app.addHook('onRequest', async (request) => {
    const { host, origin } = request.headers;
    if (!hostAllowed(host, settings)) {
      throw new Refusal(
        421,
        `this gateway does not answer to the name "${host ?? ''}"; add it to web.hosts if it is right`,
      );
    }
    if (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS') return;
    if (!originAllowed(origin, host)) throw new Refusal(403, 'this came from a page of another origin');
    const type = request.headers['content-type']?.split(';')[0]?.trim();
    if (type !== 'application/json') throw new Refusal(415, 'writes are taken as application/json only');
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity')
      throw new Refusal(415, 'writes are not unpacked: send them without Content-Encoding');
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    status.count(
      'penstock_http_requests_total',
      1,
      { route, code: String(reply.statusCode) },
      'Answered HTTP requests',
    );
    // A stream's time says nothing of how fast answers are.
    if (reply.getHeader('content-type') !== undefined)
      status.count('penstock_http_request_seconds_total', reply.elapsedTime / 1000, { route });
  });
  app.setErrorHandler((error: Error, request, reply) => {
    const { status: code, body } = answerTo(error);
    // Nobody is there any more: the query was called off because of it.
    if (code >= 500 && !reply.raw.destroyed && !(error instanceof Refusal))
      status.report(
        'error',
        'penstock_http_errors_total',
        `${request.method} ${request.routeOptions.url ?? request.url}: ${error.message}`,
      );
    if (code === 503) void reply.header('retry-after', retryAfter);
    return reply.code(code).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    const wantsPage =
      request.method === 'GET' && !request.url.startsWith('/api/') && request.headers.accept?.includes('text/html');
    if (wantsPage && built) return reply.header('cache-control', 'no-cache').sendFile('index.html');
    return reply.code(404).send({
      error: 'not found',
      message: `there is nothing at ${request.url.split('?')[0]}; /docs lists what there is`,
    });
  });

  void app.register(fastifyHelmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        objectSrc: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        imgSrc: ["'self'", 'data:'],
      },
    },
    // Without TLS there is nothing for a browser to insist on.
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  });
  void app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Penstock',
        description: 'Readings, history and alarms of one gateway',
        version: settings.version,
      },
      components: {
        securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'web.ingest.tokenFile' } },
      },
    },
    transform: ({ schema, url }) => ({ schema: asAsked(schema), url }),
  });
  void app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    uiConfig: { validatorUrl: null },
    // Its own policy sends a plain-HTTP page to HTTPS and allows other hosts; the hashes of its inline parts are what it needs.
    transformStaticCSP: (policy) =>
      policy
        .replace(/ https:| validator\.swagger\.io| ?upgrade-insecure-requests;/g, '')
        .replace("frame-ancestors 'self'", "frame-ancestors 'none'")
        // It styles itself from its script, here alone.
        .replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
  });
  if (built) {
    void app.register(fastifyStatic, {
      root: settings.assets,
      preCompressed: true,
      cacheControl: false,
      dotfiles: 'ignore',
      // What the build leaves for itself stays unserved.
      allowedPath: (path) => path !== '/manifest.json',
      setHeaders: (reply, path) => {
        void reply.header(
          'cache-control',
          path.startsWith(hashed) ? 'public, max-age=31536000, immutable' : 'no-cache',
        );
      },
    });
  }
  return app;
}
