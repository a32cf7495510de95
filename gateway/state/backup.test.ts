// Backup and restore over real folders and processes: what is saved comes back whatever happened meanwhile, an archive
// that is damaged or foreign is refused before anything is touched, and nothing half done is left behind.
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needs } from '../test/needs.ts';
import { RESTORING, STAGING, archive, backupsOf, isState, stage } from './backup.ts';
import { lockDataDir } from './lock.ts';
import { newer, restore } from './restore.ts';
import { BLOCK, readHeader, tarHeader } from './tar.ts';

const never = new AbortController().signal;
const known = { version: '1.2.3', schemas: { 'state.db': 2, 'history.db': 1 } };
let dir: string;
let data: string;
let file: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'penstock-backup-'));
  data = join(dir, 'data');
  file = join(dir, 'saved.tar');
  mkdirSync(join(data, 'journal'), { recursive: true });
  const state = new DatabaseSync(join(data, 'state.db'));
  state.exec('PRAGMA journal_mode=WAL; CREATE TABLE kv(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT');
  state.exec("INSERT INTO kv VALUES('sequence', '16777216'); PRAGMA user_version=2");
  state.close();
  const history = new DatabaseSync(join(data, 'history.db'));
  history.exec('PRAGMA journal_mode=WAL; CREATE TABLE sample(t INTEGER); PRAGMA user_version=1');
  history.close();
  writeFileSync(join(data, 'journal', '1.seg'), Buffer.alloc(3 * BLOCK + 7, 5));
  writeFileSync(join(data, 'journal', 'positions'), 'one');
  mkdirSync(join(data, 'dead-letters'));
  writeFileSync(join(data, 'dead-letters', 'postgres.ndjson'), '');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function save(version = '1.2.3', meanwhile: () => void = () => {}): Promise<void> {
  const staged = await stage(data, never);
  meanwhile();
  try {
    for await (const bytes of archive(staged, version, never)) appendFileSync(file, bytes);
  } finally {
    await staged.remove();
  }
}
const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    ['journal/1.seg', 'journal/positions', 'dead-letters/postgres.ndjson'].map((name) => [
      name,
      readFileSync(join(folder, name), 'latin1'),
    ]),
  );
/** Without what SQLite keeps beside a database that is read. */
const names = (): string[] =>
  readdirSync(data)
    .filter((name) => !/-(wal|shm)$/.test(name))
    .sort();
const sequence = (): unknown => {
  const db = new DatabaseSync(join(data, 'state.db'), { readOnly: true });
  try {
    return db.prepare("SELECT value FROM kv WHERE key = 'sequence'").get()?.value;
  } finally {
    db.close();
  }
};

test('what is saved comes back, what was there is set aside, and no sequence comes twice', async () => {
  const before = contents(data);
  await save();
  writeFileSync(join(data, 'journal', '1.seg'), 'later');
  writeFileSync(join(data, 'journal', '2.seg'), 'later still');
  const { manifest, aside } = await restore(file, data, known, never);
  expect(contents(data)).toEqual(before);
  expect(existsSync(join(data, 'journal', '2.seg'))).toBe(false);
  expect(readFileSync(join(aside ?? '', 'journal', '2.seg'), 'utf8')).toBe('later still');
  expect(manifest).toMatchObject({ version: '1.2.3', schemas: { 'state.db': 2, 'history.db': 1 } });
  expect(sequence()).toBe(String(16_777_216 + 2 ** 32));
  expect(names()).toEqual([
    expect.stringMatching(/^before-restore-/),
    'dead-letters',
    'history.db',
    'journal',
    'state.db',
  ]);
});

test('what is written while the archive is read is not in it; segments may grow and shrink meanwhile', async () => {
  const segment = join(data, 'journal', '1.seg');
  const before = readFileSync(segment);
  await save('1.2.3', () => {
    appendFileSync(segment, 'more');
    writeFileSync(join(data, 'journal', 'positions.tmp'), 'two');
  });
  await restore(file, data, known, never);
  expect(readFileSync(segment)).toEqual(before);
  rmSync(file);
  await save('1.2.3', () => truncateSync(segment, 10));
  await restore(file, data, known, never);
  expect(readFileSync(segment)).toEqual(Buffer.concat([before.subarray(0, 10), Buffer.alloc(before.length - 10)]));
});

test('a segment that leaves the journal while the databases are copied is in it, and one that comes then, too', async () => {
  const history = new DatabaseSync(join(data, 'history.db'));
  history.exec('CREATE TABLE large(x BLOB); INSERT INTO large VALUES(zeroblob(12000000))');
  history.close();
  let moved = false;
  const told: [number, number][] = [];
  const staged = await stage(data, never, (done, total) => {
    told.push([done, total]);
    if (moved) return;
    moved = true;
    rmSync(join(data, 'journal', '1.seg'));
    writeFileSync(join(data, 'journal', '2.seg'), 'new');
    writeFileSync(join(data, 'journal', 'positions.tmp'), 'two');
    renameSync(join(data, 'journal', 'positions.tmp'), join(data, 'journal', 'positions'));
  });
  for await (const bytes of archive(staged, '1.2.3', never)) appendFileSync(file, bytes);
  await staged.remove();
  expect(told.length).toBeGreaterThan(1);
  for (const [done, total] of told) expect(done).toBeLessThanOrEqual(total);
  await restore(file, data, known, never);
  expect(readdirSync(join(data, 'journal')).sort()).toEqual(['1.seg', '2.seg', 'positions']);
  expect(readFileSync(join(data, 'journal', 'positions'), 'utf8')).toBe('two');
});

