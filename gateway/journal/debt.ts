// What one consumer is still owed, as the egress thread knows it: its copy of the ranges, read from the followed files.
// The source of that consumer's pump; tells the writer, which keeps the books, what became of each write.
import type { Clock, Micros } from '../model.ts';
import type { Stored } from '../consumer.ts';
import type { Follower } from './follow.ts';
import type { FrameMeta } from './head.ts';
import type { Settled } from './log.ts';
import { inOrder } from './order.ts';
import type { Order, Take } from './order.ts';
import type { Due, PumpSource } from './pump.ts';
import { minus, plus, without } from './ranges.ts';
import type { Range } from './ranges.ts';

export interface DebtOptions {
  follower: Follower;
  clock: Clock;
  /** As the writer gave them. */
  owed: readonly Range[];
  /** One write is settled; `lost`: its frames could not be decoded. */
  settled(frames: Settled[], stored: Stored | void | 'lost'): void;
  /** The files hold something that is no frame. */
  suspect(): void;
}

/** Stored longer ago than this is not written again; the journal keeps no more than that either. */
const MARGIN = 30 * 60_000;

export class Debt implements PumpSource {
  readonly #options: DebtOptions;
  #owed: Range[];
  /**
   * What was settled lately, since when and until when; at first what is kept and not owed, which somebody settled before
   * this start.
   */
  #recent: (Range & { since: number; at: number })[];
  #oldest: Micros | undefined;
  readonly #order: Order = { passed: [] };

  constructor(options: DebtOptions) {
    this.#options = options;
    this.#owed = [...options.owed];
    const at = options.clock.mono();
    const kept = { from: options.follower.ends().first, to: this.#owed.at(-1)?.from ?? 0 };
    this.#recent = this.#owed
      .reduce(minus, kept.from < kept.to ? [kept] : [])
      .map((range) => ({ ...range, since: at, at }));
  }

  /** When the gateway got the oldest samples that are still owed, as far as they were looked at; undefined without any. */
  get oldest(): Micros | undefined {
    return this.#oldest;
  }

  /** Live frames go first, what waited for long behind them. */
  get behind(): boolean {
    return this.#order.split !== undefined;
  }

  read(bytes: number): Due {
    const { follower, clock } = this.#options;
    const { first, written } = follower.ends();
    this.#owed = minus(this.#owed, { from: 0, to: first });
    const due = inOrder(this.#order, this.#owed, written, clock.now(), bytes, this.#take);
    const [next] = due.backlog.length > 0 ? due.backlog : due.live;
    // A frame of events alone has no such time; it must not look as if nothing were owed.
    this.#oldest = next && (next.meta.receivedAt || (this.#oldest ?? clock.micros()));
    return due;
  }

  deliver(frames: readonly FrameMeta[], stored: Stored | void): void {
    this.#settle(frames, stored);
  }
  lose(frames: readonly FrameMeta[]): void {
    this.#settle(frames, 'lost');
  }

  /** What was stored in the last `ms` in which anything was is owed once more: since then the store may have been away for hours. */
  rewind(ms: number): void {
    const since = (this.#recent.at(-1)?.at ?? 0) - ms;
    for (const range of this.#recent) if (range.at >= since) this.#owed = plus(this.#owed, range);
    this.#recent = this.#recent.filter(({ at }) => at < since);
  }

  readonly #take: Take<Due['live'][number]> = (ranges, bytes, least, passed) => {
    const wanted =
      passed &&
      (({ seq, origin }: FrameMeta): boolean => {
        if (origin !== 'live') passed({ from: seq, to: seq + 1 });
        return origin === 'live';
      });
    if (bytes <= 0 && !least) return [];
    const { frames, suspect } = this.#options.follower.read(ranges, bytes, wanted);
    if (suspect) this.#options.suspect();
    return frames;
  };

  #settle(frames: readonly FrameMeta[], stored: Stored | void | 'lost'): void {
    const now = this.#options.clock.mono();
    const runs = runsOf(frames);
    this.#owed = without(
      this.#owed,
      runs.toSorted((a, b) => a.from - b.from),
    );
    for (const range of runs) {
      const last = this.#recent.at(-1);
      if (last?.to === range.from && now - last.since < 1000) Object.assign(last, { to: range.to, at: now });
      else this.#recent.push({ ...range, since: now, at: now });
    }
    this.#recent = this.#recent.filter(({ at }) => now - at < MARGIN);
    const settled = frames.map(({ seq, size, samples, from, to }) => ({ seq, size, samples, from, to }));
    this.#options.settled(settled, stored);
  }
}

/** Frames that follow each other without a gap, as ranges. */
function runsOf(frames: readonly FrameMeta[]): Range[] {
  const runs: Range[] = [];
  for (const { seq } of frames) {
    const last = runs.at(-1);
    if (last?.to === seq) last.to = seq + 1;
    else runs.push({ from: seq, to: seq + 1 });
  }
  return runs;
}
