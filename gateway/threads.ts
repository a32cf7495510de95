// Starts the worker threads and speaks with them: calls with answers, posts without, one bounded end.
// Used by writer.ts, reader.ts and egress.ts on both sides. Knows both forms of the program:
// TypeScript in a clone, bundled JavaScript in a package; the root lies beside the file that starts it.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { Transferable } from 'node:worker_threads';

interface FlatError {
  name: string;
  message: string;
  code?: string;
  stack?: string;
}
type ToThread =
  | { kind: 'call'; id: number; method: string; body: unknown }
  | { kind: 'cancel'; id: number }
  | { kind: 'post'; method: string; body: unknown };
type FromThread =
  | { kind: 'ready' }
  | { kind: 'reply'; id: number; body: unknown }
  | { kind: 'fault'; id: number; error: FlatError }
  | { kind: 'event'; name: string; body: unknown };

/** Why a thread is gone: `expected` after `close`. */
export interface Death {
  name: string;
  expected: boolean;
  error?: Error;
}

export interface Thread {
  /** Resolves when the root serves; rejects when it failed to start. */
  ready: Promise<void>;
  /** Rejects with the thread's error (name, message, code, its own stack), or when the thread is gone. An abort rejects at once and tells the thread. */
  call<T>(
    method: string,
    body?: unknown,
    how?: { signal?: AbortSignal; transfer?: readonly Transferable[] },
  ): Promise<T>;
  /** Without an answer; dropped when the thread is gone. */
  post(method: string, body: unknown, transfer?: readonly Transferable[]): void;
  /** Asks the root to close and waits at most `ms`, then ends it. Idempotent; never rejects. */
  close(ms: number): Promise<void>;
  /** Ends it at once, as a death of its own would; for one that does not answer any more. */
  kill(reason: Error): void;
  /** Resolves once, when the thread is gone. */
  death: Promise<Death>;
}

/** Serves calls in a thread: each handler gets the body and a signal that fires when the caller has lost interest. */
export interface Served {
  calls: Record<string, (body: never, signal: AbortSignal) => unknown>;
  posts?: Record<string, (body: never) => void>;
  close(): Promise<void> | void;
}

/** An answer whose buffers move instead of being copied. */
export class Moved {
  readonly body: unknown;
  readonly transfer: readonly Transferable[];
  constructor(body: unknown, transfer: readonly Transferable[]) {
    this.body = body;
    this.transfer = transfer;
  }
}

