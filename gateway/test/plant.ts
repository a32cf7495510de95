// The config folder of simulated sites, for tests that bring their own devices.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { configFiles } from '../../simulators/configuration.ts';
import type { PlantSite } from '../../simulators/plant.ts';

/**
 * Writes plant.yaml and devices/*.yaml into `folder`. Modbus devices get all the time there is to connect, and `timeout` ms
 * for an answer: on a machine that others use too, a device is lost when it is gone and not when it is slow.
 * @param ports by site id, instead of the simulators' environment variables
 */
export function writeConfig(
  folder: string,
  sites: readonly PlantSite[],
  { timeout = 10_000, ports = {} }: { timeout?: number; ports?: Record<string, number | undefined> } = {},
): void {
  for (const [path, text] of configFiles(sites)) {
    const port = ports[path.replace(/^devices\/|\.yaml$/g, '')];
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(
      join(folder, path),
      text
        .replaceAll(/\$\{PENSTOCK_SIM_[^}]*\}/g, (variable) => (port === undefined ? variable : String(port)))
        .replace('host: 127.0.0.1', `host: 127.0.0.1\n  connectTimeout: 60000\n  timeout: ${timeout}`),
    );
  }
}
