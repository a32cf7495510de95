// The rows of one write as statements: parts of a table each, bounded; how a part is sent, halved, and kept as dead letters.
// Pure but for `upsert`; used by forwarder.ts and by refused.ts, which looks for the rows that are refused.
import type { DeadLetter } from '../dead-letters.ts';
import { upsertEvents, upsertRows } from './rows.ts';
import type { EventEntry, Row, rowsOf } from './rows.ts';
import { sampleTables } from './schema.ts';
import type { Session } from './session.ts';

/** Rows of a statement: a few hundred kB, some 30 ms. */
const ROWS = 5000;

export type Part =
  { table: (typeof sampleTables)[number]; rows: readonly Row[] } | { table: 'events'; rows: readonly EventEntry[] };

export function partsOf(rows: ReturnType<typeof rowsOf>): Part[] {
  const parts: Part[] = [];
  for (const table of sampleTables)
    for (let at = 0; at < rows[table].length; at += ROWS) parts.push({ table, rows: rows[table].slice(at, at + ROWS) });
  for (let at = 0; at < rows.events.length; at += ROWS)
    parts.push({ table: 'events', rows: rows.events.slice(at, at + ROWS) });
  return parts;
}

export async function upsert(on: Session, part: Part): Promise<void> {
  const { text, values } = part.table === 'events' ? upsertEvents(part.rows) : upsertRows(part.table, part.rows);
  await on.query(text, values);
}

/** Those of its rows that are wanted, by their place. */
export function rowsAt(part: Part, wanted: (place: number) => boolean): Part {
  const places = (_row: unknown, place: number): boolean => wanted(place);
  return part.table === 'events'
    ? { table: part.table, rows: part.rows.filter(places) }
    : { table: part.table, rows: part.rows.filter(places) };
}

export const rowAt = (part: Part, place: number): Part =>
  part.table === 'events'
    ? { table: part.table, rows: part.rows.slice(place, place + 1) }
    : { table: part.table, rows: part.rows.slice(place, place + 1) };

/** What tells each row from every other that is ever sent, in order. */
export function keysOf({ table, rows }: Part): string[] {
  return rows.map((row) =>
    'row' in row ? `${table} ${row.row.t} ${row.row.id}` : `${table} ${row.tag.index} ${row.t} ${row.seq}`,
  );
}

/** In the import's form; what JSON cannot say as a number stands as text. */
export function lettersOf({ table, rows }: Part, reason: string, at: number): DeadLetter[] {
  return rows.map((row) => ({
    reason,
    table,
    at,
    row:
      'row' in row
        ? { ...row.event }
        : {
            tag: row.tag.id,
            timestamp: isoMicros(row.t),
            value: typeof row.value === 'bigint' || !jsonNumber(row.value) ? String(row.value) : row.value,
            status: row.status,
          },
  }));
}

const jsonNumber = (value: unknown): boolean => typeof value !== 'number' || Number.isFinite(value);
const isoMicros = (t: number): string =>
  `${new Date(Math.floor(t / 1000)).toISOString().slice(0, -1)}${String(((t % 1000) + 1000) % 1000).padStart(3, '0')}Z`;
