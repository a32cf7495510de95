// The demo: simulators as a process of their own on free ports, the gateway on config/demo, two days of history filed
// through the running gateway, one line when the first live value is there. Called by main for `npm start`.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeDataDir } from '../state/lock.ts';
import { importFile } from './import.ts';
import { freePortFrom } from './ports.ts';
import { startSimulators } from './simulators.ts';

export interface DemoOptions {
  root: string;
  data: string;
  host: string;
  port: number;
  mqttPort: number;
  /** Further options for the simulators, such as `--truth FILE`. */
  simulate: string[];
  say(line: string): void;
  /** Builds the dashboard when it is not up to date. */
  build(): Promise<unknown>;
  /** Starts the gateway with these settings on top of config/demo. */
  start(env: Record<string, string>, args: string[]): Promise<DemoGateway>;
}
export interface DemoGateway {
  web: { host: string; port: number };
  mqtt: { host: string; port: number };
  control: string;
  firstLive: Promise<void>;
  failed: Promise<never>;
  close(): Promise<void>;
}
export interface Demo {
  /** Rejects when gateway or simulators end by themselves. */
  failed: Promise<never>;
  gateway: DemoGateway;
  close(): Promise<void>;
}

export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { root, say } = options;
  const data = resolve(options.data);
  makeDataDir(data);
  const seeded = join(data, 'seeded');
  const seeding = !existsSync(seeded);
  const seed = join(data, 'seed.ndjson');

  const history = seeding ? ['--history', '48h', '--history-out', seed] : [];
  const starting = startSimulators(root, ['--host', '127.0.0.1', '--port-base', '0', ...history, ...options.simulate]);
  const [simulators] = await Promise.all([starting, options.build()]);
  let gateway: DemoGateway;
  try {
    gateway = await onFreePorts(options, (ports) =>
      options.start(simulators.env, ['--data', data, ...ports.flatMap(([name, port]) => [name, String(port)])]),
    );
  } catch (error) {
    await simulators.close();
    throw error;
  }
  const close = async () => {
    await Promise.all([gateway.close(), simulators.close()]);
  };
  const failed = Promise.race([gateway.failed, simulators.failed]);
  failed.catch(() => {});
  try {
    if (seeding) {
      const { readings } = await Promise.race([simulators.history, failed]);
      const report = await Promise.race([importFile({ data, file: seed, origin: 'seed' }), failed]);
      if (report.rejected > 0)
        say(`${report.rejected} of ${readings} readings of the seed were rejected: ${JSON.stringify(report.reasons)}`);
      writeFileSync(seeded, `${report.accepted}\n`);
      rmSync(seed, { force: true });
    }
    await Promise.race([gateway.firstLive, failed]);
  } catch (error) {
    await close();
    throw error;
  }
  return { failed, gateway, close };
}

/** Between the search for a free port and its use another demo may take it: then both are searched again. */
async function onFreePorts<T>(
  { host, port, mqttPort, say }: DemoOptions,
  start: (ports: [option: string, port: number][]) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const [page, broker] = [await freePortFrom(host, port), await freePortFrom(host, mqttPort)];
    try {
      const started = await start([
        ['--port', page],
        ['--mqtt-port', broker],
      ]);
      if (page !== port) say(`port ${port} is busy: the page is on ${page}`);
      if (broker !== mqttPort) say(`port ${mqttPort} is busy: MQTT is on ${broker}`);
      return started;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries === 10) throw error;
    }
  }
}
