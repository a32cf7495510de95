// How long to wait before a lost device is tried again. Pure; used by the supervisor loop.

/** In the first minutes of an outage attempts stay frequent, so that a restarted device gives data within seconds. */
const eagerFor = 5 * 60_000;
const eagerCeiling = 2_000;
const ceiling = 30_000;
/** Not even the luckiest jitter may make a loop that spins. */
const floor = 100;

/**
 * ms before the next attempt: full jitter over a ceiling that doubles from 0.5 s, up to 2 s while the outage is
 * younger than 5 minutes and up to 30 s after that.
 * @param failures attempts that failed since the device was last stable; 0 for the first
 * @param outage ms since it was lost
 * @param random in [0, 1)
 */
export function retryDelay(failures: number, outage: number, random: number): number {
  const most = Math.min(outage < eagerFor ? eagerCeiling : ceiling, 500 * 2 ** Math.min(failures, 16));
  return Math.max(floor, random * most);
}
