// `penstock check`: every error of a config folder, or what it describes. Called by main.
import { loadConfig } from '../config/load.ts';
import type { LoadResult } from '../config/load.ts';
import { errorText } from '../config/read.ts';
import { protocols } from '../drivers/index.ts';
import { counted } from '../words.ts';
import { WrongConfig } from './wrong-use.ts';

/** @param settings command-line settings. Throws a WrongConfig with every error */
export async function check(folder: string, settings: string[]): Promise<void> {
  const result = loadConfig(folder, protocols, process.env, settings);
  if (!result.ok) throw wrongConfig(result);
  const { forwardFaults } = await import('../forwarders.ts');
  const faults = await forwardFaults(result.config.settings.forward);
  if (faults.length > 0)
    throw wrongConfig({ ok: false, errors: faults.map((fault) => ({ file: 'penstock.yaml', ...fault })) });
  const { sites, assets, tags, devices } = result.config.plant;
  console.log(
    `${folder}: ${counted(sites.length, 'site')}, ${counted(assets.length, 'asset')}, ${counted(devices.length, 'device')}, ${counted(tags.length, 'tag')}: no errors`,
  );
}

export function wrongConfig({ errors }: LoadResult & { ok: false }): WrongConfig {
  return new WrongConfig(
    `${errors.map(errorText).join('\n')}\n${counted(errors.length, 'error')} in the configuration`,
  );
}
