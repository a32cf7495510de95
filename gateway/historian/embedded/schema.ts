// The shape of history.db, shared by its writer (store.ts) and its readers (query.ts): tables, rollup layout, values.
// sample is keyed by time first, so that a second of data dirties few pages; rollup holds an hour of minutes per tag.
import type { Value, ValueType } from '../../model.ts';

export const MINUTE = 60_000_000;
export const HOUR = 3_600_000_000;

export const schema = `
  CREATE TABLE IF NOT EXISTS tag(idx INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS sample(t INTEGER NOT NULL, tag INTEGER NOT NULL, status INTEGER NOT NULL, value ANY,
    PRIMARY KEY(t, tag)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS rollup(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS latest(tag INTEGER PRIMARY KEY, t INTEGER NOT NULL, status INTEGER NOT NULL, value ANY) STRICT;
  CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;`;

/** Rollup row id: hours cluster, tags within; below 2^53 for indexes under 2^21. */
const TAGS = 2 ** 21;
export const rollupId = (hour: number, tag: number): number => hour * TAGS + tag;
export const tagOf = (id: number): number => id % TAGS;
export const hourOf = (id: number): number => Math.floor(id / TAGS);

/** Sixty minutes of one tag. `n`, `min`, `max`, `sum` of good finite numbers. */
export interface Rollup {
  bytes: Uint8Array<ArrayBuffer>;
  min: Float64Array;
  max: Float64Array;
  sum: Float64Array;
  n: Uint32Array;
}
export function rollup(from?: Uint8Array): Rollup {
  const bytes = new Uint8Array(60 * 28);
  if (from && from.length === bytes.length) bytes.set(from);
  const { buffer } = bytes;
  return {
    bytes,
    min: new Float64Array(buffer, 0, 60),
    max: new Float64Array(buffer, 480, 60),
    sum: new Float64Array(buffer, 960, 60),
    n: new Uint32Array(buffer, 1440, 60),
  };
}
export function addTo(into: Rollup, minute: number, value: number): void {
  const n = into.n[minute] as number;
  if (n === 0 || value < (into.min[minute] as number)) into.min[minute] = value;
  if (n === 0 || value > (into.max[minute] as number)) into.max[minute] = value;
  into.sum[minute] = (n === 0 ? 0 : (into.sum[minute] as number)) + value;
  into.n[minute] = n + 1;
}

const INT64 = 2n ** 63n;

/** A value as SQLite keeps it exactly: fractions REAL, integers INTEGER (TEXT beyond 64 bits), booleans 0 and 1. */
export function toStored(value: Value, type: ValueType | undefined): number | bigint | string | null {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'bigint') return value >= -INT64 && value < INT64 ? value : String(value);
  if (type === 'integer' && typeof value === 'number' && Number.isInteger(value)) return toStored(BigInt(value), type);
  return typeof value === 'number' && Number.isNaN(value) ? null : value;
}
/** The reverse; an integer that a number holds exactly comes back as a number. */
export function fromStored(stored: unknown, type: ValueType | undefined): Value {
  if (typeof stored === 'bigint') {
    if (type === 'boolean') return stored !== 0n;
    const number = Number(stored);
    return Number.isSafeInteger(number) ? number : stored;
  }
  if (typeof stored === 'string') return type === 'integer' && /^-?\d+$/.test(stored) ? BigInt(stored) : stored;
  return typeof stored === 'number' ? stored : null;
}
/** What counts in min, avg and max: a good, finite number (a boolean as 0 or 1); undefined for all else. */
export function countable(value: unknown, status: number): number | undefined {
  if (status >>> 30 !== 0) return undefined;
  if (typeof value === 'boolean') return value ? 1 : 0;
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
