// A history.db that SQLite cannot read or write: which errors say so, in which words people hear of it, and how it makes way for a
// new one. Called by the store and the command line; nothing here deletes a byte.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';

export const NAME = 'history.db';

/** SQLite's results. */
const [FULL, MALFORMED, NO_DATABASE] = [13, 11, 26];

/** What an error of SQLite says, without its refinements; undefined for any other. */
const resultOf = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;

export const bySqlite = (error: unknown): error is Error => resultOf(error) !== undefined;
export const full = (error: unknown): error is Error => resultOf(error) === FULL;
export const unreadable = (error: unknown): error is Error =>
  resultOf(error) === MALFORMED || resultOf(error) === NO_DATABASE;

/** For a history in use: what happens meanwhile, and what to do. What is none of SQLite's is as it was. */
export function inWords(error: unknown): Error {
  if (unreadable(error))
    return new Error(
      `${NAME} is damaged on disk (${error.message}), nothing can be stored in it and what comes waits in the journal: stop the gateway, move ${NAME} away and start again, then a new one begins with what the journal still holds`,
      { cause: error },
    );
  if (full(error))
    return new Error(
      `${NAME} cannot be written, its disk is full (${error.message}): make room there; what comes waits in the journal meanwhile`,
      { cause: error },
    );
  if (bySqlite(error))
    return new Error(
      `${NAME} cannot be written (${error.message}): look at its disk, and whether this user may write there; what comes waits in the journal meanwhile`,
      { cause: error },
    );
  return error instanceof Error ? error : new Error(String(error));
}

/** Moves the file away under a name of its own; returns that. @param now ms since the epoch */
export function makeWay(dataDir: string, now: number): string {
  const name = `history.damaged-${new Date(now).toISOString().replace(/\W/g, '')}.db`;
  for (const tail of ['', '-wal', '-shm']) {
    const path = join(dataDir, NAME + tail);
    if (existsSync(path)) renameSync(path, join(dataDir, name + tail));
  }
  return name;
}
