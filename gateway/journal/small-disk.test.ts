// A simulated disk of a few megabytes that others fill and free at any moment, under a whole journal: property test.
import { expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Drop } from './consumers.ts';
import type { DiskLog } from './disk-log.ts';
import { DiskGuard } from './guard.ts';
import type { FrameMeta } from './head.ts';
import { openSegments } from './segments.ts';
import { SmallDisk } from './small-disk.ts';
import { Line, accountsOf, owedTo, scratch, seeded } from './testing.ts';

const TOTAL = 1_000_000;

interface Life {
  log: DiskLog;
  guard: DiskGuard;
  clock: ManualClock;
  dropped: Map<string, number>;
}
function open(dataDir: string, disk: SmallDisk): Life {
  const clock = new ManualClock();
  const dropped = new Map<string, number>();
  const log = openSegments({
    dataDir,
    cap: TOTAL / 2,
    segmentBytes: 16_384,
    memoryBytes: 100_000,
    clock,
    files: disk.files,
    dropped: ({ consumer, samples }: Drop) => dropped.set(consumer, (dropped.get(consumer) ?? 0) + samples),
  });
  const folder = `${dataDir}/journal`;
  const acts = { shrink: () => {}, entered: () => {} };
  const guard = new DiskGuard({ files: disk.files, folder, clock, log, cap: TOTAL / 2, least: 32_768, ...acts });
  log.add('historian', 1, { own: { position: 0, delivered: 0 } });
  log.add('slow', 1);
  return { log, guard, clock, dropped };
}
/** What is read is delivered, to the last frame. */
function drain(log: DiskLog, name: string, bytes: number): void {
  log.deliver(
    name,
    log.read(name, bytes, log.durable).map(({ meta }) => meta),
  );
}

test('others fill the disk and free it again, at any moment: the ledger holds throughout, and everything comes right', async () => {
  const random = seeded(7);
  let fullest = Infinity;
  let stops = 0;
  let lost = 0;
  for (let life = 0; life < 8; life++) {
    const place = scratch();
    const disk = new SmallDisk(TOTAL);
    const { log, guard, clock, dropped } = open(place.dir, disk);
    const line = new Line('press');
    const said: FrameMeta[] = [];
    let next = log.start;
    const say = (samples: number): void => {
      const { bytes, meta } = line.next(next++, samples);
      log.append(bytes, meta);
      said.push(meta);
    };
    for (let step = 0; step < 150; step++) {
      const dice = random();
      if (dice < 0.1) disk.others = random() < 0.5 ? 0 : Math.floor(TOTAL * (0.7 + 0.4 * random()));
      // As the pipeline does it: in the last step samples are shed, and events go on.
      if (guard.state.step === 'stop') line.shed(100);
      for (let i = random() * 8; i > 0; i--) say(guard.state.step === 'stop' ? 0 : 100);
      if (dice > 0.5) drain(log, 'historian', 40_000);
      if (dice > 0.9) drain(log, 'slow', 10_000);
      await clock.advance(1100);
      await log.sync().catch(() => guard.look(true));
      guard.look();
      fullest = Math.min(fullest, disk.free);
      if (guard.state.step === 'stop') stops++;
      for (const name of ['historian', 'slow']) {
        const { journalled, delivered, dropped: gone, backlog } = log.account(name);
        expect(delivered + gone + backlog.samples).toBe(journalled);
        expect(gone).toBe(dropped.get(name) ?? 0);
      }
    }
    disk.others = 0;
    say(20);
    for (let i = 0; i < 3; i++) {
      await clock.advance(5000);
      guard.look();
      await log.sync();
    }
    await expect.poll(() => guard.state.reserve).toBe(true);
    expect(log.health().trouble).toBe('');
    expect(guard.state).toMatchObject({ step: 'ok', trouble: '' });
    expect(log.durable).toBe(next);
    expect(log.sources()).toEqual(accountsOf(said));
    const { received, rejected, journalled, shed } = line.counts;
    expect(rejected + journalled + shed).toBe(received);
    const { dropped: gone, backlog } = log.account('slow');
    lost += gone;
    const owed = owedTo(log, 'slow');
    expect(owed.length).toBe(backlog.frames);
    await log.close();

    const again = openSegments({ dataDir: place.dir, cap: TOTAL / 2 });
    again.add('slow', 1);
    expect(again.account('slow')).toMatchObject({ dropped: gone, backlog: { frames: owed.length } });
    expect(owedTo(again, 'slow')).toEqual(owed);
    expect(again.sources()).toEqual(accountsOf(said));
    place.clear();
  }
  expect(fullest).toBe(0);
  expect(stops).toBeGreaterThan(50);
  expect(lost).toBeGreaterThan(0);
});
