// One run of the driver: one client, its session and feeds, from connecting to the end. Made by driver.ts for each run.
// The library reconnects by itself; what it forgets (namespaces, refused items, silence, being stuck) is seen to here.
import type { ClientSession, OPCUAClient } from 'node-opcua-client';
import type { Link } from '../../driver.ts';
import { closeClient, createClient, openSession } from './client.ts';
import type { Library } from './client.ts';
import { Feed } from './feed.ts';
import type { Manners, Watch } from './feed.ts';
import { intervalClasses } from './plan.ts';
import { serve } from './requests.ts';
import type { Connection } from './schema.ts';
import { Voice } from './voice.ts';
import { Aborted, within } from './within.ts';

/** Refused tags are asked for again: soon, for a server that is still starting, then ever less. */
const RETRIES = [5_000, 30_000, 300_000];
/** Reconnecting for longer: the library may be stuck, a new client is cheap. */
const STUCK = 60_000;

export class Run {
  readonly #library: Library;
  readonly #connection: Connection;
  readonly #watches: ReadonlyMap<number, Watch>;
  readonly #link: Link;
  readonly #signal: AbortSignal;
  readonly #ended = new AbortController();
  readonly #feeds: Feed[] = [];
  readonly #manners: Manners;
  readonly #voice: Voice;
  readonly #over: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #client: OPCUAClient | undefined;
  #session: ClientSession | undefined;
  #namespaces: string[] = [];
  #attempt = 0;
  #callOffRetry: () => void = () => undefined;
  #callOffWatch: () => void = () => undefined;

  constructor(
    library: Library,
    connection: Connection,
    watches: ReadonlyMap<number, Watch>,
    link: Link,
    signal: AbortSignal,
  ) {
    this.#library = library;
    this.#connection = connection;
    this.#watches = watches;
    this.#link = link;
    this.#signal = signal;
    this.#manners = { chunk: connection.chunk };
    this.#voice = new Voice(link, this.#feeds);
    this.#over = new Promise<never>((_, reject) => (this.#fail = reject));
    this.#over.catch(() => undefined);
  }

