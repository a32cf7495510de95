// How far an import came, in DATA/imports: one small file for each file imported, kept until that is through.
// A record holds for its file only as long as what was read of it is still the same. Used by import.ts.
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';

export interface Reached {
  /** Bytes of the file, and its lines, whose readings are durable or rejected. */
  offset: number;
  lines: number;
  accepted: number;
  rejected: number;
  skipped: number;
}

interface Mark extends Reached {
  file: string;
  /** Of the file's first and last bytes before the offset. */
  print: string;
}

const window = 4096;

export class Resume {
  readonly #file: string;
  readonly #folder: string;
  readonly #path: string;

  constructor(data: string, file: string) {
    this.#file = resolve(file);
    this.#folder = join(data, 'imports');
    this.#path = join(this.#folder, `${createHash('sha256').update(this.#file).digest('hex').slice(0, 16)}.json`);
  }

  /** Undefined when there is none for this file, or the file is another by now. */
  async read(): Promise<Reached | undefined> {
    let mark: Mark;
    try {
      mark = JSON.parse(readFileSync(this.#path, 'utf8')) as Mark;
    } catch {
      return undefined;
    }
    const { file, print, ...reached } = mark;
    return file === this.#file && (await this.#print(reached.offset)) === print ? reached : undefined;
  }

  async save(reached: Reached): Promise<void> {
    const mark: Mark = { file: this.#file, print: await this.#print(reached.offset), ...reached };
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    // A name of its own: the same file may be on its way in twice.
    const temporary = `${this.#path}.${randomUUID()}.new`;
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(mark)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Without a sync of the folder: after a power cut the mark before this one is as good, because lines come again unharmed.
    await rename(temporary, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  async #print(offset: number): Promise<string> {
    const handle = await open(this.#file, 'r');
    try {
      const hash = createHash('sha256');
      hash.update(await bytes(handle, 0, Math.min(window, offset)));
      hash.update(await bytes(handle, Math.max(0, offset - window), offset));
      return hash.digest('hex');
    } finally {
      await handle.close();
    }
  }
}

async function bytes(handle: FileHandle, from: number, to: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from);
  return buffer.subarray(0, bytesRead);
}
