// Whether history.db is still the file that was opened. One that somebody moves away, replaces or empties meanwhile goes on
// taking samples that nobody will find again, and the journal would let go of them. Asked by the store before it stores.
import { statSync } from 'node:fs';
import type { Stats } from 'node:fs';

export class InPlace {
  readonly #path: string;
  readonly #opened: Stats;

  constructor(path: string) {
    this.#path = path;
    this.#opened = statSync(path);
  }

  /** Throws in words when it is not; passes again when that very file is back. */
  check(): void {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    const { ino, dev } = this.#opened;
    if (found && found.ino === ino && found.dev === dev && found.size > 0) return;
    const what = !found
      ? 'was moved away or removed'
      : found.size === 0
        ? 'was emptied'
        : 'is another file than the one that was opened';
    throw new Gone(
      `${this.#path} ${what} while the gateway runs: nothing is stored in it any more, and what comes waits in the journal. Put the file back, or start the gateway again, then it goes on with the file that is there, or with a new one`,
    );
  }
}

/** Nothing can be stored until somebody has done something about it. */
export class Gone extends Error {}
