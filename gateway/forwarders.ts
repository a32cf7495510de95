// The registry of forwarders, and one of them at work: its consumer, its copy of what it is owed, its pump. Runs in the egress
// thread alone (egress.ts); hears of new frames by `wake`, and tells what became of each write.
import { systemClock } from './clock.ts';
import { forwardersOn } from './config/forward.ts';
import type { ForwardSettings } from './config/forward.ts';
import { Debt } from './journal/debt.ts';
import type { DebtOptions } from './journal/debt.ts';
import { Pace } from './journal/pace.ts';
import { pump } from './journal/pump.ts';
import type { PumpHealth } from './journal/pump.ts';
import type { ForwardContext, ForwardKind, Forwarder } from './consumer.ts';
import type { Micros } from './model.ts';

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
/** The sections of the kinds that are on are enough. */
export type ForwardSections = Pick<ForwardSettings, 'rate' | 'timeout'> & Partial<ForwardSettings>;
/** What a forwarder at work says. */
export type Told = Pick<DebtOptions, 'settled' | 'suspect'> & Pick<ForwardContext, 'log'>;
export interface ForwardingOptions
  extends Told, Omit<DebtOptions, keyof Told>, Omit<ForwardContext, 'rewind' | 'answered'> {
  forward: ForwardSections;
}
export interface Forwarding {
  health(): ForwardHealth;
  /** More is written. */
  wake(): void;
  /** Gives up a write on its way; bounded by its grace, unless the consumer does not close. */
  end(): Promise<void>;
}

/** What is wrong with the settings of the kinds that are on, one sentence each. Nothing is connected; for `penstock check`. */
export async function forwardFaults(forward: ForwardSettings): Promise<{ path: string; message: string }[]> {
  const faults: { path: string; message: string }[] = [];
  const context = {
    tag: () => undefined,
    clock: systemClock,
    dataDir: '',
    log: () => {},
    rewind: () => {},
    answered: () => {},
  };
  for (const name of forwardersOn(forward)) {
    const kind = await kinds[name]?.();
    try {
      await kind?.create(forward[name as 'file'] as never, context).close();
    } catch (error) {
      const { message } = error as Error;
      // Most sentences name the setting themselves.
      faults.push({ path: message.startsWith('forward.') ? '' : `forward.${name}`, message });
    }
  }
  return faults;
}

/** Bytes of frames per write, and ms between two writes when there is less. */
const WRITE = 256 * 1024;
const PAUSE = 250;
/** ms that a write has at least, and in which an aborted one must end. */
const LEAST = 1000;
const GRACE = 2000;
/** ms between two words about damaged frames. */
const EXAMINE = 10_000;

/** Never rejects: what a forwarder that cannot even be made is owed waits, it says why, and the others go on. */
export async function forwardTo(name: string, options: ForwardingOptions): Promise<Forwarding> {
  try {
    return await begin(name, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const trouble = `${reason}; correct forward.${name} in the settings and start again`;
    const health = { damaged: 0, failures: 0, tries: 0, lastError: '', behind: false, trouble };
    return { health: () => health, wake: () => {}, end: () => Promise.resolve() };
  }
}

async function begin(name: string, options: ForwardingOptions): Promise<Forwarding> {
  const { forward, tag, clock, dataDir, log } = options;
  const kind = await kinds[name]?.();
  if (!kind) throw new Error(`this program knows no forwarder "${name}"`);
  let examined = -Infinity;
  const debt = new Debt({
    ...options,
    suspect() {
      if (clock.mono() - examined < EXAMINE) return;
      examined = clock.mono();
      options.suspect();
    },
  });
  const rewind = (ms: number): void => {
    debt.rewind(ms);
    pumping.wake();
  };
  const answered = (): void => pumping.answered();
  const context: ForwardContext = { tag, clock, dataDir, log, rewind, answered };
  const consumer: Forwarder = kind.create(forward[name as 'file'] as never, context);
  const pressure = (): number => consumer.pressure?.() ?? 0;
  const pumping = pump({
    source: debt,
    consumer,
    clock,
    bytes: WRITE,
    pause: kind.pause ?? PAUSE,
    ...(forward.rate > 0 ? { pace: new Pace({ clock, rate: forward.rate, pressure }) } : {}),
    deadline: { write: Math.max(LEAST, forward.timeout), grace: GRACE },
  });
  const stop = new AbortController();
  const ended = pumping.run(stop.signal);
  return {
    health() {
      const { oldest, behind } = debt;
      return { ...pumping.health(), oldest, behind, trouble: consumer.trouble?.() ?? '' };
    },
    wake: () => pumping.wake(),
    async end() {
      stop.abort();
      await ended;
      await consumer.close().catch((error: Error) => log('warn', `did not close: ${error.message}`));
    },
  };
}