test('one backup at a time; the next one may begin when its files are removed', async () => {
  const take = backupsOf(data, '1.2.3');
  const first = await take(never, () => {});
  await expect(take(never, () => {})).rejects.toThrow(/being taken already/);
  await first.remove();
  await (await take(never, () => {})).remove();
  rmSync(join(data, 'state.db'));
  rmSync(join(data, 'history.db'));
  for (let i = 0; i < 2; i++) await expect(take(never, () => {})).rejects.toThrow(/no gateway's state/);
});

needs('root')('what root restores belongs to the folder’s owner', async () => {
  await save();
  chownSync(data, 65_534, 65_534);
  await restore(file, data, known, never);
  for (const name of ['state.db', 'journal', 'journal/1.seg'])
    expect(statSync(join(data, name)).uid, name).toBe(65_534);
});

test('other programs read the archive', async () => {
  await save();
  const names = execFileSync('tar', ['tf', file], { encoding: 'utf8' }).trim().split('\n').sort();
  expect(names).toEqual(
    [
      'dead-letters/postgres.ndjson',
      'history.db',
      'journal/1.seg',
      'journal/positions',
      'manifest.json',
      'state.db',
    ].sort(),
  );
});

const manifestAt = (): number => readFileSync(file).indexOf('manifest.json');
test.each<[string, () => void, RegExp]>([
  ['cut in a file', () => truncateSync(file, 5000), /cut short/],
  ['cut before its manifest', () => truncateSync(file, manifestAt()), /manifest is missing/],
  [
    'with a flipped bit in a database',
    () => flip(readFileSync(file).indexOf('SQLite format 3') + 2000),
    /not what was saved/,
  ],
  ['with a flipped bit in a header', () => flip(3), /wrong sum/],
  ['that is something else', () => writeFileSync(file, 'a'.repeat(9000)), /no backup/],
  ['that is empty', () => writeFileSync(file, ''), /manifest is missing/],
  [
    'with a name that leads out',
    () => rename('dead-letters/postgres.ndjson', '../dead-letters/post'),
    /named "..\/dead/,
  ],
  ['with an absolute name', () => rename('dead-letters/postgres.ndjson', '/etc/letters'), /named "\/etc\/letters"/],
])('an archive %s is refused, and nothing has changed', async (_name, spoil, reason) => {
  await save();
  const before = contents(data);
  spoil();
  await expect(restore(file, data, known, never)).rejects.toThrow(reason);
  expect(contents(data)).toEqual(before);
  expect(sequence()).toBe('16777216');
  expect(readdirSync(data).filter((name) => name.startsWith(STAGING) || name === RESTORING)).toEqual([]);
});
function flip(at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}
function rename(from: string, to: string): void {
  const bytes = readFileSync(file);
  for (let at = 0; at < bytes.length; at += BLOCK) {
    if (bytes.toString('latin1', at, at + from.length) !== from) continue;
    tarHeader(to, readHeader(bytes.subarray(at, at + BLOCK))?.size ?? 0, 0).copy(bytes, at);
    break;
  }
  writeFileSync(file, bytes);
}

test.each([
  ['a newer program', { ...known, version: '1.2.2' }, /made by penstock 1.2.3, this is 1.2.2/],
  [
    'a newer state',
    { ...known, schemas: { 'state.db': 1, 'history.db': 1 } },
    /state.db has version 2, this program knows 1/,
  ],
])('a backup of %s is refused', async (_name, program, reason) => {
  await save();
  await expect(restore(file, data, program, never)).rejects.toThrow(reason);
  expect(sequence()).toBe('16777216');
});

test.each([
  ['1.10.0', '1.9.3', true],
  ['1.2.3', '1.2.3', false],
  ['1.2.2', '1.2.3', false],
  ['2.0.0', '1.9.9', true],
  ['1.2.3-rc', '1.2.3', false],
])('%s newer than %s: %s', (one, other, is) => expect(newer(one, other)).toBe(is));

test('both end with their signal and leave nothing behind', async () => {
  await save();
  const stop = new AbortController();
  stop.abort(new Error('stopped'));
  await expect(stage(data, stop.signal)).rejects.toThrow('stopped');
  await expect(restore(file, data, known, stop.signal)).rejects.toThrow('stopped');
  expect(names()).toEqual(['dead-letters', 'history.db', 'journal', 'state.db']);
});

test('a folder without a gateway in it is no backup', async () => {
  mkdirSync(join(dir, 'empty'));
  await expect(stage(join(dir, 'empty'), never)).rejects.toThrow(/holds no gateway's state/);
});

test('over half a restore nothing starts; what a backup left behind is removed', () => {
  mkdirSync(join(data, `${STAGING}abc`));
  writeFileSync(join(data, RESTORING), '');
  expect(() => lockDataDir(data)).toThrow(/was cut short: run penstock restore again/);
  lockDataDir(data, 'restore').release();
  expect(existsSync(join(data, `${STAGING}abc`))).toBe(false);
});

test.each([
  ['journal/1.seg', true],
  ['config.d/a.yaml', true],
  ['state.db-wal', false],
  ['journal/reserve', false],
  ['lock', false],
  ['journal/positions.tmp', false],
  [`${STAGING}x/state.db`, false],
  ['before-restore-1/journal/1.seg', false],
])('%s is part of the state: %s', (name, is) => expect(isState(name)).toBe(is));

test.each([0, 511, 512, 8 ** 11 - 1, 8 ** 11, 2 ** 45])('a header holds a size of %d', (size) => {
  expect(readHeader(tarHeader('a/b', size, 0))).toEqual({ name: 'a/b', size });
});
