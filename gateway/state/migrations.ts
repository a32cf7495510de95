// Pure: state.db as a table of steps, each from one schema version to the next; the last one is what this program knows.
// Read by state.ts, which runs what a file lacks. A step that has been released is never changed: a new one is added.

export interface Migration {
  /** For the log and for errors: what the step brings. */
  brings: string;
  sql: string;
}

/** The step at index n brings a file from version n to n + 1. */
export const migrations: readonly Migration[] = [
  {
    brings: 'tag indexes, snapshots, keyed values',
    sql: `
      CREATE TABLE tag(idx INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, UNIQUE(id, type)) STRICT;
      CREATE TABLE snapshot(name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
      CREATE TABLE kv(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
  },
  {
    brings: 'the sequence up to which a snapshot holds what the journal says',
    sql: 'ALTER TABLE snapshot ADD COLUMN seq INTEGER NOT NULL DEFAULT 0',
  },
  {
    brings: 'the names that renamed tags had',
    sql: 'CREATE TABLE former(idx INTEGER NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY(idx, id)) STRICT',
  },
];

/** The steps that a file of version `from` (0: new) lacks. Throws in words when a newer program wrote it. */
export function lacking(from: number, steps: readonly Migration[] = migrations): { to: number; step: Migration }[] {
  if (from > steps.length)
    throw new Error(
      `state.db has version ${from}, this program knows ${steps.length}: start the newer version that wrote it`,
    );
  return steps.slice(from).map((step, at) => ({ to: from + at + 1, step }));
}

/** Of the backups among these file names those beyond the newest `keep`, oldest first. */
export function outdated(names: readonly string[], keep: number): string[] {
  const stamp = (name: string): string => /^state-v\d+-(\d{8}T\d{9}Z)\.db$/.exec(name)?.[1] ?? '';
  const backups = names.filter((name) => stamp(name) !== '').sort((a, b) => (stamp(a) < stamp(b) ? -1 : 1));
  return backups.slice(0, Math.max(0, backups.length - keep));
}

/** Of these file names those that a copy leaves which is cut short by a crash. */
export const cutShort = (names: readonly string[]): string[] =>
  names.filter((name) => /^state-v\d+-\w+\.db\.part/.test(name));

/** @param now ms since the epoch */
export function backupName(version: number, now: number): string {
  return `state-v${version}-${new Date(now).toISOString().replace(/[-:.]/g, '')}.db`;
}
