// What little free disk space means, in three steps: say so, make room at the cost of the oldest samples, and store no more
// samples so that events, alarms and positions still can be. Pure; guard.ts looks at the disk and acts.

export type DiskStep = 'ok' | 'warn' | 'drop' | 'stop';
export interface Space {
  /** Bytes that this process may still use, and the size of what it may use in all. */
  free: number;
  total: number;
}

const GIB = 2 ** 30;
/** A step begins below its share of the disk; on a large disk below a size that is plenty whatever the share. */
const limits: readonly { step: DiskStep; share: number; most: number }[] = [
  { step: 'ok', share: Infinity, most: Infinity },
  { step: 'warn', share: 0.15, most: 16 * GIB },
  { step: 'drop', share: 0.08, most: 8 * GIB },
  { step: 'stop', share: 0.04, most: 4 * GIB },
];
/** A step ends only this far above its limit, as a share of the disk and of the size: two percentage points, or half a step. */
const BACK = { share: 0.02, part: 0.5 };

/** Bytes of free space below which a step begins. */
export function limitOf(step: DiskStep, total: number): number {
  const { share, most } = limits[rank(step)] as (typeof limits)[number];
  return Math.min(share * total, most);
}

/** Down at once, however far; up one step after the other, each only when there is clearly more than its limit. */
export function nextStep(before: DiskStep, { free, total }: Space): DiskStep {
  let at = limits.length - 1;
  while (at > 0 && free >= limitOf((limits[at] as (typeof limits)[number]).step, total)) at--;
  for (let held = rank(before); held > at; held--) {
    const step = (limits[held] as (typeof limits)[number]).step;
    if (free < limitOf(step, total) + Math.min(BACK.share * total, BACK.part * limitOf(step, total))) return step;
  }
  return (limits[at] as (typeof limits)[number]).step;
}

/**
 * Bytes of segment files that may be kept: the cap, and where the disk is short, no more than leaves free what the last
 * step asks for; never less than is needed to go on.
 * @param kept bytes of segment files now
 */
export function journalCap(step: DiskStep, { free, total }: Space, kept: number, cap: number, least: number): number {
  if (step === 'ok' || step === 'warn') return cap;
  return Math.min(cap, Math.max(least, kept + free - limitOf('stop', total)));
}

/** For /health: what is the matter and what to do; empty when nothing is. */
export function sayStep(step: DiskStep, { free, total }: Space): string {
  const left = `${size(free)} of ${size(total)} (${((free / total) * 100).toFixed(1)} %) were free when this began`;
  const at = (limit: DiskStep): string => size(limitOf(limit, total));
  switch (step) {
    case 'ok':
      return '';
    case 'warn':
      return `the disk is filling up: ${left}; below ${at('drop')} the oldest samples are dropped: make room`;
    case 'drop':
      return `the disk is nearly full: ${left}; the oldest samples are dropped to make room, below ${at('stop')} none are stored any more: make room`;
    case 'stop':
      return `the disk is full: ${left}; samples are shown and judged but no longer stored, events and alarms still are: make room`;
  }
}

const rank = (step: DiskStep): number => limits.findIndex((limit) => limit.step === step);
function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;
}
