// Says which system program a test needs. Absent: the test is skipped with one line, unless PENSTOCK_REQUIRE=all
// (set by .ci/run after it has installed them), where absent means failure.
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'vitest';

const said = new Set<string>();

/** Debian keeps the programs of a PostgreSQL server off the PATH, by version; the newest first. */
function postgresFolders(): string[] {
  const base = '/usr/lib/postgresql';
  try {
    return readdirSync(base)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(base, version, 'bin'));
  } catch {
    return [];
  }
}

/** Path of a program on PATH (or of PostgreSQL's server), or undefined. */
export function findProgram(program: string): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...postgresFolders()]) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/**
 * `needs('mbpoll')('reads the simulator', async () => …)`: vitest's `test`, or a skipped one where the program is absent.
 * `root` is not a program: who runs the test must be, to mount a file system.
 */
export function needs(...programs: string[]): typeof test | typeof test.skip {
  const has = (program: string): boolean =>
    program === 'root' ? process.getuid?.() === 0 : findProgram(program) !== undefined;
  const missing = programs.filter((program) => !has(program));
  if (missing.length === 0 || process.env.PENSTOCK_REQUIRE === 'all') return test;
  for (const program of missing) {
    if (!said.has(program))
      console.log(program === 'root' ? 'skipped: only root may mount' : `skipped: ${program} is not installed`);
    said.add(program);
  }
  return test.skip;
}
