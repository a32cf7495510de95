// What a person typed that cannot be carried out. Thrown by the commands, answered by main with the usage and code 64.
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';

export class WrongUse extends Error {}

/** A command's own arguments; a misspelt option is a WrongUse. */
export function argumentsOf<T extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new WrongUse((error as Error).message);
  }
}

/** The data folder of a command: as typed, as the environment has it, or where the service keeps it. */
export function dataFolder(typed: string | undefined): string {
  return typed ?? process.env.PENSTOCK_DATA ?? '/var/lib/penstock';
}
