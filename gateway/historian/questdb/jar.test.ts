// How the jar of QuestDB is fetched, with a Maven of the test's own: once, whole, and with words when it fails.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { questdbJar, version } from './jar.ts';

let dir: string;
const { PATH } = process.env;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'penstock-jar-'))));
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(dir, { recursive: true, force: true });
});
/** A Maven that counts how often it is asked. */
function maven(script: string): string {
  mkdirSync(join(dir, 'bin'));
  writeFileSync(join(dir, 'bin', 'mvn'), `#!/bin/sh\necho asked >>${dir}/asked\n${script}\n`);
  chmodSync(join(dir, 'bin', 'mvn'), 0o755);
  process.env.PATH = `${join(dir, 'bin')}:${PATH}`;
  return join(dir, 'cache');
}
const fetches = `for each; do case $each in -DoutputDirectory=*) folder=\${each#*=};; esac; done
sleep 0.2; mkdir -p $folder; echo jar >$folder/questdb-${version}.jar`;
const asked = (): number => readFileSync(join(dir, 'asked'), 'utf8').split('\n').length - 1;

test('asked for by many at once it is fetched once; later it is there', async () => {
  const cache = maven(fetches);
  const jars = await Promise.all([questdbJar(cache), questdbJar(cache), questdbJar(cache)]);
  expect(new Set(jars)).toEqual(new Set([join(cache, `questdb-${version}.jar`)]));
  await questdbJar(cache);
  expect(asked()).toBe(1);
  expect(readdirSync(cache)).toEqual([`questdb-${version}.jar`]);
});

test('a download that died with its process is begun anew', async () => {
  const cache = maven(fetches);
  mkdirSync(cache);
  const gone = spawnSync('true').pid;
  writeFileSync(join(cache, `questdb-${version}.jar.lock`), String(gone));
  expect(existsSync(await questdbJar(cache))).toBe(true);
});

test('what Maven says is said, and nothing is left behind', async () => {
  const cache = maven('echo no such artifact; exit 1');
  await expect(questdbJar(cache)).rejects.toThrow(/could not fetch QuestDB.*no such artifact/);
  expect(readdirSync(cache)).toEqual([]);
});
