// Writes lines to a file or to standard output in large pieces and waits when the other side is slow.
// Called by the history writer and the truth log.
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';

export interface LineWriter {
  /** Takes a line without its end; true when it is time to await `flush`. */
  line(text: string): boolean;
  /** Hands on what is waiting; resolves when there is room again. */
  flush(): Promise<void>;
  /** Writes the rest and ends the file. Rejects when something could not be written. */
  end(): Promise<void>;
}

/** `-` is standard output, which stays open. */
export function writeLines(target: string): LineWriter {
  const own = target !== '-';
  const stream = own ? createWriteStream(target) : process.stdout;
  let failure: Error | undefined;
  const failed = (error: Error): void => void (failure ??= error);
  stream.on('error', failed);
  let pieces = '';
  const write = (): boolean => {
    const text = pieces;
    pieces = '';
    return text === '' || stream.write(text);
  };
  let draining: Promise<unknown> | undefined;
  const flush = async (): Promise<void> => {
    // `once` rejects on an error, so nobody waits for a pipe that has gone; all who flush wait for the one drain.
    if (!write() && !failure) draining ??= once(stream, 'drain').finally(() => (draining = undefined));
    await draining;
    if (failure) throw failure;
  };
  return {
    line(text) {
      pieces += text + '\n';
      return pieces.length > 65_536;
    },
    flush,
    async end() {
      await flush();
      if (own) await new Promise<void>((resolve) => stream.end(resolve));
      else stream.off('error', failed);
      if (failure) throw failure;
    },
  };
}
