// The writer thread as main sees it: `openWriter` is how the daemon starts it. What runs inside it is in writing.ts, loaded
// there alone.
import { workerData } from 'node:worker_threads';
import { systemClock } from './clock.ts';
import { openMemory } from './historian/embedded/open.ts';
import type { OpenMemory } from './historian/embedded/open.ts';
import type { Profile } from './journal/commit.ts';
import type { Drop } from './journal/consumers.ts';
import type { DiskStep } from './journal/disk.ts';
import { MainJournal } from './journal/journal.ts';
import type { Acknowledgement } from './journal/journal.ts';
import type { Account } from './journal/log.ts';
import type { Durability } from './journal/segments.ts';
import { sharedEnds } from './journal/shared.ts';
import type { JournalLedger } from './ledger.ts';
import type { Clock, GatewayEvent, Journal, Micros, SourceCounts, ValueType } from './model.ts';
import type { TagClaim } from './state/state.ts';
import { startThread, startedAs } from './threads.ts';
import type { Begun, SettledWrite, Start, WriterStats } from './writing.ts';

export type { SettledWrite, WriterStats } from './writing.ts';

export interface Attached {
  accounts: Record<string, Account>;
  released: { name: string; samples: number }[];
}
export interface Writer {
  /** Indexes for every tag, durably, and a new catalog revision. */
  assign(tags: readonly TagClaim[]): Promise<{ indexes: Map<string, number>; revision: number }>;
  /** The alarms' last snapshot and the events that the journal has beyond it; `trouble`: why not all of them. */
  loadAlarms(): Promise<{ snapshot: unknown; events: GatewayEvent[]; trouble: string }>;
  /** Takes the snapshot as holding everything appended so far. */
  saveAlarms(snapshot: unknown): Promise<void>;
  journal: Journal;
  /** Each source's account at the end of the run before, as of the last frame that came through. */
  ledgers: ReadonlyMap<string, SourceCounts>;
  /** When the run before got its last samples; undefined when there was none, or that is too far back to be known. */
  lastReceived: Micros | undefined;
  /** Resolves when history has everything that was journalled, or with false after so many ms. */
  caughtUp(ms: number): Promise<boolean>;
  /** Hears, at most once a second for each consumer, of samples that it will never get; also of those before the call. */
  onDrop(heard: (drop: Drop) => void): void;
  /** Hears the disk's step, now and whenever it is another; in the last, samples are to be shed. */
  onDisk(heard: (step: DiskStep) => void): void;
  /** The tags whose samples come next; frames carry `revision` from now on. Call before the first append. */
  use(tags: readonly { index: number; id: string; type: ValueType }[], revision: number): Promise<void>;
  /**
   * The consumers of another thread: each gets its account, with what it is owed; one that was there in an earlier run
   * and is not named is forgotten, with the samples it was owed, as `released` says. May be called again, when that thread is started again.
   */
  attach(consumers: readonly string[]): Promise<Attached>;
  settled(write: SettledWrite): void;
  /** Somebody who reads the files found damage: what cannot be read any more is counted as dropped. */
  examine(consumer: string): void;
  /** Where the log stands, for `readEnds`. */
  shared: SharedArrayBuffer;
  /** Samples that are in no chunk yet, for the reader. */
  open: OpenMemory;
  /** Every tag that ever had an index, with the ids it had before, each until when (µs). */
  tags(): Promise<{ index: number; id: string; type: ValueType; former?: { id: string; until: number }[] }[]>;
  stats(): Promise<WriterStats>;
  /** What the journal has taken of everything appended so far, and what became of it. */
  ledger(): Promise<JournalLedger>;
  /** Joins small chunks of the history while it goes on; resolves with how many there are fewer. */
  compact(signal: AbortSignal): Promise<number>;
  /** The figures of at most a second ago; undefined in the first. */
  latest(): WriterStats | undefined;
  /** Stores what is in flight, within `ms` (5 s). Idempotent. */
  close(ms?: number): Promise<void>;
}
export interface WriterOptions {
  dataDir: string;
  clock?: Clock;
  /** Bytes of segment files kept for slow consumers; 256 MiB by default. */
  journalCap?: number;
  /** When frames count as acknowledged; `interval` (a sync each second) by default. */
  durability?: Durability;
  /** The storage, by how much it wears: how often samples that nobody waits for are synced; `ssd` by default. */
  profile?: Profile;
  /** Of history: how long samples and hourly figures are kept, ms (30 days and 2 years), and most bytes (2 GiB). */
  history?: { retention?: number; rollups?: number; bytes?: number };
  /** Something worth a line in the log. */
  say?(message: string): void;
  /** The thread is gone unasked: nothing can be stored any more, the process should end non-zero. */
  onDeath(error: Error): void;
}

