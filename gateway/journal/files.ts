// The few calls to the file system that the journal makes, as an interface, so that tests can let the n-th one fail.
// Used by the appender, recovery and positions; `diskFiles` is the real thing. Errors are Node's, with their `code`.
import * as fs from 'node:fs';

export interface Files {
  /** Creates the folder, durably, if it is not there. */
  makeFolder(path: string): void;
  list(folder: string): string[];
  /** Bytes free for this process on the file system of a folder, and in all. */
  space(folder: string): { free: number; total: number };
  /** `create` empties what is there; `update` and `read` need the file to exist. */
  open(path: string, how: 'create' | 'update' | 'read'): number;
  size(fd: number): number;
  /** Bytes read: fewer than asked only at the end of the file. */
  read(fd: number, into: Uint8Array, position: number): number;
  /** Bytes written: fewer than given without an error is possible, when the disk is nearly full. */
  write(fd: number, bytes: Uint8Array, position: number): number;
  truncate(fd: number, size: number): void;
  /** fdatasync, off this thread. */
  sync(fd: number): Promise<void>;
  /** Makes creations, renames and removals in a folder durable. */
  syncFolder(path: string): Promise<void>;
  rename(from: string, to: string): void;
  /** A file that is not there is no error. */
  remove(path: string): void;
  close(fd: number): void;
}

const flags = { create: 'w+', update: 'r+', read: 'r' } as const;

export const diskFiles: Files = {
  makeFolder(path) {
    fs.mkdirSync(path, { recursive: true });
  },
  list: (folder) => fs.readdirSync(folder),
  space(folder) {
    const { bsize, blocks, bfree, bavail } = fs.statfsSync(folder);
    // As df does it: what is reserved for root belongs to neither.
    return { free: bavail * bsize, total: (blocks - bfree + bavail) * bsize };
  },
  open: (path, how) => fs.openSync(path, flags[how], 0o640),
  size: (fd) => fs.fstatSync(fd).size,
  read: (fd, into, position) => fs.readSync(fd, into, 0, into.length, position),
  write: (fd, bytes, position) => fs.writeSync(fd, bytes, 0, bytes.length, position),
  truncate: (fd, size) => fs.ftruncateSync(fd, size),
  sync: (fd) => new Promise((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()))),
  async syncFolder(path) {
    const fd = fs.openSync(path, 'r');
    try {
      await diskFiles.sync(fd);
    } finally {
      fs.closeSync(fd);
    }
  },
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.rmSync(path, { force: true }),
  close: (fd) => fs.closeSync(fd),
};

/** Writes everything or throws: a short write goes on, and one of nothing is an error. */
export function writeAll(files: Files, fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    const wrote = files.write(fd, bytes.subarray(done), position + done);
    if (wrote <= 0) throw Object.assign(new Error('nothing was written and no error given'), { code: 'ENOSPC' });
    done += wrote;
  }
}

/** Up to `size` bytes from `position`. */
export function readAt(files: Files, fd: number, position: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size);
  let done = 0;
  while (done < size) {
    const got = files.read(fd, bytes.subarray(done), position + done);
    if (got <= 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}
