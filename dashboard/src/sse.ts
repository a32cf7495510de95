// A Server-Sent Events client over fetch: EventSource gives up at the first HTTP error and cannot be told where to resume.
// `follow` is called by the plant store with the facility's stream; it reconnects with backoff until its signal aborts.
import { backoff } from './freshness.ts';

export interface ServerEvent {
  event: string;
  data: string;
  id: string;
}

/** Cuts a byte stream's text into events (WHATWG rules). `push` returns those completed by this chunk. */
export class EventParser {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #id = '';

  push(chunk: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (this.#data.length > 0) {
          events.push({ event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id });
        }
        this.#event = '';
        this.#data = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') this.#event = value;
      else if (field === 'data') this.#data.push(value);
      else if (field === 'id') this.#id = value;
    }
    return events;
  }
}

export interface FollowOptions {
  url: string;
  signal: AbortSignal;
  /** Id of the last event of an earlier connection, to resume behind it. */
  after?: string;
  onEvent(event: ServerEvent): void;
  /** Connection lost: what happened, and ms until the next attempt. */
  onLost(reason: string, retryMs: number): void;
  /** No byte for this long (heartbeats included) means the connection is dead. */
  idleMs?: number;
}

/** Follows a stream until `signal` aborts; resumes by Last-Event-ID. Never throws. */
export async function follow({
  url,
  signal,
  after = '',
  onEvent,
  onLost,
  idleMs = 40_000,
}: FollowOptions): Promise<void> {
  let lastId = after;
  let attempt = 0;
  while (!signal.aborted) {
    const reason = await once(url, lastId, signal, idleMs, (event) => {
      attempt = 0;
      if (event.id) lastId = event.id;
      onEvent(event);
    });
    if (signal.aborted) return;
    const wait = backoff(++attempt);
    onLost(reason, wait);
    await pause(wait, signal);
  }
}

async function once(
  url: string,
  lastId: string,
  signal: AbortSignal,
  idleMs: number,
  onEvent: (event: ServerEvent) => void,
): Promise<string> {
  const idle = new AbortController();
  const either = AbortSignal.any([signal, idle.signal]);
  let timer = setTimeout(() => idle.abort(), idleMs);
  try {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (lastId) headers['last-event-id'] = lastId;
    const answer = await fetch(url, { headers, cache: 'no-store', signal: either });
    if (!answer.ok || !answer.body) {
      await answer.body?.cancel();
      return `the gateway answered ${answer.status}`;
    }
    const parser = new EventParser();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return 'the gateway closed the connection';
      clearTimeout(timer);
      timer = setTimeout(() => idle.abort(), idleMs);
      for (const event of parser.push(value)) onEvent(event);
    }
  } catch (error) {
    if (idle.signal.aborted) return 'the gateway fell silent';
    return error instanceof TypeError ? 'the gateway cannot be reached' : String(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits, but comes back at once when the network returns. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      globalThis.removeEventListener?.('online', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    globalThis.addEventListener?.('online', end);
  });
}