const CAP = 256 * 1024 * 1024;

/** Starts the thread; rejects when a database cannot be opened. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  const { dataDir, clock = systemClock, journalCap: cap = CAP, durability = 'interval', history = {} } = options;
  const { profile = 'ssd' } = options;
  let journal: MainJournal | undefined;
  let latest: WriterStats | undefined;
  const early: Drop[] = [];
  let dropped = (drop: Drop): void => void early.push(drop);
  const shared = sharedEnds();
  let step: DiskStep = 'ok';
  let entered = (next: DiskStep): void => void (step = next);
  const open = openMemory();
  const data = { dataDir, cap, durability, profile, history, shared, open } satisfies Start;
  const thread = startThread('writer', import.meta.url, data, (name, body) => {
    if (name === 'acknowledged') journal?.acknowledged(body as Acknowledgement);
    if (name === 'dropped') for (const drop of body as Drop[]) dropped(drop);
    if (name === 'disk') entered(body as DiskStep);
    if (name === 'stats') latest = body as WriterStats;
    if (name === 'said') options.say?.(body as string);
  });
  await thread.ready;
  const { start, ledgers, lastReceived } = await thread.call<Begun>('begin');
  const main = (journal = new MainJournal({
    clock,
    start,
    cap,
    send: (bytes, urgent) => thread.post('frames', { bytes, urgent }, [bytes.buffer]),
  }));
  void thread.death.then(({ expected, error }) => {
    main.close('the writer thread is gone');
    if (!expected) options.onDeath(error ?? new Error('the writer thread ended'));
  });
  let closing: Promise<void> | undefined;
  return {
    journal: main,
    ledgers,
    lastReceived,
    caughtUp: (ms) => thread.call('caughtUp', ms),
    onDrop(heard) {
      dropped = heard;
      for (const drop of early.splice(0)) heard(drop);
    },
    onDisk(heard) {
      entered = heard;
      heard(step);
    },
    assign: (tags) => thread.call('assign', tags),
    loadAlarms: () => thread.call('loadAlarms'),
    saveAlarms(body) {
      main.flush(false);
      return thread.call('saveAlarms', { body, seq: main.next });
    },
    async use(tags, revision) {
      main.flush(false);
      main.revision = revision;
      await thread.call('use', tags);
    },
    attach: (consumers) => thread.call('attach', consumers),
    settled: (write) => thread.post('settled', write, [write.frames.buffer]),
    examine: (consumer) => thread.post('examine', consumer),
    shared,
    open,
    tags: () => thread.call('tags'),
    stats: () => thread.call('stats'),
    ledger() {
      main.flush(false);
      return thread.call('ledger');
    },
    compact: (signal) => thread.call('compact', undefined, { signal }),
    latest: () => latest,
    close: (ms = 5000) =>
      (closing ??= (async () => {
        main.flush(true);
        await thread.close(ms);
        main.close();
      })()),
  };
}

if (startedAs() === 'writer') (await import('./writing.ts')).runWriter(workerData as Start);
