// A disk that fills up under the running writer thread and is freed again: a small tmpfs of the test's own. Everything
// taken in while it was full waits in memory, is acknowledged when there is room, and the sums hold. Needs root, to mount.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import type { GatewayEvent, Sample } from '../model.ts';
import { openWriter } from '../writer.ts';
import type { Writer } from '../writer.ts';
import { needs } from './needs.ts';
import { eventually, scratch } from './rig.ts';

const folder = scratch();
const disk = join(folder.path, 'disk');
let mounted = false;
afterEach(() => {
  if (mounted) execFileSync('umount', [disk]);
  mounted = false;
  folder.remove();
});

/** A writer over 48 MB. */
function onSmallDisk(): Promise<Writer> {
  mkdirSync(disk, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', disk]);
  mounted = true;
  return openWriter({
    dataDir: disk,
    journalCap: 16 << 20,
    onDeath(error) {
      throw error;
    },
  });
}

/** Takes every byte that is left. */
function fill(path: string): void {
  const fd = openSync(path, 'w');
  try {
    for (let block = 1 << 20; block >= 1;) {
      try {
        if (writeSync(fd, Buffer.alloc(block)) < block) block >>= 1;
      } catch {
        block >>= 1;
      }
    }
  } finally {
    closeSync(fd);
  }
}

needs('root', 'mount', 'umount')(
  'a disk that fills up and is freed costs no sample',
  async () => {
    const writer = await onSmallDisk();
    const { indexes, revision } = await writer.assign([{ id: 'north/pump-1/flow', type: 'double' }]);
    const tag = indexes.get('north/pump-1/flow') as number;
    await writer.use([{ index: tag, id: 'north/pump-1/flow', type: 'double' }], revision);
    const feed = feeder(writer, tag);

    await feed.for(500);
    await feed.durable();
    const filler = join(disk, 'filler');
    fill(filler);
    expect(statfsSync(disk).bavail).toBe(0);
    const beforeFull = feed.given();
    const during = feed.for(3000);
    const told = await eventually(
      async () => (await writer.stats()).journal.trouble,
      (trouble) => trouble !== '',
    );
    expect(told).toMatch(/wait in memory|cannot be/);
    await during;
    expect(feed.given()).toBeGreaterThan(beforeFull);
    rmSync(filler);
    await feed.durable();
    await feed.for(200);
    await feed.durable();

    const stats = await eventually(
      () => writer.stats(),
      ({ account, journal }) => account.backlog.frames === 0 && journal.trouble === '',
    );
    const { journalled, delivered, dropped, backlog } = stats.account;
    expect({ journalled, dropped, backlog: backlog.samples }).toEqual({
      journalled: feed.given(),
      dropped: 0,
      backlog: 0,
    });
    expect(delivered).toBe(journalled);
    await writer.close();
  },
  60_000,
);

needs('root', 'mount', 'umount')(
  'on a full disk samples are shed by then, and an event is stored all the same, out of the reserve',
  async () => {
    const writer = await onSmallDisk();
    const steps: string[] = [];
    writer.onDisk((step) => steps.push(step));
    const reserve = join(disk, 'journal', 'reserve');
    await eventually(
      () => existsSync(reserve),
      (there) => there,
    );
    const filler = join(disk, 'filler');
    fill(filler);
    const event: GatewayEvent = { kind: 'clock', id: 'full', time: Date.now(), message: 'on a full disk' };
    const seq = writer.journal.append({ origin: 'live', source: 'gateway', samples: [], events: [event] });
    await writer.journal.durable(seq);
    expect(steps).toEqual(['ok', 'stop']);
    expect(existsSync(reserve)).toBe(false);
    const { disk: state, journal } = await writer.stats();
    expect(state.reason).toMatch(/full.*no longer stored/);
    expect(journal.trouble).toBe('');
    rmSync(filler);
    await eventually(
      () => existsSync(reserve),
      (there) => there,
    );
    expect(steps).toEqual(['ok', 'stop', 'ok']);
    await writer.close();
    const again = await openWriter({ dataDir: disk, onDeath() {} });
    expect((await again.loadAlarms()).events).toContainEqual(event);
    await again.close();
  },
  60_000,
);

/** Numbers as samples, a batch every few milliseconds. */
function feeder(
  writer: Writer,
  tag: number,
): { for(ms: number): Promise<void>; durable(): Promise<void>; given(): number } {
  const origin = (Math.floor(Date.now() / 3_600_000) - 2) * 3_600_000_000;
  let next = 0;
  let last = 0;
  return {
    given: () => next,
    async for(ms) {
      for (const end = performance.now() + ms; performance.now() < end;) {
        const samples = Array.from({ length: 20 }, (): Sample => {
          const n = next++;
          return { tag, t: origin + n * 1000, receivedAt: origin, value: n, status: 0, flags: 0 };
        });
        last = writer.journal.append({ origin: 'live', source: 'line', samples, events: [] });
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
    durable: () => writer.journal.durable(last),
  };
}
