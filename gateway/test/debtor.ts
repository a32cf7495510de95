// A journal on disk that owes one store elsewhere what is put into it, served as the egress thread serves it, but in this
// thread and on a clock that moves when it is told. For tests of outages, certificates and tables against real servers.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ManualClock } from '../clock.ts';
import type { ForwardTag } from '../consumer.ts';
import { forwardTo } from '../forwarders.ts';
import type { ForwardHealth, ForwardSections } from '../forwarders.ts';
import { inWords } from '../forwards.ts';
import { diskFiles } from '../journal/files.ts';
import { Follower } from '../journal/follow.ts';
import { encodeFrame } from '../journal/testing.ts';
import { readHead } from '../journal/head.ts';
import type { Account } from '../journal/log.ts';
import { openSegments } from '../journal/segments.ts';
import { readEnds, sharedEnds } from '../journal/shared.ts';
import type { Batch } from '../model.ts';

export interface Debtor {
  put(batch: Batch): void;
  /** All that was put is on disk and may be sent. */
  sync(): Promise<void>;
  /** Virtual time passes; the real one only as far as `until`, asked after each step, wants to be waited for. Rejects after 30 real seconds. */
  pass(ms: number, until?: () => boolean | Promise<boolean>): Promise<void>;
  /** Until nothing is owed any more. */
  drain(): Promise<void>;
  account(): Account;
  health(): ForwardHealth;
  /** What /health says of it. */
  says(): string;
  /** Level and words of each line of the log. */
  logged: string[];
  close(): Promise<void>;
}

export interface DebtorOptions {
  dataDir: string;
  clock: ManualClock;
  tags: readonly ForwardTag[];
  /** The store. */
  name: 'questdb' | 'postgres' | 'file';
  section: Partial<ForwardSections>;
  /** Samples a second from a backlog. */
  rate?: number;
}

/** ms of virtual time between two looks. */
const STEP = 1000;

export async function debtor({ dataDir, clock, tags, name, section, rate = 0 }: DebtorOptions): Promise<Debtor> {
  mkdirSync(dataDir, { recursive: true });
  const shared = sharedEnds();
  const log = openSegments({ dataDir, cap: 1e9, clock, shared });
  log.add(name, log.start, { order: 'liveFirst' });
  const ends = () => readEnds(shared);
  const logged: string[] = [];
  const forwarding = await forwardTo(name, {
    clock,
    dataDir,
    tag: (index) => tags[index],
    log: (level, message) => void logged.push(`${level}: ${message}`),
    // No write is given up: real requests take their time while virtual hours pass.
    forward: { rate, timeout: 1e9, ...section },
    follower: new Follower({ files: diskFiles, folder: join(dataDir, 'journal'), ends }),
    owed: log.account(name).owed,
    settled: (frames, stored) => (stored === 'lost' ? log.lose(name, frames) : log.deliver(name, frames, stored)),
    suspect: () => logged.push('suspect'),
  });
  let next = log.start;
  const self: Debtor = {
    logged,
    put(batch) {
      const bytes = encodeFrame(batch, next++, 1);
      const head = readHead(bytes);
      if (!head.ok) throw new Error(head.message);
      log.append(bytes, head.meta);
    },
    async sync() {
      await log.sync();
      forwarding.wake();
    },
    async pass(ms, until) {
      const limit = performance.now() + 30_000;
      for (let passed = 0; passed < ms; passed += STEP) {
        await clock.advance(Math.min(STEP, ms - passed));
        if (!until) continue;
        if (await until()) return;
        if (performance.now() > limit) throw new Error(`it did not come to that: ${JSON.stringify(self.health())}`);
        // Requests are real.
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
    async drain() {
      await self.sync();
      await self.pass(Infinity, () => log.account(name).backlog.frames === 0);
    },
    account: () => log.account(name),
    health: () => forwarding.health(),
    says: () => inWords(forwarding.health(), log.account(name), '', clock.now()).reason,
    async close() {
      const ending = forwarding.end();
      for (let ended = false; !ended;) {
        await clock.advance(STEP);
        ended = await Promise.race([ending.then(() => true), new Promise<false>((r) => setTimeout(r, 5, false))]);
      }
      await log.close();
    },
  };
  return self;
}
