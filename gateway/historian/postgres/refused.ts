// Stores parts of which some rows may be refused for good: halves what is refused until the bad rows stand alone, and all
// others get in. Called by forwarder.ts when a write as a whole was refused. What is found is remembered until the write
// succeeds, so that one which is given up in the middle goes on there, however many bad rows it holds.
import { BEGIN, keysOf, locking, rowAt, rowsAt, upsert } from './parts.ts';
import type { Part } from './parts.ts';
import { Refused } from './session.ts';
import type { Session } from './session.ts';

/** The row's own fault: its data (22…), a constraint (23…) or its size (54000). A missing partition is the table's. */
export function forGood(error: unknown): error is Refused {
  if (!(error instanceof Refused)) return false;
  return (/^2[23]/.test(error.code) || error.code === '54000') && error.routine !== 'ExecFindPartition';
}

/** A row that is refused, as a part of its own, and why. */
export interface Bad {
  part: Part;
  reason: string;
}

export class Sieve {
  /** By a row's key, why it was refused. */
  readonly #known = new Map<string, string>();

  /** Parts without the rows of which it is known; those go to `bad`. */
  without(parts: readonly Part[], bad: Bad[]): Part[] {
    if (this.#known.size === 0) return [...parts];
    const left: Part[] = [];
    for (const part of parts) {
      const reasons = keysOf(part).map((key) => this.#known.get(key));
      for (const [i, reason] of reasons.entries()) if (reason !== undefined) bad.push({ part: rowAt(part, i), reason });
      const others = rowsAt(part, (place) => reasons[place] === undefined);
      if (others.rows.length > 0) left.push(others);
    }
    return left;
  }

  /** Stores every row that the database takes; the others are pushed to `bad`. Rejects with what is no row's own fault. */
  async store(on: Session, parts: readonly Part[], bad: Bad[]): Promise<void> {
    const full = locking();
    const rest = parts.toReversed();
    await on.query(BEGIN);
    for (let part = rest.pop(); part; part = rest.pop()) {
      if (full(part)) {
        await on.query('COMMIT');
        await on.query(BEGIN);
      }
      await on.query('SAVEPOINT part');
      try {
        await upsert(on, part);
        await on.query('RELEASE SAVEPOINT part');
      } catch (error) {
        if (!forGood(error)) throw error;
        await on.query('ROLLBACK TO part');
        const { length } = part.rows;
        const middle = Math.ceil(length / 2);
        if (length > 1)
          rest.push(
            rowsAt(part, (place) => place >= middle),
            rowsAt(part, (place) => place < middle),
          );
        else {
          bad.push({ part, reason: error.message });
          this.#known.set(keysOf(part)[0] ?? '', error.message);
        }
      }
    }
    await on.query('COMMIT');
  }

  forget(): void {
    this.#known.clear();
  }
}
