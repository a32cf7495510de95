// Kills the numbered writer at random moments, again and again on one data folder, while it stores and forwards, and then
// asks what is left.
// Called by the kill test (a few lives) and by the soak (many).
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeFrame } from '../journal/frame.ts';
import type { Account } from '../journal/log.ts';
import { openSegments } from '../journal/segments.ts';
import { openReader } from '../reader.ts';
import { openWriter } from '../writer.ts';
import type { WriterStats } from '../writer.ts';
import { drained, forwardToFile, forwarded } from './forward.ts';

/** Numbers set aside for a life. */
const GAP = 100_000;

export interface Aftermath {
  lives: number;
  /** Numbers acknowledged in all lives, and those of them that history does not hold. */
  acknowledged: number;
  missing: number;
  /** Numbers in history, those in it with a wrong value, and those counted by its minutes' rollups. */
  stored: number;
  wrong: number;
  rolledUp: number;
  /** Frames of the journal that hold a number which another holds too, and acknowledged numbers in none of them. */
  twice: number;
  lost: number;
  /** Lines of the forwarded file; the same faults there, numbers of the journal that it lacks, and the store's account. */
  file: { lines: number; missing: number; twice: number; wrong: number; account: Account };
  stats: WriterStats;
}

export async function killAgain(lives: number, random: () => number = Math.random): Promise<Aftermath> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-kill-'));
  // Far enough back that no sample of the last life is in the future.
  const back = 2 + Math.ceil((lives * GAP) / 3_600_000);
  const origin = (Math.floor(Date.now() / 3_600_000) - back) * 3_600_000_000;
  const acknowledged = new Set<number>();
  let first = 0;
  try {
    for (let life = 0; life < lives; life++) {
      const { begun, acked } = await live(dir, first, origin, random);
      for (let n = begun; n < acked; n++) acknowledged.add(n);
      // A new life never gives a number again: what was not acknowledged may be there all the same.
      first += GAP;
    }
    return { lives, acknowledged: acknowledged.size, ...(await look(dir, origin, acknowledged)) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function live(
  dir: string,
  first: number,
  origin: number,
  random: () => number,
): Promise<{ begun: number; acked: number }> {
  const script = fileURLToPath(new URL('./numbered.ts', import.meta.url));
  const seed = Math.floor(random() * 2 ** 31);
  const env = { ...process.env, NODE_OPTIONS: '', VITEST: '' };
  const args = [dir, String(first), String(seed), String(origin), 'interval', '0.3', 'forward'];
  const child = spawn(process.execPath, [script, ...args], { env });
  return new Promise((resolve, reject) => {
    let text = '';
    let errors = '';
    let armed = false;
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (armed || !text.includes('up ')) return;
      armed = true;
      setTimeout(() => child.kill('SIGKILL'), random() * 900);
    });
    child.on('close', (_code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`the writer ended by itself: ${errors}`));
      const acks = [...text.matchAll(/^ack (\d+)\n/gm)].map((match) => Number(match[1]));
      resolve({ begun: first, acked: Math.max(first, ...acks) });
    });
  });
}

async function look(
  dir: string,
  origin: number,
  acknowledged: ReadonlySet<number>,
): Promise<Omit<Aftermath, 'lives' | 'acknowledged'>> {
  // Never closed: a look must leave no position behind.
  const log = openSegments({ dataDir: dir, cap: 1e9 });
  log.add('all', 1);
  const seen = new Set<number>();
  let twice = 0;
  for (const { bytes } of log.read('all', 1e9)) {
    const result = decodeFrame(bytes);
    if (!result.ok) throw new Error(result.message);
    for (const { value } of result.frame.samples) {
      if (seen.has(value as number)) twice++;
      seen.add(value as number);
    }
  }
  const lost = [...acknowledged].filter((n) => !seen.has(n)).length;
  const onDeath = (error: Error): never => {
    throw error;
  };
  const writer = await openWriter({ dataDir: dir, onDeath });
  const egress = await forwardToFile(dir, writer, { onDeath });
  let stats = await writer.stats();
  for (let i = 0; i < 500 && stats.account.backlog.frames > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    stats = await writer.stats();
  }
  const reader = await openReader({ dataDir: dir, open: writer.open, onDeath });
  const tag = (await writer.tags())[0]?.index ?? -1;
  const rows: { t: number; value: number }[] = [];
  for (let from = 0, more = true; more;) {
    const page = await reader.raw(tag, from, Number.MAX_SAFE_INTEGER, 100_000);
    page.t.forEach((t, i) => rows.push({ t, value: page.value[i] as number }));
    from = (rows.at(-1)?.t ?? 0) + 1;
    ({ more } = page);
  }
  const held = new Set(rows.map(({ value }) => value));
  const wrong = rows.filter(({ t, value }) => t !== origin + value * 1000).length;
  const last = rows.reduce((newest, { t }) => Math.max(newest, t), origin);
  const [series] = await reader.buckets([tag], origin, last + 1, 60_000_000);
  const rolledUp = series?.n.reduce((sum, n) => sum + n, 0) ?? 0;
  const account = await drained(writer);
  const file = { ...lookAtFile(join(dir, 'out.ndjson'), origin, seen), account };
  await reader.close();
  await egress.close();
  await writer.close();
  const missing = [...acknowledged].filter((n) => !held.has(n)).length;
  return { missing, stored: rows.length, wrong, rolledUp, twice, lost, file, stats };
}

function lookAtFile(path: string, origin: number, all: ReadonlySet<number>): Omit<Aftermath['file'], 'account'> {
  const { numbers, wrong } = forwarded(path, origin);
  const held = new Set(numbers);
  const missing = [...all].filter((n) => !held.has(n)).length;
  return { lines: numbers.length, missing, twice: numbers.length - held.size, wrong };
}
