// What a database beyond the gateway answers: deep history for ranges that are not kept locally.
// Implemented over `pg` by questdb/ and postgres/; used by deep.ts, which merges it with the local part.
import type { RawSeries } from '../history.ts';
import type { Micros, Value, ValueType } from '../model.ts';
import type { Summary } from './embedded/summary.ts';
import type { Sides } from './embedded/states.ts';

/** A tag as a database knows it: by its whole id, never by the gateway's index. */
export interface RemoteTag {
  id: string;
  type: ValueType;
  /** Of one that was renamed, or has the name of one that was: its names, the present one last (names.ts). */
  names?: readonly Name[];
}
/** Under which a tag's samples lie from `from` to before `until`. */
export interface Name {
  id: string;
  from: Micros;
  until: Micros;
}
export type RemoteRaw = Omit<RawSeries, 'tag'>;
export interface RemoteLatest {
  id: string;
  t: Micros;
  value: Value;
  status: number;
}
/** Buckets: `[t[i], t[i + 1])`, the last one to `to`; the first one from `from`, though it may begin before. */
export interface RemoteBuckets {
  from: Micros;
  to: Micros;
  t: readonly Micros[];
  /** Without it, `area` and `known` are 0: they cost more than all else. */
  held: boolean;
}

/**
 * Times are [from, to). Every call rejects with a sentence when the database does not answer within its time limit, and
 * with a RangeError when the answer would be too large. Lists have one entry a tag, in the order asked.
 */
export interface RemoteHistory {
  /** Oldest first, at most `limit`; where it says `more`, the next page begins at its last time + 1. */
  raw(tag: RemoteTag, from: Micros, to: Micros, limit: number, signal?: AbortSignal): Promise<RemoteRaw>;
  /** Of `raw` at least those whose value or quality is not that of the sample before. */
  changes(tag: RemoteTag, from: Micros, to: Micros, limit: number, signal?: AbortSignal): Promise<RemoteRaw>;
  /** The figures of each bucket that holds a sample, by time. */
  figures(tags: readonly RemoteTag[], buckets: RemoteBuckets, signal?: AbortSignal): Promise<Summary[][]>;
  /** Time above and below a limit from the first sample to the last; undefined without any. */
  sides(
    tags: readonly RemoteTag[],
    from: Micros,
    to: Micros,
    limit: number,
    signal?: AbortSignal,
  ): Promise<(Sides | undefined)[]>;
  /** How many samples there are. */
  counts(tags: readonly RemoteTag[], from: Micros, to: Micros, signal?: AbortSignal): Promise<number[]>;
  /** The newest row, of those before `before` if that is given, of each tag that has one. */
  latest(tags: readonly RemoteTag[], before?: Micros, signal?: AbortSignal): Promise<RemoteLatest[]>;
  close(): Promise<void>;
}

/** Rows, cells and limits of one answer at most: the bounds of local queries. */
export const MOST = 100_000;

/** Throws a RangeError for what no answer may be. */
export function within(count: number, otherwise: string): void {
  if (!(count >= 1 && count <= MOST)) throw new RangeError(otherwise);
}
