// What a reload of the configuration comes to, in health, log and metrics: refused as a whole with every error said, or taken,
// with what waits for the next start. Called by daemon, which hands in how the running gateway takes another plant.
import type { PlantSpec } from './catalog.ts';
import type { LoadedConfig, LoadResult } from './config/load.ts';
import { errorText } from './config/read.ts';
import type { Log, Status } from './status.ts';
import { counted } from './words.ts';

export interface Reload {
  /** What the files say now. */
  result: LoadResult;
  /** Those in force. */
  settings: LoadedConfig['settings'];
  status: Status;
  log: Log;
  /** Takes the plant over; gives the revision of its catalog. */
  use(plant: PlantSpec): Promise<number>;
}

/** Rejects with whatever `use` does. */
export async function takeConfig({ result, settings, status, log, use }: Reload): Promise<void> {
  if (!result.ok) {
    for (const error of result.errors) log.error({}, errorText(error));
    status.gauge('penstock_config_reload_success', 0);
    const words = `${counted(result.errors.length, 'error')} in the new configuration; running on the previous one`;
    status.set('config', 'degraded', words);
    return;
  }
  const { plant, settings: next } = result.config;
  const changed = Object.keys(settings).filter(
    (key) =>
      JSON.stringify(settings[key as keyof typeof settings]) !== JSON.stringify(next[key as keyof typeof settings]),
  );
  const pending =
    changed.length > 0 ? `settings of ${changed.join(', ')} changed: they take effect at the next start` : '';
  if (pending) log.warn({ changed }, pending);
  const revision = await use(plant);
  status.gauge('penstock_config_reload_success', 1);
  status.set('config', 'ok', pending);
  log.info({ revision }, 'configuration reloaded');
}
