// `penstock dead-letters` of a store that has none, and of a folder that is no gateway's.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadLetters } from '../historian/dead-letters.ts';
import { deadLettersCommand } from './dead-letters.ts';

let dir: string;
let said: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'penstock-letters-'));
  said = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true, force: true });
});

test.each([['show'], ['replay']])('%s of a store without letters names those that have some', async (act) => {
  mkdirSync(join(dir, 'journal'));
  expect(await deadLettersCommand([act, 'postgers', '--data', dir])).toBe(0);
  await deadLetters(dir, 'postgres').append([{ reason: 'too long', table: 'readings', at: 0, row: { tag: 'a/b/c' } }]);
  expect(await deadLettersCommand([act, 'postgers', '--data', dir])).toBe(0);
  expect(said).toEqual([
    `no dead letters of postgers in ${dir}`,
    `no dead letters of postgers in ${dir}; there are some of postgres`,
  ]);
});

test.each([['list'], ['show'], ['replay']])('%s of a folder that no gateway has used is refused', async (act) => {
  const command = act === 'list' ? [act] : [act, 'questdb'];
  await expect(deadLettersCommand([...command, '--data', dir])).rejects.toThrow('name its data folder with --data');
  expect(said).toEqual([]);
});
