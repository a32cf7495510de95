// Folds a tag's samples into its chunks: what falls into a chunk, or behind one that has room, is merged with it and packed
// anew, the rest makes new ones; hours that are over get their row. Called by the store inside its transactions, in the writer thread.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Micros } from '../../model.ts';
import { CHUNK_SAMPLES, HOUR, SECOND, hourOf, rowId, tagOfRow, timeOfRow } from './chunks.ts';
import { Damaged, decodeChunk, encodeChunk } from './codec.ts';
import { packMinutes } from './minutes.ts';
import { columnsOf, figureColumns, pieces, summaryOf } from './rows.ts';
import { indexOf, merged, part } from './series.ts';
import type { Series } from './series.ts';
import { joined, nothing, summarize } from './summary.ts';

const marks = (count: number): string => Array<string>(count).fill('?').join(', ');

export class Chunks {
  /** Hours that a chunk was changed in and that have no true row yet, as row ids; true once it is known that they have none. */
  readonly touched = new Map<number, boolean>();
  /** Chunks that cannot be read any more: set aside, so that what comes after them can be stored. */
  damaged = 0;
  readonly #aside: StatementSync;
  readonly #inHour: StatementSync;
  readonly #data: StatementSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #figures: StatementSync;
  readonly #hour: StatementSync;
  readonly #putHour: StatementSync;

  constructor(db: DatabaseSync) {
    this.#inHour = db.prepare('SELECT id, t1, n FROM chunk WHERE id >= ? AND id < ? ORDER BY id');
    this.#data = db.prepare('SELECT data FROM chunk WHERE id = ?');
    this.#insert = db.prepare(`INSERT INTO chunk(id, ${figureColumns}, minutes, data) VALUES(${marks(15)})`);
    this.#aside = db.prepare('INSERT OR REPLACE INTO damaged SELECT id, data FROM chunk WHERE id = ?');
    this.#delete = db.prepare('DELETE FROM chunk WHERE id = ?');
    this.#figures = db.prepare(`SELECT ${figureColumns} FROM chunk WHERE id >= ? AND id < ? ORDER BY id`);
    this.#hour = db.prepare('SELECT 1 FROM hour WHERE id = ?');
    this.#putHour = db.prepare(`INSERT OR REPLACE INTO hour(id, ${figureColumns}) VALUES(${marks(13)})`);
  }

  /** `fresh` in time order; where a chunk has a sample of the same time, `fresh` wins. */
  fold(tag: number, fresh: Series): void {
    for (let from = 0; from < fresh.n;) {
      const hour = hourOf(fresh.t[from] as number);
      const to = indexOf(fresh, hour + HOUR);
      this.#into(tag, hour, part(fresh, from, to));
      this.touched.set(rowId(tag, hour), false);
      from = to;
    }
  }

  /** Gives the hours touched so far that are over by `now`, or have a row already, the row that is true of them now. */
  settleHours(now: Micros): void {
    for (const [id, checked] of this.touched) {
      if (timeOfRow(id) + HOUR > now && (checked || !this.#hour.get(id))) this.touched.set(id, true);
      else {
        this.hour(id);
        this.touched.delete(id);
      }
    }
  }
  /** Whether an hour waits for its row that is over by `now`. */
  hourOver(now: Micros): boolean {
    return this.touched.keys().some((id) => timeOfRow(id) + HOUR <= now);
  }
  /** Writes an hour's row from its chunks; only if it is missing, or there, when told so. */
  hour(id: number, only?: 'missing' | 'there'): void {
    if (only && (only === 'there') !== (this.#hour.get(id) !== undefined)) return;
    let all = { ...nothing };
    for (const row of this.#figures.iterate(id, id + HOUR / SECOND)) all = joined(all, summaryOf(row));
    if (all.n > 0) this.#putHour.run(id, ...columnsOf(all));
  }

  /** Puts chunks that follow each other into one; false when one of them is damaged: then all stay as they are. */
  join(ids: readonly number[]): boolean {
    let whole: Series | undefined;
    try {
      for (const id of ids) {
        const series = decodeChunk(this.#data.get(id)?.data);
        whole = whole ? merged(whole, series) : series;
      }
    } catch (error) {
      if (error instanceof Damaged) return false;
      throw error;
    }
    for (const id of ids) this.#delete.run(id);
    if (whole) this.#put(tagOfRow(ids[0] as number), whole);
    return true;
  }

  #into(tag: number, hour: Micros, fresh: Series): void {
    const start = rowId(tag, hour);
    const rows = this.#inHour.all(start, start + HOUR / SECOND) as { id: number; t1: number; n: number }[];
    if (rows.length === 0) return this.#put(tag, fresh);
    for (const [k, { id, t1, n }] of rows.entries()) {
      const next = rows[k + 1];
      const from = k === 0 ? 0 : indexOf(fresh, timeOfRow(id));
      const mine = part(fresh, from, next ? indexOf(fresh, timeOfRow(next.id)) : fresh.n);
      if (mine.n === 0) continue;
      const behind = Math.floor((mine.t[0] as number) / SECOND) > Math.floor(t1 / SECOND);
      if (behind && n + mine.n > CHUNK_SAMPLES) this.#put(tag, mine);
      else {
        const stored = this.#read(id);
        this.#delete.run(id);
        this.#put(tag, stored ? merged(stored, mine) : mine);
      }
    }
  }
  /** A chunk's samples; undefined when they cannot be read: then its bytes are kept where nothing is in their way. */
  #read(id: number): Series | undefined {
    try {
      return decodeChunk(this.#data.get(id)?.data);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      this.#aside.run(id);
      this.damaged++;
      return undefined;
    }
  }
  #put(tag: number, series: Series): void {
    for (const each of pieces(series, CHUNK_SAMPLES))
      this.#insert.run(
        rowId(tag, each.t[0] as number),
        ...columnsOf(summarize(each), each),
        packMinutes(each) ?? null,
        encodeChunk(each),
      );
  }

  /** Hours of the chunks from row id `from` to before `to` that have no row yet get theirs. */
  keepHours(from: number, to: number): void {
    const hours = new Set<number>();
    for (const { t0 } of this.#figures.iterate(from, to)) hours.add(rowId(tagOfRow(from), hourOf(Number(t0))));
    for (const id of hours) {
      this.hour(id, 'missing');
      this.touched.delete(id);
    }
  }
}
