// The journal on a disk that fails: errors at each call, a disk that takes nothing for long, and power that goes at any
// moment. Real files, with faults injected between the journal and them; after each the sums must hold.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Stored } from '../consumer.ts';
import type { Drop } from './consumers.ts';
import type { FrameMeta } from './head.ts';
import { HEADER } from './header.ts';
import type { Found } from './log.ts';
import { openSegments } from './segments.ts';
import type { DiskLog } from './segments.ts';
import { Line, faulty, fill, forgetful, numbered, owedTo, scratch, seeded } from './testing.ts';
import type { Call } from './testing.ts';

let place: ReturnType<typeof scratch>;
beforeEach(() => (place = scratch()));
afterEach(() => place.clear());
const FRAME = numbered(1).bytes.length;
/** Times beyond 2^16 take a byte more. */
const LARGER = numbered(100).bytes.length;
const segmentBytes = HEADER + FRAME * 4;
/** The ledger: what was journalled for a consumer is all accounted for, and each source's account agrees with what was counted. */
const holds = (log: DiskLog, name: string): void => {
  const { journalled, delivered, filtered, deadLettered, dropped, backlog } = log.account(name);
  expect(delivered + filtered + deadLettered + dropped + backlog.samples).toBe(journalled);
  for (const { told, counted } of log.sources().values()) {
    expect(counted).toBe(told.journalled);
    expect(told.rejected + told.journalled).toBe(told.received);
  }
};
const lines = (log: DiskLog): Line[] => ['press', 'oven'].map((name) => new Line(name, log.sources().get(name)?.told));
/** The journal's accounts are what the sources have said. */
const agrees = (log: DiskLog, sources: readonly Line[]): void => {
  for (const { name, counts } of sources)
    expect(log.sources().get(name)).toEqual({ told: counts, counted: counts.journalled });
};
/** What a consumer makes of a write: some samples are filtered, some refused. */
const stored = (frames: readonly Found[]): Stored => {
  const samples = frames.reduce((sum, { meta }) => sum + meta.samples, 0);
  const filtered = Math.floor(samples / 4);
  const deadLettered = Math.floor(samples / 5);
  return { delivered: samples - filtered - deadLettered, filtered, deadLettered };
};
/** Reads, and settles what was read. */
const settle = (log: DiskLog, name: string, bytes: number, below = Infinity): number[] => {
  const frames = log.read(name, bytes, below);
  const metas = frames.map(({ meta }) => meta);
  if (metas.length > 0) log.deliver(name, metas, stored(frames));
  return metas.map(({ seq }) => seq);
};
/** Appends 30 frames in six rounds, syncs after each, delivers some; gives back what was acknowledged. */
async function work(log: DiskLog, clock: ManualClock): Promise<{ acknowledged: number; got: number[] }> {
  log.add('a', 1);
  const got: number[] = [];
  const sources = lines(log);
  for (let round = 0; round < 6; round++) {
    fill(log, log.start + round * 5, 5, 2, sources);
    await log.sync().catch(() => {});
    await clock.advance(1100);
    got.push(...settle(log, 'a', FRAME * 3, log.durable));
  }
  agrees(log, sources);
  return { acknowledged: log.durable, got };
}

describe.each([
  ['one fails', false],
  ['all fail from then on', true],
])('of all writes, syncs, renames, creations and removals %s', (_name, lasting) => {
  test.each([
    ['EIO', ['open', 'write', 'sync', 'syncFolder', 'rename', 'truncate', 'remove'], false],
    ['ENOSPC', ['open', 'write'], false],
    ['ENOSPC after a short write', ['write'], true],
  ] satisfies [string, Call[], boolean][])(
    '%s, at each place: what was acknowledged is there',
    async (code, calls, short) => {
      let places = 0;
      for (let nth = 1; ; nth++) {
        const clock = new ManualClock();
        const dir = scratch();
        const fault = faulty({ calls, nth, lasting, short, code: code.split(' ')[0] });
        const options = { dataDir: dir.dir, cap: 1e6, segmentBytes, margin: { bytes: 0, ms: 0 } };
        const log = openSegments({ ...options, clock, files: fault.files });
        const { acknowledged, got } = await work(log, clock);
        const struck = fault.count() >= nth;
        if (struck && lasting && nth === 1) expect(log.health().trouble).toMatch(/cannot be/);
        holds(log, 'a');
        if (!lasting) {
          for (const wait of [1100, 1100]) {
            await clock.advance(wait);
            await log.sync().catch(() => {});
          }
          expect(log.durable).toBe(log.start + 30);
          expect(log.health().trouble).toBe('');
        }
        // The process ends here, without a word; another opens what is there.
        const again = openSegments(options);
        again.add('a', 1);
        again.add('all', 1);
        const owed = owedTo(again, 'a');
        for (let seq = 1; seq < acknowledged; seq++)
          if (!got.includes(seq)) expect(owed, `sequence ${seq}, fault at call ${nth}`).toContain(seq);
        if (!lasting) expect([...new Set([...got, ...owed])].sort((a, b) => a - b)).toEqual(thirty);
        expect(owed).toEqual([...new Set(owed)].sort((a, b) => a - b));
        holds(again, 'a');
        if (!lasting) expect(again.sources()).toEqual(log.sources());
        await again.close();
        await log.close();
        dir.clear();
        if (!struck) break;
        places++;
      }
      expect(places).toBeGreaterThan(6);
    },
  );
});
const thirty = Array.from({ length: 30 }, (_, i) => i + 1);

