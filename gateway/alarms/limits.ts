// Pure: where a value stands against its four limits. A limit is reached at the limit itself and left only a deadband
// inside it; of the limits reached, the alarm names the most severe one (exclusive limits).
export type Level = 'll' | 'l' | 'h' | 'hh';

/** Most severe first: the order in which the exclusive level is found. */
export const levels: readonly Level[] = ['hh', 'h', 'll', 'l'];

export function isHigh(level: Level): boolean {
  return level === 'h' || level === 'hh';
}

/** Whether a limit counts as passed. @param was whether it did before, because then the deadband has to be crossed. */
export function passed(value: number, limit: number, high: boolean, deadband: number, was: boolean): boolean {
  if (high) return value >= limit || (was && value > limit - deadband);
  return value <= limit || (was && value < limit + deadband);
}

/** The more severe of the two limits on its side. */
export function isOuter(level: Level): boolean {
  return level === 'hh' || level === 'll';
}

/** What a change of level is to an operator. */
export function change(
  from: Level | null,
  to: Level | null,
): 'none' | 'raise' | 'clear' | 'escalate' | 'ease' | 'cross' {
  if (from === to) return 'none';
  if (from === null) return 'raise';
  if (to === null) return 'clear';
  if (isHigh(from) !== isHigh(to)) return 'cross';
  return isOuter(to) ? 'escalate' : 'ease';
}
