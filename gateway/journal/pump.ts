// One pump per consumer: reads what it is owed, one write in flight, backs off with full jitter when that fails. Run by
// writing.ts for the historian and by forwarders.ts for what goes elsewhere; the consumer gets decoded frames, and the source
// of the frames hears what became of them.
import type { Clock, Frame } from '../model.ts';
import type { Consumer, Stored } from '../consumer.ts';
import { decodeFrame } from './frame.ts';
import type { FrameMeta } from './head.ts';
import type { Log } from './log.ts';
import type { Pace } from './pace.ts';

interface Owed {
  meta: FrameMeta;
  bytes: Uint8Array;
}
/** What is to be sent next. */
export interface Due {
  live: Owed[];
  /** What stands behind it after a long outage, and goes no faster than its pace. */
  backlog: Owed[];
}

/** Where a pump's frames come from: the log itself, or another thread's view of its files. */
export interface PumpSource {
  /** Owed frames, each part in the order in which it is to be sent: at least one if any, then up to `bytes`. */
  read(bytes: number): Due;
  /** One write has settled these frames; `stored` as the consumer said it. */
  deliver(frames: readonly FrameMeta[], stored: Stored | void): void;
  /** These cannot be decoded. */
  lose(frames: readonly FrameMeta[]): void;
}

/** What the log itself owes a consumer; `durable`: only what is acknowledged. */
export function sourceOf(log: Log, consumer: string, durable = false): PumpSource {
  return {
    read(bytes) {
      const found = log.read(consumer, bytes, durable ? log.durable : Infinity);
      return { live: found.filter(({ backlog }) => !backlog), backlog: found.filter(({ backlog }) => backlog) };
    },
    deliver: (frames, stored) => log.deliver(consumer, frames, stored),
    lose: (frames) => log.lose(consumer, frames),
  };
}

export interface PumpHealth {
  /** Frames that could not be decoded: skipped, and counted as dropped. */
  damaged: number;
  failures: number;
  /** Failed writes since the last that succeeded; `lastError` is why, empty when there are none. */
  tries: number;
  lastError: string;
  /** On `clock.now()`: the first write's start; undefined before it, before the first success, and while nothing has failed. */
  begun?: number;
  lastSuccess?: number;
  failingSince?: number;
  /** ms since the start of the first write since the last success, however the clock was set; undefined while there is none. */
  quiet?: number;
  /** A write was given up and has not ended since: nothing is sent until it does. */
  hangingSince?: number;
}
export interface Pump {
  /** Works until aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** New frames may have come. */
  wake(): void;
  /** A part of the write on its way was answered: its time begins anew. */
  answered(): void;
  health(): PumpHealth;
}
export interface PumpOptions {
  source: PumpSource;
  consumer: Consumer;
  clock: Clock;
  /** Bytes of frames per write at most, less while writes take long; a write may hold one frame more than fits. */
  bytes: number;
  /** ms between the starts of two writes, unless the last was full. */
  pause: number;
  /** Of the backlog; without one it goes as fast as it can. */
  pace?: Pace;
  /** ms for one answer, after which the write is aborted; then ms in which it must end. Without: as long as it takes. */
  deadline?: { write: number; grace: number };
  /** ms: full jitter over the first, doubling to the most. */
  backoff?: { first: number; most: number };
  random?: () => number;
}

/** ms: where nobody listens, asking costs next to nothing, and a server that is started again is found soon. */
const REFUSED = 5000;

