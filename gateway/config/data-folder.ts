// The settings of a config folder alone, without its plant, and where the daemon that runs on it keeps its data. Used by
// load, and by every command that works on a data folder: those start without a schema of plants and devices.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readYaml } from './read.ts';
import type { ConfigError } from './read.ts';
import { readSettings } from './settings.ts';
import type { Settings } from './settings.ts';

/** The data folder of the daemon that runs on this config folder, for commands that look for it; faults are not theirs to say. */
export const dataFolderOf = (folder: string, env: NodeJS.ProcessEnv, args: string[]): string =>
  settingsOf(folder, env, args, []).data;

/** Settings of file, environment and arguments; what is wrong with them goes to `errors`. */
export function settingsOf(folder: string, env: NodeJS.ProcessEnv, args: string[], errors: ConfigError[]): Settings {
  const name = 'penstock.yaml';
  const file = existsSync(join(folder, name)) ? readYaml(folder, name, env, errors) : undefined;
  return readSettings(file, env, args, errors);
}
