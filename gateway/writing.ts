// Inside the writer thread: the journal's log and its historian's pump, the embedded historian's file and state.db, each
// with one owner. Loaded by writer.ts in that thread, which hears from here by `emit`.
import { join } from 'node:path';
import { systemClock } from './clock.ts';
import type { OpenMemory } from './historian/embedded/open.ts';
import { openStore } from './historian/embedded/store.ts';
import type { StoreStats } from './historian/embedded/storing.ts';
import { lowestSequence } from './journal/beginning.ts';
import { Committer, intervals } from './journal/commit.ts';
import type { Profile } from './journal/commit.ts';
import type { Drop } from './journal/consumers.ts';
import { eventsSince } from './journal/events.ts';
import { diskFiles } from './journal/files.ts';
import { DiskGuard } from './journal/guard.ts';
import type { DiskState } from './journal/guard.ts';
import { headsIn } from './journal/head.ts';
import type { Acknowledgement } from './journal/journal.ts';
import { unpackSettled } from './journal/log.ts';
import type { Account } from './journal/log.ts';
import { Losses } from './journal/losses.ts';
import { pump, sourceOf } from './journal/pump.ts';
import type { PumpHealth } from './journal/pump.ts';
import { openSegments } from './journal/segments.ts';
import type { Durability, LogHealth } from './journal/segments.ts';
import type { JournalLedger } from './ledger.ts';
import type { Micros, SourceCounts, ValueType } from './model.ts';
import type { Stored } from './consumer.ts';
import { openState } from './state/state.ts';
import type { Snapshot, TagClaim } from './state/state.ts';
import { emit, serve } from './threads.ts';

export interface WriterStats {
  historian: PumpHealth & StoreStats;
  /** The historian's. */
  account: Account;
  /** Everybody's, by name. */
  accounts: Record<string, Account>;
  written: number;
  durable: number;
  durability: Durability;
  /** Bytes from main that were no frames: nothing of them could be journalled. */
  garbled: number;
  journal: LogHealth;
  disk: DiskState;
}
/** What a consumer in another thread made of one write; `lost`: the frames could not be decoded. */
export interface SettledWrite {
  consumer: string;
  /** As `packSettled` makes them. */
  frames: Float64Array<ArrayBuffer>;
  stored: Stored | void | 'lost';
}
/** What the journal tells of the run before, and where this one begins. */
export interface Begun {
  start: number;
  ledgers: Map<string, SourceCounts>;
  lastReceived: Micros | undefined;
}
/** What main gives the thread. */
export interface Start {
  dataDir: string;
  cap: number;
  durability: Durability;
  profile: Profile;
  history: { retention?: number; rollups?: number; bytes?: number };
  shared: SharedArrayBuffer;
  open: OpenMemory;
}

/** The consumer inside this thread; the others are in the egress thread. */
const own = 'historian';

