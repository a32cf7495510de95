// What an answer lacks for good: chunks of history.db that cannot be read, and what retention has removed where hourly
// figures do not say the same. Pure. Found by past.ts and the walk, gathered for each tag, put into the answers by history.ts.
import type { Lacking } from '../../history.ts';
import type { Micros } from '../../model.ts';

/** A chunk that is damaged on disk: its tag's id, and the times of its samples, the last one included. */
export interface Hole {
  tag: string;
  from: Micros;
  to: Micros;
}
/** What is kept no longer before a time; what an answer lacks of it lies before `to`. */
export interface Removed {
  before: Micros;
  to: Micros;
}
/** What of a tag is missing in an answer. */
export interface Missing {
  holes: Hole[];
  samples?: Removed;
  /** Hourly figures, as old as they are. */
  hours?: Removed;
}

const iso = (t: Micros): string => new Date(Math.floor(t / 1000)).toISOString();

/** @param holes of one tag; nothing is said of none. No time before which all of it lies: what is around a hole is there. */
export function lackOf(holes: readonly Hole[]): Lacking {
  const [first] = holes;
  if (!first) return {};
  const from = Math.min(...holes.map((hole) => hole.from));
  const to = Math.max(...holes.map((hole) => hole.to));
  // What held before a time may be asked for twice.
  const chunks = new Set(holes.map((hole) => hole.from)).size;
  const which = chunks === 1 ? '' : ` (in ${chunks} chunks)`;
  return {
    incomplete: `the samples of ${first.tag} from ${iso(from)} to ${iso(to)}${which} are damaged on disk and left out: penstock history verify lists all such`,
  };
}

/** What retention has removed, in words. */
export function removedOf({ samples, hours }: Pick<Missing, 'samples' | 'hours'>): Lacking {
  const words = [
    samples &&
      `raw samples before ${iso(samples.before)} were removed by retention, what is older is known by the hour alone`,
    hours && `samples and hourly figures before ${iso(hours.before)} were removed by retention`,
  ].filter((each) => each !== undefined);
  if (words.length === 0) return {};
  return { incomplete: words.join('; '), incompleteUntil: Math.max(samples?.to ?? 0, hours?.to ?? 0) };
}

/** For an answer that lacks something already, what it lacks with more: without a time, as not all of it lies before one. */
export function lacksToo(already: Lacking, more: Lacking): Lacking {
  if (already.incomplete === undefined || more.incomplete === undefined) return more;
  return { incomplete: `${already.incomplete}; ${more.incomplete}` };
}
