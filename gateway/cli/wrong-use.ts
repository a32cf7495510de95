// What a person typed or configured that cannot be carried out. Thrown by the commands; main answers a wrong use with the
// command's usage and code 64, a wrong configuration with code 78.
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { dataFolderOf } from '../config/data-folder.ts';

export class WrongUse extends Error {}
/** Its message has a line for each error. */
export class WrongConfig extends Error {}

/**
 * A command's own arguments; a misspelt option, one without its value or an argument beyond the `most` that are no options
 * is a WrongUse.
 */
export function argumentsOf<T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
  most = Infinity,
) {
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true });
    const beyond = parsed.positionals[most];
    if (beyond !== undefined) throw new Error(`"${beyond}" is an argument too many`);
    return parsed;
  } catch (error) {
    // What else an argument with a dash could have meant is of no help to who mistyped an option.
    throw new WrongUse((error as Error).message.replace(/\. To specify a positional .*$/s, ''));
  }
}

/** The data folder of a command, found as the service finds its own: typed, environment, its settings, its unit's folder. */
export function dataFolder(typed: string | undefined): string {
  const folder = process.env.CONFIGURATION_DIRECTORY?.split(':')[0] || '/etc/penstock';
  return dataFolderOf(folder, process.env, typed === undefined ? [] : ['--data', typed]);
}
