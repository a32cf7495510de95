// Everything about stores elsewhere that is daemon's to start: who is a consumer of the journal, the egress thread if
// anybody is, and how it does, each second. Called by daemon.
import type { Catalog } from './catalog.ts';
import { forwardersOn } from './config/forward.ts';
import type { ForwardSettings } from './config/forward.ts';
import { forwardTags, openEgress } from './egress.ts';
import type { Egress } from './egress.ts';
import { letGo, reportForwards } from './forwards.ts';
import { Recoveries } from './recoveries.ts';
import type { Clock } from './model.ts';
import type { Status } from './status.ts';
import type { Writer } from './writer.ts';

export interface ForwardingOptions {
  settings: { data: string; forward: ForwardSettings };
  writer: Writer;
  catalog: Catalog;
  status: Status;
  clock: Clock;
}
export interface Forwarding extends Pick<Egress, 'health'> {
  /** After a reload, with every tag that ever had an index. */
  use(tags: Awaited<ReturnType<Writer['tags']>>, catalog: Catalog): void;
  close(): Promise<void>;
}

/** Undefined when nothing is forwarded. Whoever was in the configuration once and is not any more is let go. */
export async function openForwarding(options: ForwardingOptions): Promise<Forwarding | undefined> {
  const { settings, writer, catalog, status, clock } = options;
  const { log } = status;
  const names = forwardersOn(settings.forward);
  const { released } = await writer.attach(names);
  for (const { name, samples } of released)
    log[samples > 0 ? 'warn' : 'info']({ forward: name, samples }, letGo(name, samples));
  if (names.length === 0) return undefined;
  const egress = await openEgress({
    dataDir: settings.data,
    forward: settings.forward,
    names,
    tags: forwardTags(await writer.tags(), catalog),
    writer,
    log,
    onDeath: (error) =>
      status.report('warn', 'penstock_egress_restarts_total', `the forwarding thread died: ${error.message}`),
  });
  const recoveries = new Recoveries();
  const report = (): void => {
    const health = egress.health();
    const accounts = writer.latest()?.accounts ?? {};
    reportForwards(status, health, accounts, clock.now());
    for (const [name, forward] of Object.entries(health.forwards)) {
      const caughtUp = recoveries.look(name, forward, accounts[name], clock.now());
      if (caughtUp) log.info({ forward: name }, `forward.${name}: ${caughtUp}`);
    }
  };
  status.collect(report);
  const watch = setInterval(report, 1000);
  return {
    health: () => egress.health(),
    use: (tags, next) => egress.use(forwardTags(tags, next)),
    async close() {
      clearInterval(watch);
      await egress.close();
    },
  };
}
