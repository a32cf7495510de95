// Looks at the free space of the disk the data lies on, every few seconds and whenever a write fails, and does what its
// step asks for: bounds the journal, has old history removed, releases the reserve, tells that samples are not stored.
// Run by writing.ts.
import type { Clock } from '../model.ts';
import { journalCap, limitOf, nextStep, sayStep } from './disk.ts';
import type { DiskStep, Space } from './disk.ts';
import type { Files } from './files.ts';
import { Reserve } from './reserve.ts';
import type { DiskLog } from './disk-log.ts';

export interface DiskState extends Space {
  step: DiskStep;
  /** In words, as of the moment the step was entered; empty when all is well. */
  reason: string;
  /** The reserve is there. */
  reserve: boolean;
  /** Why something about the disk could not be done; empty when it could. */
  trouble: string;
}
export interface GuardOptions {
  files: Files;
  /** Of the segments. */
  folder: string;
  clock: Clock;
  log: Pick<DiskLog, 'health' | 'limit'>;
  /** The journal's cap, and the bytes it needs to go on. */
  cap: number;
  least: number;
  /** Has the oldest history removed. */
  shrink(): void;
  /** The step is another one. */
  entered(step: DiskStep): void;
}

const EVERY = 2000;

export class DiskGuard {
  readonly #options: GuardOptions;
  readonly #reserve: Reserve;
  #looked = -Infinity;
  #state: DiskState = { step: 'ok', reason: '', free: 0, total: 0, reserve: false, trouble: '' };

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#reserve = new Reserve(options.files, options.folder);
  }

  get state(): DiskState {
    return { ...this.#state, reserve: this.#reserve.held };
  }

  /** Looks and acts, unless that was a moment ago; `now`: all the same. Never throws. */
  look(now = false): void {
    const { clock, files, folder } = this.#options;
    if (!now && clock.mono() - this.#looked < EVERY) return;
    this.#looked = clock.mono();
    try {
      this.#act(files.space(folder));
      this.#state.trouble = '';
    } catch (error) {
      this.#state.trouble = error instanceof Error ? error.message : String(error);
    }
  }

  #act(space: Space): void {
    const { log, cap, least, shrink, entered } = this.#options;
    const before = this.#state.step;
    const step = nextStep(before, space);
    Object.assign(this.#state, space, { step });
    if (step !== before) {
      this.#state.reason = sayStep(step, space);
      entered(step);
    }
    const short = step === 'drop' || step === 'stop';
    log.limit(short ? journalCap(step, space, log.health().bytes, cap, least) : undefined);
    if (short && space.free < limitOf('drop', space.total)) shrink();
    if (step === 'stop') this.#reserve.release();
    else if (!this.#reserve.held) this.#take(space);
  }

  /** Only where it does not bring the last step about. */
  #take({ free, total }: Space): void {
    const size = Reserve.sizeFor(total);
    if (size === 0 || free - size < limitOf('stop', total)) return;
    this.#reserve.take(size).catch((error: Error) => {
      this.#state.trouble = `no reserve of disk space can be kept: ${error.message}`;
    });
  }
}
