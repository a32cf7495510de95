// The lock on a data folder: one gateway writes it, a second start ends with one sentence.
// Taken by main before anything else, and by the command line when no daemon holds it. It is an exclusive SQLite
// transaction held open on a file of its own: the operating system drops it with the process, however that ends.
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { RESTORING, STAGING } from './backup.ts';

/** The folder belongs to another process; the message is one sentence for a person. */
export class Locked extends Error {
  override name = 'Locked';
}

export interface Lock {
  /** Gives the folder free; idempotent. */
  release(): void;
}

/**
 * Creates the folder if needed and takes its lock, or throws `Locked` at once; so it does over half a restore, unless that
 * is what it is for. What a backup that was cut short has left is removed.
 */
export function lockDataDir(dataDir: string, purpose: 'run' | 'restore' = 'run'): Lock {
  makeDataDir(dataDir);
  const pidFile = join(dataDir, 'pid');
  const db = new DatabaseSync(join(dataDir, 'lock'), { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (!(error instanceof Error && 'errcode' in error && error.errcode === 5)) throw error;
    const holder = readPid(pidFile);
    throw new Locked(
      `the data folder ${resolve(dataDir)} is in use by another penstock${holder ? ` (process ${holder})` : ''}: stop it, or choose another folder with --data`,
    );
  }
  if (purpose === 'run' && existsSync(join(dataDir, RESTORING))) {
    db.close();
    throw new Locked(`a restore into ${resolve(dataDir)} was cut short: run penstock restore again`);
  }
  for (const name of readdirSync(dataDir))
    if (name.startsWith(STAGING)) rmSync(join(dataDir, name), { recursive: true, force: true });
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    release() {
      if (!db.isOpen) return;
      rmSync(pidFile, { force: true });
      db.close();
    },
  };
}

/** Makes the folder where there is none; one that cannot be written is said in words, where a database would say less. */
export function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'EACCES'
        ? 'this user may not write there'
        : code === 'EEXIST' || code === 'ENOTDIR'
          ? 'it is no folder'
          : (error as Error).message;
    throw new Error(`the data folder ${resolve(dataDir)} cannot be used: ${why}; choose another folder with --data`, {
      cause: error,
    });
  }
}

function readPid(file: string): string | undefined {
  try {
    return /^\d+/.exec(readFileSync(file, 'utf8'))?.[0];
  } catch {
    return undefined;
  }
}
