// The ledger per source: what came in and what was made equals what went where. Every term is counted where it happens,
// none is computed as the rest, so a sum that does not hold is seen. The pipeline has each batch carry its source's
// account, so that it goes on after a kill where the journal ends.
import type { SourceCounts } from '../model.ts';
import type { Status } from '../status.ts';

export type Ledger = SourceCounts;

export class Ledgers {
  readonly #sources = new Map<string, { ledger: Ledger; told: number }>();
  readonly #complained = new Set<string>();
  readonly #status: Status;

  constructor(status: Status) {
    this.#status = status;
    status.collect(() => {
      for (const [source, { ledger }] of this.#sources)
        for (const [kind, count] of Object.entries(ledger))
          status.counter(
            'penstock_readings_total',
            count,
            { source, kind },
            'Readings by source and by what became of them',
          );
    });
  }

  of(source: string): Ledger {
    return this.#account(source).ledger;
  }
  /** The accounts of the run before, as the journal has them; ledgers given out before go on from there. */
  restore(ledgers: ReadonlyMap<string, SourceCounts>): void {
    for (const [source, counts] of ledgers) {
      const account = this.#account(source);
      Object.assign(account.ledger, counts);
      account.told = moved(counts);
    }
  }
  /** The account as a batch with so many samples carries it; it counts when the journal has taken the batch. */
  with(source: string, samples: number): SourceCounts {
    const ledger = this.of(source);
    return { ...ledger, journalled: ledger.journalled + samples };
  }
  /** The journal has taken a batch with these counts. */
  told(source: string, counts: SourceCounts): void {
    const account = this.#account(source);
    account.ledger.journalled = counts.journalled;
    account.told = moved(counts);
  }
  /** Sources whose account no batch has carried yet as it is now. */
  untold(): string[] {
    return [...this.#sources].filter(([, { ledger, told }]) => moved(ledger) !== told).map(([source]) => source);
  }
  /** The first rejection of a source is said once; the counter has the rest. */
  complain(source: string, message: string): void {
    if (this.#complained.has(source)) return;
    this.#complained.add(source);
    this.#status.log.warn({ source }, `${source}: ${message}`);
  }
  all(): Map<string, Ledger> {
    return new Map([...this.#sources].map(([source, { ledger }]) => [source, { ...ledger }]));
  }

  #account(source: string): { ledger: Ledger; told: number } {
    let account = this.#sources.get(source);
    if (!account) {
      const ledger = { received: 0, made: 0, rejected: 0, filtered: 0, shed: 0, journalled: 0, merged: 0 };
      this.#sources.set(source, (account = { ledger, told: 0 }));
    }
    return account;
  }
}

/** Rises whenever an account changes: no term moves without a reading that came or a sample that was made. */
const moved = ({ received, made }: SourceCounts): number => received + made;
