// The composition root: builds every room from the configuration, connects them in the one direction that data
// travels, starts consumers first and drivers last, and stops in reverse within a deadline. Called by main.
import { join } from 'node:path';
import { Catalog } from './catalog.ts';
import type { PlantSpec } from './catalog.ts';
import { systemClock as clock } from './clock.ts';
import type { LoadedConfig, LoadResult } from './config/load.ts';
import { createDevices } from './drivers/supervise.ts';
import { protocols } from './drivers/index.ts';
import { backlogs, reportJournal } from './figures.ts';
import { openForwarding } from './forwarding.ts';
import { forwardFigures } from './forwards.ts';
import { keepAlarms } from './keeping.ts';
import { ledgerOf } from './ledger.ts';
import { sayLosses } from './lost.ts';
import type { Batch, GatewayEvent, Live } from './model.ts';
import { createMqtt } from './mqtt/mqtt.ts';
import { createPipeline } from './pipeline/pipeline.ts';
import { elsewhereOf } from './historian/elsewhere.ts';
import { openReader } from './reader.ts';
import { takeConfig } from './reloading.ts';
import { backupsOf } from './state/backup.ts';
import { lockDataDir } from './state/lock.ts';
import { Status } from './status.ts';
import type { Component, Log } from './status.ts';
import { createControl } from './web/control.ts';
import { createWeb } from './web/web.ts';
import type { WireLedger } from './web/wire.ts';
import { openWriter } from './writer.ts';

export interface DaemonOptions {
  config: LoadedConfig;
  /** Reads the configuration again; called at each reload. */
  reload(): LoadResult;
  /** Folder of the built dashboard. */
  assets: string;
  version: string;
  log: Log;
}

