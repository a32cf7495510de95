// The suite the log passes in segments of any size: order, owed ranges, bounds and counts. Called by segments.test.ts.
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Origin } from '../model.ts';
import type { FrameMeta } from './head.ts';
import type { Log } from './log.ts';
import { numbered as frame } from './testing.ts';

/** @param make a fresh log with a cap in bytes, whose first sequence is 1, and its wall clock, ms */
export function logContract(make: (cap: number, clock: ManualClock) => Log): void {
  const filled = (log: Log, count: number): FrameMeta[] =>
    Array.from({ length: count }, (_, i) => {
      const { bytes, meta } = frame(i + 1);
      log.append(bytes, meta);
      return meta;
    });
  const seqs = (log: Log, name: string, bytes = 1e9): number[] => log.read(name, bytes).map((found) => found.meta.seq);

  describe('log', () => {
    const clock = new ManualClock();
    test('owes each consumer everything from its start on, each by itself', () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      log.add('b', 3);
      const metas = filled(log, 4);
      expect(seqs(log, 'a')).toEqual([1, 2, 3, 4]);
      expect(seqs(log, 'b')).toEqual([3, 4]);
      log.deliver('a', metas);
      expect(seqs(log, 'a')).toEqual([]);
      expect(seqs(log, 'b')).toEqual([3, 4]);
      expect(log.account('a')).toMatchObject({
        delivered: 8,
        dropped: 0,
        backlog: { frames: 0, samples: 0, bytes: 0 },
      });
    });

    test('out of order delivery leaves ranges, and a repeated one counts nothing', () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      const metas = filled(log, 5);
      log.deliver('a', [metas[3] as FrameMeta, metas[3] as FrameMeta, metas[1] as FrameMeta]);
      expect(log.account('a').owed).toEqual([
        { from: 1, to: 2 },
        { from: 3, to: 4 },
        { from: 5, to: Infinity },
      ]);
      expect(seqs(log, 'a')).toEqual([1, 3, 5]);
      expect(log.account('a').delivered).toBe(4);
    });

    test('reads at least one frame and otherwise no more than asked', () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      filled(log, 5);
      expect(seqs(log, 'a', 1)).toEqual([1]);
      expect(seqs(log, 'a', frame(1).bytes.length * 3)).toEqual([1, 2, 3]);
    });

    test('drops the oldest beyond the cap, with count and time range, and the sums hold', () => {
      const log = make(frame(1).bytes.length * 3, clock);
      log.add('a', 1);
      log.add('b', 1);
      const metas = filled(log, 2);
      log.deliver('b', metas);
      for (let seq = 3; seq <= 8; seq++) log.append(frame(seq).bytes, frame(seq).meta);
      const account = log.account('a');
      expect(account.dropped).toBeGreaterThan(0);
      expect(account.delivered + account.dropped + account.backlog.samples).toBe(16);
      expect(account.journalled).toBe(16);
      expect(account.lost?.from).toBe(1000);
      const b = log.account('b');
      expect(b.delivered + b.dropped + b.backlog.samples).toBe(16);
      expect(log.first).toBe(seqs(log, 'a')[0]);
    });

    test('what cannot be decoded is counted as dropped, with its times', () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      const metas = filled(log, 3);
      log.deliver('a', [metas[0] as FrameMeta]);
      log.lose('a', [metas[1] as FrameMeta]);
      expect(log.account('a')).toMatchObject({
        journalled: 6,
        delivered: 2,
        dropped: 2,
        lost: { from: 2000, to: 2001 },
      });
      expect(seqs(log, 'a')).toEqual([3]);
    });

    test('a reader of durable frames alone sees no other', async () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      filled(log, 2);
      await log.sync();
      log.append(frame(3).bytes, frame(3).meta);
      expect(log.read('a', 1e6, log.durable).map((found) => found.meta.seq)).toEqual([1, 2]);
      expect(seqs(log, 'a')).toEqual([1, 2, 3]);
    });

    test('sync acknowledges what is written; a sequence never falls', async () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      filled(log, 3);
      await log.sync();
      expect([log.written, log.durable]).toEqual([4, 4]);
      expect(() => log.append(frame(2).bytes, frame(2).meta)).toThrow(/sequence 2/);
    });

    test('delivered, filtered and dead-lettered are counted by themselves, as the consumer said them', () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      const metas = filled(log, 4);
      log.deliver('a', metas.slice(0, 2), { delivered: 1, filtered: 2, deadLettered: 1 });
      log.deliver('a', metas.slice(2, 3));
      expect(log.account('a')).toMatchObject({ journalled: 8, delivered: 3, filtered: 2, deadLettered: 1, dropped: 0 });
      expect(log.account('a').backlog).toMatchObject({ frames: 1, samples: 2 });
    });

    test('what was dropped while it was on its way stays dropped: each sample counts once', () => {
      const log = make(frame(1).bytes.length * 12, clock);
      log.add('a', 1);
      const metas: FrameMeta[] = [];
      while (log.account('a').dropped === 0) {
        const { bytes, meta } = frame(metas.length + 1);
        log.append(bytes, meta);
        metas.push(meta);
      }
      const { dropped } = log.account('a');
      const all = metas.length * 2;
      log.deliver('a', metas, { delivered: all - 1, filtered: 1, deadLettered: 0 });
      expect(log.account('a')).toMatchObject({ journalled: all, delivered: all - 1 - dropped, filtered: 1, dropped });
    });

    test('a frame that was never there is not settled', () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      filled(log, 1);
      log.deliver('a', [frame(2).meta], { delivered: 2, filtered: 0, deadLettered: 0 });
      log.lose('a', [frame(3).meta]);
      expect(log.account('a')).toMatchObject({ journalled: 2, delivered: 0, dropped: 0, backlog: { frames: 1 } });
    });

    test('a consumer that is removed holds nothing any more', () => {
      const log = make(1e6, clock);
      log.add('a', 1);
      log.add('b', 1);
      const metas = filled(log, 3);
      log.deliver('a', metas);
      expect(log.backlog()).toBeGreaterThan(0);
      expect(log.consumers()).toEqual(['a', 'b']);
      log.remove('b');
      log.remove('b');
      expect(log.consumers()).toEqual(['a']);
      expect(log.backlog()).toBe(0);
      expect(() => log.account('b')).toThrow(/no consumer b/);
      log.append(frame(4).bytes, frame(4).meta);
      expect(seqs(log, 'a')).toEqual([4]);
      log.add('b', 4);
      expect(log.account('b')).toMatchObject({ journalled: 2, delivered: 0, dropped: 0 });
    });

    test('live first: what is new goes ahead of an old backlog, anything but live frames after all lower ones', () => {
      const log = make(1e6, clock);
      log.add('a', 1, { order: 'liveFirst' });
      log.add('fifo', 1);
      const add = (seq: number, origin: Origin, minutesAgo: number): void => {
        const { bytes, meta } = frame(seq, 2, { origin, at: clock.now() - minutesAgo * 60_000 });
        log.append(bytes, meta);
      };
      const next = (bytes = 1e9): [number[], number[]] => {
        const found = log.read('a', bytes);
        log.deliver(
          'a',
          found.map(({ meta }) => meta),
        );
        const seqsOf = (backlog: boolean): number[] =>
          found.filter((one) => one.backlog === backlog).map(({ meta }) => meta.seq);
        return [seqsOf(false), seqsOf(true)];
      };
      for (let seq = 1; seq <= 4; seq++) add(seq, 'live', 4);
      expect(next(1)).toEqual([[1], []]);
      for (let seq = 5; seq <= 6; seq++) add(seq, 'live', 20);
      log.deliver(
        'a',
        [2, 3, 4].map((seq) => frame(seq).meta),
      );
      expect(next(1)).toEqual([[], [5]]);
      add(7, 'live', 0);
      add(8, 'import', 0);
      add(9, 'live', 0);
      expect(next(frame(7).bytes.length * 2)).toEqual([[7, 9], [6]]);
      add(10, 'live', 0);
      expect(next()).toEqual([[10], []]);
      expect(next()).toEqual([[8], []]);
      expect(next()).toEqual([[], []]);
      expect(log.account('a')).toMatchObject({ journalled: 20, delivered: 20, backlog: { frames: 0 } });
      expect(seqs(log, 'fifo')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });
  });
}
