// The egress thread: sends what the journal holds to stores elsewhere, one pump for each, so that none of them can hold up
// main, history or each other. `openEgress` is how the daemon starts it from main, when a forwarder is configured; a
// thread that dies is started again and goes on where the writer's books say. The lower half runs inside the thread.
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import type { Catalog } from './catalog.ts';
import { systemClock } from './clock.ts';
import type { ForwardSettings } from './config/forward.ts';
import { Debt } from './journal/debt.ts';
import { diskFiles } from './journal/files.ts';
import { Follower } from './journal/follow.ts';
import { Pace } from './journal/pace.ts';
import { pump } from './journal/pump.ts';
import type { PumpHealth } from './journal/pump.ts';
import type { Range } from './journal/ranges.ts';
import { readEnds } from './journal/shared.ts';
import type { ForwardContext, ForwardKind, ForwardTag, Forwarder, Micros, ValueType } from './model.ts';
import type { Log } from './status.ts';
import { emit, serve, startThread, startedAs } from './threads.ts';
import type { Thread } from './threads.ts';
import type { SettledWrite, Writer } from './writer.ts';

/**
 * The kinds of forwarders, a line each; the key is the kind's section of `forward` in the settings, and a kind is on when
 * its `path` or `url` is not empty. Loaded in the thread alone, and only what is on.
 */
const kinds: Record<string, () => Promise<ForwardKind<never>>> = {
  file: async () => (await import('./historian/file/file.ts')).fileForwarder,
  postgres: async () => (await import('./historian/postgres/forwarder.ts')).postgresForwarder,
  questdb: async () => (await import('./historian/questdb/forwarder.ts')).questdbForwarder,
};

/** How one forwarder does. */
export interface ForwardHealth extends PumpHealth {
  /** When the gateway got the oldest samples that wait; undefined when none do. */
  oldest?: Micros;
  /** Live samples go first, a backlog behind them. */
  behind: boolean;
  /** In words, what else is wrong; empty when nothing is. */
  trouble: string;
}
export interface Egress {
  /** Of at most a second ago, by forwarder; `down` says why the thread does not run just now. */
  health(): { forwards: Record<string, ForwardHealth>; down: string };
  /** After a reload; earlier tags stay known. */
  use(tags: readonly ForwardTag[]): void;
  /** Gives up writes on their way and ends the thread within `ms` (3 s). Idempotent. */
  close(ms?: number): Promise<void>;
}
/** The sections of the kinds that are on are enough. */
type Forwarding = Pick<ForwardSettings, 'rate' | 'timeout'> & Partial<ForwardSettings>;
export interface EgressOptions {
  dataDir: string;
  forward: Forwarding;
  /** Kinds that are on. */
  names: readonly string[];
  tags: readonly ForwardTag[];
  writer: Pick<Writer, 'attach' | 'settled' | 'examine' | 'shared'>;
  log: Log;
  /** Told each time the thread has died unasked. */
  onDeath(error: Error): void;
  /** ms without a word after which the thread is taken for dead; 60 s by default. */
  silence?: number;
}
type Said = { level: 'debug' | 'info' | 'warn' | 'error'; message: string; detail: object };

/** Starts the thread, after the writer; rejects when it cannot begin. */
export async function openEgress(options: EgressOptions): Promise<Egress> {
  const { dataDir, forward, names, writer, log, silence = 60_000 } = options;
  let { tags } = options;
  let thread: Thread;
  let tries = 0;
  let closed = false;
  let down = '';
  let heard = performance.now();
  let forwards: Record<string, ForwardHealth> = {};

  const start = async (): Promise<void> => {
    const { accounts } = await writer.attach(names);
    if (closed) return;
    const owed = Object.fromEntries(Object.entries(accounts).map(([name, account]) => [name, account.owed]));
    const data = { dataDir, forward, owed, tags, shared: writer.shared };
    const fresh = (thread = startThread('egress', import.meta.url, data, (name, body) => {
      if (name === 'settled') writer.settled(body as SettledWrite);
      if (name === 'suspect') writer.examine(body as string);
      if (name === 'health') {
        forwards = body as Record<string, ForwardHealth>;
        heard = performance.now();
      }
      if (name === 'log') {
        const { level, message, detail } = body as Said;
        log[level](detail, message);
      }
    }));
    const began = performance.now();
    void fresh.death.then(({ expected, error }) => {
      if (expected || closed) return;
      const reason = error ?? new Error('the egress thread ended');
      down = reason.message;
      options.onDeath(reason);
      tries = performance.now() - began > 60_000 ? 0 : tries + 1;
      again();
    });
    await fresh.ready;
    heard = performance.now();
    down = '';
  };
  const again = (): void => {
    const delay = Math.min(10_000, 100 * 2 ** tries);
    systemClock.after(delay, () => {
      // A thread that cannot begin dies, and that brings us here again; a writer that is gone ends the process.
      if (!closed) start().catch(() => {});
    });
  };

  try {
    await start();
  } catch (error) {
    closed = true;
    throw error;
  }
  const watch = setInterval(() => {
    if (down || performance.now() - heard < silence) return;
    thread.kill(new Error(`the egress thread said nothing for ${silence / 1000} s`));
  }, silence / 4);
  watch.unref();
  return {
    health: () => ({ forwards, down }),
    use(given) {
      tags = given;
      thread.post('use', tags);
    },
    async close(ms = 3000) {
      closed = true;
      clearInterval(watch);
      await thread.close(ms);
    },
  };
}

