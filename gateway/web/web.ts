// The web server: REST, the live stream, health and metrics behind the guards of app.ts, which serves the page too.
// Made by daemon, which hands it the present, a historian and functions for acts; live batches come in by `offer`.
import type { Catalog } from '../catalog.ts';
import type { ActResult, Batch, Clock, OperatorAct, Present } from '../model.ts';
import type { Historian } from '../history.ts';
import type { Status } from '../status.ts';
import { createApp } from './app.ts';
import type { AppSettings } from './app.ts';
import { Dashboard } from './dashboard.ts';
import { unbound } from '../words.ts';
import { bindingFault } from './guards.ts';
import { exportRoute } from './export-route.ts';
import { health } from './health.ts';
import { historyRoutes } from './history-routes.ts';
import { Hub } from './hub.ts';
import { ingestRoute } from './intake/ingest.ts';
import type { IngestOptions } from './intake/ingest.ts';
import { measureProcess } from './measures.ts';
import { routes } from './routes.ts';
import { streamRoute } from './stream.ts';
import type { Backlog, WireLedger } from './wire.ts';

export interface WebOptions {
  catalog: Catalog;
  clock: Clock;
  status: Status;
  present: Present;
  historian: Historian;
  act(act: OperatorAct): ActResult;
  durable(seq: number): Promise<void>;
  intake: Pick<IngestOptions, 'file' | 'reject' | 'room' | 'ahead' | 'kept'>;
  devices?(): unknown;
  ledger(): Promise<WireLedger>;
  ready?(): { ready: boolean; reasons: string[] };
  backlogs?(): Backlog[];
  settings: AppSettings & {
    port: number;
    ingest: { tokenFile: string };
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
  const app = createApp(settings, status);
  let stopMeasuring = () => {};
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
        throw unbound(error, settings.host, settings.port, 'web', '--port');
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
