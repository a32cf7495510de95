// Stores where the consumers stand, at most once a second (a large file less often), and removes files of segments that
// are gone for everybody once the positions that say so are stored. Owned by segments.ts; positions.ts has the form.
import type { Clock } from '../model.ts';
import type { Files } from './files.ts';
import { savePositions } from './positions.ts';
import type { Positions } from './positions.ts';
import type { Segment } from './segment.ts';

export interface SavingOptions {
  files: Files;
  folder: string;
  clock: Clock;
  /** As they may be stored at this moment. */
  positions(): Positions;
  /** Why the positions of the run before could not be read; empty when they could. */
  trouble: string;
}

const EVERY = 1000;
/** A large file is stored less often: bytes a second at most. A position that is old costs sending again, nothing else. */
const RATE = 8192;

export class Saving {
  /** Why positions cannot be stored; empty when they can. */
  trouble: string;
  readonly #options: SavingOptions;
  #unsaved = false;
  #savedAt = -Infinity;
  #size = 0;
  #condemned: Segment[] = [];

  constructor(options: SavingOptions) {
    this.#options = options;
    this.trouble = options.trouble;
  }

  /** Files wait to be removed. */
  get removing(): boolean {
    return this.#condemned.length > 0;
  }
  /** Somebody stands elsewhere now. */
  changed(did = true): void {
    this.#unsaved ||= did;
  }
  condemn(segment: Segment): void {
    this.#condemned.push(segment);
    this.#unsaved = true;
  }

  /** Never rejects: see `trouble`; what could not be done is tried again with the next call. */
  async store(now: boolean): Promise<void> {
    const { files, folder, clock, positions } = this.#options;
    if (!this.#unsaved && !this.removing) return;
    if (!now && !this.removing && clock.mono() - this.#savedAt < Math.max(EVERY, (this.#size / RATE) * 1000)) return;
    this.#unsaved = false;
    this.#savedAt = clock.mono();
    const doomed = this.#condemned;
    this.#condemned = [];
    try {
      this.#size = await savePositions(files, folder, positions());
      this.trouble = '';
    } catch (error) {
      this.#unsaved = true;
      this.trouble = `positions cannot be stored: ${error instanceof Error ? error.message : String(error)}`;
    }
    // Also when they could not be stored: on a full disk this is what makes room again. A start sees what is missing.
    for (const segment of doomed)
      try {
        files.remove(segment.path);
      } catch {
        this.#condemned.push(segment);
      }
  }
}
