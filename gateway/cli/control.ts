// A request to the running daemon over its control socket. Used by every command that works through the daemon.
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { join } from 'node:path';

/** No daemon listens on the folder. */
export class Absent extends Error {}

/** @param data the daemon's data folder. `answer` rejects with a sentence when nobody is there. */
export function toDaemon(
  data: string,
  path: string,
  how: { method?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
): { call: ClientRequest; answer: Promise<IncomingMessage> } {
  const socketPath = join(data, 'control.sock');
  const call = request({ socketPath, path, ...how });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    call.once('response', resolve);
    // More than once: a call that is dropped in the middle says so again.
    call.on('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      const message = `no gateway answers at ${socketPath}: start it, or name its data folder with --data`;
      reject(absent ? new Absent(message) : error);
    });
  });
  answer.catch(() => {});
  return { call, answer };
}

/** The sentence for an answer that ended in the middle; any other error as it is. */
export function cutOff(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' ? new Error('the gateway stopped before the end; if it runs, its log says why') : error;
}

/** The whole of a short answer; throws what a refusal says. */
export async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of answer.setEncoding('utf8')) text += part as string;
  if (answer.statusCode === 200) return text;
  let said: { message?: string } = {};
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    // Then the text itself is all there is.
  }
  throw new Error(said.message ?? `the gateway refused (${answer.statusCode}): ${text}`);
}
