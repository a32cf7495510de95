// Looks after the server before and while rows are sent: tables made, their shape, durable commits, restarts, and whether
// what it took in also gets into the tables. Called by the forwarder; speaks over its connection.
import type { Connection, Rows } from './http.ts';
import { createStatement, drift, tables } from './schema.ts';
import type { FoundTable, Table } from './schema.ts';

/** The first versions that take doubles as eight bytes, and texts as keys. */
const OLDEST = { open: 9, enterprise: 3 };
/** Transactions a table may be behind until the backlog is told to slow down. */
const LAG = 25;

export interface Seen {
  /** When the server was started, in its own words; empty where it does not say. */
  started: string;
  /** Per table, the last transaction taken in. */
  taken: Record<string, number>;
  /** Per table, which one it is: one that was dropped or renamed and made anew is another. */
  made: Record<string, number>;
}
export interface Watch {
  /**
   * Makes what is missing, and asks how far the tables are behind what was taken in. Rejects with one sentence when rows
   * cannot be sent as things are.
   */
  prepare(signal: AbortSignal): Promise<void>;
  /** What the last `prepare` saw. */
  seen(): Seen;
  /** 0: every transaction is in its table; above 0.5: too many are not. */
  pressure(): number;
  /** In words, what a person should do; empty when nothing. */
  trouble(): string;
}

export function watch({ query }: Pick<Connection, 'query'>): Watch {
  let weak = '';
  let suspended: { table: string; why: string }[] = [];
  let behind = 0;
  const seen: Seen = { started: '', taken: {}, made: {} };

  return {
    async prepare(signal) {
      const build = String((await ifKnown(query('SELECT build()', signal))).dataset[0]);
      const [, edition = '', version = ''] = /QuestDB (\D*)(\d+(?:\.\d+)+)/.exec(build) ?? [];
      const oldest = OLDEST[/enterprise/i.test(edition) ? 'enterprise' : 'open'];
      // It would refuse every row with a double, each as if the row were wrong.
      if (version !== '' && Number.parseInt(version) < oldest)
        throw new Error(
          `QuestDB: it is version ${edition}${version}, ${edition}${oldest}.0 or newer is needed; nothing is lost meanwhile`,
        );
      // Without it restarts go unnoticed, rows do not.
      const start = await ifKnown(query('SELECT pg_postmaster_start_time() AS started', signal));
      seen.started = String(start.dataset[0]?.[0] ?? '');
      let found = await describe(signal);
      for (const table of tables) if (!found.has(table)) await query(createStatement(table), signal);
      if (found.size < tables.length) found = await describe(signal);
      for (const table of tables) {
        const is = found.get(table);
        if (is) seen.made[table] = is.id;
        const wrong = is ? drift(table, is) : `the table ${table} could not be made`;
        if (wrong) throw new Error(`QuestDB: ${wrong}; nothing is lost meanwhile`);
      }
      const asked = query("(SHOW PARAMETERS) WHERE property_path = 'cairo.commit.mode'", signal);
      const [mode] = await records(ifKnown(asked));
      const is = String(mode?.value ?? 'unknown');
      weak =
        is === 'sync'
          ? ''
          : `cairo.commit.mode is ${is}: what QuestDB has confirmed may be lost in a power cut; set it to sync`;
      suspended = [];
      behind = 0;
      // Of a table that is not listed this time nothing is known, least of all that it stands still.
      seen.taken = {};
      for (const row of await records(ifKnown(query('SELECT * FROM wal_tables()', signal)))) {
        const table = String(row.name);
        if (!tables.includes(table as Table)) continue;
        const taken = Number(row.sequencerTxn);
        seen.taken[table] = taken;
        if (row.suspended !== true) behind = Math.max(behind, taken - Number(row.writerTxn));
        else suspended.push({ table, why: said(row) });
      }
    },

    seen: () => ({ started: seen.started, taken: { ...seen.taken }, made: { ...seen.made } }),
    pressure: () => (suspended.length > 0 ? 1 : Math.min(1, behind / (2 * LAG))),
    trouble: () => {
      const lag = behind > LAG ? `QuestDB's tables are ${behind} transactions behind what it has taken in` : '';
      return [inWords(suspended), lag, weak].filter(Boolean).join('; ');
    },
  };

  async function describe(signal: AbortSignal): Promise<Map<Table, FoundTable>> {
    const found = new Map<Table, FoundTable>();
    for (const row of await records(query('SELECT * FROM tables()', signal))) {
      const table = row.table_name as Table;
      if (!tables.includes(table)) continue;
      const columns = await records(query(`SHOW COLUMNS FROM ${table}`, signal));
      found.set(table, {
        id: Number(row.id),
        view: row.matView === true || ['V', 'M'].includes(String(row.table_type)),
        columns: new Map(columns.map(({ column, type }) => [String(column), String(type)])),
        keys: new Set(columns.filter(({ upsertKey }) => upsertKey === true).map(({ column }) => String(column))),
        time: String(row.designatedTimestamp ?? ''),
        wal: row.walEnabled === true,
        dedup: row.dedup === true,
      });
    }
    return found;
  }
}

function inWords(suspended: readonly { table: string; why: string }[]): string {
  if (suspended.length === 0) return '';
  const many = suspended.length > 1;
  const named = suspended.map(({ table, why }) => table + why).join(' and ');
  const run = suspended.map(({ table }) => `ALTER TABLE ${table} RESUME WAL`).join(' and ');
  return `the table${many ? 's' : ''} ${named} ${many ? 'are' : 'is'} suspended in QuestDB: what is sent waits in the write-ahead log; when the cause is gone, run ${run}`;
}

/** Another version may refuse a question that is not needed to store rows: then nothing is known of it. */
async function ifKnown(asked: Promise<Rows>): Promise<Rows> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof Error) || !/answered 400/.test(error.message)) throw error;
    return { columns: [], dataset: [] };
  }
}

async function records(rows: Promise<Rows>): Promise<Record<string, unknown>[]> {
  const { columns, dataset } = await rows;
  return dataset.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])));
}

const said = ({ errorTag, errorMessage }: Record<string, unknown>): string => {
  const words = [errorTag, errorMessage].filter((word) => typeof word === 'string' && word !== '').join(': ');
  return words ? ` (${words.slice(0, 200)})` : '';
};
