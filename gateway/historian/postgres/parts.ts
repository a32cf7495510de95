// The rows of one write as statements: parts of a table each, bounded; how a part is sent, halved, and kept as dead letters.
// Pure but for `upsert`; used by forwarder.ts and by refused.ts, which looks for the rows that are refused.
import type { DeadLetter } from '../dead-letters.ts';
import { upsertEvents, upsertRows } from './rows.ts';
import type { EventEntry, Row, rowsOf } from './rows.ts';
import { dayOf, sampleTables } from './schema.ts';
import type { Session } from './session.ts';
import { isoMicros } from './statements.ts';

/** Rows of a statement: a few hundred kB, some 30 ms. */
const ROWS = 5000;
/** Days of a statement, and locks of a transaction: the server has some thousand for all, and each partition is a few. */
const DAYS = 20;
const LOCKS = 100;

/**
 * Begins a transaction whose commit waits for the disk, whatever is set for the user: what has been confirmed is never asked
 * for again. `on` would be less where more is set. Behind a pooler only a transaction is sure to be one session.
 */
export const BEGIN = `BEGIN; SELECT set_config('synchronous_commit', 'on', true)
  WHERE current_setting('synchronous_commit') = 'off'`;

export type Part =
  { table: (typeof sampleTables)[number]; rows: readonly Row[] } | { table: 'events'; rows: readonly EventEntry[] };

export function partsOf(rows: ReturnType<typeof rowsOf>): Part[] {
  const parts: Part[] = [];
  for (const table of sampleTables)
    for (const some of slices(rows[table], ({ t }) => t)) parts.push({ table, rows: some });
  for (const some of slices(rows.events, ({ row }) => row.t)) parts.push({ table: 'events', rows: some });
  return parts;
}

function* slices<Item>(rows: readonly Item[], time: (row: Item) => number): Generator<Item[]> {
  let from = 0;
  let days = new Set<number>();
  for (const [at, row] of rows.entries()) {
    const day = dayOf(time(row));
    if (at - from === ROWS || (days.size === DAYS && !days.has(day))) {
      yield rows.slice(from, at);
      from = at;
      days = new Set();
    }
    days.add(day);
  }
  if (from < rows.length) yield rows.slice(from);
}

/** Counts what statements take of a transaction's locks, those of a day once; true when the next one belongs into another. */
export function locking(): (part: Part) => boolean {
  let statements = 0;
  let days = new Set<string>();
  return ({ table, rows }) => {
    const its = [...new Set(rows.map((row) => dayOf('row' in row ? row.row.t : row.t)))].map(
      (day) => `${table} ${day}`,
    );
    for (const day of its) days.add(day);
    const full = statements > 0 && 1 + statements + 4 * days.size > LOCKS;
    statements = full ? 1 : statements + 1;
    if (full) days = new Set(its);
    return full;
  };
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
