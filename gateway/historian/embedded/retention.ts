// Removes what is too old, or too much, from history.db: the oldest hours of all tags first, in small transactions
// between the store's own. Samples that are removed have their hour's row by then. Owned by the store, in the writer thread.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Micros } from '../../model.ts';
import { HOUR, hourOf, rowId, tagOfRow, timeOfRow } from './chunks.ts';
import type { Chunks } from './fold.ts';

export interface RetentionOptions {
  /** µs: chunks, and hourly figures, older than this go. */
  age: Micros;
  rollups: Micros;
  /** Most bytes of pages in use; beyond them the oldest chunks go, and hourly figures that have used up more of their age. */
  bytes: number;
}
interface Job {
  table: 'chunk' | 'hour';
  before: Micros;
  /** Row id from which to look on. */
  next: number;
}

/** Chunks go in steps of this: each step dirties a page of every tag, so small steps would double what is written. */
const STEP = 6 * HOUR;
const DAY = 24 * HOUR;
const ROLLUP_STEP = 30 * DAY;
const TAGS = 64;
const ROWS = 1000;
const PAGES = 256;

export class Retention {
  /** Nothing before this is taken in any more. */
  floor: Micros;
  chunksRemoved = 0;
  readonly #db: DatabaseSync;
  readonly #chunks: Chunks;
  readonly #options: RetentionOptions;
  readonly #step: Micros;
  readonly #next: Record<Job['table'], StatementSync>;
  readonly #nth: Record<Job['table'], StatementSync>;
  readonly #remove: Record<Job['table'], StatementSync>;
  readonly #setFloor: StatementSync;
  readonly #lowerFloor: StatementSync;
  readonly #passed: StatementSync;
  readonly #pass: StatementSync;
  readonly #unpass: StatementSync;
  readonly #thin: StatementSync;
  readonly #thinned: StatementSync;
  #jobs: Job[] = [];
  #rollupsBefore = 0;
  /** Pages are given back to the disk until none is free. */
  #shrinking = false;

