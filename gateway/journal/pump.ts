// One pump per consumer: reads what it is owed, one write in flight, backs off with full jitter when that fails. Run by
// writer.ts for the historian and by egress.ts for what goes elsewhere; the consumer gets decoded frames, and the source
// of the frames hears what became of them.
import type { Clock, Consumer, Frame, Stored } from '../model.ts';
import { decodeFrame } from './frame.ts';
import type { FrameMeta } from './head.ts';
import type { Log } from './log.ts';
import type { Pace } from './pace.ts';

/** `live`: what is to go next; `backlog`: what stands behind it after a long outage, and waits its turn. */
export type Lane = 'live' | 'backlog';

/** Where a pump's frames come from: the log itself, or another thread's view of its files. */
export interface PumpSource {
  /** Owed frames in the order in which they are to be sent: at least one if any, then up to `bytes`. */
  read(lane: Lane, bytes: number): { meta: FrameMeta; bytes: Uint8Array }[];
  /** One write has settled these frames; `stored` as the consumer said it. */
  deliver(frames: readonly FrameMeta[], stored: Stored | void): void;
  /** These cannot be decoded. */
  lose(frames: readonly FrameMeta[]): void;
}

/** What the log itself owes a consumer; `durable`: only what is acknowledged. */
export function sourceOf(log: Log, consumer: string, durable = false): PumpSource {
  return {
    read: (lane, bytes) => (lane === 'live' ? log.read(consumer, bytes, durable ? log.durable : Infinity) : []),
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
  /** On `clock.now()`; undefined before the first success, and while nothing has failed. */
  lastSuccess?: number;
  failingSince?: number;
  /** A write was given up and has not ended since: nothing is sent until it does. */
  hangingSince?: number;
}
export interface Pump {
  /** Works until aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** New frames may have come. */
  wake(): void;
  health(): PumpHealth;
}
export interface PumpOptions {
  source: PumpSource;
  consumer: Consumer;
  clock: Clock;
  /** Bytes of frames per write; a write may hold one frame more than fits. */
  bytes: number;
  /** ms between the starts of two writes, unless the last was full. */
  pause: number;
  /** Of the backlog, which is not sent at all without one. */
  pace?: Pace;
  /** ms for one write, after which it is aborted; then ms in which it must end. Without: as long as it takes. */
  deadline?: { write: number; grace: number };
  /** ms: full jitter over the first, doubling to the most. */
  backoff?: { first: number; most: number };
  random?: () => number;
}

/** Bytes of frames with so many samples, roughly. */
const perSample = 14;

/** Backoff: full jitter over 0.5 s doubling to 30 s. */
export function pump(options: PumpOptions): Pump {
  const { source, consumer, clock, bytes, pause, pace, deadline, random = Math.random } = options;
  const { first, most } = options.backoff ?? { first: 500, most: 30_000 };
  let wakened = Promise.withResolvers<void>();
  const health: PumpHealth = { damaged: 0, failures: 0, tries: 0, lastError: '' };
  let began = -Infinity;
  let full = false;
  let last: Lane = 'backlog';

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
  const linger = (): number => (full ? 0 : Math.max(0, began + pause - clock.mono()));
  /** The next frames, the lanes turn about, each when its time has come. */
  const next = (): { lane: Lane; found: ReturnType<PumpSource['read']> } | undefined => {
    const lanes: Lane[] = last === 'live' ? ['backlog', 'live'] : ['live', 'backlog'];
    for (const lane of lanes) {
      if (lane === 'live' ? linger() > 0 : !pace || pace.wait() > 0) continue;
      // Half a second of the backlog at once, so that what is live never waits long behind it.
      const some = lane === 'live' || !pace ? bytes : Math.min(bytes, Math.ceil((pace.rate * perSample) / 2));
      const found = source.read(lane, some);
      if (lane === 'live') full = sizeOf(found) * 2 > bytes;
      if (found.length > 0) return { lane, found };
    }
    return undefined;
  };
  const idle = (): number => Math.min(linger() || Infinity, pace?.wait() || Infinity);

  /** The consumer's answer; rejects when the deadline has passed, but not before the write has ended. */
  const write = async (frames: readonly Frame[], signal: AbortSignal): Promise<Stored | void> => {
    if (!deadline) return consumer.write(frames, signal);
    const late = new AbortController();
    const reason = new Error(`no answer within ${deadline.write / 1000} s`);
    let cancelGrace = (): void => {};
    const cancel = clock.after(deadline.write, () => {
      late.abort(reason);
      cancelGrace = clock.after(deadline.grace, () => (health.hangingSince = clock.now()));
    });
    const stopped = Promise.withResolvers<never>();
    const stop = (): void => {
      // A stop cannot wait for a write that heeds no signal.
      clock.after(deadline.grace, () => stopped.reject(new Error('the gateway stops')));
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([consumer.write(frames, AbortSignal.any([signal, late.signal])), stopped.promise]);
    } catch (error) {
      throw late.signal.aborted ? reason : error;
    } finally {
      signal.removeEventListener('abort', stop);
      cancel();
      cancelGrace();
      health.hangingSince = undefined;
    }
  };

  const send = async (found: ReturnType<PumpSource['read']>, signal: AbortSignal): Promise<number> => {
    const frames: Frame[] = [];
    const whole: FrameMeta[] = [];
    const damaged: FrameMeta[] = [];
    for (const { bytes, meta } of found) {
      const result = decodeFrame(bytes);
      if (result.ok) frames.push(result.frame);
      (result.ok ? whole : damaged).push(meta);
    }
    const stored = frames.length > 0 ? await write(frames, signal) : undefined;
    if (whole.length > 0) source.deliver(whole, stored);
    if (damaged.length > 0) source.lose(damaged);
    health.damaged += damaged.length;
    return whole.reduce((sum, { samples }) => sum + samples, 0);
  };

  return {
    wake: () => wakened.resolve(),
    health: () => ({ ...health }),
    async run(signal) {
      while (!signal.aborted) {
        try {
          const work = next();
          if (!work) {
            await wait(idle(), signal, true);
            wakened = Promise.withResolvers<void>();
            continue;
          }
          last = work.lane;
          if (work.lane === 'live') began = clock.mono();
          const samples = await send(work.found, signal);
          if (work.lane === 'backlog') pace?.take(samples);
          Object.assign(health, { tries: 0, lastError: '', lastSuccess: clock.now(), failingSince: undefined });
          await new Promise<void>((resolve) => setImmediate(resolve));
        } catch (error) {
          if (signal.aborted) return;
          health.failures++;
          health.failingSince ??= clock.now();
          health.lastError = error instanceof Error ? error.message : String(error);
          await wait(random() * Math.min(most, first * 2 ** Math.min(health.tries++, 16)), signal);
        }
      }
    },
  };
}

const sizeOf = (found: readonly { bytes: Uint8Array }[]): number =>
  found.reduce((sum, { bytes }) => sum + bytes.length, 0);
