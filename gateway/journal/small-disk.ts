// For the tests of the journal: a disk of so many bytes, over real files. Others may take of it. As a kernel does it, a
// write that does not fit is cut short without an error, and the next one fails.
import { statSync } from 'node:fs';
import { diskFiles } from './files.ts';
import type { Files } from './files.ts';

export class SmallDisk {
  /** Bytes that others hold. */
  others = 0;
  readonly files: Files;
  readonly #total: number;
  /** Bytes by path, and the path of each open file; a file that was removed has none. */
  readonly #sizes = new Map<string, number>();
  readonly #paths = new Map<number, string>();

  constructor(total: number) {
    this.#total = total;
    this.files = {
      ...diskFiles,
      space: () => ({ free: this.free, total }),
      open: (path, how) => {
        const fd = diskFiles.open(path, how);
        this.#paths.set(fd, path);
        this.#sizes.set(path, statSync(path).size);
        return fd;
      },
      write: (fd, bytes, position) => {
        const path = this.#paths.get(fd) ?? '';
        const size = this.#sizes.get(path) ?? 0;
        const room = Math.max(0, size - position) + this.free;
        if (room <= 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        const wrote = diskFiles.write(fd, bytes.subarray(0, room), position);
        if (this.#sizes.has(path)) this.#sizes.set(path, Math.max(size, position + wrote));
        return wrote;
      },
      truncate: (fd, size) => {
        diskFiles.truncate(fd, size);
        const path = this.#paths.get(fd) ?? '';
        if (this.#sizes.has(path)) this.#sizes.set(path, size);
      },
      rename: (from, to) => {
        diskFiles.rename(from, to);
        this.#sizes.set(to, this.#sizes.get(from) ?? 0);
        this.#sizes.delete(from);
      },
      remove: (path) => {
        diskFiles.remove(path);
        this.#sizes.delete(path);
      },
    };
  }

  get free(): number {
    return Math.max(0, this.#total - this.others - [...this.#sizes.values()].reduce((sum, size) => sum + size, 0));
  }
}
