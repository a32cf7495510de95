// How far a file has come into the gateway, on a terminal. Used by import and seed.
import type { Reached } from './resume.ts';

/** A line a second on a terminal; nothing elsewhere. */
export function showProgress(name: string, size: number): { at(reached: Reached): void; end(): void } {
  if (process.stderr.isTTY !== true) return { at() {}, end() {} };
  const began = performance.now();
  let last: Reached | undefined;
  const show = setInterval(() => {
    if (!last) return;
    const seconds = (performance.now() - began) / 1000;
    const mb = `${(last.offset / 1e6).toFixed(0)} MB`;
    const far = Number.isFinite(size) ? `${size > 0 ? Math.floor((100 * last.offset) / size) : 100} %` : mb;
    const rate = Math.round(last.accepted / seconds);
    process.stderr.write(`\r\x1b[K${name}: ${far}, ${last.accepted} accepted, ${last.rejected} rejected, ${rate}/s`);
  }, 1000);
  return {
    at: (reached) => void (last = reached),
    end() {
      clearInterval(show);
      process.stderr.write('\r\x1b[K');
    },
  };
}
