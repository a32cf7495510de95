// Which samples of frames that come again are in chunks already: per tag the place in the journal up to which they are.
// Kept by the store in the same transactions as the chunks; what lies below the position is forgotten.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Micros } from '../../model.ts';

interface Row {
  id: number;
  tag: number;
  seq: number;
  until: Micros;
}

export class Merged {
  readonly #of = new Map<number, Row>();
  /** Oldest first. */
  #rows: Row[] = [];
  /** Of the transaction under way. */
  #fresh: Row[] = [];
  #gone = 0;
  #next = 1;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;

  constructor(db: DatabaseSync) {
    this.#put = db.prepare('INSERT INTO merged VALUES(?, ?, ?, ?)');
    this.#remove = db.prepare('DELETE FROM merged WHERE id <= ?');
    for (const row of db.prepare('SELECT id, tag, seq, until FROM merged ORDER BY id').iterate())
      this.#fresh.push(row as unknown as Row);
    this.#next = (this.#fresh.at(-1)?.id ?? 0) + 1;
    this.commit();
  }

  has(tag: number, seq: number, t: Micros): boolean {
    const row = this.#of.get(tag);
    return row !== undefined && (seq < row.seq || (seq === row.seq && t <= row.until));
  }
  /** In a transaction: the tag's samples before frame `seq`, and of that frame up to `until`, are in chunks. */
  note(tag: number, seq: number, until: Micros): void {
    const row = { id: this.#next + this.#fresh.length, tag, seq, until };
    this.#put.run(row.id, tag, seq, until);
    this.#fresh.push(row);
  }
  /** In a transaction: no frame below `position` comes again. */
  forget(position: number): void {
    while (this.#gone < this.#rows.length && (this.#rows[this.#gone] as Row).seq < position) this.#gone++;
    const last = this.#rows[this.#gone - 1];
    if (last) this.#remove.run(last.id);
  }
  /** The transaction is stored. */
  commit(): void {
    for (const row of this.#rows.splice(0, this.#gone)) if (this.#of.get(row.tag) === row) this.#of.delete(row.tag);
    this.#gone = 0;
    for (const row of this.#fresh) {
      this.#rows.push(row);
      this.#of.set(row.tag, row);
      this.#next = row.id + 1;
    }
    this.#fresh = [];
  }
  /** The transaction is not. */
  rollback(): void {
    this.#fresh = [];
    this.#gone = 0;
  }
}
