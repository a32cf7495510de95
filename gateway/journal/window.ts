// A file read through a buffer, frame by frame, wherever in it one looks. Used by follow.ts on segments that another
// thread writes at the same time; frames are views of the buffer they were found in, which is never used again.
import { readAt } from './files.ts';
import type { Files } from './files.ts';
import { readHead } from './head.ts';
import type { HeadResult } from './head.ts';

export class Window {
  readonly #files: Files;
  readonly #fd: number;
  readonly #ahead: number;
  #chunk: Buffer = Buffer.alloc(0);
  #start = 0;
  /** The file ends with the chunk. */
  #last = false;

  /** @param ahead bytes read at once */
  constructor(files: Files, fd: number, ahead: number) {
    this.#files = files;
    this.#fd = fd;
    this.#ahead = ahead;
  }

  /** The head of the frame at this place of the file; `short` only where the file ends. */
  head(offset: number): HeadResult {
    for (let size = this.#ahead; ;) {
      const at = offset - this.#start;
      if (at >= 0 && at < this.#chunk.length) {
        const head = readHead(this.#chunk, at);
        if (head.ok || head.reason === 'damaged' || this.#last) return head;
        if (at === 0) size = this.size(offset);
      } else if (at === this.#chunk.length && this.#last) return readHead(this.#chunk, at);
      this.#chunk = readAt(this.#files, this.#fd, offset, size);
      this.#start = offset;
      this.#last = this.#chunk.length < size;
    }
  }

  /** What the bytes at a place that `head` was asked for say is the length of the frame there; 0 without. */
  size(offset: number): number {
    const at = offset - this.#start;
    return at + 8 > this.#chunk.length ? 0 : 8 + this.#chunk.readUInt32LE(at);
  }

  bytes(offset: number, size: number): Uint8Array {
    return this.#chunk.subarray(offset - this.#start, offset - this.#start + size);
  }
}