  /** Connects and follows the server until aborted (rejects Aborted) or lost for good (rejects). */
  async live(): Promise<void> {
    // At once, with what was read by then as its last word: after the abort nobody listens.
    this.#signal.addEventListener('abort', () => this.#voice.close(), { once: true, signal: this.#ended.signal });
    const { requestTimeout } = this.#connection;
    const { clock } = this.#link;
    const client = await createClient(this.#library, this.#connection, (session) => this.#rebuild(session));
    this.#client = client;
    client.on('connection_lost', () => this.#voice.lost('the connection was lost'));
    client.on('start_reconnection', () => this.#voice.lost('the connection was lost'));
    client.on('close', () => this.#fail(new Error('the connection was closed')));
    const session = await openSession(this.#library, client, this.#connection, clock, this.#signal);
    this.#session = session;
    session.on('session_restored', () => this.#restored());
    session.on('session_closed', () => this.#fail(new Error('the server closed the session')));
    this.#namespaces = await within(
      clock,
      requestTimeout,
      'reading the namespaces',
      session.readNamespaceArray(),
      this.#signal,
    );
    const maxRead = await this.#limits(session);
    const points = [...this.#watches.values()].map((watch) => watch.point);
    for (const plan of intervalClasses(points, this.#connection)) {
      const watches = plan.points.map((point) => this.#watches.get(point.tag)).filter((watch) => watch !== undefined);
      const feed = new Feed(plan, watches, {
        library: this.#library,
        connection: this.#connection,
        clock,
        manners: this.#manners,
        ear: {
          value: (watch, data) => this.#voice.value(watch, data),
          refused: (watch, status) => this.#voice.refused(watch, status),
          heard: (heard, news) => this.#voice.heard(heard, news),
          gone: (reason) => this.#fail(new Error(reason)),
        },
      });
      this.#feeds.push(feed);
      await Promise.race([feed.open(session, this.#namespaces, this.#signal), this.#over]);
    }
    this.#voice.opened();
    this.#planRetry();
    this.#watch();
    const desk = {
      session,
      online: () => this.#voice.online,
      namespaces: () => this.#namespaces,
      watches: this.#watches,
      manners: this.#manners,
      maxRead,
      clock,
    };
    void serve(this.#link.requests, desk, this.#ended.signal).catch((error: unknown) =>
      this.#fail(new Error(String(error))),
    );
    await this.#aborted();
  }

  /** Bounded; ends everything that live began. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#callOffRetry();
    this.#callOffWatch();
    const connected = this.#voice.connected;
    this.#voice.close();
    if (this.#client) await closeClient(this.#client, this.#session, connected, this.#link.clock);
  }

  #aborted(): Promise<never> {
    const aborted = new Promise<never>((_, reject) => {
      const end = (): void => reject(new Aborted('the run was aborted'));
      if (this.#signal.aborted) end();
      else this.#signal.addEventListener('abort', end, { once: true, signal: this.#ended.signal });
    });
    return Promise.race([aborted, this.#over]);
  }

  /** The server's own limits, where it tells them; returns how many nodes one read may name. */
  async #limits(session: ClientSession): Promise<number> {
    const { requestTimeout } = this.#connection;
    const asked = this.#library.readOperationLimits(session);
    const limits = await within(this.#link.clock, requestTimeout, 'reading the limits', asked, this.#signal).catch(
      (error: unknown) => {
        if (error instanceof Aborted) throw error;
        return undefined;
      },
    );
    this.#manners.chunk = Math.min(this.#manners.chunk, limits?.maxMonitoredItemsPerCall || Infinity);
    return limits?.maxNodesPerRead || 1_000;
  }

  async #readNamespaces(session: ClientSession): Promise<void> {
    const { requestTimeout } = this.#connection;
    this.#namespaces = await within(
      this.#link.clock,
      requestTimeout,
      'reading the namespaces',
      session.readNamespaceArray(),
      this.#ended.signal,
    );
  }

  /** A new session, before its items: a restarted server may number its namespaces differently, and the library does not look. */
  async #rebuild(session: ClientSession): Promise<Error | undefined> {
    try {
      await this.#readNamespaces(session);
      for (const feed of this.#feeds) feed.remap(this.#namespaces);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #restored(): void {
    for (const feed of this.#feeds) feed.sweep(this.#namespaces);
    this.#attempt = 0;
    this.#planRetry();
  }

  #planRetry(): void {
    this.#callOffRetry();
    if (!this.#feeds.some((feed) => feed.refused.length > 0)) return;
    const delay = RETRIES[Math.min(this.#attempt, RETRIES.length - 1)] ?? 300_000;
    this.#callOffRetry = this.#link.clock.after(delay, () => {
      this.#attempt++;
      this.#retry().then(
        () => this.#planRetry(),
        (error: unknown) => {
          this.#link.log('debug', `refused tags were not retried: ${String(error)}`);
          this.#planRetry();
        },
      );
    });
  }

  async #retry(): Promise<void> {
    const session = this.#session;
    if (!session || !this.#voice.online || this.#ended.signal.aborted) return;
    await this.#readNamespaces(session);
    for (const feed of this.#feeds) await feed.create(feed.refused, this.#namespaces, this.#ended.signal);
  }

  /** The library notices a silent server late; a publish response or keep-alive is due within each feed's patience. */
  #watch(): void {
    this.#callOffWatch = this.#link.clock.after(1_000, () => {
      const dead = this.#voice.check();
      if (dead) this.#fail(new Error(dead));
      else if (this.#voice.offlineFor > STUCK) this.#fail(new Error(`no connection again after ${STUCK / 1000} s`));
      else this.#watch();
    });
  }
}