/** Backs off by 0.5 s doubling to 30 s unless told; to 5 s where nobody listens. */
export function pump(options: PumpOptions): Pump {
  const { source, consumer, clock, bytes, pause, pace, deadline, random = Math.random } = options;
  const { first, most } = options.backoff ?? { first: 500, most: 30_000 };
  let wakened = Promise.withResolvers<void>();
  const health: PumpHealth = { damaged: 0, failures: 0, tries: 0, lastError: '' };
  let began = -Infinity;
  /** Since when something is being sent that is not taken, on `clock.mono()`. */
  let sending: number | undefined;
  let full = false;
  let size = bytes;
  let rearm = (): void => {};

  /** Resolves at the time, when aborted, or when woken if that counts. */
  const wait = async (ms: number, signal: AbortSignal, orWoken = false): Promise<void> => {
    if (signal.aborted || ms <= 0) return;
    const done = Promise.withResolvers<void>();
    const cancel = ms === Infinity ? () => {} : clock.after(ms, done.resolve);
    const stop = (): void => done.resolve();
    signal.addEventListener('abort', stop, { once: true });
    await (orWoken ? Promise.race([done.promise, wakened.promise]) : done.promise);
    signal.removeEventListener('abort', stop);
    cancel();
  };
  /** Half a second's worth of the backlog, if it is time for any: what is live never waits long behind it. */
  const paced = (backlog: readonly Owed[]): readonly Owed[] => {
    if (!pace) return backlog;
    if (pace.wait() > 0) return [];
    let room = pace.rate / 2;
    const end = backlog.findIndex(({ meta }) => (room -= meta.samples) <= 0);
    return end < 0 ? backlog : backlog.slice(0, end + 1);
  };

  /** The consumer's answer; rejects when the deadline has passed, but not before the write has ended. */
  const write = async (frames: readonly Frame[], signal: AbortSignal): Promise<Stored | void> => {
    if (!deadline) return consumer.write(frames, signal);
    const begun = clock.now();
    const given = new AbortController();
    const stopped = Promise.withResolvers<never>();
    let late: Error | undefined;
    let cancelGrace = (): void => {};
    const arm = (): (() => void) =>
      clock.after(deadline.write, () => {
        given.abort((late = new Error(`no answer within ${deadline.write / 1000} s`)));
        cancelGrace = clock.after(deadline.grace, () => (health.hangingSince = begun));
      });
    let cancel = arm();
    rearm = () => {
      cancel();
      if (!given.signal.aborted) cancel = arm();
    };
    const stop = (): void => {
      given.abort(signal.reason);
      // A stop cannot wait for a write that heeds no signal.
      cancelGrace = clock.after(deadline.grace, () => stopped.reject(new Error('the gateway stops')));
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([consumer.write(frames, given.signal), stopped.promise]);
    } catch (error) {
      throw late ?? error;
    } finally {
      signal.removeEventListener('abort', stop);
      rearm = () => {};
      cancel();
      cancelGrace();
      health.hangingSince = undefined;
    }
  };

  const send = async (owed: readonly Owed[], signal: AbortSignal): Promise<void> => {
    const frames: Frame[] = [];
    const whole: FrameMeta[] = [];
    const damaged: FrameMeta[] = [];
    for (const { bytes, meta } of owed) {
      const result = decodeFrame(bytes);
      if (result.ok) frames.push(result.frame);
      (result.ok ? whole : damaged).push(meta);
    }
    const stored = frames.length > 0 ? await write(frames, signal) : undefined;
    if (whole.length > 0) source.deliver(whole, stored);
    if (damaged.length > 0) source.lose(damaged);
    health.damaged += damaged.length;
  };

  /** A store that takes as long gets less at once: what does not get in within its time would never get in. */
  const fit = (stored: boolean): void => {
    const slow = deadline !== undefined && clock.mono() - began > deadline.write / 4;
    if (stored && !slow) size = Math.min(bytes, size * 2);
    if (!stored && slow) size = Math.max(1, size / 2);
  };

  return {
    wake: () => wakened.resolve(),
    answered: () => rearm(),
    health: () => ({ ...health, ...(sending !== undefined && { quiet: clock.mono() - sending }) }),
    async run(signal) {
      while (!signal.aborted) {
        if (!full) await wait(began + pause - clock.mono(), signal);
        if (signal.aborted) return;
        try {
          const { live, backlog } = source.read(size);
          const behind = paced(backlog);
          if (live.length + behind.length === 0) {
            full = false;
            await wait(backlog.length > 0 && pace ? pace.wait() : Infinity, signal, true);
            wakened = Promise.withResolvers<void>();
            continue;
          }
          began = clock.mono();
          health.begun ??= clock.now();
          sending ??= began;
          full = sizeOf(live) + sizeOf(behind) > size / 2;
          await send([...live, ...behind], signal);
          fit(true);
          pace?.take(behind.reduce((sum, { meta }) => sum + meta.samples, 0));
          sending = undefined;
          Object.assign(health, { tries: 0, lastError: '', lastSuccess: clock.now(), failingSince: undefined });
          await new Promise<void>((resolve) => setImmediate(resolve));
        } catch (error) {
          if (signal.aborted) return;
          fit(false);
          health.failures++;
          health.failingSince ??= clock.now();
          health.lastError = error instanceof Error ? error.message : String(error);
          const longest = notListening(error) ? Math.min(most, REFUSED) : most;
          await wait(random() * Math.min(longest, first * 2 ** Math.min(health.tries++, 16)), signal);
        }
      }
    },
  };
}

const sizeOf = (owed: readonly Owed[]): number => owed.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** The consumer's sentence was caused by a refused connection; causes are errors or their codes. */
function notListening(error: unknown): boolean {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown };
  return code === 'ECONNREFUSED' || cause === 'ECONNREFUSED' || (cause instanceof Error && notListening(cause));
}
