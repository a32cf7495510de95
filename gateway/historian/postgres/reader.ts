// Deep history out of PostgreSQL: the samples and buckets of tags by id, for ranges the gateway keeps no longer.
// Used by the reader worker. A few connections at most, each question within its time limit, all statements read-only.
import type { Micros, Value } from '../../model.ts';
import type { Credentials } from '../credentials.ts';
import type { RemoteBuckets, RemoteHistory, RemoteLatest, RemoteRaw, RemoteTag } from '../remote.ts';
import type { PostgresAddress } from './address.ts';
import type { SampleTable } from './schema.ts';
import { questions } from './questions.ts';
import { connect } from './session.ts';

/** Rows and cells of an answer at most: the bounds of local queries. */
const MOST = 100_000;

const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint`;
const time = (parameter: string): string => `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;

/** Where a tag's values may lie: a whole number beyond 64 bits is in the table of texts. */
function tablesOf({ type }: RemoteTag): SampleTable[] {
  return type === 'integer'
    ? ['readings_integer', 'readings_text']
    : type === 'text'
      ? ['readings_text']
      : ['readings'];
}

export function postgresHistory(address: PostgresAddress, credentials: Credentials): RemoteHistory {
  const { ask, close } = questions(async (signal) => {
    const session = await connect(address, credentials, signal);
    await session.query('SET default_transaction_read_only = on');
    return session;
  });

  return {
    async raw(tag, from, to, limit, signal) {
      within(limit, `limit must be from 1 to ${MOST}, not ${limit}`);
      const of = (table: SampleTable): string =>
        `SELECT ts, ${micros('ts')} AS t, value::text AS value, status, seq FROM ${table}
         WHERE tag = $1 AND ts >= ${time('$2')} AND ts < ${time('$3')}`;
      const [one, other] = tablesOf(tag);
      // Of a time that is in two tables (a whole number corrected from beyond 64 bits) the later one counts.
      const found =
        one && other
          ? `SELECT DISTINCT ON (ts) * FROM (${of(one)} UNION ALL ${of(other)}) AS two ORDER BY ts, seq DESC`
          : of(one ?? 'readings');
      const rows = await ask(
        `SELECT t, value, status FROM (${found}) AS found ORDER BY ts LIMIT $4`,
        [tag.id, from, to, limit + 1],
        signal,
      );
      const series: RemoteRaw = { t: [], value: [], status: [], more: rows.length > limit };
      for (const row of rows.slice(0, limit)) {
        series.t.push(Number(row.t));
        series.value.push(valueOf(row.value, tag));
        series.status.push(Number(row.status));
      }
      return series;
    },
    async buckets(tags, from, to, width, signal) {
      if (!(width >= 1)) throw new RangeError(`the width of a bucket must be at least 1 µs, not ${width}`);
      const first = Math.floor(from / width);
      const count = Math.max(0, Math.ceil(to / width) - first);
      within(tags.length * count + 1, `${tags.length} tags × ${count} buckets are too many: at most ${MOST} in all`);
      const t = Array.from({ length: count }, (_, i) => (first + i) * width);
      const empty = (): RemoteBuckets => ({
        t,
        n: t.map(() => 0),
        min: t.map(() => null),
        avg: t.map(() => null),
        max: t.map(() => null),
      });
      const series = new Map(tags.map(({ id }) => [id, empty()]));
      const fill = async (table: SampleTable, of: readonly RemoteTag[]): Promise<void> => {
        if (of.length === 0 || count === 0) return;
        const rows = await ask(
          `SELECT tag, ${micros(`date_bin($4::bigint * interval '1 microsecond', ts, timestamptz 'epoch')`)} AS t,
             count(*) AS n, min(value) AS min, avg(value) AS avg, max(value) AS max
           FROM (SELECT tag, ts, status, value::double precision AS value FROM ${table}
                 WHERE tag = ANY($1::text[]) AND ts >= ${time('$2')} AND ts < ${time('$3')}) AS found
           WHERE status >> 30 = 0 AND value > '-Infinity' AND value < 'Infinity' GROUP BY 1, 2`,
          [of.map(({ id }) => id), from, to, width],
          signal,
        );
        for (const row of rows) {
          const one = series.get(String(row.tag));
          const i = Number(row.t) / width - first;
          if (!one || !(i in t)) continue;
          one.n[i] = Number(row.n);
          one.min[i] = Number(row.min);
          one.avg[i] = Number(row.avg);
          one.max[i] = Number(row.max);
        }
      };
      await fill(
        'readings_integer',
        tags.filter(({ type }) => type === 'integer'),
      );
      await fill(
        'readings',
        tags.filter(({ type }) => type === 'double' || type === 'boolean'),
      );
      return tags.map(({ id }) => series.get(id) ?? empty());
    },
    async latest(tags, signal) {
      const found = new Map<string, RemoteLatest & { seq: number }>();
      for (const table of ['readings', 'readings_integer', 'readings_text'] as const) {
        const of = tags.filter((tag) => tablesOf(tag).includes(table));
        if (of.length === 0) continue;
        const rows = await ask(
          `SELECT tag, ${micros('ts')} AS t, value::text AS value, status, seq FROM unnest($1::text[]) AS asked(id)
             CROSS JOIN LATERAL (SELECT * FROM ${table} WHERE tag = asked.id ORDER BY ts DESC LIMIT 1) AS newest`,
          [of.map(({ id }) => id)],
          signal,
        );
        for (const row of rows) {
          const tag = of.find(({ id }) => id === row.tag) as RemoteTag;
          const [t, seq] = [Number(row.t), Number(row.seq)];
          const known = found.get(tag.id);
          if (known && (known.t > t || (known.t === t && known.seq > seq))) continue;
          found.set(tag.id, { id: tag.id, t, value: valueOf(row.value, tag), status: Number(row.status), seq });
        }
      }
      return tags.flatMap(({ id }) => {
        const one = found.get(id);
        return one ? [{ id, t: one.t, value: one.value, status: one.status }] : [];
      });
    },
    close,
  };
}

function within(count: Micros, otherwise: string): void {
  if (!(count >= 1 && count <= MOST)) throw new RangeError(otherwise);
}

function valueOf(text: unknown, { type }: RemoteTag): Value {
  if (typeof text !== 'string') return null;
  if (type === 'text') return text;
  if (type === 'boolean') return Number(text) !== 0;
  if (type === 'double') return Number(text);
  const number = Number(text);
  return Number.isSafeInteger(number) || !/^-?\d+$/.test(text) ? number : BigInt(text);
}