export interface Daemon {
  web: { host: string; port: number };
  mqtt: { host: string; port: number };
  /** Unix socket of the command line. */
  control: string;
  /** Resolves with the first live value of a device. */
  firstLive: Promise<void>;
  /** Rejects when the process must end: the writer died. */
  failed: Promise<never>;
  components(): Component[];
  /** Resolves with the writer thread's next answer, rejects when it is gone. */
  writerAnswers(): Promise<unknown>;
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** How long a stop may take in all, ms; systemd's TimeoutStopSec is above it. */
const stopWithin = 15_000;

export async function startDaemon({ config, reload, assets, version, log }: DaemonOptions): Promise<Daemon> {
  const { settings } = config;
  const status = new Status(log);
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) await step();
  };
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  failed.catch(() => {});

  try {
    const lock = lockDataDir(settings.data);
    stops.push(() => lock.release());
    const writer = await openWriter({
      dataDir: settings.data,
      journalCap: settings.journal.cap,
      durability: settings.journal.durability,
      profile: settings.journal.profile,
      history: settings.history,
      say: (message) => log.warn({}, message),
      onDeath: (error) => fail(error),
    });
    stops.push(() => writer.close());
    status.collect(() => reportJournal(status, writer.latest()));
    const journalWatch = setInterval(() => reportJournal(status, writer.latest()), 1000);
    stops.push(() => clearInterval(journalWatch));
    let catalog = await catalogOf(config.plant);
    const reader = await openReader({
      dataDir: settings.data,
      open: writer.open,
      elsewhere: elsewhereOf(settings.forward, settings.history.retention),
      onDeath: (error) =>
        status.report('error', 'penstock_reader_restarts_total', `the history reader died: ${error.message}`),
      onCalledOff: () => status.count('penstock_history_called_off_total'),
      onDamage: (what) => status.report('error', 'penstock_history_unreadable_total', what),
    });
    stops.push(() => reader.close());
    const forwarding = await openForwarding({ settings, writer, catalog, status, clock });
    if (forwarding) stops.push(() => forwarding.close());

    const consumers: Live[] = [];
    let seen: () => void = () => {};
    const firstLive = new Promise<void>((resolve) => (seen = resolve));
    const live: Live = {
      offer(batch: Batch) {
        for (const consumer of consumers) consumer.offer(batch);
        if (batch.events.some(changesAlarms)) keeping.changed();
      },
    };
    const pipeline = createPipeline({
      catalog,
      clock,
      journal: writer.journal,
      live: [live],
      status,
      settings: settings.gateway,
    });
    // What the journal has beyond history may be a tag's newest; no start waits longer for it.
    await writer.caughtUp(5000);
    const latest = await reader.latest(catalog.list.map((tag) => tag.index));
    const { snapshot, events, trouble } = await writer.loadAlarms();
    if (trouble) log.error({}, `what the journal says of alarms cannot all be read: ${trouble}`);
    pipeline.restore({ alarms: snapshot, events, latest, ledgers: writer.ledgers, ended: writer.lastReceived });
    // Only now: a start waits for no database elsewhere.
    reader.use(await writer.tags());
    const keeping = keepAlarms(clock, status, () => writer.saveAlarms(pipeline.snapshot()));
    stops.push(() => {
      pipeline.close();
      return keeping.close();
    });

    // Both sides at one moment: the writer counts everything that was appended before it was asked.
    async function ledger(): Promise<WireLedger> {
      const sources = pipeline.ledger();
      return ledgerOf(await writer.ledger(), clock.now(), sources);
    }

    const kept = (): number => {
      const { historian } = writer.latest() ?? {};
      return historian ? historian.floor / 1000 : clock.now() - settings.history.retention;
    };

    const mqtt = createMqtt({
      catalog,
      clock,
      status,
      present: pipeline,
      version,
      settings: { ...settings.mqtt, gatewayId: settings.gateway.id },
    });
    const mqttAt = await mqtt.listen();
    consumers.push(mqtt);
    stops.push(() => mqtt.close());

    const devices = createDevices({
      clock,
      status,
      protocols,
      sink: {
        ingest(device, readings, origin) {
          if (origin === 'live') seen();
          pipeline.ingest(device, readings, origin);
        },
        alive: (device, tags, at) => pipeline.alive(device, tags, at),
        online: (device) => pipeline.online(device),
        offline: (device, reason) => pipeline.offline(device, reason),
      },
    });

    const web = createWeb({
      catalog,
      clock,
      status,
      present: pipeline,
      historian: reader,
      act: (act) => pipeline.act(act),
      durable: (seq) => writer.journal.durable(seq),
      intake: {
        file: (readings) => pipeline.file('import', readings, 'ingest'),
        reject: (count) => pipeline.reject('ingest', count),
        room: (signal) => writer.journal.room(signal),
        ahead: settings.gateway.maxSkew,
        kept,
      },
      devices: () => devices.states(),
      ledger,
      backlogs() {
        const forwards = forwarding?.health().forwards ?? {};
        const stats = writer.latest();
        return backlogs(stats).map((backlog) => {
          const { name } = backlog;
          return { ...backlog, ...forwardFigures(forwards[name], stats?.accounts[name]) };
        });
      },
      ready: () => ({ ready: true, reasons: [] }),
      settings: { ...settings.web, assets, version, gatewayId: settings.gateway.id },
    });
    const webAt = await web.listen();
    consumers.push(web);
    stops.push(() => web.close());

    const controlPath = join(settings.data, 'control.sock');
    const control = await createControl({
      path: controlPath,
      clock,
      catalog: () => catalog,
      historian: reader,
      file: (origin, readings) => pipeline.file(origin, readings, origin),
      reject: (origin, lines) => pipeline.reject(origin, lines),
      ahead: settings.gateway.maxSkew,
      kept,
      room: (signal) => writer.journal.room(signal),
      durable: (seq) => writer.journal.durable(seq),
      act: (act) => pipeline.act(act),
      backup: backupsOf(settings.data, version),
      status: () => ({ version, components: status.components(), devices: devices.states() }),
      ledger,
      compact: (signal) => writer.compact(signal),
    });
    stops.push(() => control.close());

    pipeline.start();
    writer.onDisk((step) => pipeline.shed(step === 'stop'));
    const sayLost = sayLosses(clock, log);
    writer.onDrop((drop) => {
      sayLost(drop);
      pipeline.note({ kind: 'loss', ...drop });
    });
    devices.use(catalog);
    stops.push(() => devices.close(5000));

    async function catalogOf(plant: PlantSpec): Promise<Catalog> {
      const { indexes, revision } = await writer.assign(
        plant.tags.map(({ id, type, formerly }) => ({ id, type, formerly })),
      );
      const built = new Catalog(plant, indexes, revision);
      await writer.use(
        built.list.map(({ index, id, type }) => ({ index, id, type })),
        revision,
      );
      return built;
    }

    return {
      web: webAt,
      mqtt: { host: settings.mqtt.host, port: mqttAt.port },
      control: controlPath,
      firstLive,
      failed,
      components: () => status.components(),
      writerAnswers: () => writer.stats(),
      reload: () =>
        takeConfig({
          ...{ result: reload(), settings, status, log },
          async use(plant) {
            catalog = await catalogOf(plant);
            pipeline.use(catalog);
            mqtt.use(catalog);
            web.use(catalog);
            const tags = await writer.tags();
            reader.use(tags);
            forwarding?.use(tags, catalog);
            devices.use(catalog);
            return catalog.revision;
          },
        }),
      async close() {
        let given = false;
        const late = new Promise<void>((resolve) => {
          setTimeout(() => ((given = true), resolve()), stopWithin).unref();
        });
        await Promise.race([stop(), late]);
        if (given) log.error({}, `the stop took longer than ${stopWithin / 1000} s; ending at once`);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const changesAlarms = (event: GatewayEvent) => event.kind === 'alarm';
