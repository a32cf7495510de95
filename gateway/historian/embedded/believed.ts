// The sure time of a history (sure.ts), kept in its file: what was believed last, and how long a clock far beyond that has
// stood in this run and those before. Made by the store, which asks for it and has it kept once a minute.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock, Micros } from '../../model.ts';
import { SureTime } from './sure.ts';
import type { Doubt } from './sure.ts';

export class Believed {
  readonly #clock: Clock;
  readonly #sure: SureTime;
  readonly #believe: StatementSync;
  readonly #doubt: StatementSync;
  readonly #sureAgain: StatementSync;

  /** @param was the time to believe where the file says none */
  constructor(db: DatabaseSync, clock: Clock, was: Micros) {
    this.#clock = clock;
    db.prepare('INSERT OR IGNORE INTO believed VALUES(1, ?)').run(was);
    const known = db.prepare('SELECT clock FROM believed').get() as { clock: Micros };
    const earlier = db.prepare('SELECT wall, stood FROM doubted').get() as Doubt | undefined;
    this.#sure = new SureTime(known.clock, clock.mono(), earlier);
    this.#believe = db.prepare('UPDATE believed SET clock = ?1 WHERE clock < ?1 - 3600000000');
    this.#doubt = db.prepare('INSERT OR REPLACE INTO doubted VALUES(1, ?, ?)');
    this.#sureAgain = db.prepare('DELETE FROM doubted');
  }

  /** The clock's time, or less while it is not believed. */
  now(): Micros {
    return this.#sure.now(this.#clock.micros(), this.#clock.mono());
  }
  /** For the next run. */
  keep(): void {
    this.#believe.run(this.#sure.known);
    const doubt = this.#sure.doubt(this.#clock.micros(), this.#clock.mono());
    if (doubt) this.#doubt.run(doubt.wall, doubt.stood);
    else this.#sureAgain.run();
  }
}
