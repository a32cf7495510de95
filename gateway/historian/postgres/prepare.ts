// Makes the tables and the days' partitions in a database, and says in one sentence where what is there does not fit.
// Called by forwarder.ts at each connection and before rows of a day it has not seen.
import { columnsOf, creation, drift, partitionsFor, tables } from './schema.ts';
import type { Found, Partition, Table } from './schema.ts';
import { Refused } from './session.ts';
import type { Session } from './session.ts';

/** Gateways that share a database make tables one after another. */
const LOCK = "SELECT pg_advisory_xact_lock(hashtext('penstock'))";

const look = `SELECT c.relname AS name, c.relkind AS kind,
    (SELECT json_object_agg(a.attname, format_type(a.atttypid, NULL)) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT json_agg(a.attname) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef
        AND a.attidentity = '' AND a.attgenerated = '') AS required,
    (SELECT json_agg((SELECT json_agg(a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY(i.indkey::int[])))
      FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL AND i.indisvalid
        AND i.indimmediate AND NOT 0 = ANY(i.indkey::int[])) AS keys
  FROM pg_class c WHERE c.oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)`;

export interface Prepared {
  /** Which tables are in days of ours; the others take every row. */
  partitioned: ReadonlySet<Table>;
  /** When the server was started; another one, or one restored, was at another time. */
  started: string;
  /** In words, what makes a commit less than durable or rows be refused; empty when nothing does. */
  weak: string;
}

/** Makes what is missing; rejects with a sentence where a table cannot take our rows. */
export async function prepare(session: Session): Promise<Prepared> {
  await session.query("SET TIME ZONE 'UTC'");
  const { weak, started } = await nature(session);
  let found = await inspect(session);
  const missing = tables.filter((table) => !found.has(table));
  if (missing.length > 0) {
    const server = await extension(session);
    await session.query('BEGIN');
    await session.query(LOCK);
    found = await inspect(session);
    for (const table of missing)
      if (!found.has(table)) for (const statement of creation(table, server)) await session.query(statement);
    await session.query('COMMIT');
    found = await inspect(session);
  }
  const faults = tables
    .map((table) => drift(table, found.get(table) ?? nothing))
    .filter((fault) => fault !== undefined);
  if (faults.length > 0) throw new Error(`PostgreSQL: ${faults.join('. ')}`);
  const partitioned = new Set(tables.filter((table) => found.get(table)?.relkind === 'p'));
  return { partitioned, started, weak };
}

/**
 * A day that has no partition of ours and may have another: made meanwhile by another gateway, of another width by the user
 * or by somebody else because we must not, or the default one holds rows of it. Where there is none, the rows say so.
 */
const elsewhere = new Set(['42809', '42P17', '42501', '23514']);

/** Partitions made in one transaction: each is some ten of the server's locks until its end. */
const AT_ONCE = 10;

/** Makes the partitions that are not there yet. @param now ms since the epoch */
export async function makeDays(
  session: Session,
  wanted: readonly { table: Table; days: readonly number[] }[],
  now: number,
): Promise<void> {
  const choices = wanted.flatMap(({ table, days }) => days.map((day) => partitionsFor(table, day, now)));
  /** There, or found to be impossible. */
  const done = new Map<string, boolean>();
  const names = choices.flat().map(({ name }) => name);
  for (const row of await session.query(
    'SELECT c.relname AS name FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)',
    [names],
  ))
    done.set(String(row.name), true);
  const missing = choices.filter((each) => !each.some(({ name }) => done.has(name)));
  for (let i = 0; i < missing.length; i += AT_ONCE) await make(session, missing.slice(i, i + AT_ONCE), done);
}

async function make(session: Session, missing: readonly Partition[][], done: Map<string, boolean>): Promise<void> {
  await session.query('BEGIN');
  try {
    await session.query(LOCK);
    for (const each of missing)
      for (const { name, statements } of each) {
        if (!done.has(name)) done.set(name, await attach(session, name, statements));
        if (done.get(name)) break;
      }
    await session.query('COMMIT');
  } catch (error) {
    if (session.sound) await session.query('ROLLBACK');
    throw error;
  }
}

async function attach(session: Session, name: string, statements: readonly string[]): Promise<boolean> {
  await session.query('SAVEPOINT day');
  try {
    for (const statement of statements) await session.query(statement);
    await session.query('RELEASE SAVEPOINT day');
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Most likely one that somebody took out, before the table was altered.
    if (/^42/.test(error.code) && !elsewhere.has(error.code))
      throw new Refused(`${error.message} (${name}): rename that table, or make it fit`, error.code, error.routine);
    if (!elsewhere.has(error.code)) throw error;
    await session.query('ROLLBACK TO day');
    return false;
  }
}

const nothing: Found = { relkind: '', columns: new Map(), keys: [], required: [] };

async function inspect(session: Session): Promise<Map<Table, Found>> {
  const rows = await session.query(look, [[...tables]]);
  return new Map(
    rows.map((row) => {
      const table = row.name as Table;
      const ours = new Set(columnsOf(table).map(([name]) => name));
      const found: Found = {
        relkind: String(row.kind),
        columns: new Map(Object.entries(row.columns as Record<string, string>)),
        keys: (row.keys as string[][] | null) ?? [],
        required: ((row.required as string[] | null) ?? []).filter((name) => !ours.has(name)),
      };
      return [table, found];
    }),
  );
}

async function nature(session: Session): Promise<{ weak: string; started: string }> {
  const [row] = await session.query(
    "SELECT current_setting('fsync') AS fsync, current_setting('server_encoding') AS encoding, extract(epoch FROM pg_postmaster_start_time())::text AS started",
  );
  const unsynced =
    row?.fsync === 'off' && 'fsync is off: what PostgreSQL has confirmed may be lost in a power cut; set it to on';
  // SQL_ASCII takes every byte as it is.
  const narrow =
    !['UTF8', 'SQL_ASCII'].includes(String(row?.encoding)) &&
    `the database's encoding is ${row?.encoding}: rows with other characters are refused; make one with UTF8`;
  return { weak: [unsynced, narrow].filter(Boolean).join('; '), started: String(row?.started ?? '') };
}

async function extension(session: Session): Promise<{ timescale: boolean; compress: boolean }> {
  const [row] = await session.query(
    "SELECT current_setting('timescaledb.license', true) AS license FROM pg_extension WHERE extname = 'timescaledb'",
  );
  return { timescale: row !== undefined, compress: row?.license === 'timescale' };
}
