// What is in the place of history.db when somebody looks at it: each is a sentence, and nothing is changed by looking.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { folder } from '../../test/folder.ts';
import { openFile, openToRead } from './file.ts';

const made =
  (sql: string) =>
  (path: string): void => {
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
  };

test.each<[string, (path: string) => void, RegExp]>([
  ['a folder', (path) => mkdirSync(path), /history\.db is no file: move it away$/],
  ['an empty file', (path) => writeFileSync(path, ''), /is empty: the gateway begins a new history in it/],
  ['another program’s', made('CREATE TABLE customers(a)'), /is a database of another program: move it away/],
  ['one like ours', made('CREATE TABLE chunk(a); PRAGMA user_version=1'), /is a database of another program/],
  ['the first shape', made('CREATE TABLE sample(a); CREATE TABLE kv(a)'), /older version: start the gateway once$/],
  [
    'a newer one',
    made('CREATE TABLE chunk(a); CREATE TABLE account(a); PRAGMA user_version=9'),
    /has version 9, this program knows \d+: start the newer/,
  ],
  ['no database', (path) => writeFileSync(path, 'just some text, of which there is a little'), /not a database/],
])('%s', (_what, make, words) => {
  const dataDir = folder();
  make(join(dataDir, 'history.db'));
  expect(() => openToRead(dataDir)).toThrow(words);
  expect(readdirSync(dataDir)).toEqual(['history.db']);
});

test('one of ours', () => {
  const dataDir = folder();
  openFile(dataDir).db.close();
  const db = openToRead(dataDir);
  expect(db.prepare('SELECT count(*) AS n FROM chunk').get()).toEqual({ n: 0 });
  db.close();
});
