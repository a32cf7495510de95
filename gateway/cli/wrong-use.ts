// What a person typed or configured that cannot be carried out. Thrown by the commands; main answers a wrong use with the
// usage and code 64, a wrong configuration with code 78.
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { dataFolderOf } from '../config/data-folder.ts';

export class WrongUse extends Error {}
/** Its message has a line for each error. */
export class WrongConfig extends Error {}

/** A command's own arguments; a misspelt option is a WrongUse. */
export function argumentsOf<T extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new WrongUse((error as Error).message);
  }
}

/** The data folder of a command, found as the service finds its own: typed, environment, its settings, its unit's folder. */
export function dataFolder(typed: string | undefined): string {
  const folder = process.env.CONFIGURATION_DIRECTORY?.split(':')[0] || '/etc/penstock';
  return dataFolderOf(folder, process.env, typed === undefined ? [] : ['--data', typed]);
}
