// A limit for each wait on the OPC UA library, some of whose promises never settle (a cut at the wrong moment).
// Called around every await of the driver; the abandoned work may end as it likes.
import type { Clock } from '../../model.ts';

export class TooLate extends Error {
  override name = 'TooLate';
}
export class Aborted extends Error {
  override name = 'Aborted';
}

/**
 * What `work` brings, unless `ms` pass (rejects TooLate, a sentence that begins with `what`) or `signal` aborts
 * (rejects Aborted).
 */
export function within<T>(clock: Clock, ms: number, what: string, work: Promise<T>, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => settle(() => reject(new Aborted(`${what}: aborted`)));
    const callOff = clock.after(ms, () => settle(() => reject(new TooLate(`${what}: no answer within ${ms} ms`))));
    const settle = (act: () => void): void => {
      callOff();
      signal?.removeEventListener('abort', aborted);
      act();
    };
    signal?.addEventListener('abort', aborted);
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error instanceof Error ? error : new Error(String(error)))),
    );
    if (signal?.aborted) aborted();
  });
}
