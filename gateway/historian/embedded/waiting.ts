// What of each tag waits in memory for its chunk: windows of the run, stragglers, and the sequences they came with.
// Kept by the store beside the shared memory; says what can be closed, so that a tag's samples up to a sequence are all
// in chunks and none above it. Pure.
import { WINDOW } from './chunks.ts';
import type { Micros } from '../../model.ts';

/** Samples of the run in one window. */
interface Part {
  window: Micros;
  first: number;
  last: number;
  n: number;
  /** All of it is in a chunk already, ahead of its closing. */
  folded: boolean;
}
export interface Waiting {
  parts: Part[];
  /** Stragglers: how many, and the sequences of the first and the last. */
  late: number;
  lateFirst: number;
  lateLast: number;
  /** Windows with stragglers that are in no chunk yet. */
  lateIn: Set<Micros>;
  mark: Mark | undefined;
}
/** What there was of a tag with stragglers when it could not be closed as a whole: its newest frame was not durable yet. */
interface Mark {
  seq: number;
  n: number;
  late: number;
  /** Windows of stragglers since then. */
  lateIn: Set<Micros>;
}

/** What is taken out of memory into chunks. */
export interface Closing {
  tag: number;
  /** Samples at the front of the run, and the first of the stragglers. */
  n: number;
  late: number;
  /** These are all. */
  whole: boolean;
  /** All samples of the tag of frames before this sequence, and those of that frame up to this time, are in chunks then. */
  seq: number;
  until: Micros;
  /** The first sequence of what is left; Infinity when nothing is. */
  rest: number;
}

export const EVER = Number.MAX_SAFE_INTEGER;

export const nothingWaits = (): Waiting => ({
  ...{ parts: [], late: 0, lateFirst: Infinity, lateLast: -1 },
  ...{ lateIn: new Set(), mark: undefined },
});

export function addToRun(waiting: Waiting, window: Micros, seq: number): void {
  const part = waiting.parts.at(-1);
  if (part?.window !== window) waiting.parts.push({ window, first: seq, last: seq, n: 1, folded: false });
  else {
    part.last = seq;
    part.n++;
    part.folded = false;
  }
}
export function addLate(waiting: Waiting, window: Micros, seq: number): void {
  waiting.late++;
  waiting.lateIn.add(window);
  waiting.mark?.lateIn.add(window);
  waiting.lateFirst = Math.min(waiting.lateFirst, seq);
  waiting.lateLast = seq;
}

export const firstOf = ({ parts, lateFirst }: Waiting): number => Math.min(parts[0]?.first ?? Infinity, lateFirst);
export const countOf = ({ parts, late }: Waiting): number => parts.reduce((n, part) => n + part.n, late);

/** Windows over by `now`, or with another behind them in the run. */
export function overBy({ parts }: Waiting, now: Micros): number {
  const last = parts.at(-1);
  if (!last) return 0;
  return last.window + WINDOW <= now ? parts.length : parts.length - 1;
}

/** Windows with something that is in no chunk yet, in order, and the samples of the run in each. */
export function unfolded({ parts, lateIn }: Waiting): { window: Micros; n: number }[] {
  const windows = new Map([...lateIn].map((window) => [window, 0]));
  for (const { window, n, folded } of parts) if (!folded || lateIn.has(window)) windows.set(window, n);
  return [...windows].map(([window, n]) => ({ window, n })).sort((a, b) => a.window - b.window);
}
/** All there is of these windows is in chunks. */
export function foldedIn(waiting: Waiting, windows: ReadonlySet<Micros>): void {
  for (const part of waiting.parts) part.folded ||= windows.has(part.window);
  for (const window of windows) {
    waiting.lateIn.delete(window);
    waiting.mark?.lateIn.delete(window);
  }
}

/**
 * What can be closed of a tag between two frames: the first windows of the run, at most `parts` and at least one, no more
 * than `most` samples if more than one. With stragglers all of the tag: they may have come at any time, and a sequence could
 * not say what is in chunks otherwise. A tag that never rests has a frame that is not durable yet at any time: then all
 * that it had when that was found. Undefined when nothing of sequences below `durable` can be closed.
 */
export function closing(
  tag: number,
  waiting: Waiting,
  parts: number,
  most: number,
  durable: number,
): Closing | undefined {
  const { mark, late, lateLast } = waiting;
  const seq = Math.max(waiting.parts.at(-1)?.last ?? -1, lateLast);
  const whole = { tag, n: countOf(waiting) - late, late, whole: true, seq, until: EVER, rest: Infinity };
  let count = 0;
  let n = 0;
  for (const part of waiting.parts.slice(0, Math.max(1, parts))) {
    if (count > 0 && n + part.n > most) break;
    n += part.n;
    count++;
  }
  if (late > 0 || count === waiting.parts.length) {
    if (seq < durable) return whole;
    waiting.mark ??= { seq, n: whole.n, late, lateIn: new Set() };
    if (!mark || mark.seq >= durable) return undefined;
    return { tag, n: mark.n, late: mark.late, whole: false, seq: mark.seq, until: EVER, rest: mark.seq + 1 };
  }
  const { last, window } = waiting.parts[count - 1] as Part;
  const rest = (waiting.parts[count] as Part).first;
  return last < durable ? { tag, n, late: 0, whole: false, seq: last, until: window + WINDOW - 1, rest } : undefined;
}

/** What is left after a closing. */
export function closed(waiting: Waiting, { n, late, whole, seq }: Closing): void {
  if (whole) return void Object.assign(waiting, nothingWaits());
  for (let left = n; left > 0;) {
    const part = waiting.parts[0] as Part;
    const gone = Math.min(left, part.n);
    if (gone === part.n) waiting.parts.shift();
    else Object.assign(part, { n: part.n - gone, first: seq + 1 });
    left -= gone;
  }
  const { mark } = waiting;
  // It counts from what was the front of the run.
  waiting.mark = undefined;
  if (late === 0) return;
  waiting.late -= late;
  waiting.lateIn = mark?.lateIn ?? waiting.lateIn;
  if (waiting.late > 0) waiting.lateFirst = seq + 1;
  else Object.assign(waiting, { lateFirst: Infinity, lateLast: -1 });
}
