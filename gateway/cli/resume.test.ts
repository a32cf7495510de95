// How far an import came, as it is kept: by two imports of the same file at once, and for no other file.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Resume } from './resume.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'penstock-resume-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('two imports of one file keep their marks at once; a file that has changed has none', async () => {
  const file = join(folder, 'readings.csv');
  writeFileSync(file, 'tag,timestamp,value\n');
  const reached = { offset: 10, lines: 1, accepted: 0, rejected: 0, skipped: 0 };
  const both = [new Resume(folder, file), new Resume(folder, file)];
  await Promise.all(Array.from({ length: 10 }, () => both.map((each) => each.save(reached))).flat());
  expect(await both[0]?.read()).toEqual(reached);
  expect(readdirSync(join(folder, 'imports'))).toHaveLength(1);
  writeFileSync(file, 'TAG,timestamp,value\n');
  expect(await both[1]?.read()).toBeUndefined();
});
