// The pipeline's way into the journal: every batch leaves with its source's account in it. An account that moves without
// a batch, by rejections or retransmissions, follows in an empty one, so that a kill forgets no more than seconds of it.
import type { Batch, Clock, Journal } from '../model.ts';
import type { Status } from '../status.ts';
import { counted } from '../words.ts';
import type { Ledgers } from './ledger.ts';

/** ms between two accounts of a source that no batch has carried. */
const TELL = 5000;

export class Outlet {
  /** The sequence given last; 0 before the first. */
  last = 0;
  readonly #journal: Pick<Journal, 'append'>;
  readonly #ledgers: Ledgers;
  readonly #status: Status;
  readonly #clock: Clock;
  #stop = (): void => {};

  constructor(journal: Pick<Journal, 'append'>, ledgers: Ledgers, status: Status, clock: Clock) {
    this.#journal = journal;
    this.#ledgers = ledgers;
    this.#status = status;
    this.#clock = clock;
  }

  /** False when the journal cannot take the batch: its samples are shed, its events go alone if they can. */
  append(batch: Batch): boolean {
    const { source, samples, events } = batch;
    const counts = this.#ledgers.with(source, samples.length);
    batch.counts = counts;
    try {
      this.last = this.#journal.append(batch);
    } catch (error) {
      this.#ledgers.of(source).shed += samples.length;
      const what = samples.length > 0 ? counted(samples.length, 'sample') : counted(events.length, 'event');
      const message = `${what} of ${source} could not be journalled: ${(error as Error).message}`;
      this.#status.report('error', 'penstock_journal_refused_total', message);
      return samples.length > 0 && events.length > 0 && this.append({ ...batch, samples: [] });
    }
    this.#ledgers.told(source, counts);
    return true;
  }

  start(): void {
    this.#stop = this.#clock.after(TELL, () => {
      this.#tell();
      this.start();
    });
  }
  /** Tells what is left to tell. */
  close(): void {
    this.#stop();
    this.#tell();
  }

  #tell(): void {
    for (const source of this.#ledgers.untold()) this.append({ origin: 'live', source, samples: [], events: [] });
  }
}
