// One pump per consumer: reads what the log owes it, one write in flight, backs off with full jitter when it fails.
// Run by writer.ts (later by egress); the consumer gets decoded frames and the log hears what was stored.
import type { Clock, Consumer, Frame } from '../model.ts';
import { decodeFrame } from './frame.ts';
import type { FrameMeta } from './head.ts';
import type { Log } from './log.ts';

export interface PumpHealth {
  delivered: number;
  backlog: number;
  /** Frames that could not be decoded: skipped, counted here and in the log as dropped. */
  damaged: number;
  failures: number;
  lastError: string;
  /** On `clock.now()`; undefined before the first success. */
  lastSuccess?: number;
}
export interface Pump {
  /** Works until aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** New frames may have come. */
  wake(): void;
  health(): PumpHealth;
}
export interface PumpOptions {
  name: string;
  log: Log;
  consumer: Consumer;
  clock: Clock;
  /** Bytes of frames per write; a write may hold one frame more than fits. */
  bytes: number;
  /** ms between the starts of two writes, unless a full write waits. */
  pause: number;
  /** Only frames that are acknowledged: for a store whose own position must never be ahead of the log's. */
  durable?: boolean;
  random?: () => number;
}

/** Backoff: full jitter over 0.5 s doubling to 30 s. */
export function pump(options: PumpOptions): Pump {
  const { name, log, consumer, clock, bytes, pause, durable = false, random = Math.random } = options;
  let wakened = Promise.withResolvers<void>();
  const health: PumpHealth = { delivered: 0, backlog: 0, damaged: 0, failures: 0, lastError: '' };
  const wait = async (ms: number, signal: AbortSignal): Promise<void> => {
    if (signal.aborted || ms <= 0) return;
    const done = Promise.withResolvers<void>();
    const cancel = clock.after(ms, done.resolve);
    signal.addEventListener('abort', done.resolve as () => void, { once: true });
    await done.promise;
    signal.removeEventListener('abort', done.resolve as () => void);
    cancel();
  };
  return {
    wake: () => wakened.resolve(),
    health: () => {
      const { delivered, backlog } = log.account(name);
      return { ...health, delivered, backlog: backlog.bytes };
    },
    async run(signal) {
      let tries = 0;
      let began = -Infinity;
      signal.addEventListener('abort', () => wakened.resolve(), { once: true });
      while (!signal.aborted) {
        if (log.account(name).backlog.bytes < bytes) await wait(began + pause - clock.mono(), signal);
        if (signal.aborted) return;
        try {
          const owed = log.read(name, bytes, durable ? log.durable : Infinity);
          if (owed.length === 0) {
            await wakened.promise;
            wakened = Promise.withResolvers<void>();
            continue;
          }
          began = clock.mono();
          const frames: Frame[] = [];
          const whole: FrameMeta[] = [];
          const damaged: FrameMeta[] = [];
          for (const frame of owed) {
            const result = decodeFrame(frame.bytes);
            if (result.ok) frames.push(result.frame);
            (result.ok ? whole : damaged).push(frame.meta);
          }
          const stored = frames.length > 0 ? await consumer.write(frames, signal) : undefined;
          log.deliver(name, whole, stored);
          if (damaged.length > 0) log.lose(name, damaged);
          health.damaged += damaged.length;
          tries = 0;
          health.lastError = '';
          health.lastSuccess = clock.now();
          await new Promise<void>((resolve) => setImmediate(resolve));
        } catch (error) {
          health.failures++;
          health.lastError = error instanceof Error ? error.message : String(error);
          await wait(random() * Math.min(30_000, 500 * 2 ** Math.min(tries++, 10)), signal);
        }
      }
    },
  };
}
