// The ledger per source: what came in and what was made equals what went where. Every term is counted where it happens,
// none is computed as the rest, so a sum that does not hold is seen.
import type { SourceCounts } from '../model.ts';
import type { Status } from '../status.ts';

export type Ledger = SourceCounts;

export class Ledgers {
  readonly #sources = new Map<string, Ledger>();
  readonly #complained = new Set<string>();
  readonly #status: Status;

  constructor(status: Status) {
    this.#status = status;
    status.collect(() => {
      for (const [source, ledger] of this.#sources)
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
    let ledger = this.#sources.get(source);
    if (!ledger) {
      ledger = { received: 0, made: 0, rejected: 0, filtered: 0, shed: 0, journalled: 0, merged: 0 };
      this.#sources.set(source, ledger);
    }
    return ledger;
  }
  /** The first rejection of a source is said once; the counter has the rest. */
  complain(source: string, message: string): void {
    if (this.#complained.has(source)) return;
    this.#complained.add(source);
    this.#status.log.warn({ source }, `${source}: ${message}`);
  }
  all(): Map<string, Ledger> {
    return new Map([...this.#sources].map(([source, ledger]) => [source, { ...ledger }]));
  }
}
