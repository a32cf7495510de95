// The lowest sequence at which a journal may begin, from the wall clock. Pure; called by writing.ts at each start.
// A database elsewhere keeps the row with the higher sequence. A data folder that was lost or replaced would otherwise
// count from 1 again, and everything filed before would win over its corrections for years.

/** Sequences a second: more than frames can come, and a start, which leaps over 2²⁴, is four seconds of them. */
const EACH_SECOND = 2 ** 22;
const SINCE = Date.UTC(2020, 0, 1);
/** Beyond it a clock is taken for wrong: sequences are exact up to 2^53, which this rate would reach in 2088. */
const UNTIL = Date.UTC(2080, 0, 1);

/** @param now ms since the epoch. 1 where the clock cannot be right: then only what the journal itself remembers counts. */
export function lowestSequence(now: number): number {
  return now >= SINCE && now < UNTIL ? Math.floor((now - SINCE) / 1000) * EACH_SECOND + 1 : 1;
}
