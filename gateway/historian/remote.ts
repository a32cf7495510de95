// What a database beyond the gateway answers: deep history for ranges older than what is kept locally.
// Implemented over `pg` by questdb/ and postgres/; used by the reader, which merges it with the local part.
import type { BucketSeries, RawSeries } from '../history.ts';
import type { Micros, Value, ValueType } from '../model.ts';

/** A tag as a database knows it: by its whole id, never by the gateway's index. */
export interface RemoteTag {
  id: string;
  type: ValueType;
}
export type RemoteRaw = Omit<RawSeries, 'tag'>;
export type RemoteBuckets = Omit<BucketSeries, 'tag'>;
export interface RemoteLatest {
  id: string;
  t: Micros;
  value: Value;
  status: number;
}

/** Times are [from, to). Every call rejects with a sentence when the database does not answer within its time limit. */
export interface RemoteHistory {
  /** Oldest first, at most `limit`; where it says `more`, the next page begins at its last time + 1. */
  raw(tag: RemoteTag, from: Micros, to: Micros, limit: number, signal?: AbortSignal): Promise<RemoteRaw>;
  /** One series a tag, in the order asked; all have the same starts: multiples of `width`, the first at or before `from`. */
  buckets(
    tags: readonly RemoteTag[],
    from: Micros,
    to: Micros,
    width: Micros,
    signal?: AbortSignal,
  ): Promise<RemoteBuckets[]>;
  /** The newest row of each tag that has one. */
  latest(tags: readonly RemoteTag[], signal?: AbortSignal): Promise<RemoteLatest[]>;
  close(): Promise<void>;
}
