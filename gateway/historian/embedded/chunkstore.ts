// The writing side of history.db: a consumer of the journal in the writer thread. Samples wait in shared memory, where the
// reader sees them at once, until their chunks are written; the position goes into the same transaction, so that a kill
// costs nothing and stores nothing twice: frames from the position on come again, and what is in chunks is known.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock, Consumer, Frame, Micros, Sample, Stored, ValueType } from '../../model.ts';
import { Account } from './account.ts';
import type { Settled } from './account.ts';
import { keepable, windowOf } from './chunks.ts';
import { openFile } from './file.ts';
import { Filling } from './filling.ts';
import { Chunks } from './fold.ts';
import { Field, MAX_TAGS, PER_BLOCK, TEXT_BYTES } from './open.ts';
import type { OpenMemory } from './open.ts';
import { Retention } from './retention.ts';
import { seriesOf } from './series.ts';
import type { Kept } from './series.ts';
import { Merged } from './merged.ts';
import { EVER, addLate, addToRun, closed, closing, countOf, firstOf, nothingWaits, overBy } from './waiting.ts';
import type { Closing, Waiting } from './waiting.ts';

export interface StoreOptions {
  dataDir: string;
  clock: Clock;
  memory: OpenMemory;
  /** One past the highest acknowledged sequence: nothing above it is committed, because a power cut may take it back. */
  durable(): number;
  /** Share of its cap that the journal holds for this store alone, 0 to 1. */
  pinned?(): number;
  /** ms; 30 days and 2 years by default. */
  retention?: number;
  rollups?: number;
  /** Bytes of history.db in use; 2 GiB by default. */
  bytes?: number;
  /** Something worth a line in the log, once. */
  say?(message: string): void;
}
export interface StoreStats {
  /** Samples taken in since the start, those of them too old to be kept, and those whose second was full. */
  samples: number;
  filtered: number;
  crowded: number;
  /** Chunks removed by retention. */
  removed: number;
  /** Samples in memory, and bytes of blocks in use. */
  open: number;
  memory: number;
  /** Bytes of history.db in use. */
  bytes: number;
  /** Transactions, and how long the last one took, ms. */
  commits: number;
  commitMs: number;
  /** Why chunks cannot be written or removed; empty when they can. */
  trouble: string;
}
export interface Store extends Consumer {
  /** What is stored for good: frames from its position on must stay in the journal. */
  readonly settled: Settled;
  write(frames: readonly Frame[], signal: AbortSignal): Promise<Stored>;
  use(tags: readonly { index: number; id: string; type: ValueType }[]): void;
  /** Closes what is due, relieves memory and journal, removes what is too old. Call each second; never rejects. */
  tend(): Promise<void>;
  /** For a disk that is nearly full: the oldest samples go, also younger ones than the retention. */
  shrink(): void;
  stats(): StoreStats;
}

/** A tag's chunk is due so long after its window, for samples on their way. */
const GRACE = 15_000_000;
/** ms between two rounds of closing; a round closes a sixtieth of the open tags, but not fewer than so many. */
const ROUND = 5000;
const BATCH = 64;
/** Samples packed in one transaction, about 15 ms of work. */
const SLICE = 40_000;
/** Stragglers of a tag that do not wait for their window's end. */
const LATE = 4096;
/** Shares of memory, and of the journal's cap, at which the oldest are closed early, and down to which. */
const FULL = { from: 7 / 8, to: 3 / 4 };
const PINNED = { from: 0.45, to: 0.35 };
const MINUTE = 60_000;

/** Throws when the file cannot be opened, or a newer program wrote it. */
export function openStore(options: StoreOptions): Store {
  return new ChunkStore(options);
}

class ChunkStore implements Store {
  readonly #options: StoreOptions;
  readonly #db: DatabaseSync;
  readonly #chunks: Chunks;
  readonly #retention: Retention;
  readonly #filling: Filling;
  readonly #account: Account;
  readonly #tags = new Map<number, Waiting>();
  readonly #merged: Merged;
  readonly #putAccount: StatementSync;
  readonly #putTag: StatementSync;
  /** Frames of a write that failed half way: what became of their samples. */
  readonly #partial = new Map<number, Stored>();
  /** Tags with too many stragglers. */
  readonly #urgent = new Set<number>();
  readonly #counts = { samples: 0, filtered: 0, commits: 0, commitMs: 0, trouble: '' };
  #newest = -Infinity;
  #roundAt = -Infinity;
  #minuteAt = -Infinity;
  #tending: Promise<void> | undefined;
  #closed = false;