/** Every tag that ever had an index, as a store elsewhere needs it. */
export function forwardTags(
  known: readonly { index: number; id: string; type: ValueType }[],
  catalog: Catalog,
): ForwardTag[] {
  return known.map(({ index, id, type }) => {
    const tag = catalog.tags[index];
    if (tag) return { index, id, site: tag.site, asset: tag.asset, metric: tag.metric, type, unit: tag.unit };
    const parts = id.split('/');
    const metric = parts.pop() ?? '';
    return { index, id, site: parts[0] ?? '', asset: parts.join('/'), metric, type, unit: '' };
  });
}

// --- inside the thread --------------------------------------------------------------------------

interface Start {
  dataDir: string;
  forward: Forwarding;
  owed: Record<string, Range[]>;
  tags: ForwardTag[];
  shared: SharedArrayBuffer;
}
interface Running {
  health(): ForwardHealth;
  wake(): void;
  end(): Promise<void>;
}

/** ms between two looks at how far the journal is written. */
const LOOK = 100;
const REPORT = 1000;
/** Bytes of frames per write, and ms between two writes when there is less. */
const WRITE = 256 * 1024;
const PAUSE = 250;
/** ms in which an aborted write must end. */
const GRACE = 2000;
/** ms between two words to the writer about one consumer's damaged frames. */
const EXAMINE = 10_000;

async function runEgress({ dataDir, forward, owed, tags, shared }: Start): Promise<void> {
  const clock = systemClock;
  const known = new Map(tags.map((tag) => [tag.index, tag]));
  const ends = () => readEnds(shared);
  const follower = new Follower({ files: diskFiles, folder: join(dataDir, 'journal'), ends });
  const running = new Map<string, Running>();
  for (const [name, ranges] of Object.entries(owed))
    running.set(name, await begin(name, ranges).catch((error: Error) => refused(name, error)));

  async function begin(name: string, ranges: readonly Range[]): Promise<Running> {
    let examined = -Infinity;
    const debt = new Debt({
      follower,
      clock,
      owed: ranges,
      settled: (frames, stored) => emit('settled', { consumer: name, frames, stored } satisfies SettledWrite),
      suspect() {
        if (clock.mono() - examined < EXAMINE) return;
        examined = clock.mono();
        emit('suspect', name);
      },
    });
    const log: ForwardContext['log'] = (level, message, detail = {}) =>
      emit('log', { level, message: `${name}: ${message}`, detail: { forward: name, ...detail } } satisfies Said);
    const kind = await kinds[name]?.();
    if (!kind) throw new Error(`this program knows no forwarder "${name}"`);
    const context = { tag: (index: number) => known.get(index), clock, dataDir, log };
    const consumer: Forwarder = kind.create(forward[name as 'file'] as never, {
      ...context,
      rewind(ms) {
        debt.rewind(ms);
        pumping.wake();
      },
    });
    const pumping = pump({
      source: debt,
      consumer,
      clock,
      bytes: WRITE,
      pause: PAUSE,
      pace: new Pace({ clock, rate: forward.rate, pressure: () => consumer.pressure?.() ?? 0 }),
      deadline: { write: forward.timeout, grace: GRACE },
    });
    const stop = new AbortController();
    const ended = pumping.run(stop.signal);
    return {
      health: () => ({
        ...pumping.health(),
        oldest: debt.oldest,
        behind: debt.behind,
        trouble: consumer.trouble?.() ?? '',
      }),
      wake: () => pumping.wake(),
      async end() {
        stop.abort();
        await ended;
        await consumer.close().catch((error: Error) => log('warn', `did not close: ${error.message}`));
      },
    };
  }

  let written = 0;
  const looking = setInterval(() => {
    const now = ends().written;
    if (now === written) return;
    written = now;
    for (const { wake } of running.values()) wake();
  }, LOOK);
  const report = (): void =>
    emit('health', Object.fromEntries([...running].map(([name, { health }]) => [name, health()])));
  const reporting = setInterval(report, REPORT);
  report();
  serve({
    calls: {},
    posts: {
      use(given: ForwardTag[]) {
        for (const tag of given) known.set(tag.index, tag);
      },
    },
    async close() {
      clearInterval(looking);
      clearInterval(reporting);
      await Promise.all([...running.values()].map(({ end }) => end()));
    },
  });
}

/** One that cannot even be made: what it is owed waits, and the others go on. */
function refused(name: string, error: Error): Running {
  const trouble = `${error.message}; correct forward.${name} in the settings and start again`;
  const health = { damaged: 0, failures: 0, tries: 0, lastError: '', behind: false, trouble };
  return { health: () => health, wake: () => {}, end: () => Promise.resolve() };
}

if (startedAs() === 'egress') await runEgress(workerData as Start);
