// A backup of the running gateway over the control socket: lines of progress, one line that says how many bytes follow,
// then the archive. Used by control.ts; the caller ends it by closing its connection.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** Made by daemon: a snapshot of the data folder, to be read once and removed. */
export interface BackupSource {
  /** Bytes of all files in it. */
  total: number;
  bytes: AsyncIterable<Uint8Array>;
  remove(): Promise<void>;
}
export type TakeBackup = (
  signal: AbortSignal,
  progress: (done: number, total: number) => void,
) => Promise<BackupSource>;

export async function sendBackup(take: TakeBackup, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('the caller has gone')));
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  const say = (line: object): void => void response.write(`${JSON.stringify(line)}\n`);
  let source: BackupSource | undefined;
  try {
    source = await take(gone.signal, (done, total) => say({ copied: done, of: total }));
    say({ bytes: source.total });
    for await (const bytes of source.bytes)
      if (!response.write(bytes)) await once(response, 'drain', { signal: gone.signal });
    response.end();
  } catch (error) {
    // Once bytes of the archive are on their way, a broken connection is the only way to say so.
    if (source) response.destroy();
    else {
      say({ error: (error as Error).message });
      response.end();
    }
  } finally {
    await source?.remove();
  }
}