  constructor(db: DatabaseSync, chunks: Chunks, floor: Micros, options: RetentionOptions) {
    this.#db = db;
    this.#chunks = chunks;
    this.#options = options;
    this.floor = floor;
    this.#step = options.age >= 4 * STEP ? STEP : HOUR;
    const both = (sql: (table: Job['table']) => string): Record<Job['table'], StatementSync> => ({
      chunk: db.prepare(sql('chunk')),
      hour: db.prepare(sql('hour')),
    });
    this.#next = both((table) => `SELECT id FROM ${table} WHERE id >= ? ORDER BY id LIMIT 1`);
    this.#nth = both((table) => `SELECT id FROM ${table} WHERE id >= ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?`);
    this.#remove = both((table) => `DELETE FROM ${table} WHERE id >= ? AND id < ?`);
    this.#setFloor = db.prepare('UPDATE account SET floor = max(floor, ?)');
    this.#lowerFloor = db.prepare('UPDATE account SET floor = ?');
    this.#passed = db.prepare('SELECT floor FROM passed');
    this.#pass = db.prepare(
      'INSERT INTO passed VALUES(1, ?) ON CONFLICT(id) DO UPDATE SET floor = max(floor, excluded.floor)',
    );
    this.#unpass = db.prepare('DELETE FROM passed');
    this.#thinned = db.prepare('SELECT hours FROM thinned');
    this.#thin = db.prepare(
      'INSERT INTO thinned VALUES(1, ?) ON CONFLICT(id) DO UPDATE SET hours = max(hours, excluded.hours)',
    );
  }

  /** Bytes of pages in use. */
  used(): number {
    const pragma = (name: string): number => Number(Object.values(this.#db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  }

  /**
   * Opens the history again to what a clock, once far ahead, had it closed to; or one that stands at its beginning after a
   * power cut, until that is right again. @param wall the clock
   */
  reopen(wall: Micros): void {
    if (this.floor <= wall) return;
    this.#pass.run(this.floor);
    this.floor = Math.max(0, this.#aged(wall));
    this.#jobs = this.#jobs.filter(({ before }) => before <= wall);
    this.#lowerFloor.run(this.floor);
  }
  /**
   * Opens the history to all of a retention that is longer than it was, where nothing of that time was ever here: what was
   * removed, or not taken in since the history began, would look like silence. @param wall the clock; @param since the beginning
   */
  widen(wall: Micros, since: Micros): void {
    const floor = Math.max(0, this.#aged(wall));
    if (floor >= this.floor || this.floor > since || this.#first('hour') < this.floor || this.#thinned.get()) return;
    this.floor = floor;
    this.#lowerFloor.run(floor);
    this.#unpass.run();
  }
  /** Looks whether anything must go; true if so. @param now the smaller of the sure time and the newest sample's */
  look(now: Micros): boolean {
    if (this.#jobs.length > 0) return true;
    const { rollups, bytes } = this.#options;
    const aged = this.#aged(now);
    const passed = Number(this.#passed.get()?.floor ?? -Infinity);
    // Not all that is younger than the age is there; but some may have come since, in chunks or about to be.
    if (this.floor < passed && passed + 2 * HOUR <= now && this.#first('chunk') >= passed)
      this.#setFloor.run((this.floor = passed));
    if (aged > this.floor) this.#add('chunk', aged);
    else if (this.used() > bytes) this.#most(now);
    const old = Math.floor((now - rollups) / ROLLUP_STEP) * ROLLUP_STEP;
    if (old > this.#rollupsBefore) {
      this.#rollupsBefore = old;
      this.#add('hour', old);
    }
    return this.#jobs.length > 0;
  }
  /** For a disk that is nearly full: the oldest chunks go, however young, and their pages back to the disk. */
  shrink(now: Micros): void {
    if (this.#jobs.length > 0 || this.#shrinking) return;
    this.#oldest(now);
    this.#shrinking = true;
  }

  /** One small transaction of what is to be done; false when nothing is. Throws when the disk does not take it. */
  step(): boolean {
    const job = this.#jobs[0];
    if (!job) return this.#giveBack();
    this.#db.exec('BEGIN IMMEDIATE');
    let next: number | undefined;
    let removed = 0;
    try {
      if (job.table === 'chunk') this.#setFloor.run(job.before);
      [next, removed] = this.#work(job);
      if (job.table === 'hour' && removed > 0) this.#thin.run(job.before);
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
    if (job.table === 'chunk') this.chunksRemoved += removed;
    if (next === undefined) this.#jobs.shift();
    else job.next = next;
    return true;
  }

  #work({ table, before, next: from }: Job): [next: number | undefined, removed: number] {
    let next = from;
    let removed = 0;
    for (let tags = 0; tags < TAGS && removed < ROWS; tags++) {
      const first = this.#next[table].get(next)?.id;
      if (typeof first !== 'number') return [undefined, removed];
      const tag = tagOfRow(first);
      const end = rowId(tag, before);
      next = rowId(tag + 1, 0);
      if (first >= end) continue;
      const nth = this.#nth[table].get(first, end, ROWS)?.id;
      const to = typeof nth === 'number' ? nth : end;
      if (table === 'chunk') this.#chunks.keepHours(first, to);
      removed += Number(this.#remove[table].run(first, to).changes);
      if (to < end) next = to;
    }
    return [next, removed];
  }
  #add(table: Job['table'], before: Micros): void {
    if (table === 'chunk') this.floor = Math.max(this.floor, before);
    this.#jobs.push({ table, before, next: 0 });
  }
  #aged(now: Micros): Micros {
    return Math.floor((now - this.#options.age) / this.#step) * this.#step;
  }
  /** Samples and hourly figures are shortened alike, by shares of their age: else hours alone would fill the file one day. */
  #most(now: Micros): void {
    const { age, rollups } = this.#options;
    const [chunk, hour] = [this.#first('chunk'), this.#first('hour')];
    const before = Math.min(Math.floor(hour / DAY + 1) * DAY, hourOf(Math.min(chunk, now)));
    const hours = before > hour;
    if (!(hours && (now - hour) / rollups > (now - chunk) / age) && this.#oldest(now, chunk)) return;
    if (hours) this.#add('hour', before);
  }
  /** The time of the oldest row of any tag. */
  #first(table: Job['table']): Micros {
    let oldest = Infinity;
    for (let id = 0; ;) {
      const first = this.#next[table].get(id)?.id;
      if (typeof first !== 'number') return oldest;
      oldest = Math.min(oldest, timeOfRow(first));
      id = rowId(tagOfRow(first) + 1, 0);
    }
  }
  /** False when there is nothing but the newest hours. */
  #oldest(now: Micros, oldest = this.#first('chunk')): boolean {
    const before = Math.min(Math.floor(oldest / this.#step + 1) * this.#step, hourOf(now) - HOUR);
    if (before > oldest) this.#add('chunk', before);
    return before > oldest;
  }
  #giveBack(): boolean {
    if (!this.#shrinking) return false;
    this.#db.exec(`PRAGMA incremental_vacuum(${PAGES})`);
    this.#shrinking = Number(this.#db.prepare('PRAGMA freelist_count').get()?.freelist_count) > 0;
    // Only a checkpoint makes the file shorter.
    if (!this.#shrinking) this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return this.#shrinking;
  }
}
