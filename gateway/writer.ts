// The writer thread: the journal's log and its pumps, the embedded historian's file and state.db, each with one owner.
// `openWriter` is how the daemon starts it from main; the lower half is what runs inside the thread.
import { workerData } from 'node:worker_threads';
import { systemClock } from './clock.ts';
import { openStore } from './historian/embedded/store.ts';
import { headsIn } from './journal/frame.ts';
import { MainJournal } from './journal/journal.ts';
import type { Acknowledgement } from './journal/journal.ts';
import type { Account } from './journal/log.ts';
import { memoryLog } from './journal/memory.ts';
import { pump } from './journal/pump.ts';
import type { PumpHealth } from './journal/pump.ts';
import type { Clock, Journal, ValueType } from './model.ts';
import { openState } from './state/state.ts';
import type { TagClaim } from './state/state.ts';
import { emit, serve, startThread, startedAs } from './threads.ts';

export interface WriterStats {
  historian: PumpHealth & { samples: number; expired: number; pruned: number };
  account: Account;
  written: number;
  durable: number;
  /** Why old samples could not be removed; empty when they could. */
  pruneError: string;
}
export interface Writer {
  /** Indexes for every tag, durably, and a new catalog revision. */
  assign(tags: readonly TagClaim[]): Promise<{ indexes: Map<string, number>; revision: number }>;
  loadAlarms(): Promise<unknown>;
  saveAlarms(snapshot: unknown): Promise<void>;
  journal: Journal;
  /** The tags whose samples come next; frames carry `revision` from now on. Call before the first append. */
  use(tags: readonly { index: number; id: string; type: ValueType }[], revision: number): Promise<void>;
  stats(): Promise<WriterStats>;
  /** Stores what is in flight, within `ms` (5 s). Idempotent. */
  close(ms?: number): Promise<void>;
}
export interface WriterOptions {
  dataDir: string;
  clock?: Clock;
  /** Bytes of frames kept for slow consumers; 64 MiB by default. */
  journalCap?: number;
  /** Days of samples kept; 30 by default. */
  retentionDays?: number;
  /** The thread is gone unasked: nothing can be stored any more, the process should end non-zero. */
  onDeath(error: Error): void;
}

const CAP = 64 * 1024 * 1024;

/** Starts the thread; rejects when a database cannot be opened. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  const { dataDir, clock = systemClock, journalCap: cap = CAP, retentionDays = 30 } = options;
  let journal: MainJournal | undefined;
  const thread = startThread('writer', import.meta.url, { dataDir, cap, retentionDays }, (name, body) => {
    if (name === 'acknowledged') journal?.acknowledged(body as Acknowledgement);
  });
  await thread.ready;
  const { start } = await thread.call<{ start: number }>('begin');
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
    assign: (tags) => thread.call('assign', tags),
    loadAlarms: () => thread.call('loadAlarms'),
    saveAlarms: (snapshot) => thread.call('saveAlarms', snapshot),
    async use(tags, revision) {
      main.flush(false);
      main.revision = revision;
      await thread.call('use', tags);
    },
    stats: () => thread.call('stats'),
    close: (ms = 5000) =>
      (closing ??= (async () => {
        main.flush(true);
        await thread.close(ms);
        main.close();
      })()),
  };
}

function runWriter({ dataDir, cap, retentionDays }: { dataDir: string; cap: number; retentionDays: number }): void {
  const clock = systemClock;
  const state = openState(dataDir);
  const store = openStore(dataDir, clock, retentionDays);
  // No sequence is used twice: this log forgets, so the first of each run lies well above the highest ever stored.
  const known = Math.max(store.position, Number(state.get('sequence') ?? 0));
  const start = known === 0 ? 1 : known + 2 ** 24;
  state.set('sequence', String(start));
  const log = memoryLog(cap, start);
  log.add('historian', start);
  const stop = new AbortController();
  const historian = pump({ name: 'historian', log, consumer: store, clock, bytes: 256 * 1024, pause: 500 });
  const running = historian.run(stop.signal);
  let taken = 0;
  let pruneError = '';
  let acknowledging = false;
  const acknowledge = async (): Promise<void> => {
    if (acknowledging) return;
    acknowledging = true;
    await log.sync();
    acknowledging = false;
    emit('acknowledged', { durable: log.durable, taken, backlog: log.backlog() } satisfies Acknowledgement);
  };
  const ticks = setInterval(() => {
    try {
      store.prune();
      pruneError = '';
    } catch (error) {
      // A full disk must not end the thread: samples still queue, and the next second tries again.
      pruneError = error instanceof Error ? error.message : String(error);
    }
    void acknowledge();
  }, 1000);
  const drained = async (): Promise<void> => {
    while (log.backlog() > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  serve({
    calls: {
      begin: () => ({ start }),
      assign: (tags: TagClaim[]) => state.assign(tags),
      loadAlarms: () => state.snapshot('alarms'),
      saveAlarms: (snapshot: unknown) => state.saveSnapshot('alarms', snapshot),
      use: (tags: { index: number; id: string; type: ValueType }[]) => store.use(tags),
      stats: (): WriterStats => ({
        historian: { ...historian.health(), ...store.stats() },
        account: log.account('historian'),
        written: log.written,
        durable: log.durable,
        pruneError,
      }),
    },
    posts: {
      frames({ bytes }: { bytes: Uint8Array; urgent: boolean }) {
        taken += bytes.length;
        for (const frame of headsIn(bytes)) log.append(frame.bytes, frame.meta);
        historian.wake();
        void acknowledge();
      },
    },
    async close() {
      clearInterval(ticks);
      await drained();
      stop.abort();
      await running;
      await store.close();
      state.close();
    },
  });
}

if (startedAs() === 'writer') runWriter(workerData as Parameters<typeof runWriter>[0]);
