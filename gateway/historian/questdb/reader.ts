// Deep history out of QuestDB over the PostgreSQL wire: samples and buckets of tags by id, for ranges the gateway keeps no
// longer. Used by the reader worker. Times go and come as µs in LONGs, so that no driver turns them into a local zone.
import type { Micros, Value } from '../../model.ts';
import type { Credentials } from '../credentials.ts';
import type { PostgresAddress } from '../postgres/address.ts';
import { questions } from '../postgres/questions.ts';
import { Refused, connect } from '../postgres/session.ts';
import type { RemoteBuckets, RemoteHistory, RemoteLatest, RemoteRaw, RemoteTag } from '../remote.ts';
import type { Table } from './schema.ts';

/** Rows and cells of an answer at most: the bounds of local queries. */
const MOST = 100_000;
/** Tags named in one statement. */
const TAGS = 200;
/** Below it a StatusCode is good. */
const GOOD = 2 ** 30;

const tableOf = ({ type }: RemoteTag): Table =>
  type === 'integer' ? 'readings_integer' : type === 'text' ? 'readings_text' : 'readings';
/** A range of times as it stands in a statement, the first two parameters. */
const RANGE = 'ts >= cast($1 AS timestamp) AND ts < cast($2 AS timestamp)';
const AT = 'cast(ts AS long) AS t';
/** `$3, $4, …` */
const named = (count: number, first: number): string =>
  Array.from({ length: count }, (_, i) => `$${first + i}`).join(', ');

export function questdbHistory(address: PostgresAddress, credentials: Credentials): RemoteHistory {
  const { ask: asked, close } = questions((signal) => connect(address, credentials, signal, 'QuestDB'));
  const ask: typeof asked = (text, values, signal) =>
    asked(text, values, signal).catch((error: unknown) => {
      // Nothing was ever forwarded there.
      if (error instanceof Refused && error.message.includes('table does not exist')) return [];
      throw error;
    });

  /** The exact values of integers that no LONG holds, by time. */
  const beyond = async (tag: RemoteTag, rows: Record<string, unknown>[], signal?: AbortSignal) => {
    const without = rows.filter(({ value }) => value === null).map(({ t }) => Number(t));
    if (tag.type !== 'integer' || without.length === 0) return new Map<number, unknown>();
    const [first = 0, last = 0] = [without[0], without.at(-1)];
    const texts = await ask(
      `SELECT ${AT}, value FROM readings_text WHERE ${RANGE} AND tag = $3 LIMIT ${MOST}`,
      [first, last + 1, tag.id],
      signal,
    );
    return new Map(texts.map(({ t, value }) => [Number(t), value]));
  };

  return {
    async raw(tag, from, to, limit, signal) {
      within(limit, `limit must be from 1 to ${MOST}, not ${limit}`);
      const rows = await ask(
        `SELECT ${AT}, value, status FROM ${tableOf(tag)} WHERE ${RANGE} AND tag = $3 ORDER BY ts LIMIT ${Math.floor(limit) + 1}`,
        [from, to, tag.id],
        signal,
      );
      const exact = await beyond(tag, rows, signal);
      const series: RemoteRaw = { t: [], value: [], status: [], more: rows.length > limit };
      for (const { t, value, status } of rows.slice(0, limit)) {
        series.t.push(Number(t));
        series.value.push(valueOf(value ?? exact.get(Number(t)), tag));
        series.status.push(Number(status));
      }
      return series;
    },
    async buckets(tags, from, to, width, signal) {
      if (!Number.isSafeInteger(width) || width < 1)
        throw new RangeError(`the width of a bucket must be a whole number of µs above 0, not ${width}`);
      const first = Math.floor(from / width);
      const count = Math.max(0, Math.ceil(to / width) - first);
      within(tags.length * count + 1, `${tags.length} tags × ${count} buckets are too many: at most ${MOST} in all`);
      const t = Array.from({ length: count }, (_, i) => (first + i) * width);
      const none = (): null[] => t.map(() => null);
      const series = new Map(
        tags.map(({ id }) => [id, { t, n: t.map(() => 0), min: none(), avg: none(), max: none() } as RemoteBuckets]),
      );
      for (const table of ['readings', 'readings_integer'] as const)
        for (const of of chunks(tags.filter((tag) => tableOf(tag) === table))) {
          const rows = await ask(
            `SELECT tag, cast(ts AS long) / ${width} AS bucket, count() AS n, min(value) AS min, avg(value) AS avg, max(value) AS max
             FROM ${table} WHERE ${RANGE} AND tag IN (${named(of.length, 3)}) AND status < ${GOOD} AND value IS NOT NULL`,
            [from, to, ...of.map(({ id }) => id)],
            signal,
          );
          for (const row of rows) {
            const one = series.get(String(row.tag));
            const i = Number(row.bucket) - first;
            if (!one || !(i in t)) continue;
            one.n[i] = Number(row.n);
            for (const figure of ['min', 'avg', 'max'] as const) one[figure][i] = Number(row[figure]);
          }
        }
      return tags.map(({ id }) => series.get(id) as RemoteBuckets);
    },
    async latest(tags, signal) {
      const found = new Map<string, RemoteLatest>();
      for (const table of ['readings', 'readings_integer', 'readings_text'] as const)
        for (const of of chunks(tags.filter((tag) => tableOf(tag) === table))) {
          const rows = await ask(
            `SELECT ${AT}, tag, value, status FROM ${table} WHERE tag IN (${named(of.length, 1)}) LATEST ON ts PARTITION BY tag`,
            of.map(({ id }) => id),
            signal,
          );
          for (const row of rows) {
            const tag = of.find(({ id }) => id === row.tag) as RemoteTag;
            const t = Number(row.t);
            const exact = await beyond(tag, [row], signal);
            const value = valueOf(row.value ?? exact.get(t), tag);
            found.set(tag.id, { id: tag.id, t, value, status: Number(row.status) });
          }
        }
      return tags.flatMap(({ id }) => found.get(id) ?? []);
    },
    close,
  };
}

function within(count: Micros, otherwise: string): void {
  if (!(count >= 1 && count <= MOST)) throw new RangeError(otherwise);
}

function* chunks(tags: readonly RemoteTag[]): Generator<readonly RemoteTag[]> {
  for (let i = 0; i < tags.length; i += TAGS) yield tags.slice(i, i + TAGS);
}

function valueOf(value: unknown, { type }: RemoteTag): Value {
  if (value === null || value === undefined) return null;
  if (type === 'text') return String(value);
  if (type === 'boolean') return Number(value) !== 0;
  const number = Number(value);
  if (type === 'double' || Number.isSafeInteger(number) || !/^-?\d+$/.test(String(value))) return number;
  return BigInt(String(value));
}
