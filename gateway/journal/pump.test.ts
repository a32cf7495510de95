// A store elsewhere that throws, hangs or is slow, for hours of virtual time, over the real journal and its files. Each
// ends with the ledger and with the source's own numbering.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Consumer, Stored } from '../consumer.ts';
import type { Frame, Origin } from '../model.ts';
import { Debt } from './debt.ts';
import { diskFiles } from './files.ts';
import { Follower } from './follow.ts';
import { readHead } from './head.ts';
import { Pace } from './pace.ts';
import { pump } from './pump.ts';
import type { Pump, PumpOptions } from './pump.ts';
import { openSegments } from './segments.ts';
import { readEnds, sharedEnds } from './shared.ts';
import { encodeFrame, scratch } from './testing.ts';

type Write = (frames: readonly Frame[], signal: AbortSignal) => Promise<Stored | void>;

/** A line that gives a numbered sample a second, the journal, and a store at the end of a pump. */
function bed(how: Partial<PumpOptions> & { cap?: number; rate?: number; segmentBytes?: number } = {}) {
  const { cap = 1e9, segmentBytes = 4000, rate = 10_000, ...options } = how;
  const place = scratch();
  onTestFinished(() => place.clear());
  const clock = new ManualClock();
  const shared = sharedEnds();
  // Hours of syncs would take minutes.
  const files = { ...diskFiles, sync: () => Promise.resolve(), syncFolder: () => Promise.resolve() };
  const log = openSegments({ dataDir: place.dir, cap, segmentBytes, clock, shared, files });
  onTestFinished(() => log.close());
  log.add('far', 1);
  const follower = new Follower({ files, folder: place.journal, ends: () => readEnds(shared) });
  const debt = new Debt({
    follower,
    clock,
    owed: log.account('far').owed,
    settled: (frames, stored) => (stored === 'lost' ? log.lose('far', frames) : log.deliver('far', frames, stored)),
    suspect: () => void log.read('far', 1),
  });
  /** What the store holds: the number by time, and how often each came; writes in the order in which they were begun. */
  const held = new Map<number, number>();
  const times = new Map<number, number>();
  const writes: { at: number; numbers: number[] }[] = [];
  let inFlight = 0;
  let most = 0;
  const line = { next: 0, seq: 1 };
  const store: { write: Write } = { write: () => Promise.resolve() };
  const consumer: Consumer = {
    async write(frames, signal) {
      most = Math.max(most, ++inFlight);
      const samples = frames.flatMap((frame) => frame.samples);
      writes.push({ at: clock.mono(), numbers: samples.map(({ value }) => value as number) });
      try {
        const stored = await store.write(frames, signal);
        for (const { t, value } of samples) {
          held.set(t, value as number);
          times.set(value as number, (times.get(value as number) ?? 0) + 1);
        }
        return stored;
      } finally {
        inFlight--;
      }
    },
    close: () => Promise.resolve(),
  };
  const pace = new Pace({ clock, rate });
  let seed = 7;
  const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const deadline = { write: 30_000, grace: 2000 };
  const pumping: Pump = pump({
    source: debt,
    consumer,
    clock,
    bytes: 100_000,
    pause: 250,
    pace,
    deadline,
    random,
    ...options,
  });
  const stop = new AbortController();
  const ended = pumping.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await clock.advance(5000);
    await ended;
  });

  const append = (samples: number, origin: Origin = 'live'): void => {
    const now = clock.micros();
    const all = Array.from({ length: samples }, () => {
      const n = line.next++;
      return { tag: 1, t: n * 1000, receivedAt: now, value: n, status: 0, flags: 0 };
    });
    const bytes = encodeFrame({ origin, source: 'line', samples: all, events: [] }, line.seq++, 1);
    const head = readHead(bytes);
    if (!head.ok) throw new Error(head.message);
    log.append(bytes, head.meta);
    // Asking puts it into the file.
    void log.first;
  };
  return {
    ...{ journal: place.journal, clock, log, follower, debt, line, store, held, times, writes, pumping, append },
    /** Seconds of the line, a sample each; of a long time five together. */
    async pass(seconds: number, each = 1, step = 1000): Promise<void> {
      const together = seconds >= 600 ? 5 : 1;
      for (let i = 0; i < seconds; i += together) {
        append(each * together);
        if (i % 60 === 0) await log.sync();
        pumping.wake();
        for (let ms = 0; ms < 1000 * together; ms += step) await clock.advance(step);
      }
    },
    async drain(): Promise<void> {
      for (let i = 0; i < 10_000 && log.account('far').backlog.frames > 0; i++) {
        pumping.wake();
        await clock.advance(1000);
      }
    },
    /** The ledger, and that the store holds exactly the numbers that were not dropped, each with its own time. */
    balance([least, atMost] = [0, 0]): ReturnType<typeof log.account> {
      const account = log.account('far');
      const { journalled, delivered, filtered, deadLettered, dropped, backlog } = account;
      expect(journalled).toBe(line.next);
      expect(delivered + filtered + deadLettered + dropped + backlog.samples).toBe(journalled);
      expect(most).toBeLessThanOrEqual(1);
      expect([...held].every(([t, value]) => t === value * 1000)).toBe(true);
      expect(held.size).toBe(journalled - dropped - backlog.samples);
      const twice = [...times.values()].filter((n) => n > 1).length;
      expect(twice).toBeGreaterThanOrEqual(least);
      expect(twice).toBeLessThanOrEqual(atMost);
      return account;
    },
  };
}
const refuse: Write = () => Promise.reject(new Error('connection refused'));
const accept: Write = () => Promise.resolve();
const heedful: Write = (_frames, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

test('throws for an hour: tried again and again, at most half a minute apart, and nothing is lost', async () => {
  const { pass, drain, store, balance, pumping, writes, clock, debt } = bed();
  await pass(10);
  await drain();
  expect(balance().delivered).toBe(10);
  const began = clock.mono();
  store.write = refuse;
  await pass(3600);
  const tries = writes.filter(({ at }) => at >= began);
  expect(tries.length).toBeGreaterThan(3600 / 31);
  expect(tries.length).toBeLessThan(700);
  const { failures, ...health } = pumping.health();
  expect(health).toMatchObject({ lastError: 'connection refused', tries: failures });
  expect(Math.abs(failures - tries.length)).toBeLessThanOrEqual(1);
  expect(pumping.health().lastSuccess).toBeLessThan(clock.now() - 3599_000);
  expect(pumping.health().quiet).toBeGreaterThan(3598_000);
  expect(clock.micros() - (debt.oldest ?? 0)).toBeGreaterThan(3599e6);
  expect(balance().backlog.samples).toBe(3600);
  store.write = accept;
  await drain();
  expect(balance()).toMatchObject({ delivered: 3610, dropped: 0 });
  expect(pumping.health()).toMatchObject({ tries: 0, lastError: '', failingSince: undefined });
  await pass(1);
  await clock.advance(1000);
  expect([debt.oldest, debt.behind]).toEqual([undefined, false]);
});

test('what comes rarely is no silence while it is on its way', async () => {
  const { pass, drain, store, pumping, clock } = bed();
  await pass(5);
  await drain();
  await clock.advance(600_000);
  const quiet: (number | undefined)[] = [];
  store.write = () => Promise.resolve(void quiet.push(pumping.health().quiet));
  await pass(1);
  await drain();
  expect(quiet).toEqual([0]);
  expect(pumping.health().quiet).toBeUndefined();
});

test('hangs for an hour and heeds its signal: given up every half minute, and never two writes at once', async () => {
  const { pass, drain, store, balance, pumping, writes } = bed();
  store.write = heedful;
  await pass(3600);
  expect(pumping.health()).toMatchObject({ lastError: 'no answer within 30 s', hangingSince: undefined });
  expect(writes.length).toBeGreaterThan(60);
  expect(writes.length).toBeLessThan(120);
  store.write = accept;
  await drain();
  expect(balance()).toMatchObject({ delivered: 3600, dropped: 0 });
});

test('hangs for an hour and heeds nothing: said, waited for, and taken for stored when it says so in the end', async () => {
  const { pass, drain, store, balance, pumping, writes, clock } = bed();
  const answer = Promise.withResolvers<void>();
  const begun = clock.now();
  store.write = () => answer.promise;
  await pass(30);
  expect(pumping.health().hangingSince).toBeUndefined();
  await pass(3570);
  expect(pumping.health().hangingSince).toBe(begun);
  expect(writes.length).toBe(1);
  expect(balance().backlog.samples).toBe(3600);
  answer.resolve();
  store.write = accept;
  await drain();
  expect(pumping.health().hangingSince).toBeUndefined();
  expect(balance()).toMatchObject({ delivered: 3600, dropped: 0 });
});

test('answers late, each time, for an hour: keeps up, in order', async () => {
  const { pass, drain, store, balance, writes, clock } = bed();
  store.write = () => new Promise((resolve) => clock.after(20_000, resolve));
  await pass(3600);
  expect(balance().backlog.samples).toBeLessThan(60);
  await drain();
  balance();
  const all = writes.flatMap(({ numbers }) => numbers);
  expect(all).toEqual([...all].sort((a, b) => a - b));
});

test('takes twenty samples in its time and no more: gets as many at once, and soon again all when it is quick', async () => {
  const { append, drain, store, balance, writes, clock } = bed();
  store.write = (frames, signal) =>
    frames.flatMap(({ samples }) => samples).length > 20
      ? heedful(frames, signal)
      : new Promise((resolve) => clock.after(20_000, resolve));
  for (let i = 0; i < 80; i++) append(5);
  await drain();
  expect(balance()).toMatchObject({ delivered: 400 });
  store.write = accept;
  append(1);
  await drain();
  const before = writes.length;
  for (let i = 0; i < 80; i++) append(5);
  await drain();
  expect(balance()).toMatchObject({ delivered: 801 });
  expect(writes.length - before).toBeLessThan(10);
});

test('answers in many parts, each in its time: the write may take as long as it needs', async () => {
  const { append, drain, store, balance, pumping, clock } = bed();
  store.write = async (_frames, signal) => {
    for (let i = 0; i < 5; i++) {
      await new Promise<void>((resolve) => clock.after(20_000, resolve));
      signal.throwIfAborted();
      pumping.answered();
    }
  };
  append(5);
  await drain();
  expect(balance()).toMatchObject({ delivered: 5 });
  expect(pumping.health().failures).toBe(0);
});

test('answers that come when the write was given up, or half of it stored: the same frames again, nothing lost', async () => {
  const { pass, drain, store, held, line, log, pumping } = bed();
  let n = 0;
  store.write = (frames, signal) => {
    // Every third is stored, and the answer lost; every other third is half stored.
    const samples = frames.flatMap((frame) => frame.samples);
    const kept = n % 3 === 0 ? samples : n % 3 === 1 ? samples.slice(0, samples.length / 2) : [];
    for (const { t, value } of kept) held.set(t, value as number);
    return n++ % 3 === 2 ? accept(frames, signal) : refuse(frames, signal);
  };
  await pass(900);
  await drain();
  expect(pumping.health().failures).toBeGreaterThan(10);
  expect(log.account('far')).toMatchObject({ journalled: 900, delivered: 900, dropped: 0 });
  expect([...held].length).toBe(line.next);
});

test('a second outage while the first is being made up for: live first both times, every number once', async () => {
  const { pass, drain, store, balance, writes, debt, line, clock } = bed({ rate: 20, bytes: 2000 });
  store.write = refuse;
  await pass(1200, 5);
  store.write = accept;
  const first = line.next;
  await pass(60, 5);
  expect(debt.behind).toBe(true);
  const fresh = writes.flatMap(({ numbers }) => numbers).filter((n) => n >= first);
  expect(new Set(fresh).size).toBeGreaterThan(60 * 5 - 40);
  expect(balance().backlog.samples).toBeGreaterThan(3000);
  store.write = refuse;
  await pass(600, 5);
  store.write = accept;
  const second = line.next;
  await pass(60, 5);
  const again = writes.flatMap(({ numbers }) => numbers).filter((n) => n >= second);
  expect(new Set(again).size).toBeGreaterThan(60 * 5 - 40);
  await drain();
  expect(balance()).toMatchObject({ delivered: 1920 * 5, dropped: 0 });
  await pass(2);
  await clock.advance(1000);
  expect(debt.behind).toBe(false);
});

test('the backlog goes no faster than its pace, and what is live does not wait for it', async () => {
  const { pass, store, writes, clock, line, log } = bed({ rate: 100, bytes: 20_000 });
  store.write = refuse;
  await pass(1000, 20);
  store.write = accept;
  await pass(60, 1, 50);
  const since = clock.mono();
  const fresh = line.next;
  const before = log.account('far').backlog.samples;
  await pass(60, 5, 50);
  const sent = before + 300 - log.account('far').backlog.samples;
  // 100 a second of the backlog, and 5 a second of what is live.
  expect(sent).toBeGreaterThan(60 * 105 * 0.9);
  expect(sent).toBeLessThan(60 * 105 * 1.1);
  const waits = writes
    .filter(({ at }) => at >= since)
    .flatMap(({ at, numbers }) =>
      numbers.filter((n) => n >= fresh).map((n) => at - since - Math.floor((n - fresh) / 5) * 1000),
    );
  expect(waits.length).toBeGreaterThan(290);
  expect(Math.max(...waits)).toBeLessThan(600);
});

test('an import waits behind the backlog it came after, so that the later value stays', async () => {
  const { pass, drain, store, writes, append, balance, line } = bed({ rate: 50, bytes: 5000 });
  store.write = refuse;
  await pass(600, 2);
  append(10, 'import');
  const imported = line.next - 10;
  await pass(10, 2);
  store.write = accept;
  await drain();
  const order = writes.flatMap(({ numbers }) => numbers);
  const last = (n: number): number => order.lastIndexOf(n);
  for (let n = 0; n < imported; n++) expect(last(n)).toBeLessThan(last(imported));
  expect(balance()).toMatchObject({ delivered: line.next });
});

test('what the journal had to drop meanwhile is counted with its times, and the rest arrives', async () => {
  const { pass, drain, store, balance, held } = bed({ cap: 20_000, segmentBytes: 2000 });
  store.write = refuse;
  await pass(3600);
  store.write = accept;
  await drain();
  const { dropped, lost, delivered } = balance();
  expect(dropped).toBeGreaterThan(2000);
  expect(delivered).toBeGreaterThan(100);
  expect(lost).toEqual({ from: 0, to: (dropped - 1) * 1000 });
  expect(Math.min(...held.values())).toBe(dropped);
});

test('a frame that is spoilt on the disk meanwhile is counted as dropped with its time, and all others arrive', async () => {
  const { pass, drain, store, balance, held, journal } = bed({ segmentBytes: 1000 });
  store.write = refuse;
  await pass(200);
  const names = readdirSync(journal).filter((name) => name.endsWith('.seg'));
  expect(names.length).toBeGreaterThan(6);
  const path = join(journal, names[1] ?? '');
  const bytes = readFileSync(path);
  // In the middle of the last frame, behind its length.
  bytes[bytes.length - 20] = 255 - (bytes[bytes.length - 20] ?? 0);
  writeFileSync(path, bytes);
  store.write = accept;
  await drain();
  const { dropped, delivered, lost } = balance();
  expect([dropped, delivered]).toEqual([1, 199]);
  const missing = Array.from({ length: 200 }, (_, n) => n).filter((n) => !held.has(n * 1000));
  expect(missing.length).toBe(1);
  expect(lost?.from).toBeLessThanOrEqual((missing[0] ?? 0) * 1000);
  expect(lost?.to).toBeGreaterThanOrEqual((missing[0] ?? 0) * 1000);
});

test('what the store says of a write is what the books say, and what was stored lately can be had again', async () => {
  const { pass, drain, store, balance, debt, pumping, log } = bed();
  store.write = (frames) => {
    const samples = frames.reduce((sum, frame) => sum + frame.samples.length, 0);
    const deadLettered = Math.min(1, samples);
    return Promise.resolve({ delivered: 0, filtered: samples - deadLettered, deadLettered });
  };
  await pass(100);
  await drain();
  const { delivered, filtered, deadLettered } = balance();
  expect([delivered, filtered + deadLettered]).toEqual([0, 100]);
  expect(deadLettered).toBeGreaterThan(20);
  debt.rewind(40_000);
  pumping.wake();
  await pass(1);
  await drain();
  const account = balance([40, 42]);
  expect(account.filtered + account.deadLettered).toBe(101);
  expect(log.account('far').backlog.frames).toBe(0);
});

test('what was stored before a start of the thread can be had again as well, as far as it is kept', async () => {
  const { pass, drain, log, follower, clock, append } = bed();
  await pass(60);
  await drain();
  append(1);
  const { first } = follower.ends();
  const next = new Debt({ follower, clock, owed: log.account('far').owed, settled: () => {}, suspect: () => {} });
  const seqs = (): number[] => {
    const { live, backlog } = next.read(1e6);
    return [...live, ...backlog].map(({ meta }) => meta.seq);
  };
  expect(seqs()).toHaveLength(1);
  next.rewind(1000);
  const all = seqs();
  expect(all).toEqual(Array.from({ length: all.length }, (_, i) => first + i));
  expect(all.length).toBeGreaterThan(30);
});

test('a stop ends within its grace even when a write heeds nothing', async () => {
  const { clock, store, append, debt } = bed();
  store.write = () => new Promise(() => {});
  append(1);
  const stop = new AbortController();
  const consumer: Consumer = { write: () => new Promise(() => {}), close: () => Promise.resolve() };
  const deadline = { write: 30_000, grace: 2000 };
  const other = pump({ source: debt, consumer, clock, bytes: 1000, pause: 0, deadline });
  let over = false;
  const ended = other.run(stop.signal).then(() => (over = true));
  await clock.advance(10);
  stop.abort();
  await clock.advance(1900);
  expect(over).toBe(false);
  await clock.advance(200);
  await ended;
});

test('a pace: so many a second, a second saved up, half under pressure, and debts are waited for', () => {
  const clock = { at: 0, mono: () => clock.at };
  let pressure = 0;
  const pace = new Pace({ clock, rate: 1000, pressure: () => pressure });
  expect(pace.wait()).toBe(0);
  pace.take(3000);
  expect(pace.wait()).toBe(2001);
  clock.at = 1000;
  expect(pace.wait()).toBe(1001);
  pressure = 0.8;
  expect([pace.rate, pace.wait()]).toEqual([500, 2002]);
  clock.at = 2000;
  pressure = 0.5;
  expect([pace.rate, pace.wait()]).toEqual([1000, 1]);
  clock.at = 1e6;
  pace.take(999);
  expect(pace.wait()).toBe(0);
  pace.take(1);
  expect(pace.wait()).toBe(1);
});

const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
test.each<[string, Error, number, number]>([
  ['refused', refused, 2500, 5250],
  ['refused, in the words of QuestDB', new Error('cannot be reached', { cause: refused }), 2500, 5250],
  ['refused, in the words of PostgreSQL', new Error('does not answer', { cause: 'ECONNREFUSED' }), 2500, 5250],
  ['anything else', new Error('does not answer', { cause: '28P01' }), 15_000, 30_250],
])('a store is asked again the sooner the cheaper it is to ask: %s', async (_name, error, least, most) => {
  const { store, pass, writes, pumping } = bed();
  store.write = () => Promise.reject(error);
  await pass(300);
  const waits = writes.slice(1).map(({ at }, i) => at - (writes[i]?.at ?? 0));
  expect(Math.max(...waits)).toBeGreaterThan(least);
  expect(Math.max(...waits)).toBeLessThanOrEqual(most);
  expect(pumping.health()).toMatchObject({ begun: expect.any(Number) as number, tries: writes.length });
});

test('a first frame without samples, never answered: something waits all the same', async () => {
  const { clock, store, append, pumping, debt } = bed();
  store.write = heedful;
  const at = clock.micros();
  append(0);
  pumping.wake();
  await clock.advance(1000);
  expect(debt.oldest).toBeGreaterThanOrEqual(at);
  expect(pumping.health()).toMatchObject({ tries: 0, begun: expect.any(Number) as number });
});
