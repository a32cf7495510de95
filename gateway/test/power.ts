// A power cut: the numbered writer works on a file system of its own in an image file, is frozen at a random moment, and
// the image is copied as it is then: what was never flushed is not in it. The copy is mounted and the journal opened.
// Called by the power test (a few cuts) and by the soak (many). Needs root, to mount.
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeFrame } from '../journal/frame.ts';
import { openSegments } from '../journal/segments.ts';
import type { Durability } from '../journal/segments.ts';
import { scratch } from './rig.ts';

const IMAGE_BYTES = 96 * 1024 * 1024;

export interface Cut {
  /** Numbers given by the writer, acknowledged to it, and acknowledged but gone after the cut. */
  given: number;
  acknowledged: number;
  lost: number;
  /** Numbers found more than once. */
  twice: number;
  /** ms between giving the first number that did not survive and the cut; 0 when all did. */
  window: number;
}

/** @param asking share of appends whose writer waits for them to be durable: without any, only the interval syncs */
export async function cutPower(
  durability: Durability,
  asking: number,
  random: () => number = Math.random,
): Promise<Cut> {
  const folder = scratch();
  const [image, disk, after] = ['image', 'disk', 'after'].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ];
  const copy = `${image}.copy`;
  const mounted: string[] = [];
  const mount = (file: string, at: string): void => {
    mkdirSync(at);
    execFileSync('mount', ['-o', 'loop', file, at]);
    mounted.push(at);
  };
  let child: ChildProcess | undefined;
  try {
    writeFileSync(image, '');
    truncateSync(image, IMAGE_BYTES);
    execFileSync('mkfs.ext4', ['-q', '-F', image]);
    mount(image, disk);
    const life = begin(disk, durability, asking, Math.floor(random() * 2 ** 31));
    child = life.child;
    await life.up;
    await new Promise((resolve) => setTimeout(resolve, 1200 + random() * 1200));
    child.kill('SIGSTOP');
    const cutAt = Date.now();
    copyFileSync(image, copy);
    child.kill('SIGKILL');
    await once(child, 'close');
    mount(copy, after);
    return judge(life.text(), numbersIn(after), cutAt);
  } finally {
    child?.kill('SIGKILL');
    for (const at of mounted) execFileSync('umount', [at]);
    rmSync(copy, { force: true });
    folder.remove();
  }
}

function begin(
  dir: string,
  durability: Durability,
  asking: number,
  seed: number,
): { child: ChildProcess; up: Promise<void>; text(): string } {
  const script = fileURLToPath(new URL('./numbered.ts', import.meta.url));
  const origin = (Math.floor(Date.now() / 3_600_000) - 2) * 3_600_000_000;
  const env = { ...process.env, NODE_OPTIONS: '', VITEST: '' };
  const child = spawn(process.execPath, [script, dir, '0', String(seed), String(origin), durability, String(asking)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const up = new Promise<void>((resolve, reject) => {
    child.once('close', () => reject(new Error('the writer ended by itself')));
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('up ')) resolve();
    });
  });
  return { child, up, text: () => text };
}

/** Every number in the journal's frames, in order. */
function numbersIn(dir: string): number[] {
  const log = openSegments({ dataDir: dir, cap: 1e9 });
  log.add('all', 1);
  return log.read('all', 1e9).flatMap(({ bytes }) => {
    const result = decodeFrame(bytes);
    if (!result.ok) throw new Error(result.message);
    return result.frame.samples.map(({ value }) => value as number);
  });
}

function judge(text: string, found: readonly number[], cutAt: number): Cut {
  const held = new Set(found);
  const given = [...text.matchAll(/^at (\d+) (\d+)\n/gm)].map(([, n, ms]) => ({ n: Number(n), ms: Number(ms) }));
  const acknowledged = Math.max(0, ...[...text.matchAll(/^ack (\d+)\n/gm)].map(([, n]) => Number(n)));
  let lost = 0;
  for (let n = 0; n < acknowledged; n++) if (!held.has(n)) lost++;
  // A batch is whole or not there: its first number tells of all.
  const first = given.find(({ n }) => !held.has(n));
  return {
    given: given.at(-1)?.n ?? 0,
    acknowledged,
    lost,
    twice: found.length - held.size,
    window: first ? cutAt - first.ms : 0,
  };
}
