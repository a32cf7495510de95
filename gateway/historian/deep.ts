// One history out of two: what the gateway no longer keeps comes from a database elsewhere, the rest from here, and the
// caller sees one series. Used by the reader worker around its local queries; the merge itself is pure.
// A database that does not answer costs its time limit at most; the local part comes all the same, and says what is missing.
import type { BucketSeries, Historian, RawSeries } from '../history.ts';
import type { Clock, Micros } from '../model.ts';
import type { RemoteBuckets, RemoteHistory, RemoteRaw, RemoteTag } from './remote.ts';

export interface DeepOptions {
  remote: RemoteHistory;
  /** By index; undefined: never heard of, and so nowhere else either. */
  tag(index: number): RemoteTag | undefined;
  /** What is older than this is no longer kept here. */
  boundary(): Micros;
  clock: Pick<Clock, 'mono' | 'after'>;
  /** ms an answer may take: 5 s by default. */
  timeout?: number;
}
type Local = Pick<Historian, 'raw' | 'buckets' | 'latest'>;

const TIMEOUT = 5000;
/** A database that took this long to fail is not asked again for a while, ms each: nobody should wait for it twice. */
const LONG = 500;
const PAUSE = 5000;

export function deepHistory(local: Local, options: DeepOptions): Local {
  const { remote, tag: tagAt, boundary, clock, timeout = TIMEOUT } = options;
  let failed: { reason: string; until: number } | undefined;

  /** Undefined when the database has no answer in time; a question that is wrong in itself rejects. */
  const ask = async <T>(
    question: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T | undefined> => {
    const began = clock.mono();
    if (failed && began < failed.until) return undefined;
    const late = new AbortController();
    const reason = new Error(`no answer within ${timeout / 1000} s`);
    const expired = Promise.withResolvers<never>();
    const cancel = clock.after(timeout, () => {
      late.abort(reason);
      expired.reject(reason);
    });
    const stop = (): void => late.abort(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const answer = await Promise.race([question(late.signal), expired.promise]);
      failed = undefined;
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof RangeError) throw error;
      const now = clock.mono();
      const said = error instanceof Error ? error.message : String(error);
      failed = { reason: said, until: now - began < LONG ? now : now + PAUSE };
      return undefined;
    } finally {
      cancel();
      signal?.removeEventListener('abort', stop);
    }
  };
  const incomplete = (before: Micros): string =>
    `what is older than ${new Date(Math.floor(before / 1000)).toISOString()} is missing: ${failed?.reason ?? 'no answer'}`;

  return {
    async raw(tag, from, to, limit, signal) {
      const edge = boundary();
      const named = tagAt(tag);
      if (from >= edge || from >= to || !named) return local.raw(tag, from, to, limit, signal);
      const older = await ask((within) => remote.raw(named, from, Math.min(to, edge), limit, within), signal);
      if (!older) return { ...(await local.raw(tag, from, to, limit, signal)), incomplete: incomplete(edge) };
      if (older.more || to <= edge) return { ...older, tag };
      const room = limit - older.t.length;
      const newer = await local.raw(tag, edge, to, Math.max(1, room), signal);
      return joinRaw(tag, older, newer, room);
    },

    async buckets(tags, from, to, width, signal) {
      const edge = boundary();
      const named = tags.map(tagAt).filter((tag) => tag !== undefined);
      if (from >= edge || from >= to || named.length === 0) return local.buckets(tags, from, to, width, signal);
      const older = await ask((within) => remote.buckets(named, from, Math.min(to, edge), width, within), signal);
      if (!older) {
        const part = await local.buckets(tags, from, to, width, signal);
        return part.map((series) => ({ ...series, incomplete: incomplete(edge) }));
      }
      const byId = new Map(named.map(({ id }, i) => [id, older[i]]));
      const newer = await local.buckets(tags, Math.min(to, edge), to, width, signal);
      return newer.map((series) => joinBuckets(byId.get(tagAt(series.tag)?.id ?? ''), series, from, to, width));
    },

    async latest(tags, signal) {
      const found = await local.latest(tags, signal);
      const here = new Set(found.map(({ tag }) => tag));
      const missing = new Map(tags.filter((tag) => !here.has(tag)).map((tag) => [tagAt(tag)?.id, tag]));
      missing.delete(undefined);
      if (missing.size === 0) return found;
      const named = [...missing.values()].map(tagAt).filter((tag) => tag !== undefined);
      const older = (await ask((within) => remote.latest(named, within), signal)) ?? [];
      return [...found, ...older.map(({ id, ...rest }) => ({ ...rest, tag: missing.get(id) as number }))];
    },
  };
}

/** @param room rows that may still be added; `newer` has at least one more than none, to tell whether there are any */
export function joinRaw(tag: number, older: RemoteRaw, newer: RawSeries, room: number): RawSeries {
  const take = Math.min(room, newer.t.length);
  return {
    tag,
    t: [...older.t, ...newer.t.slice(0, take)],
    value: [...older.value, ...newer.value.slice(0, take)],
    status: [...older.status, ...newer.status.slice(0, take)],
    more: newer.more || newer.t.length > take,
  };
}

/** Buckets from the one at or before `from`; one that both have a part of is put together from its parts. */
export function joinBuckets(
  older: RemoteBuckets | undefined,
  newer: BucketSeries,
  from: Micros,
  to: Micros,
  width: Micros,
): BucketSeries {
  const first = Math.floor(from / width);
  const count = Math.max(0, Math.ceil(to / width) - first);
  const t = Array.from({ length: count }, (_, i) => (first + i) * width);
  const joined: BucketSeries = {
    ...{ tag: newer.tag, t, n: t.map(() => 0) },
    ...{ min: t.map(() => null), avg: t.map(() => null), max: t.map(() => null) },
  };
  for (const part of older ? [older, newer] : [newer])
    for (const [k, start] of part.t.entries()) {
      const i = Math.round(start / width) - first;
      const n = part.n[k] ?? 0;
      const [min, avg, max] = [part.min[k], part.avg[k], part.max[k]];
      if (n === 0 || !(i in t) || min == null || avg == null || max == null) continue;
      const before = joined.n[i] as number;
      joined.n[i] = before + n;
      joined.min[i] = Math.min(joined.min[i] ?? min, min);
      joined.max[i] = Math.max(joined.max[i] ?? max, max);
      joined.avg[i] = ((joined.avg[i] ?? 0) * before + avg * n) / (before + n);
    }
  return joined;
}