export function runWriter({ dataDir, cap, durability, profile, history, shared, open }: Start): void {
  const clock = systemClock;
  const state = openState(dataDir, clock.now());
  const store = openStore({
    dataDir,
    clock,
    memory: open,
    durable: () => log.durable,
    sync: () => log.sync(),
    pinned: () => held(),
    say: (message) => emit('said', message),
    ...history,
  });
  const adopted = state.adopt(store.tags());
  if (adopted > 0)
    emit('said', `state.db is new beside an older history: ${adopted} tags keep the indexes they have there`);
  // A sequence that main gave away may have reached nobody but its caller: each start is remembered too.
  const known = Math.max(store.settled.position, Number(state.get('sequence') ?? 0));
  const losses = new Losses();
  const dropped = (drop: Drop): void => losses.add(drop);
  const lowest = lowestSequence(clock.now());
  const log = openSegments({ dataDir, cap, durability, known, lowest, clock, shared, dropped });
  const { start } = log;
  state.set('sequence', String(start));
  // From its own position, not from this start: a kill may have come before the journal stored that it is there.
  log.add(own, store.settled.position, { own: store.settled });
  /** Tells the journal what is stored by now; the part of its cap that it keeps for what is not. */
  const held = (): number => {
    log.hold(own, store.settled);
    return log.held(own);
  };
  held();
  const stop = new AbortController();
  const historian = pump({
    // Also what is not acknowledged yet: it is seen at once, and the store commits no more than what is.
    source: sourceOf(log, own),
    consumer: store,
    clock,
    bytes: 256 * 1024,
    pause: 200,
  });
  const running = historian.run(stop.signal);
  let taken = 0;
  let garbled = 0;
  const acknowledge = (): void =>
    emit('acknowledged', { durable: log.durable, taken, backlog: log.backlog() } satisfies Acknowledgement);
  const commits = new Committer({
    log,
    clock,
    durability,
    interval: intervals[profile],
    done(error) {
      if (error) guard.look(true);
      historian.wake();
      acknowledge();
    },
  });
  const guard = new DiskGuard({
    files: diskFiles,
    folder: join(dataDir, 'journal'),
    clock,
    log,
    cap,
    least: Math.min(2 * 8 * 1024 * 1024, cap / 4),
    // The store of an embedded historian may know how to do with less.
    shrink: () => store.shrink(),
    entered: (step) => emit('disk', step),
  });
  guard.look();
  const accounts = (): WriterStats['accounts'] =>
    Object.fromEntries(log.consumers().map((name) => [name, log.account(name)]));
  const stats = (): WriterStats => ({
    historian: { ...historian.health(), ...store.stats() },
    account: log.account(own),
    accounts: accounts(),
    written: log.written,
    durable: log.durable,
    durability,
    garbled,
    journal: log.health(),
    disk: guard.state,
  });
  const ticks = setInterval(() => {
    void store.tend().then(held);
    guard.look();
    historian.wake();
    acknowledge();
    emit('stats', stats());
    // Who is no consumer any more has lost nothing.
    const drops = losses.take().filter(({ consumer }) => log.consumers().includes(consumer));
    if (drops.length > 0) emit('dropped', drops);
  }, 1000);
  const caughtUp = async (ms: number): Promise<boolean> => {
    historian.wake();
    const until = clock.mono() + ms;
    while (log.account(own).backlog.frames > 0 && clock.mono() < until)
      await new Promise((resolve) => setTimeout(resolve, 20));
    return log.account(own).backlog.frames === 0;
  };
  // What is left when time is up stays in the journal for the next start.
  const drained = async (): Promise<void> => {
    await log.sync().catch(() => {});
    await caughtUp(2000);
  };
  serve({
    calls: {
      begin: (): Begun => ({
        start,
        ledgers: new Map([...log.sources()].map(([source, { told }]) => [source, told])),
        lastReceived: log.lastReceived,
      }),
      caughtUp: (ms: number) => caughtUp(ms),
      assign: (tags: TagClaim[]) => state.assign(tags, clock.now()),
      loadAlarms() {
        const { body, seq = 0 } = state.snapshot('alarms') ?? {};
        return { snapshot: body, ...eventsSince(log, seq) };
      },
      saveAlarms: (snapshot: Snapshot) => state.saveSnapshot('alarms', snapshot),
      use: (tags: { index: number; id: string; type: ValueType }[]) => store.use(tags),
      async attach(names: string[]) {
        const gone = log.consumers().filter((name) => name !== own && !names.includes(name));
        const released = gone.map((name) => ({ name, samples: log.account(name).backlog.samples }));
        for (const name of gone) log.remove(name);
        for (const name of names) log.add(name, start, { order: 'liveFirst' });
        // Before the first frame: one that is new is owed this life's frames also when the life ends in its first second.
        await log.keep();
        return { accounts: Object.fromEntries(names.map((name) => [name, log.account(name)])), released };
      },
      tags: () => state.tags(),
      stats,
      async compact(_asked: undefined, signal: AbortSignal) {
        let fewer = 0;
        for (fewer of store.compact()) {
          await new Promise<void>((resolve) => setImmediate(resolve));
          signal.throwIfAborted();
        }
        return fewer;
      },
      ledger: (): JournalLedger => ({ sources: log.sources(), accounts: accounts() }),
    },
    posts: {
      settled({ consumer, frames: packed, stored }: SettledWrite) {
        const frames = unpackSettled(packed);
        if (!log.consumers().includes(consumer)) return;
        if (stored === 'lost') log.lose(consumer, frames);
        else log.deliver(consumer, frames, stored);
      },
      examine(consumer: string) {
        try {
          log.read(consumer, 1);
        } catch {
          // What cannot be read even now stays owed, and is asked about again.
        }
      },
      frames({ bytes, urgent }: { bytes: Uint8Array; urgent: boolean }) {
        taken += bytes.length;
        const heads = headsIn(bytes);
        let whole = 0;
        let next = heads.next();
        for (; !next.done; next = heads.next()) {
          log.append(next.value.bytes, next.value.meta);
          whole += next.value.bytes.length;
        }
        garbled += bytes.length - whole;
        commits.taken(urgent);
        historian.wake();
        acknowledge();
      },
    },
    async close() {
      clearInterval(ticks);
      await drained();
      stop.abort();
      await running;
      commits.close();
      await log.sync().catch(() => {});
      await store.close();
      held();
      await log.close();
      state.close();
    },
  });
}
