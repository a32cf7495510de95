// A few connections for questions, each on one of its own; a signal ends a question by closing its connection.
// Used by the readers of PostgreSQL and of QuestDB, which speaks the same wire.
import type { Session } from './session.ts';

/** Connections, and questions at work, at most. */
const CONNECTIONS = 2;

export interface Questions {
  ask(text: string, values: unknown[], signal?: AbortSignal): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** @param open makes a connection, ready for questions */
export function questions(open: (signal?: AbortSignal) => Promise<Session>): Questions {
  const idle: Session[] = [];
  const waiting: (() => void)[] = [];
  let busy = 0;
  let closed = false;
  return {
    async ask(text, values, signal) {
      signal?.throwIfAborted();
      while (busy >= CONNECTIONS) await new Promise<void>((resolve) => waiting.push(resolve));
      busy++;
      let session: Session | undefined;
      const abort = (): void => session?.close();
      try {
        if (closed) throw new Error('the reader of deep history is closed');
        signal?.throwIfAborted();
        session = idle.pop();
        if (!session?.sound) session = await open(signal);
        signal?.addEventListener('abort', abort, { once: true });
        const rows = await session.query(text, values);
        if (session.sound && !closed) idle.push(session);
        return rows;
      } catch (error) {
        session?.close();
        signal?.throwIfAborted();
        throw error;
      } finally {
        signal?.removeEventListener('abort', abort);
        if (closed) session?.close();
        busy--;
        waiting.shift()?.();
      }
    },
    async close() {
      closed = true;
      for (const session of idle.splice(0)) session.close();
    },
  };
}
