// How long a machine stays in which state: a semi-Markov chain whose long-run shares are 60 % operational, 30 %
// warning, 7 % down and 3 % maintenance, with dwell times of minutes to an hour. Called by plants/assembly.
import type { Random } from '../random.ts';

export const machineStates = { 0: 'operational', 1: 'warning', 2: 'down', 3: 'maintenance' } as const;

export interface Dwell {
  state: number;
  seconds: number;
}

/** Mean dwell in seconds by state. */
const means = [2400, 1200, 1080, 1560] as const;

/** The state that follows: a warning clears in two cases of three, else the machine goes down or is taken out for work. */
function next(state: number, random: Random): number {
  if (state !== 1) return state === 0 ? 1 : 0;
  const draw = random.next();
  return draw < 2 / 3 ? 0 : draw < 2 / 3 + 1 / 4 ? 2 : 3;
}

/** Endless dwells of one machine; the first is cut short, as if one had walked in on it. Whole seconds, at least 20. */
export function* dwells(random: Random): Generator<Dwell, never, undefined> {
  const draw = random.next();
  let state = draw < 0.6 ? 0 : draw < 0.9 ? 1 : draw < 0.97 ? 2 : 3;
  let part = random.next();
  for (;;) {
    // The sum of two exponentials: the same mean as one, and hardly ever a machine that fails for a second.
    const half = means[state]! / 2;
    const seconds = (random.exponential(half) + random.exponential(half)) * part;
    yield { state, seconds: Math.max(20, Math.round(seconds)) };
    part = 1;
    state = next(state, random);
  }
}
