// The shape of the chunked history in history.db, shared by its writer and its readers: tables, keys, what a row says.
// A chunk is one tag's samples of at most an hour (UTC), packed by codec.ts, with its figures beside it.
// What is not in a chunk yet lies in shared memory (open.ts); a query needs both.
import type { Micros } from '../../model.ts';

export const SECOND = 1_000_000;
/** Samples wait in memory for the end of their window; a chunk that must be cut is cut between two, if it can be. */
export const WINDOW = 900 * SECOND;
/** A chunk lies within one hour: of a tag with few samples the windows of an hour are joined as they come. */
export const HOUR = 3600 * SECOND;
/** A chunk holds no more samples, except where a single second does. */
export const CHUNK_SAMPLES = 1024;
/** `PRAGMA user_version` of a file of this shape. In version 1 chunks lay within a window, and `held` said nothing of −0. */
export const SCHEMA_VERSION = 2;

/**
 * Chunks of a tag cover whole seconds and never overlap: a second's samples lie in one chunk, so that two chunks never
 * begin in the same second.
 * Figures are those of `Summary`, NULL for NaN. `held`: whether the last sample's value goes on holding: 0 no (it is bad
 * or no number), 1 yes: exactly the number in `last`, of status 0; 2 yes, but what it is exactly (a boolean, a bigint, −0)
 * stands in `data`; 4 more where `first` is −0, 8 where `last` is. `minutes` are the same figures per minute (minutes.ts), NULL where decoding is as quick.
 * `hour` holds the figures of a tag's UTC hour that is over. A row that is there is true of all chunks of its hour, and
 * stays when they are gone; as long as it is missing, the chunks say it.
 * `damaged`: chunks that could not be read when late samples were to go into them.
 * `merged`: all of a tag's samples of frames before sequence `seq`, and those of that frame up to time `until`, are in
 * chunks, by the tag's last row; rows below the position are removed.
 * `account`, one row: what is below `position` is stored, in samples; nothing before `floor` is kept any more.
 * `begun`, one row: samples from `since` on are all here, those before it as far as they came late.
 * `believed`, one row: the latest time, to the hour, that the clock showed and was believed (sure.ts).
 * `doubted`, one row while a clock beyond that is not believed: what it shows, and for how many ms it has stood there.
 * `passed`, one row once the floor was lowered because the clock stood before it: where it stood then.
 * `thinned`, one row once hourly figures have been removed: those before `hours` are.
 */
export const schema = `
  CREATE TABLE IF NOT EXISTS tag(idx INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS chunk(id INTEGER PRIMARY KEY, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, n INTEGER NOT NULL,
    good INTEGER NOT NULL, min REAL, max REAL, sum REAL NOT NULL, area REAL NOT NULL, known INTEGER NOT NULL,
    first REAL, last REAL, held INTEGER NOT NULL, minutes BLOB, data BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS hour(id INTEGER PRIMARY KEY, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, n INTEGER NOT NULL,
    good INTEGER NOT NULL, min REAL, max REAL, sum REAL NOT NULL, area REAL NOT NULL, known INTEGER NOT NULL,
    first REAL, last REAL, held INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS damaged(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS merged(id INTEGER PRIMARY KEY, tag INTEGER NOT NULL, seq INTEGER NOT NULL,
    until INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS account(id INTEGER PRIMARY KEY CHECK(id = 1), position INTEGER NOT NULL,
    delivered INTEGER NOT NULL, filtered INTEGER NOT NULL, floor INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS begun(id INTEGER PRIMARY KEY CHECK(id = 1), since INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS believed(id INTEGER PRIMARY KEY CHECK(id = 1), clock INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS doubted(id INTEGER PRIMARY KEY CHECK(id = 1), wall INTEGER NOT NULL,
    stood REAL NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS passed(id INTEGER PRIMARY KEY CHECK(id = 1), floor INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS thinned(id INTEGER PRIMARY KEY CHECK(id = 1), hours INTEGER NOT NULL) STRICT;`;

const SECONDS = 2 ** 32;

/** Times that can be kept: 1970 to 2106. */
export const keepable = (t: Micros): boolean => Number.isSafeInteger(t) && t >= 0 && t < SECONDS * SECOND;
/** Row id of a tag's chunk that begins within the second of `t`, or of its hour; below 2^53 for tags under 2^21. */
export const rowId = (tag: number, t: Micros): number => tag * SECONDS + Math.floor(t / SECOND);
export const tagOfRow = (id: number): number => Math.floor(id / SECONDS);
/** The second of a row id, as a time. */
export const timeOfRow = (id: number): Micros => (id % SECONDS) * SECOND;
export const windowOf = (t: Micros): Micros => Math.floor(t / WINDOW) * WINDOW;
export const hourOf = (t: Micros): Micros => Math.floor(t / HOUR) * HOUR;
