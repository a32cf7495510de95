// The demo: simulators as a process of their own on free ports, the gateway on config/demo, two days of history filed
// through the running gateway, one line when the first live value is there. Called by main for `npm start`.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
  const { root, host, say } = options;
  const data = resolve(options.data);
  mkdirSync(data, { recursive: true });
  const seeded = join(data, 'seeded');
  const seeding = !existsSync(seeded);
  const seed = join(data, 'seed.ndjson');

  const history = seeding ? ['--history', '48h', '--history-out', seed] : [];
  const starting = startSimulators(root, ['--host', '127.0.0.1', '--port-base', '0', ...history, ...options.simulate]);
  const [simulators, port, mqttPort] = await Promise.all([
    starting,
    freePortFrom(host, options.port),
    freePortFrom(host, options.mqttPort),
    options.build(),
  ]);
  if (port !== options.port) say(`port ${options.port} is busy: the page is on ${port}`);
  if (mqttPort !== options.mqttPort) say(`port ${options.mqttPort} is busy: MQTT is on ${mqttPort}`);

  let gateway: DemoGateway;
  try {
    gateway = await options.start(simulators.env, [
      '--data',
      data,
      '--port',
      String(port),
      '--mqtt-port',
      String(mqttPort),
    ]);
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
      const report = await Promise.race([importFile(gateway.control, seed, 'seed'), failed]);
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
