// Asks a database within a time limit, so that one that is away, slow or failing costs no more than that and says why.
// One for each database; used by deep.ts, which answers with the local part when there is no answer.
import type { Clock } from '../model.ts';

/** A database that took this long to fail is not asked again for a while, ms each: nobody should wait for it twice. */
const LONG = 500;
const PAUSE = 5000;

export interface Asking {
  /** What was answered, or in words why not. A question that is wrong in itself, or called off, rejects. */
  ask<T>(
    question: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<{ answer: T } | { reason: string }>;
}

/** @param timeout ms an answer may take */
export function asking(clock: Pick<Clock, 'mono' | 'after'>, timeout: number): Asking {
  let failed: { reason: string; until: number } | undefined;
  return {
    async ask(question, signal) {
      signal?.throwIfAborted();
      const began = clock.mono();
      if (failed && began < failed.until) return { reason: failed.reason };
      const late = new AbortController();
      const reason = new Error(`no answer within ${timeout / 1000} s`);
      const expired = Promise.withResolvers<never>();
      const cancel = clock.after(timeout, () => {
        late.abort(reason);
        expired.reject(reason);
      });
      const stop = (): void => {
        late.abort(signal?.reason);
        expired.reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', stop, { once: true });
      try {
        const answer = await Promise.race([question(late.signal), expired.promise]);
        failed = undefined;
        return { answer };
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof RangeError) throw error;
        const now = clock.mono();
        const said = error instanceof Error ? error.message : String(error);
        failed = { reason: said, until: now - began < LONG ? now : now + PAUSE };
        return { reason: said };
      } finally {
        cancel();
        signal?.removeEventListener('abort', stop);
      }
    },
  };
}
