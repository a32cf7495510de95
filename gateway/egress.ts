// The egress thread: sends what the journal holds to stores elsewhere, one pump for each, so that none of them can hold up
// main, history or each other. `openEgress` is how the daemon starts it from main, when a forwarder is configured; a
// thread that dies is started again and goes on where the writer's books say. The lower half runs inside the thread.
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import type { Catalog } from './catalog.ts';
import { systemClock } from './clock.ts';
import { forwardTo } from './forwarders.ts';
import type { ForwardHealth, ForwardSections, Forwarding, Told } from './forwarders.ts';
import { diskFiles } from './journal/files.ts';
import { Follower } from './journal/follow.ts';
import { packSettled } from './journal/log.ts';
import type { Range } from './journal/ranges.ts';
import { readEnds } from './journal/shared.ts';
import type { ForwardTag } from './consumer.ts';
import type { ValueType } from './model.ts';
import type { Log } from './status.ts';
import { emit, serve, startThread, startedAs } from './threads.ts';
import type { Thread } from './threads.ts';
import type { SettledWrite, Writer } from './writer.ts';

export interface Egress {
  /** Of at most a second ago, by forwarder; `down` says why the thread has died lately. */
  health(): { forwards: Record<string, ForwardHealth>; down: string };
  /** After a reload; earlier tags stay known. */
  use(tags: readonly ForwardTag[]): void;
  /** Gives up writes on their way and ends the thread within `ms` (3 s). Idempotent. */
  close(ms?: number): Promise<void>;
}
export interface EgressOptions {
  dataDir: string;
  forward: ForwardSections;
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
/** ms after which a thread that was started again is not spoken of any more. */
const SETTLED = 15_000;
type Said = { level: 'debug' | 'info' | 'warn' | 'error'; message: string; detail: object };

/** Starts the thread, after the writer; rejects when it cannot begin. */
export async function openEgress(options: EgressOptions): Promise<Egress> {
  const { dataDir, forward, names, writer, log, silence = 60_000 } = options;
  let { tags } = options;
  let thread: Thread;
  let tries = 0;
  let closed = false;
  let alive = false;
  let down = '';
  let heard = performance.now();
  let forwards: Record<string, ForwardHealth> = {};

  const start = async (): Promise<void> => {
    const { accounts } = await writer.attach(names);
    if (closed) return;
    const owed = Object.fromEntries(Object.entries(accounts).map(([name, account]) => [name, account.owed]));
    const data = { dataDir, forward, owed, tags, shared: writer.shared };
    const began = performance.now();
    const fresh = (thread = startThread('egress', import.meta.url, data, (name, body) => {
      if (name === 'settled') writer.settled(body as SettledWrite);
      if (name === 'suspect') writer.examine(body as string);
      if (name === 'health') {
        forwards = body as Record<string, ForwardHealth>;
        heard = performance.now();
        if (heard - began > SETTLED) down = '';
      }
      if (name === 'log') {
        const { level, message, detail } = body as Said;
        log[level](detail, message);
      }
    }));
    void fresh.death.then(({ expected, error }) => {
      if (expected || closed) return;
      const reason = error ?? new Error('the egress thread ended');
      alive = false;
      down = reason.message;
      options.onDeath(reason);
      tries = performance.now() - began > 60_000 ? 0 : tries + 1;
      again();
    });
    await fresh.ready;
    heard = performance.now();
    alive = true;
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
    if (!alive || performance.now() - heard < silence) return;
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
  forward: ForwardSections;
  owed: Record<string, Range[]>;
  tags: ForwardTag[];
  shared: SharedArrayBuffer;
}
/** ms between two looks at how far the journal is written. */
const LOOK = 100;
const REPORT = 1000;

async function runEgress({ dataDir, forward, owed, tags, shared }: Start): Promise<void> {
  const clock = systemClock;
  const known = new Map(tags.map((tag) => [tag.index, tag]));
  const ends = () => readEnds(shared);
  const follower = new Follower({ files: diskFiles, folder: join(dataDir, 'journal'), ends });
  const running = new Map<string, Forwarding>();
  for (const [name, ranges] of Object.entries(owed)) {
    const settled: Told['settled'] = (list, stored) => {
      const frames = packSettled(list);
      emit('settled', { consumer: name, frames, stored } satisfies SettledWrite, [frames.buffer]);
    };
    const log: Told['log'] = (level, message, detail = {}) =>
      emit('log', { level, message: `${name}: ${message}`, detail: { forward: name, ...detail } } satisfies Said);
    const told = { settled, suspect: () => emit('suspect', name), log };
    const context = { tag: (index: number) => known.get(index), clock, dataDir, forward, follower, owed: ranges };
    running.set(name, await forwardTo(name, { ...context, ...told }));
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

if (startedAs() === 'egress') await runEgress(workerData as Start);