  constructor(options: StoreOptions) {
    this.#options = options;
    const { dataDir, memory, say = () => {}, retention = 30 * 86_400_000, rollups = 730 * 86_400_000 } = options;
    const { db, aside } = openFile(dataDir);
    this.#db = db;
    this.#chunks = new Chunks(db);
    this.#filling = new Filling(memory);
    db.prepare('INSERT OR IGNORE INTO account VALUES(1, ?, ?, 0, 0)').run(aside?.position ?? 0, aside?.delivered ?? 0);
    if (aside) say(`the history of an earlier version is no longer read; it was moved to ${aside.name}`);
    const { floor, ...settled } = db.prepare('SELECT position, delivered, filtered, floor FROM account').get() as {
      [name in keyof Settled | 'floor']: number;
    };
    this.#account = new Account({ ...settled });
    this.#retention = new Retention(db, this.#chunks, floor, {
      age: retention * 1000,
      rollups: rollups * 1000,
      bytes: options.bytes ?? 2 ** 31,
    });
    this.#merged = new Merged(db);
    this.#putAccount = db.prepare('UPDATE account SET position = ?, delivered = ?, filtered = ?');
    this.#putTag = db.prepare(
      'INSERT INTO tag VALUES(?, ?, ?) ON CONFLICT(idx) DO UPDATE SET id = excluded.id, type = excluded.type WHERE id <> excluded.id OR type <> excluded.type',
    );
  }

  get settled(): Settled {
    return this.#account.settled;
  }

  use(tags: readonly { index: number; id: string; type: ValueType }[]): void {
    this.#transaction(() => {
      for (const { index, id, type } of tags) this.#putTag.run(index, id, type);
    });
  }

  write(frames: readonly Frame[]): Promise<Stored> {
    try {
      const floor = this.#floor();
      for (const frame of frames) if (frame.seq > this.#account.taken) this.#take(frame, floor);
      if (this.#urgent.size > 0) this.#closeSlice([...this.#urgent], () => Infinity);
      const sum = { delivered: 0, filtered: 0, deadLettered: 0 };
      for (const { seq, samples } of frames) {
        const { delivered, filtered } = this.#partial.get(seq) ?? { delivered: samples.length, filtered: 0 };
        sum.delivered += delivered;
        sum.filtered += filtered;
      }
      this.#partial.clear();
      return Promise.resolve(sum);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  tend(): Promise<void> {
    return (this.#tending ??= this.#tend()
      .then(
        () => (this.#counts.trouble = ''),
        (error: unknown) => (this.#counts.trouble = error instanceof Error ? error.message : String(error)),
      )
      .then(() => {
        this.#tending = undefined;
      }));
  }
  shrink(): void {
    this.#retention.shrink(this.#now());
  }
  stats(): StoreStats {
    let open = 0;
    for (const waiting of this.#tags.values()) open += countOf(waiting);
    const { used, columns } = this.#filling;
    return {
      ...this.#counts,
      crowded: this.#chunks.crowded,
      removed: this.#retention.chunksRemoved,
      open,
      memory: (used / columns.blocks) * columns.u8.length,
      bytes: this.#closed ? 0 : this.#retention.used(),
    };
  }
  /** Puts what is in memory into chunks, within two seconds; the rest comes again from the journal. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#tending;
    const until = performance.now() + 2000;
    try {
      while (performance.now() < until && this.#closeOldest()) await yielded();
      this.#commit([]);
    } catch {
      // A disk that takes nothing: the journal has it all.
    }
    this.#closed = true;
    this.#db.close();
  }

  /** The clock, or the newest sample if that is older: a clock years ahead must not empty the history. */
  #now(): Micros {
    return Math.min(this.#options.clock.micros(), this.#newest);
  }
  #floor(): Micros {
    const { clock, retention = 30 * 86_400_000 } = this.#options;
    // In whole hours, as what is removed is.
    return Math.max(this.#retention.floor, Math.floor(clock.now() / 3_600_000) * 3.6e9 - retention * 1000);
  }

  /** One frame, whole or not at all. */
  #take(frame: Frame, floor: Micros): void {
    const { seq, samples } = frame;
    const stored = { delivered: 0, filtered: 0, deadLettered: 0 };
    const fresh: Sample[] = [];
    for (const sample of samples) {
      const { tag, t } = sample;
      if (!keepable(t) || t < floor || !Number.isInteger(tag) || tag < 0 || tag >= MAX_TAGS) {
        stored.filtered++;
        continue;
      }
      stored.delivered++;
      if (!this.#merged.has(tag, seq, t)) fresh.push(sample);
    }
    if (this.#makeRoom(fresh)) for (const sample of fresh) this.#add(seq, sample);
    else this.#direct(seq, fresh);
    this.#counts.samples += samples.length;
    this.#counts.filtered += stored.filtered;
    this.#partial.set(seq, stored);
    this.#account.take(seq, stored.delivered, stored.filtered);
  }
  #add(seq: number, sample: Sample): void {
    const { tag, t } = sample;
    const run = this.#filling.count(tag, Field.run);
    if (!this.#filling.add(sample)) throw new Error('the memory for open chunks is full');
    let waiting = this.#tags.get(tag);
    if (!waiting) this.#tags.set(tag, (waiting = nothingWaits()));
    if (this.#filling.count(tag, Field.run) > run) addToRun(waiting, windowOf(t), seq);
    else {
      addLate(waiting, seq);
      if (waiting.late >= LATE) this.#urgent.add(tag);
    }
    if (t > this.#newest) this.#newest = t;
  }
  /** Blocks for all these samples are free; false when they would not even fit into empty memory. */
  #makeRoom(samples: readonly Sample[]): boolean {
    const { blocks } = this.#filling;
    const free = (): number => blocks - this.#filling.used;
    let needed = samples.length;
    for (const { value } of samples)
      if (typeof value === 'string' || typeof value === 'bigint')
        needed += 1 + Math.ceil((3 * String(value).length) / TEXT_BYTES);
    if (needed <= free()) return true;
    // Closer: a block per 64 samples, and two begun ones per tag.
    const tags = new Set(samples.map(({ tag }) => tag)).size;
    needed += Math.ceil(samples.length / PER_BLOCK) + 2 * tags - samples.length;
    while (needed > free() && this.#closeOldest());
    if (needed <= free()) return true;
    if (this.#tags.size > 0) throw new Error('the memory for open chunks is full until the journal is synced');
    return false;
  }
  /** A frame too large for memory goes straight into chunks; nothing else is open then. */
  #direct(seq: number, samples: readonly Sample[]): void {
    if (seq >= this.#options.durable())
      throw new Error('a frame too large for memory waits for the journal to be synced');
    const byTag = new Map<number, Map<Micros, Kept>>();
    for (const { tag, t, value, status, flags } of samples) {
      let kept = byTag.get(tag);
      if (!kept) byTag.set(tag, (kept = new Map()));
      kept.set(t, { t, value, status, flags });
    }
    this.#transaction(() => {
      for (const [tag, kept] of byTag) {
        this.#chunks.fold(tag, seriesOf([...kept.values()].sort((a, b) => a.t - b.t)));
        this.#merged.note(tag, seq, EVER);
      }
      this.#chunks.settleHours(this.#options.clock.micros());
    });
  }

  async #tend(): Promise<void> {
    if (this.#closed) return;
    const { clock, pinned = () => 0 } = this.#options;
    const { blocks } = this.#filling;
    if (this.#filling.used > blocks * FULL.from)
      while (this.#filling.used > blocks * FULL.to && this.#closeOldest()) await yielded();
    if (pinned() > PINNED.from) while (pinned() > PINNED.to && this.#closeOldest()) await yielded();
    if (clock.mono() - this.#roundAt >= ROUND) {
      this.#roundAt = clock.mono();
      const now = clock.micros() - GRACE;
      const due = [...this.#tags].filter(([tag, waiting]) => this.#urgent.has(tag) || overBy(waiting, now) > 0);
      due.sort((a, b) => (a[1].parts[0]?.window ?? 0) - (b[1].parts[0]?.window ?? 0) || a[0] - b[0]);
      let tags = due.slice(0, Math.max(BATCH, Math.ceil(this.#tags.size / 60))).map(([tag]) => tag);
      while (tags.length > 0) {
        if (!this.#closeSlice(tags, (waiting) => overBy(waiting, now))) break;
        await yielded();
        tags = tags.filter((tag) => overBy(this.#tags.get(tag) ?? nothingWaits(), now) > 0);
      }
    }
    if (clock.mono() - this.#minuteAt >= MINUTE) {
      this.#minuteAt = clock.mono();
      this.#commit([]);
      if (Number.isFinite(this.#now())) this.#retention.look(this.#now());
    }
    for (let steps = 0; steps < 20 && this.#retention.step(); steps++) await yielded();
  }

  /** Closes tags that began first, all they have; false when nothing can be closed. */
  #closeOldest(): boolean {
    const oldest = [...this.#tags].sort((a, b) => firstOf(a[1]) - firstOf(b[1]));
    return this.#closeSlice(
      oldest.map(([tag]) => tag),
      () => Infinity,
    );
  }
  /** Closes what one transaction bears of these tags; `parts`: how many windows of each. False when there is nothing. */
  #closeSlice(tags: readonly number[], parts: (waiting: Waiting) => number): boolean {
    const durable = this.#options.durable();
    const closings: Closing[] = [];
    let samples = 0;
    for (const tag of tags) {
      const waiting = this.#tags.get(tag);
      if (!waiting || (waiting.parts.length === 0 && waiting.late === 0)) continue;
      const each = closing(tag, waiting, parts(waiting), SLICE / 2);
      if (each.parts === 0 || each.seq >= durable) continue;
      closings.push(each);
      samples += each.n + (each.whole ? waiting.late : 0);
      if (samples >= SLICE) break;
    }
    if (closings.length === 0) return false;
    this.#commit(closings);
    return true;
  }

  /** Chunks and position in one transaction; memory and counts follow only when it is stored. */
  #commit(closings: readonly Closing[]): void {
    const settled = this.#account.at(this.#positionAfter(closings));
    const now = this.#options.clock.micros() - GRACE;
    if (closings.length === 0 && settled.position === this.settled.position && !this.#chunks.hourOver(now)) return;
    const began = performance.now();
    this.#transaction(() => {
      for (const { tag, whole, n, seq, until } of closings) {
        const series = whole ? this.#filling.all(tag) : this.#filling.run(tag, n);
        if (series) this.#chunks.fold(tag, series);
        this.#merged.note(tag, seq, until);
      }
      this.#chunks.settleHours(now);
      this.#merged.forget(settled.position);
      this.#putAccount.run(settled.position, settled.delivered, settled.filtered);
    });
    this.#counts.commits++;
    this.#counts.commitMs = performance.now() - began;
    this.#account.settle(settled);
    for (const each of closings) {
      const { tag, n, whole } = each;
      this.#filling.remove(tag, n, whole);
      const waiting = this.#tags.get(tag);
      if (waiting) closed(waiting, each);
      if (whole) this.#tags.delete(tag);
      this.#urgent.delete(tag);
    }
  }
  /** The first sequence of which anything is in memory alone, once these are closed. */
  #positionAfter(closings: readonly Closing[]): number {
    const rest = new Map(closings.map(({ tag, rest }) => [tag, rest]));
    let position = this.#account.taken + 1;
    for (const [tag, waiting] of this.#tags) position = Math.min(position, rest.get(tag) ?? firstOf(waiting));
    return Math.min(position, this.#options.durable());
  }
  /** All or nothing; throws when it is nothing. */
  #transaction(act: () => void): void {
    const touched = [...this.#chunks.touched.keys()];
    const { crowded } = this.#chunks;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      act();
      this.#db.exec('COMMIT');
      this.#merged.commit();
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#merged.rollback();
      this.#chunks.crowded = crowded;
      for (const id of touched) this.#chunks.touched.set(id, false);
      throw error;
    }
  }
}

const yielded = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
