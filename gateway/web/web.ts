// The web server: the page, REST, the live stream, health and metrics, all guarded alike.
// Made by daemon, which hands it the present, a historian and functions for acts; live batches come in by `offer`.
import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';
import fastifyHelmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import type { Catalog } from '../catalog.ts';
import type { ActResult, Batch, Clock, OperatorAct, Present } from '../model.ts';
import type { Historian } from '../history.ts';
import type { Status } from '../status.ts';
import { Dashboard } from './dashboard.ts';
import { answerTo, Refusal } from './errors.ts';
import { bindingFault, hostAllowed, originAllowed } from './guards.ts';
import { exportRoute } from './export-route.ts';
import { health } from './health.ts';
import { historyRoutes } from './history-routes.ts';
import type { Backlog } from './health.ts';
import { Hub } from './hub.ts';
import { ingestRoute } from './intake/ingest.ts';
import type { IngestOptions } from './intake/ingest.ts';
import { measureProcess } from './measures.ts';
import { routes } from './routes.ts';
import { streamRoute } from './stream.ts';
import type { WireLedger } from './wire.ts';

export interface WebOptions {
  catalog: Catalog;
  clock: Clock;
  status: Status;
  present: Present;
  historian: Historian;
  act(act: OperatorAct): ActResult;
  durable(seq: number): Promise<void>;
  intake: Pick<IngestOptions, 'file' | 'reject' | 'room' | 'ahead'>;
  devices?(): unknown;
  ledger(): Promise<WireLedger>;
  ready?(): { ready: boolean; reasons: string[] };
  backlogs?(): Backlog[];
  settings: {
    host: string;
    port: number;
    /** Further names under which the page is reached. */
    hosts: string[];
    insecure: boolean;
    ingest: { tokenFile: string };
    /** Folder of the built dashboard. */
    assets: string;
    version: string;
    gatewayId: string;
  };
}

export interface Web {
  /** Rejects in words when the address may not or cannot be bound (code EADDRINUSE for a busy port). */
  listen(): Promise<{ host: string; port: number }>;
  offer(batch: Batch): void;
  use(catalog: Catalog): void;
  close(): Promise<void>;
}

const bodyLimit = 64 * 1024;

export function createWeb(options: WebOptions): Web {
  const { clock, status, present, settings } = options;
  let catalog = options.catalog;
  const wide = bindingFault('the page', settings.host, false, 'web.insecure') !== undefined;
  const hub = new Hub({
    catalog,
    clock,
    status,
    present,
    hello: { version: settings.version, ...(wide ? { insecure: true } : {}) },
  });
  const dashboard = new Dashboard(options.historian, present, clock);
  const app = fastify({
    bodyLimit,
    requestTimeout: 10_000,
    // Open streams would hold a close for ever; the hub ends them, the rest is cut.
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 500 },
    ajv: { customOptions: { removeAdditional: false, allErrors: false, coerceTypes: false, verbose: true } },
    frameworkErrors: (error, _request, reply) => {
      const { status: code, body } = answerTo(error);
      reply.raw.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  let stopMeasuring = () => {};
  const built = existsSync(join(settings.assets, 'index.html'));
  const hashed = join(settings.assets, 'assets') + sep;
  if (!built) status.log.warn({ folder: settings.assets }, 'there is no built dashboard: run npm run build');

  // A query is text and its numbers are read here; a body says what it means: there, null is not 0 and "5" not 5.
  app.addHook('preValidation', async (request) => {
    const schema = request.routeOptions.schema?.querystring as { properties?: Record<string, object> } | undefined;
    const query = request.query as Record<string, unknown>;
    for (const [name, property] of Object.entries(schema?.properties ?? {})) {
      const given = query[name];
      if ('type' in property && property.type === 'integer' && typeof given === 'string' && /^-?\d{1,15}$/.test(given))
        query[name] = Number(given);
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
    },
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
  void app.register(
    routes({
      catalog: () => catalog,
      clock,
      present,
      dashboard,
      act: options.act,
      durable: options.durable,
      devices: options.devices ?? (() => []),
      ledger: options.ledger,
    }),
    { prefix: '/api/v1' },
  );
  const { tokenFile } = settings.ingest;
  const { durable, intake } = options;
  void app.register(ingestRoute({ ...intake, clock, durable, catalog: () => catalog, tokenFile }), {
    prefix: '/api/v1',
  });
  const past = { catalog: () => catalog, clock, historian: options.historian };
  void app.register(exportRoute(past), { prefix: '/api/v1' });
  void app.register(historyRoutes(past), { prefix: '/api/v1' });
  void app.register(streamRoute({ hub, catalog: () => catalog }), { prefix: '/api/v1' });
  void app.register(
    health({
      status,
      clock,
      ready: options.ready ?? (() => ({ ready: true, reasons: [] })),
      backlogs: options.backlogs ?? (() => []),
    }),
  );

  let closing: Promise<void> | undefined;
  return {
    async listen() {
      const fault = bindingFault('the page', settings.host, settings.insecure, 'web.insecure');
      if (fault) throw new Error(fault);
      try {
        await app.listen({ host: settings.host, port: settings.port });
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EADDRNOTAVAIL' || code === 'EACCES' || code === 'ENOTFOUND')
          throw Object.assign(
            new Error(
              code === 'EACCES'
                ? `port ${settings.port} may not be opened by this user: choose another web.port (--port)`
                : `this machine has no address ${settings.host}: choose another web.host`,
            ),
            { code },
          );
        if (code !== 'EADDRINUSE') throw error;
        throw Object.assign(
          new Error(`port ${settings.port} of ${settings.host} is in use: choose another web.port (--port)`),
          { code: 'EADDRINUSE' },
        );
      }
      hub.start();
      stopMeasuring = measureProcess(status, { version: settings.version, gateway: settings.gatewayId });
      const at = app.server.address();
      const port = typeof at === 'object' && at ? at.port : settings.port;
      const exposed = wide ? `reachable at ${settings.host} without users (web.insecure)` : '';
      status.set('web', exposed ? 'degraded' : 'ok', exposed);
      return { host: settings.host, port };
    },
    offer: (batch) => hub.offer(batch),
    use(next) {
      catalog = next;
      hub.use(next);
    },
    close() {
      closing ??= (async () => {
        stopMeasuring();
        hub.close();
        // One turn, so that the goodbyes leave before the sockets are cut.
        await new Promise((resolve) => setTimeout(resolve, 20));
        await app.close();
        status.set('web', 'stopped');
      })();
      return closing;
    },
  };
}