/** Starts `<name>.ts` (or `.js`, as `beside` is) in a thread. `data` reaches the root; `onEvent` gets what it emits. */
export function startThread(
  name: string,
  beside: string,
  data: Record<string, unknown>,
  onEvent: (name: string, body: unknown) => void = () => {},
): Thread {
  const form = new URL(beside).pathname.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./${name}.${form}`, beside), {
    workerData: { ...data, thread: name },
    execArgv: [],
    name,
  });
  const waiting = new Map<number, { resolve(body: unknown): void; reject(error: Error): void }>();
  const started = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<Death>();
  started.promise.catch(() => {});
  let next = 1;
  let closing: Promise<void> | undefined;
  let failure: Error | undefined;
  let alive = true;

  worker.on('message', (message: FromThread) => {
    if (message.kind === 'ready') return started.resolve();
    if (message.kind === 'event') return onEvent(message.name, message.body);
    const caller = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.kind === 'reply') caller?.resolve(message.body);
    else caller?.reject(inflate(message.error));
  });
  worker.on('error', (error: unknown) => (failure = error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', (code) => {
    alive = false;
    if (!closing && !failure) failure = new Error(`the ${name} thread ended with code ${code}`);
    const reason = failure ?? new Error(`the ${name} thread is closed`);
    started.reject(reason);
    for (const caller of waiting.values())
      caller.reject(new Error(`the ${name} thread is gone: ${reason.message}`, { cause: reason }));
    waiting.clear();
    gone.resolve({ name, expected: closing !== undefined, error: failure });
  });

  const thread: Thread = {
    ready: started.promise,
    death: gone.promise,
    call<T>(
      method: string,
      body?: unknown,
      how: { signal?: AbortSignal; transfer?: readonly Transferable[] } = {},
    ): Promise<T> {
      if (!alive) return Promise.reject(new Error(`the ${name} thread is gone`));
      const { signal } = how;
      if (signal?.aborted) return Promise.reject(reasonOf(signal));
      const id = next++;
      const answer = Promise.withResolvers<unknown>();
      const abort = (): void => {
        if (!waiting.delete(id)) return;
        if (alive) worker.postMessage({ kind: 'cancel', id } satisfies ToThread);
        answer.reject(reasonOf(signal as AbortSignal));
      };
      signal?.addEventListener('abort', abort, { once: true });
      const done = (): void => signal?.removeEventListener('abort', abort);
      waiting.set(id, {
        resolve: (value) => (done(), answer.resolve(value)),
        reject: (error) => (done(), answer.reject(error)),
      });
      try {
        worker.postMessage({ kind: 'call', id, method, body } satisfies ToThread, how.transfer ?? []);
      } catch (error) {
        // What cannot be sent is the caller's to hear, and nobody waits for it any more.
        waiting.get(id)?.reject(error as Error);
        waiting.delete(id);
      }
      return answer.promise as Promise<T>;
    },
    post(method, body, transfer = []) {
      if (alive) worker.postMessage({ kind: 'post', method, body } satisfies ToThread, transfer);
    },
    kill(reason) {
      failure = reason;
      void worker.terminate();
    },
    close(ms) {
      closing ??= (async () => {
        if (!alive) return;
        const bound = Promise.withResolvers<void>();
        const timer = setTimeout(bound.resolve, ms);
        await Promise.race([thread.call('close').catch(() => {}), bound.promise]);
        clearTimeout(timer);
        await worker.terminate().catch(() => {});
      })();
      return closing;
    },
  };
  return thread;
}

/** What this thread was started as; undefined on main, and in a test's own worker. */
export function startedAs(): string | undefined {
  const data: unknown = workerData;
  if (isMainThread || typeof data !== 'object' || data === null || !('thread' in data)) return undefined;
  return String(data.thread);
}

/** Sends an event to whoever started this thread. */
export function emit(name: string, body: unknown, transfer: readonly Transferable[] = []): void {
  parentPort?.postMessage({ kind: 'event', name, body } satisfies FromThread, transfer);
}

/** Begins to serve; a post that throws ends the thread, because nobody would hear of it otherwise. */
export function serve(served: Served): void {
  const port = parentPort;
  if (!port) throw new Error('serve runs in a worker thread');
  const running = new Map<number, AbortController>();
  const answer = async (id: number, method: string, body: unknown): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const handler = method === 'close' ? () => served.close() : served.calls[method];
      if (!handler) throw new Error(`no call ${method}`);
      const result: unknown = await handler(body as never, controller.signal);
      if (result instanceof Moved)
        port.postMessage({ kind: 'reply', id, body: result.body } satisfies FromThread, result.transfer);
      else port.postMessage({ kind: 'reply', id, body: result } satisfies FromThread);
    } catch (error) {
      port.postMessage({ kind: 'fault', id, error: flatten(error) } satisfies FromThread);
    } finally {
      running.delete(id);
    }
  };
  port.on('message', (message: ToThread) => {
    if (message.kind === 'cancel') running.get(message.id)?.abort();
    else if (message.kind === 'call') void answer(message.id, message.method, message.body);
    else served.posts?.[message.method]?.(message.body as never);
  });
  port.postMessage({ kind: 'ready' } satisfies FromThread);
}

function flatten(error: unknown): FlatError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { name: error.name, message: error.message, code, stack: error.stack };
}

function inflate(flat: FlatError): Error {
  const error = flat.name === 'RangeError' ? new RangeError(flat.message) : new Error(flat.message);
  error.name = flat.name;
  if (flat.stack) error.stack = flat.stack;
  return flat.code ? Object.assign(error, { code: flat.code }) : error;
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new DOMException('the request was cancelled', 'AbortError');
}
