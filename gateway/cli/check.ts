// `penstock check`: every error of a config folder, or what it describes. Called by main.
import { loadConfig } from '../config/load.ts';
import type { LoadResult } from '../config/load.ts';
import { errorText } from '../config/read.ts';
import type { ConfigError } from '../config/read.ts';
import type { Settings } from '../config/settings.ts';
import { protocols } from '../drivers/index.ts';
import { bindingFault } from '../web/guards.ts';
import { counted } from '../words.ts';
import { WrongConfig } from './wrong-use.ts';

/** @param settings command-line settings. Throws a WrongConfig with every error */
export async function check(folder: string, settings: string[]): Promise<void> {
  const result = loadConfig(folder, protocols, process.env, settings);
  if (!result.ok) throw wrongConfig(result);
  const { settings: found } = result.config;
  const { forwardFaults } = await import('../forwarders.ts');
  const stores = (await forwardFaults(found.forward)).map((fault) => ({ file: 'penstock.yaml', ...fault }));
  const errors = [...exposed(found), ...stores];
  if (errors.length > 0) throw wrongConfig({ ok: false, errors });
  const { sites, assets, tags, devices } = result.config.plant;
  console.log(
    `${folder}: ${counted(sites.length, 'site')}, ${counted(assets.length, 'asset')}, ${counted(devices.length, 'device')}, ${counted(tags.length, 'tag')}: no errors`,
  );
}

/** Addresses that anybody could reach, which nobody has allowed. */
export function exposed({ web, mqtt }: Pick<Settings, 'web' | 'mqtt'>): ConfigError[] {
  const faults = [
    { path: 'web.host', message: bindingFault('the page', web.host, web.insecure, 'web.insecure') },
    { path: 'mqtt.host', message: bindingFault('the MQTT broker', mqtt.host, mqtt.insecure, 'mqtt.insecure') },
  ];
  return faults.flatMap(({ path, message }) => (message ? [{ file: 'penstock.yaml', path, message }] : []));
}

export function wrongConfig({ errors }: LoadResult & { ok: false }): WrongConfig {
  return new WrongConfig(
    `${errors.map(errorText).join('\n')}\n${counted(errors.length, 'error')} in the configuration`,
  );
}