test('a disk that takes nothing for long: memory stays bounded, what is forgotten is counted, and then it goes on', async () => {
  const clock = new ManualClock();
  const fault = faulty({ calls: ['write'], nth: 12, lasting: true, code: 'ENOSPC' });
  const options = { dataDir: place.dir, cap: 1e6, segmentBytes };
  const drops: Drop[] = [];
  const dropped = (drop: Drop): void => void drops.push(drop);
  const log = openSegments({ ...options, clock, files: fault.files, memoryBytes: LARGER * 9, dropped });
  log.add('a', 1);
  const sources = lines(log);
  fill(log, 1, 5);
  await log.sync();
  for (let seq = 6; seq <= 105; seq++) {
    fill(log, seq, 1);
    await log.sync().catch(() => {});
  }
  expect(drops.every(({ consumer, reason }) => consumer === 'a' && /took nothing/.test(reason))).toBe(true);
  expect(drops.reduce((sum, { samples }) => sum + samples, 0)).toBe(log.account('a').dropped);
  const acknowledged = log.durable;
  expect(log.health()).toMatchObject({ waiting: LARGER * 9, trouble: expect.stringMatching(/ENOSPC/) as string });
  expect(log.account('a').dropped).toBe((105 - acknowledged + 1 - 9) * 2);
  expect(log.account('a').lost).toEqual({ from: acknowledged * 1000, to: 96_001 });
  holds(log, 'a');
  fault.heal();
  await log.sync();
  fill(log, 106, 1);
  await log.sync();
  fill(log, 107, 4, 2, sources);
  await log.sync();
  agrees(log, sources);
  expect(log.health()).toMatchObject({ waiting: 0, trouble: '' });
  const kept = [...thirty.slice(0, acknowledged - 1), ...Array.from({ length: 14 }, (_, i) => 97 + i)];
  expect(owedTo(log, 'a')).toEqual(kept);
  await log.close();
  const again = openSegments(options);
  again.add('a', 1);
  expect(owedTo(again, 'a')).toEqual(kept);
  expect(again.account('a').dropped).toBe(log.account('a').dropped);
  holds(again, 'a');
  agrees(again, sources);
  await again.close();
});

test('the power goes at any moment: nothing acknowledged is lost, no position is ahead, every sum holds', async () => {
  const random = seeded(20_260_101);
  let cuts = 0;
  let torn = 0;
  for (let life = 0; life < 40; life++) {
    const dir = scratch();
    const options = { dataDir: dir.dir, cap: 1e6, segmentBytes };
    let acknowledged: number[] = [];
    const delivered = new Set<number>();
    for (let run = 0; run < 4; run++) {
      const clock = new ManualClock();
      const disk = forgetful(random);
      const log = openSegments({ ...options, clock, files: disk.files });
      log.add('a', 1);
      holds(log, 'a');
      const present = new Set(reread(log, life * 10 + run));
      expect(acknowledged.filter((seq) => !present.has(seq))).toEqual([]);
      const owed = new Set(owedTo(log, 'a'));
      expect(acknowledged.filter((seq) => !delivered.has(seq) && !owed.has(seq))).toEqual([]);
      const metas: FrameMeta[] = [];
      const sources = lines(log);
      let next = log.start;
      let syncing: Promise<void> | undefined;
      for (let step = 0; step < random() * 30; step++) {
        const dice = random();
        if (dice < 0.5) {
          const more = 1 + Math.floor(random() * 4);
          metas.push(...fill(log, next, more, 2, sources));
          next += more;
        } else if (dice < 0.7) syncing = log.sync();
        else if (dice < 0.8) await log.sync();
        else {
          for (const seq of settle(log, 'a', FRAME * 3)) delivered.add(seq);
          await clock.advance(1100);
        }
      }
      acknowledged = [...acknowledged, ...metas.map(({ seq }) => seq).filter((seq) => seq < log.durable)];
      await syncing;
      acknowledged = [...new Set([...acknowledged, ...metas.map(({ seq }) => seq).filter((seq) => seq < log.durable)])];
      disk.cut(dir.journal);
      cuts++;
      const peek = openSegments(options);
      torn += peek.health().truncated > 0 ? 1 : 0;
    }
    dir.clear();
  }
  expect(cuts).toBe(160);
  expect(torn).toBeGreaterThan(15);
});
/** Everything the log still holds, as a consumer that was never here sees it. */
function reread(log: DiskLog, name: number): number[] {
  log.add(`fresh-${name}`, 1);
  const seqs = owedTo(log, `fresh-${name}`);
  return seqs;
}
