// The QuestDB program itself, one jar for Java 17 and newer, fetched by Maven once a machine into a cache folder.
// Called by server.ts; several processes may ask at once and share one download.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fetchFault } from './fault.ts';

export const version = '9.3.4';

const cacheFolder = (): string =>
  process.env.PENSTOCK_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'penstock');

/** Path of the jar. Rejects in words when Maven is not there or cannot fetch it. */
export async function questdbJar(folder = cacheFolder()): Promise<string> {
  const jar = join(folder, `questdb-${version}.jar`);
  const lock = `${jar}.lock`;
  mkdirSync(folder, { recursive: true });
  for (;;) {
    if (statSync(jar, { throwIfNoEntry: false })) return jar;
    if (taken(lock)) await new Promise((resolve) => setTimeout(resolve, 200));
    else break;
  }
  const partial = `${jar}.partial-${process.pid}`;
  try {
    await fetchTo(partial);
    renameSync(join(partial, `questdb-${version}.jar`), jar);
    return jar;
  } finally {
    rmSync(partial, { recursive: true, force: true });
    rmSync(lock, { force: true });
  }
}

/** False when the lock is ours now. */
function taken(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  try {
    // Whoever began may have been killed.
    process.kill(Number(readFileSync(lock, 'utf8')) || process.pid, 0);
  } catch {
    rmSync(lock, { force: true });
  }
  return true;
}

function fetchTo(folder: string): Promise<void> {
  const artifact = `-Dartifact=org.questdb:questdb:${version}`;
  const child = spawn('mvn', ['-q', '-B', 'dependency:copy', artifact, `-DoutputDirectory=${folder}`]);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', ({ message }) =>
      reject(new Error(`Maven is needed to fetch QuestDB once, and "mvn" cannot be run (${message}): install maven`)),
    );
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(fetchFault(version, said)))));
  });
}
