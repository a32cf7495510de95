// Deep history out of QuestDB over the PostgreSQL wire: samples and figures of tags by id, for ranges that the gateway
// does not keep. Used by the reader worker. What the database can add up exactly it adds up itself.
import type { Micros, Value } from '../../model.ts';
import { exactly } from '../by-rows.ts';
import type { Credentials } from '../credentials.ts';
import type { PostgresAddress } from '../postgres/address.ts';
import { questions } from '../postgres/questions.ts';
import { Refused, connect } from '../postgres/session.ts';
import { MOST, within } from '../remote.ts';
import type { RemoteHistory, RemoteLatest, RemoteRaw, RemoteTag } from '../remote.ts';
import { AT, RANGE, RUNS, changesOf, figuresOf, named, runsOf, sidesOf, summaryOf, tableOf } from './statements.ts';
import type { SampleTable } from './statements.ts';

/** Tags named in one statement. */
const TAGS = 200;
const TABLES: readonly SampleTable[] = ['readings', 'readings_integer', 'readings_text'];

export function questdbHistory(address: PostgresAddress, credentials: Credentials): RemoteHistory {
  const { ask: asked, close } = questions((signal) => connect(address, credentials, signal, 'QuestDB'));
  const ask: typeof asked = (text, values, signal) =>
    asked(text, values, signal).catch((error: unknown) => {
      // Nothing was ever forwarded there.
      if (error instanceof Refused && error.message.includes('table does not exist')) return [];
      throw error;
    });

  /** Asks once for so many tags of a table. */
  const perTable = async (
    tags: readonly RemoteTag[],
    question: (table: SampleTable, ids: string[]) => Promise<void>,
  ): Promise<void> => {
    for (const table of TABLES) {
      const ids = tags.filter((tag) => tableOf(tag) === table).map(({ id }) => id);
      for (let i = 0; i < ids.length; i += TAGS) await question(table, ids.slice(i, i + TAGS));
    }
  };
  /** Tags of whole numbers of which some are beyond 64 bits in that time. */
  const beyondTags = async (tags: readonly RemoteTag[], from: Micros, to: Micros, signal?: AbortSignal) => {
    const found = new Set<string>();
    const ids = tags.filter(({ type }) => type === 'integer').map(({ id }) => id);
    for (let i = 0; i < ids.length; i += TAGS) {
      const part = ids.slice(i, i + TAGS);
      const where = `${RANGE} AND tag IN (${named(part.length, 3)})`;
      const rows = await ask(`SELECT DISTINCT tag FROM readings_text WHERE ${where}`, [from, to, ...part], signal);
      for (const { tag } of rows) found.add(String(tag));
    }
    return found;
  };
  /** The exact values of integers that no LONG holds, by time. */
  const beyond = async (tag: RemoteTag, rows: Record<string, unknown>[], signal?: AbortSignal) => {
    const without = rows.filter(({ value }) => value === null).map(({ t }) => Number(t));
    if (tag.type !== 'integer' || without.length === 0) return new Map<number, unknown>();
    const [first = 0, last = 0] = [without[0], without.at(-1)];
    const texts = await ask(
      `SELECT ${AT} AS t, value FROM readings_text WHERE ${RANGE} AND tag = $3 LIMIT ${MOST}`,
      [first, last + 1, tag.id],
      signal,
    );
    return new Map(texts.map(({ t, value }) => [Number(t), value]));
  };
  const seriesOf = async (tag: RemoteTag, rows: Record<string, unknown>[], limit: number, signal?: AbortSignal) => {
    const exact = await beyond(tag, rows, signal);
    const series: RemoteRaw = { t: [], value: [], status: [], more: rows.length > limit };
    for (const { t, value, status } of rows.slice(0, limit)) {
      series.t.push(Number(t));
      series.value.push(valueOf(value ?? exact.get(Number(t)), tag));
      series.status.push(Number(status));
    }
    return series;
  };

  const history: RemoteHistory = {
    async raw(tag, from, to, limit, signal) {
      within(limit, `limit must be from 1 to ${MOST}, not ${limit}`);
      const rows = await ask(
        `SELECT ${AT} AS t, value, status FROM ${tableOf(tag)} WHERE ${RANGE} AND tag = $3 ORDER BY ts LIMIT ${Math.floor(limit) + 1}`,
        [from, to, tag.id],
        signal,
      );
      return seriesOf(tag, rows, limit, signal);
    },
    async changes(tag, from, to, limit, signal) {
      within(limit, `limit must be from 1 to ${MOST}, not ${limit}`);
      // Values beyond 64 bits all look alike in the column.
      if ((await beyondTags([tag], from, to, signal)).size > 0) return history.raw(tag, from, to, limit, signal);
      const rows = await ask(changesOf(tableOf(tag), Math.floor(limit) + 1), [from, to, tag.id], signal);
      return seriesOf(tag, rows, limit, signal);
    },
    ...exactly({
      raw: (...asked) => history.raw(...asked),
      beyond: beyondTags,
      figures(tags, { from, to, t, held }, found, signal) {
        const runs = runsOf(t);
        return perTable(tags, async (table, ids) => {
          for (let i = 0; i < runs.length; i += RUNS) {
            const part = runs.slice(i, i + RUNS);
            const begin = i === 0 ? from : (part[0]?.start as Micros);
            const end = runs[i + RUNS]?.start ?? to;
            const rows = await ask(figuresOf(table, ids.length, part, held), [begin, end, ...ids], signal);
            for (const row of rows) found.get(String(row.tag))?.push(summaryOf(row));
          }
        });
      },
      sides: (tags, { from, to, limit }, found, signal) =>
        perTable(tags, async (table, ids) => {
          const rows = await ask(sidesOf(table, ids.length), [from, to, limit, ...ids], signal);
          for (const row of rows) {
            const { tag, above, below, known, t0, t1, held } = row;
            const [n0, n1] = [Number(t0), Number(t1)];
            const times = { above: Number(above), below: Number(below), known: Number(known) };
            found.set(String(tag), { ...times, t0: n0, t1: n1, held: held === null ? NaN : Number(held) });
          }
        }),
    }),
    async counts(tags, from, to, signal) {
      const found = new Map<string, number>();
      await perTable(tags, async (table, ids) => {
        const where = `${RANGE} AND tag IN (${named(ids.length, 3)})`;
        const rows = await ask(`SELECT tag, count() AS n FROM ${table} WHERE ${where}`, [from, to, ...ids], signal);
        for (const { tag, n } of rows) found.set(String(tag), Number(n));
      });
      return tags.map(({ id }) => found.get(id) ?? 0);
    },
    async latest(tags, before, signal) {
      const found = new Map<string, RemoteLatest>();
      const byId = new Map(tags.map((tag) => [tag.id, tag]));
      await perTable(tags, async (table, ids) => {
        const until = before === undefined ? '' : `ts < cast($${ids.length + 1} AS timestamp) AND `;
        const rows = await ask(
          `SELECT ${AT} AS t, tag, value, status FROM ${table} WHERE ${until}tag IN (${named(ids.length, 1)}) LATEST ON ts PARTITION BY tag`,
          before === undefined ? ids : [...ids, before],
          signal,
        );
        for (const row of rows) {
          const tag = byId.get(String(row.tag)) as RemoteTag;
          const [t, exact] = [Number(row.t), await beyond(tag, [row], signal)];
          const value = valueOf(row.value ?? exact.get(t), tag);
          found.set(tag.id, { id: tag.id, t, value, status: Number(row.status) });
        }
      });
      return tags.flatMap(({ id }) => found.get(id) ?? []);
    },
    close,
  };
  return history;
}

function valueOf(value: unknown, { type }: RemoteTag): Value {
  if (value === null || value === undefined) return null;
  if (type === 'text') return String(value);
  if (type === 'boolean') return Number(value) !== 0;
  const number = Number(value);
  if (type === 'double' || Number.isSafeInteger(number) || !/^-?\d+$/.test(String(value))) return number;
  return BigInt(String(value));
}
