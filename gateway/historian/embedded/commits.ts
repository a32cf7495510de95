// Every transaction of the store, in the writer thread: samples go from memory into chunks, and the position with them;
// memory and the account follow only when that is stored. Owned by store.ts, which says what is due.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Micros, Sample } from '../../model.ts';
import type { Account } from './account.ts';
import type { Chunks } from './fold.ts';
import type { InPlace } from './inplace.ts';
import { Merged } from './merged.ts';
import type { OpenChunks } from './openchunks.ts';
import type { Retention } from './retention.ts';
import { indexOf, part, seriesOf } from './series.ts';
import type { Kept, Series } from './series.ts';
import type { StoreOptions } from './storing.ts';
import { EVER } from './waiting.ts';
import type { Closing } from './waiting.ts';

/** A tag's chunk is due so long after its window, for samples on their way. */
export const GRACE = 15_000_000;

interface Parts {
  chunks: Chunks;
  open: OpenChunks;
  account: Account;
  retention: Pick<Retention, 'floor'>;
  inPlace: InPlace;
}

export class Commits {
  /** Transactions that put something into chunks, or the position on, and how long the last one took, ms. */
  readonly counts = { commits: 0, commitMs: 0 };
  readonly #options: Pick<StoreOptions, 'clock' | 'durable'>;
  readonly #db: DatabaseSync;
  readonly #chunks: Chunks;
  readonly #open: OpenChunks;
  readonly #account: Account;
  readonly #retention: Parts['retention'];
  readonly #inPlace: InPlace;
  readonly #merged: Merged;
  readonly #putAccount: StatementSync;

  constructor(
    db: DatabaseSync,
    { chunks, open, account, retention, inPlace }: Parts,
    options: Pick<StoreOptions, 'clock' | 'durable'>,
  ) {
    this.#options = options;
    this.#db = db;
    this.#chunks = chunks;
    this.#open = open;
    this.#account = account;
    this.#retention = retention;
    this.#inPlace = inPlace;
    this.#merged = new Merged(db);
    this.#putAccount = db.prepare('UPDATE account SET position = ?, delivered = ?, filtered = ?');
  }

  /** Whether a sample of a frame that comes again is in a chunk already. */
  has(tag: number, seq: number, t: Micros): boolean {
    return this.#merged.has(tag, seq, t);
  }
  /** A frame too large for memory goes straight into chunks; nothing else is open then. */
  direct(seq: number, samples: readonly Sample[]): void {
    if (seq >= this.#options.durable())
      throw new Error('a frame too large for memory waits for the journal to be synced');
    const byTag = new Map<number, Map<Micros, Kept>>();
    for (const { tag, t, value, status, flags } of samples) {
      let kept = byTag.get(tag);
      if (!kept) byTag.set(tag, (kept = new Map()));
      kept.set(t, { t, value, status, flags });
    }
    this.transaction(() => {
      for (const [tag, kept] of byTag) {
        this.#chunks.fold(tag, seriesOf([...kept.values()].sort((a, b) => a.t - b.t)));
        this.#merged.note(tag, seq, EVER);
      }
      this.#chunks.settleHours(this.#options.clock.micros());
    });
  }
  /** Closes tags that began first, all they have; false when nothing can be closed. */
  closeOldest(): boolean {
    return this.closeTags(this.#open.oldest(), Infinity);
  }
  /** Closes what one transaction bears of these tags' windows over by `over`; false when there is nothing. */
  closeTags(tags: readonly number[], over: Micros): boolean {
    const durable = this.#options.durable();
    const scattered = this.#open.scattered(tags, over, durable);
    if (scattered) {
      this.#foldAhead(scattered);
      return true;
    }
    const closings = this.#open.closings(tags, over, durable);
    if (closings.length > 0) this.commit(closings);
    return closings.length > 0;
  }

  /**
   * Samples that lie in too many windows for one transaction go into chunks before their tag is closed, so that nobody waits
   * long for the next commit. Memory and position stay: after a kill they come again, and change nothing.
   */
  #foldAhead({ tag, windows }: { tag: number; windows: ReadonlySet<Micros> }): void {
    const began = performance.now();
    this.transaction(() => {
      for (const series of this.#open.within(tag, windows)) this.#chunks.fold(tag, this.#kept(series));
      this.#chunks.settleHours(this.#options.clock.micros() - GRACE);
    });
    this.counts.commits++;
    this.counts.commitMs = performance.now() - began;
    this.#open.folded(tag, windows);
  }
  /** Without what retention has passed over since it was taken in: it would stand alone in an hour whose row says more. */
  #kept(series: Series): Series {
    return part(series, indexOf(series, this.#retention.floor), series.n);
  }
  /** Chunks and position in one transaction; memory and counts follow only when it is stored. */
  commit(closings: readonly Closing[]): void {
    const settled = this.#account.at(
      Math.min(this.#account.taken + 1, this.#options.durable(), this.#open.first(closings)),
    );
    const now = this.#options.clock.micros() - GRACE;
    if (closings.length === 0 && settled.position === this.#account.settled.position && !this.#chunks.hourOver(now))
      return;
    const began = performance.now();
    this.transaction(() => {
      for (const each of closings) {
        for (const series of this.#open.series(each)) this.#chunks.fold(each.tag, this.#kept(series));
        this.#merged.note(each.tag, each.seq, each.until);
      }
      this.#chunks.settleHours(now);
      this.#merged.forget(settled.position);
      this.#putAccount.run(settled.position, settled.delivered, settled.filtered);
    });
    this.counts.commits++;
    this.counts.commitMs = performance.now() - began;
    this.#account.settle(settled);
    this.#open.closed(closings);
  }
  /** All or nothing; throws when it is nothing. */
  transaction(act: () => void): void {
    this.#inPlace.check();
    const touched = [...this.#chunks.touched.keys()];
    const { damaged } = this.#chunks;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      act();
      this.#db.exec('COMMIT');
      this.#merged.commit();
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#merged.rollback();
      this.#chunks.damaged = damaged;
      for (const id of touched) this.#chunks.touched.set(id, false);
      throw error;
    }
  }
}
