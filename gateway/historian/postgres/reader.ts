// Deep history out of PostgreSQL: samples and figures of tags by id, for ranges that the gateway does not keep.
// Used by the reader worker. A few connections at most, each question within its time limit, all statements read-only.
import type { Value } from '../../model.ts';
import { exactly } from '../by-rows.ts';
import type { Credentials } from '../credentials.ts';
import { MOST, within } from '../remote.ts';
import type { RemoteHistory, RemoteLatest, RemoteRaw, RemoteTag } from '../remote.ts';
import type { PostgresAddress } from './address.ts';
import { questions } from './questions.ts';
import { sampleTables } from './schema.ts';
import type { SampleTable } from './schema.ts';
import { Refused, connect, heedClosing } from './session.ts';
import {
  changesOf,
  figuresOf,
  isoMicros,
  micros,
  samplesOf,
  sidesOf,
  summaryOf,
  tablesOf,
  time,
} from './statements.ts';

const DAY = 86_400_000_000;
/** Days looked back for the newest row, one after the other: each partition looked into is a few of the server's locks. */
const BACK = [2, 60, 400, 1500, 3000, Infinity];

/** SQLSTATE of a table that is not there. */
const NO_TABLE = '42P01';

export function postgresHistory(address: PostgresAddress, credentials: Credentials): RemoteHistory {
  const { ask: asked, close } = questions(async (signal) => {
    // Nothing else is set for the session: behind a pooler it is somebody else's a moment later.
    const session = await connect(address, credentials, signal);
    await heedClosing(session);
    return session;
  });
  const ask: typeof asked = (text, values, signal) =>
    asked(text, values, signal).catch((error: unknown) => {
      // Nothing was ever forwarded there.
      if (error instanceof Refused && error.code === NO_TABLE) return [];
      throw error;
    });

  /** Tags of whole numbers of which some are beyond 64 bits in that time. */
  const beyondTags = async (tags: readonly RemoteTag[], from: number, to: number, signal?: AbortSignal) => {
    const ids = tags.filter(({ type }) => type === 'integer').map(({ id }) => id);
    if (ids.length === 0) return new Set<unknown>();
    const rows = await ask(
      `SELECT id FROM unnest($1::text[]) AS asked(id) WHERE EXISTS (
         SELECT 1 FROM readings_text WHERE tag = asked.id AND ts >= ${time('$2')} AND ts < ${time('$3')})`,
      [ids, isoMicros(from), isoMicros(to)],
      signal,
    );
    return new Set(rows.map(({ id }) => id));
  };
  /** Asks each table for the tags whose values lie there, but for whole numbers beyond 64 bits. */
  const perTable = async (
    tags: readonly RemoteTag[],
    question: (table: SampleTable, ids: string[]) => Promise<void>,
  ): Promise<void> => {
    for (const table of sampleTables) {
      const ids = tags.filter((tag) => tablesOf(tag)[0] === table).map(({ id }) => id);
      if (ids.length > 0) await question(table, ids);
    }
  };
  const rowsOf = async (
    statement: string,
    tag: RemoteTag,
    [from, to, limit]: [number, number, number],
    signal?: AbortSignal,
  ): Promise<RemoteRaw> => {
    within(limit, `limit must be from 1 to ${MOST}, not ${limit}`);
    const rows = await ask(statement, [tag.id, isoMicros(from), isoMicros(to), limit + 1], signal);
    const series: RemoteRaw = { t: [], value: [], status: [], more: rows.length > limit };
    for (const row of rows.slice(0, limit)) {
      series.t.push(Number(row.t));
      series.value.push(valueOf(row.value, tag));
      series.status.push(Number(row.status));
    }
    return series;
  };

  const history: RemoteHistory = {
    raw: (tag, from, to, limit, signal) => {
      const statement = `SELECT t, value, status FROM (${samplesOf(tag)}) AS found ORDER BY ts LIMIT $4`;
      return rowsOf(statement, tag, [from, to, limit], signal);
    },
    changes: (tag, from, to, limit, signal) => rowsOf(changesOf(tag), tag, [from, to, limit], signal),
    ...exactly({
      raw: (...asked) => history.raw(...asked),
      beyond: beyondTags,
      figures: (tags, { from, to, t, held }, found, signal) =>
        perTable(tags, async (table, ids) => {
          const rows = await ask(figuresOf(table, held), [ids, isoMicros(from), isoMicros(to), t], signal);
          for (const row of rows) found.get(String(row.tag))?.push(summaryOf(row));
        }),
      sides: (tags, { from, to, limit }, found, signal) =>
        perTable(tags, async (table, ids) => {
          for (const row of await ask(sidesOf(table), [ids, isoMicros(from), isoMicros(to), limit], signal)) {
            const [at, last = NaN] = (row.last ?? []) as number[];
            const [t0, t1] = [Number(row.t0), Number(row.t1)];
            const times = { above: Number(row.above), below: Number(row.below), known: Number(row.known) };
            found.set(String(row.tag), { ...times, t0, t1, held: at === t1 ? last : NaN });
          }
        }),
    }),
    async counts(tags, from, to, signal) {
      const found = new Map<string, number>();
      await perTable(tags, async (table, ids) => {
        const rows = await ask(
          `SELECT tag, count(*) AS n FROM ${table}
           WHERE tag = ANY($1::text[]) AND ts >= ${time('$2')} AND ts < ${time('$3')} GROUP BY tag`,
          [ids, isoMicros(from), isoMicros(to)],
          signal,
        );
        for (const { tag, n } of rows) found.set(String(tag), Number(n));
      });
      return tags.map(({ id }) => found.get(id) ?? 0);
    },
    async latest(tags, before, signal) {
      const found = new Map<string, RemoteLatest & { seq: number }>();
      const byId = new Map(tags.map((tag) => [tag.id, tag]));
      const until = before ?? Date.now() * 1000;
      let to = before;
      for (const days of BACK) {
        const sought = tags.filter(({ id }) => !found.has(id));
        const from = days === Infinity ? undefined : until - days * DAY;
        const bounds = [from === undefined ? 'true' : `ts >= '${isoMicros(from)}'`];
        if (to !== undefined) bounds.push(`ts < '${isoMicros(to)}'`);
        for (const table of sampleTables) {
          const ids = sought.filter((tag) => tablesOf(tag).includes(table)).map(({ id }) => id);
          if (ids.length === 0) continue;
          const rows = await ask(
            `SELECT tag, ${micros('ts')} AS t, value::text AS value, status, seq FROM unnest($1::text[]) AS asked(id)
               CROSS JOIN LATERAL (SELECT * FROM ${table} WHERE tag = asked.id AND ${bounds.join(' AND ')}
                 ORDER BY ts DESC LIMIT 1) AS newest`,
            [ids],
            signal,
          );
          for (const row of rows) {
            const tag = byId.get(String(row.tag)) as RemoteTag;
            const [t, seq] = [Number(row.t), Number(row.seq)];
            const known = found.get(tag.id);
            if (known && (known.t > t || (known.t === t && known.seq > seq))) continue;
            found.set(tag.id, { id: tag.id, t, value: valueOf(row.value, tag), status: Number(row.status), seq });
          }
        }
        to = from;
      }
      return tags.flatMap(({ id }) => {
        const one = found.get(id);
        return one ? [{ id, t: one.t, value: one.value, status: one.status }] : [];
      });
    },
    close,
  };
  return history;
}

function valueOf(text: unknown, { type }: RemoteTag): Value {
  if (typeof text !== 'string') return null;
  if (type === 'text') return text;
  if (type === 'boolean') return Number(text) !== 0;
  if (type === 'double') return Number(text);
  const number = Number(text);
  return Number.isSafeInteger(number) || !/^-?\d+$/.test(text) ? number : BigInt(text);
}
