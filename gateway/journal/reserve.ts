// A file that holds a little disk space back, so that on a full disk events, alarm states and positions can still be
// written once it is gone. Owned by guard.ts.
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { writeAll } from './files.ts';
import type { Files } from './files.ts';

const NAME = 'reserve';
const PIECE = 1024 * 1024;
const MOST = 16 * PIECE;

export class Reserve {
  readonly #files: Files;
  readonly #path: string;
  readonly #folder: string;
  #making: Promise<void> | undefined;
  /** Unknown at the start: another run may have left one, or half of one. */
  #state: 'unknown' | 'making' | 'held' | 'none' = 'unknown';

  constructor(files: Files, folder: string) {
    this.#files = files;
    this.#folder = folder;
    this.#path = join(folder, NAME);
  }

  get held(): boolean {
    return this.#state === 'held';
  }

  /** At most a hundredth of the disk. */
  static sizeFor(total: number): number {
    return Math.min(MOST, Math.floor(total / 100 / 4096) * 4096);
  }

  /** Takes the space, a piece at a time so that nothing waits for it. Rejects, and leaves nothing, when it cannot be had. */
  take(size: number): Promise<void> {
    if (this.held) return Promise.resolve();
    return (this.#making ??= this.#make(size).finally(() => (this.#making = undefined)));
  }

  /** Gives the space back; on a full disk this needs none. Throws when the file cannot be removed. */
  release(): void {
    if (this.#state === 'none') return;
    this.#files.remove(this.#path);
    this.#state = 'none';
  }

  async #make(size: number): Promise<void> {
    const files = this.#files;
    if (this.#state === 'unknown' && this.#there() === size) {
      this.#state = 'held';
      return;
    }
    // Zeros take no space on a file system that compresses.
    const piece = randomFillSync(Buffer.alloc(PIECE));
    this.#state = 'making';
    let fd: number | undefined;
    try {
      fd = files.open(this.#path, 'create');
      for (let done = 0; done < size && this.#state === 'making'; done += PIECE) {
        writeAll(files, fd, piece.subarray(0, Math.min(PIECE, size - done)), done);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await files.sync(fd);
      await files.syncFolder(this.#folder);
      if (this.#state === 'making') this.#state = 'held';
    } catch (error) {
      this.release();
      throw error;
    } finally {
      if (fd !== undefined) files.close(fd);
    }
  }
  #there(): number {
    if (!this.#files.list(this.#folder).includes(NAME)) return 0;
    const fd = this.#files.open(this.#path, 'read');
    try {
      return this.#files.size(fd);
    } finally {
      this.#files.close(fd);
    }
  }
}
