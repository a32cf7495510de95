// What the history says of its own position, read without opening it for writing. Called by the command line's ledger.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface Standing {
  /** One past the last sequence stored. */
  position: number;
  /** Samples of all frames up to there. */
  delivered: number;
  filtered?: number;
}

/** Undefined when there is no history yet. */
export function standing(dataDir: string): Standing | undefined {
  const path = join(dataDir, 'history.db');
  if (!existsSync(path)) return undefined;
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    if (tables.some(({ name }) => name === 'account')) {
      const row = db.prepare('SELECT position, delivered, filtered FROM account').get();
      return (
        row && {
          position: Number(row.position),
          delivered: Number(row.delivered),
          filtered: Number(row.filtered),
        }
      );
    }
    const read = db.prepare('SELECT value FROM kv WHERE key = ?');
    const position = read.get('position')?.value;
    return position === undefined
      ? undefined
      : { position: Number(position), delivered: Number(read.get('delivered')?.value ?? 0) };
  } finally {
    db.close();
  }
}
