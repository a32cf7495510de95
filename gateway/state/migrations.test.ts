// state.db over its versions: a real file of version 1 is brought up to date, copied first, or left as it was.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backupName, lacking, migrations, outdated } from './migrations.ts';
import { openState } from './state.ts';

const now = Date.UTC(2026, 10, 21, 12, 30, 5, 7);
let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'penstock-state-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** As the first release wrote it. */
function versionOne(): void {
  const db = new DatabaseSync(join(dir, 'state.db'));
  db.exec(`
    CREATE TABLE tag(idx INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, UNIQUE(id, type)) STRICT;
    CREATE TABLE snapshot(name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    CREATE TABLE kv(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    INSERT INTO tag VALUES(7, 'n/a', 'double');
    INSERT INTO snapshot VALUES('alarms', '{"last":"x","alarms":[]}');
    INSERT INTO kv VALUES('revision', '12');
    PRAGMA user_version=1`);
  db.close();
}
const versionOf = (name: string): unknown => {
  const db = new DatabaseSync(join(dir, name), { readOnly: true });
  const found = db.prepare('PRAGMA user_version').get()?.user_version;
  db.close();
  return found;
};
const backups = (): string[] => readdirSync(dir).filter((name) => name.startsWith('state-'));

test.each([
  [0, migrations.map((_, at) => at + 1)],
  [1, migrations.slice(1).map((_, at) => at + 2)],
  [migrations.length, []],
])('a file of version %i lacks the steps to %j', (from, to) => {
  expect(lacking(from).map((step) => step.to)).toEqual(to);
});

test.each<[string[], number, string[]]>([
  [[], 3, []],
  [['state.db', 'state-v1-20260101T000000000Z.db', 'state-vx.db'], 1, []],
  [
    ['state-v9-20260103T000000000Z.db', 'state-v10-20260101T000000000Z.db', 'state-v9-20260102T000000000Z.db'],
    1,
    ['state-v10-20260101T000000000Z.db', 'state-v9-20260102T000000000Z.db'],
  ],
])('of %j all but the newest %i go', (names, keep, gone) => {
  expect(outdated(names, keep)).toEqual(gone);
});

test('a file of version 1 is copied, brought up to date, and keeps what it knew', () => {
  versionOne();
  // What a copy left that a crash cut short.
  for (const left of ['.part', '.part-journal']) writeFileSync(join(dir, `${backupName(1, now - 1)}${left}`), 'half');
  const state = openState(dir, now);
  expect(state.snapshot('alarms')).toEqual({ body: { last: 'x', alarms: [] }, seq: 0 });
  expect(state.assign([{ id: 'n/a', type: 'double' }], 5)).toEqual({ indexes: new Map([['n/a', 7]]), revision: 13 });
  state.saveSnapshot('alarms', { body: 1, seq: 5 });
  state.close();
  expect(versionOf('state.db')).toBe(migrations.length);
  expect(backups()).toEqual([backupName(1, now)]);
  expect(backupName(1, now)).toBe('state-v1-20261121T123005007Z.db');
  const copy = new DatabaseSync(join(dir, backupName(1, now)), { readOnly: true });
  expect(copy.prepare('SELECT value FROM kv').get()).toEqual({ value: '12' });
  copy.close();
  expect(versionOf(backupName(1, now))).toBe(1);
});

test('a new file and one that is up to date need no copy; of copies the newest three stay', () => {
  openState(dir, now).close();
  openState(dir, now).close();
  expect(backups()).toEqual([]);
  for (let day = 0; day < 5; day++) {
    rmSync(join(dir, 'state.db'));
    versionOne();
    openState(dir, now + day * 86_400_000).close();
  }
  expect(backups()).toEqual([2, 3, 4].map((day) => backupName(1, now + day * 86_400_000)));
});

test('without a copy nothing is changed, and the error says what to do', () => {
  versionOne();
  mkdirSync(join(dir, backupName(1, now)));
  mkdirSync(join(dir, backupName(1, now), 'in the way'));
  expect(() => openState(dir, now)).toThrow(/must be copied .* make room in .*; nothing was changed/);
  expect(versionOf('state.db')).toBe(1);
  expect(backups()).toEqual([backupName(1, now)]);
});

test('a step that fails is undone, and said', () => {
  versionOne();
  const db = new DatabaseSync(join(dir, 'state.db'));
  db.exec('ALTER TABLE snapshot ADD COLUMN seq INTEGER');
  db.close();
  expect(() => openState(dir, now)).toThrow(/from version 1 to 2 \(.*duplicate column.*it is as it was/);
  expect(versionOf('state.db')).toBe(1);
});

test('a file of a newer version is refused in words', () => {
  openState(dir, now).close();
  const db = new DatabaseSync(join(dir, 'state.db'));
  db.exec('PRAGMA user_version=99');
  db.close();
  expect(() => openState(dir, now)).toThrow(/version 99/);
});
