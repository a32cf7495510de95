// state.db: tag indexes over restarts and renames, snapshots, and the lock that keeps a second process out.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Locked, lockDataDir } from './lock.ts';
import { openState } from './state.ts';
import type { TagClaim } from './state.ts';

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'penstock-state-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Assigns in a database opened for the purpose, as a start would. */
function assign(...tags: TagClaim[]): Record<string, number> {
  const state = openState(dir, 0);
  const { indexes } = state.assign(tags, 5);
  state.close();
  return Object.fromEntries(indexes);
}
const double = (id: string, formerly?: string): TagClaim => ({ id, type: 'double', formerly });

test('a file that is no database is said with what to do, and stays', () => {
  writeFileSync(join(dir, 'state.db'), 'something else\n'.repeat(400));
  expect(() => openState(dir, 0)).toThrow(/state\.db cannot be read or written .* penstock restore/);
});

describe('tag indexes', () => {
  test('stay over a restart and are never reused', () => {
    expect(assign(double('n/a'), double('n/b'))).toEqual({ 'n/a': 0, 'n/b': 1 });
    expect(assign(double('n/a'))).toEqual({ 'n/a': 0 });
    expect(assign(double('n/c'), double('n/a'))).toEqual({ 'n/c': 2, 'n/a': 0 });
    expect(assign(double('n/b'))).toEqual({ 'n/b': 1 });
  });

  test('that a history has go on when the state is lost; a state that has its own keeps them', () => {
    const known = ['n/x', 'n/y'].map((id, i) => ({ index: 3 + i, id, type: 'double' as const }));
    const state = openState(dir, 0);
    expect(state.adopt(known)).toBe(2);
    expect(Object.fromEntries(state.assign([double('n/a'), double('n/y')], 5).indexes)).toEqual({ 'n/a': 5, 'n/y': 4 });
    expect(state.adopt([{ index: 9, id: 'n/b', type: 'double' }])).toBe(0);
    state.close();
    expect(assign(double('n/b'), double('n/x'))).toEqual({ 'n/b': 6, 'n/x': 3 });
  });

  test('formerly carries the index over a rename, once and for all', () => {
    assign(double('n/a'), double('n/b'));
    expect(assign(double('n/z', 'n/a'), double('n/b'))).toEqual({ 'n/z': 0, 'n/b': 1 });
    expect(assign(double('n/z', 'n/a'), double('n/b'))).toEqual({ 'n/z': 0, 'n/b': 1 });
    expect(assign(double('n/a'), double('n/z'))).toEqual({ 'n/a': 2, 'n/z': 0 });
  });

  test('the names a tag had are kept with the time until it had them, also when only the configuration tells', () => {
    const state = openState(dir, 0);
    state.assign([double('n/a'), double('n/b'), double('n/new', 'n/gone')], 1);
    state.assign([double('n/b', 'n/a'), double('n/c', 'n/b'), double('n/new', 'n/gone')], 2);
    state.assign([double('n/b', 'n/a'), double('n/c', 'n/b'), double('n/new', 'n/gone')], 3);
    expect(state.tags().map(({ id, former = [] }) => [id, ...former.map((one) => `${one.id} ${one.until}`)])).toEqual([
      ['n/b', 'n/a 2000'],
      ['n/c', 'n/b 2000'],
      ['n/new', 'n/gone 1000'],
    ]);
    state.close();
  });

  test('a chain of renames leaves each tag its own, in either order', () => {
    assign(double('n/a'), double('n/b'));
    expect(assign(double('n/b', 'n/a'), double('n/c', 'n/b'))).toEqual({ 'n/b': 0, 'n/c': 1 });
    expect(assign(double('n/d', 'n/c'), double('n/c', 'n/b'))).toEqual({ 'n/d': 1, 'n/c': 0 });
  });

  test('a tag still in use is not taken over, and a changed type takes a new index', () => {
    assign(double('n/a'));
    expect(assign(double('n/b', 'n/a'), double('n/a'))).toEqual({ 'n/b': 1, 'n/a': 0 });
    expect(assign({ id: 'n/a', type: 'integer' })).toEqual({ 'n/a': 2 });
    expect(assign({ id: 'n/y', type: 'text', formerly: 'n/a' })).toEqual({ 'n/y': 3 });
    expect(assign(double('n/a'))).toEqual({ 'n/a': 0 });
  });

  test('each assignment is a new revision', () => {
    const state = openState(dir, 0);
    const first = state.assign([double('n/a')], 5).revision;
    expect(state.assign([double('n/a')], 5).revision).toBe(first + 1);
    state.close();
  });
});

test('snapshots and values come back after a reopening', () => {
  let state = openState(dir, 0);
  expect(state.snapshot('alarms')).toBeUndefined();
  state.saveSnapshot('alarms', { body: { a: [1, 'x', null] }, seq: 3 });
  state.set('k', 'v1');
  state.set('k', 'v2');
  state.close();
  state = openState(dir, 0);
  expect(state.snapshot('alarms')).toEqual({ body: { a: [1, 'x', null] }, seq: 3 });
  expect(state.get('k')).toBe('v2');
  state.close();
});

describe('the lock', () => {
  test('says of a folder that cannot be used why, and what to do', () => {
    const file = join(dir, 'a-file');
    writeFileSync(file, '');
    for (const folder of [file, join(file, 'below')])
      expect(() => lockDataDir(folder)).toThrow(
        `the data folder ${folder} cannot be used: it is no folder; choose another folder with --data`,
      );
  });

  test('is exclusive within a process, and free after release', () => {
    const lock = lockDataDir(dir);
    expect(() => lockDataDir(dir)).toThrow(Locked);
    lock.release();
    lock.release();
    lockDataDir(dir).release();
  });

  test('is held against another process, named in one sentence, and falls with kill -9', async () => {
    const module = new URL('./lock.ts', import.meta.url).href;
    const code = `const { lockDataDir } = await import(${JSON.stringify(module)});
      lockDataDir(process.argv[1]); console.log('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      expect(() => lockDataDir(dir)).toThrow(`(process ${child.pid})`);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    lockDataDir(dir).release();
  });
});
