// Builds the page: `npm run build`, and the demo command before it starts. Skips when nothing changed; writes .br and .gz
// beside every asset for the server to send; fails when the page has grown past what it may weigh.
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const mark = '.built';
/** KB of gzip: what the first view loads, and everything. */
const most = { first: 60, all: 140 };

interface Chunk {
  file: string;
  isEntry?: boolean;
  imports?: string[];
  css?: string[];
}

/**
 * Builds `dashboard/dist` if its sources changed (or `force`). Rejects when the build fails or weighs too much. It is put
 * in place whole: who serves it, or builds it at the same time, never meets half of it.
 */
export async function buildDashboard({ force = false } = {}): Promise<{ built: boolean }> {
  const hash = hashSources();
  if (!force && builtFrom(hash)) return { built: false };
  const beside = join(here, '.vite', `dist-${process.pid}`);
  try {
    await buildInto(beside);
    writeFileSync(join(beside, mark), hash);
    return { built: put(beside, () => !force && builtFrom(hash)) };
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

const builtFrom = (hash: string): boolean =>
  existsSync(join(dist, mark)) && readFileSync(join(dist, mark), 'utf8') === hash;

/** False when another process was first and has put the same there. */
function put(beside: string, there: () => boolean): boolean {
  if (there()) return false;
  const old = `${beside}-old`;
  try {
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(beside, dist);
    return true;
  } catch (error) {
    if (there()) return false;
    throw error;
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
}

async function buildInto(folder: string): Promise<void> {
  const { build } = await import('vite');
  // Under a test runner NODE_ENV is `test`, and Svelte would build its development form.
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  try {
    const output = { outDir: folder, emptyOutDir: true };
    await build({ configFile: join(here, 'vite.config.ts'), root: here, logLevel: 'warn', build: output });
  } finally {
    if (before === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = before;
  }
  for (const file of globSync('**/*.{js,css,html,svg}', { cwd: folder })) {
    const bytes = readFileSync(join(folder, file));
    writeFileSync(join(folder, `${file}.gz`), gzipSync(bytes, { level: 9 }));
    writeFileSync(
      join(folder, `${file}.br`),
      brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    );
  }
  const { first, all } = weigh(folder);
  console.log(`dashboard: first view ${first.toFixed(1)} KB, all ${all.toFixed(1)} KB (gzip)`);
  if (first > most.first || all > most.all) {
    throw new Error(
      `the dashboard weighs too much: first view ${first.toFixed(1)} of ${most.first} KB, all ${all.toFixed(1)} of ${most.all} KB`,
    );
  }
}

/** Gzip sizes in KB (1,024 bytes) of what stands in a folder: the HTML with its entry's scripts and styles, and all of it. */
function weigh(folder = dist): { first: number; all: number } {
  const size = (file: string) => readFileSync(join(folder, `${file}.gz`)).byteLength / 1024;
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<string, Chunk>;
  const files = new Set(['index.html']);
  const take = (chunk: Chunk | undefined) => {
    if (!chunk || files.has(chunk.file)) return;
    files.add(chunk.file);
    for (const css of chunk.css ?? []) files.add(css);
    for (const name of chunk.imports ?? []) take(manifest[name]);
  };
  for (const chunk of Object.values(manifest)) if (chunk.isEntry) take(chunk);
  const every = globSync('**/*.gz', { cwd: folder }).map((file) => file.slice(0, -3));
  const sum = (list: Iterable<string>) => [...list].reduce((total, file) => total + size(file), 0);
  return { first: sum(files), all: sum(every) };
}

function hashSources(): string {
  const hash = createHash('sha256');
  const files = [
    'index.html',
    'vite.config.ts',
    'build.ts',
    ...globSync('{src,public}/**/*', { cwd: here, withFileTypes: true })
      .filter((entry) => entry.isFile() && !/\.test\.ts$/.test(entry.name))
      .map((entry) => relative(here, join(entry.parentPath, entry.name))),
  ].sort();
  files.push('../package-lock.json');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(here, file)))
      .update('\0');
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { built } = await buildDashboard({ force: process.argv.includes('--force') });
    if (!built) console.log('dashboard: nothing changed');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
