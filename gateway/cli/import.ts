// Sends a file of readings (NDJSON) to the running daemon over its control socket and reads the report.
// Called by `penstock import` and by demo for the seed; the daemon files every line through its own import path.
import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';

export interface ImportReport {
  accepted: number;
  rejected: number;
  reasons: Record<string, number>;
  firstErrors: { line: number; message: string }[];
}

/** @param control path of the daemon's control socket. Rejects when the daemon is not there or the connection breaks. */
export async function importFile(control: string, file: string, origin: 'import' | 'seed'): Promise<ImportReport> {
  const call = request({
    socketPath: control,
    path: `/import?origin=${origin}`,
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const answer = new Promise<ImportReport>((resolve, reject) => {
    call.once('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      reject(
        absent ? new Error(`no gateway answers at ${control}: start it, or name its data folder with --data`) : error,
      );
    });
    call.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as ImportReport);
        else reject(new Error(`the gateway refused the import (${response.statusCode}): ${text}`));
      });
    });
  });
  answer.catch(() => {});
  await pipeline(createReadStream(file, { highWaterMark: 1 << 18 }), call).catch(() => {});
  return answer;
}
