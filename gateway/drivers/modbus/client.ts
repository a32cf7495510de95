// One TCP connection to a Modbus device: one request in flight, 16-bit transaction ids, late replies dropped and
// counted, everything pending settled when the link goes. Used by the driver; knows nothing of tags.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '../../model.ts';
import { answerTo, readRequest, ReplyParser } from './frame.ts';
import type { Answer, Reply } from './frame.ts';
import type { Table } from './schema.ts';

/** The link is gone: nothing more can be asked on it. */
export class LinkLost extends Error {
  override name = 'LinkLost';
}

export interface ClientStats {
  requests: number;
  replies: number;
  late_replies: number;
  invalid_replies: number;
  timeouts: number;
  exceptions: number;
}

/** Requests left without an answer on one link before it is given up; a new link starts clean. */
const mostRetired = 4096;

interface Pending {
  tid: number;
  unitId: number;
  table: Table;
  count: number;
  settle(answer: Answer | 'timeout' | LinkLost): void;
}

export class ModbusClient {
  readonly stats: ClientStats = {
    requests: 0,
    replies: 0,
    late_replies: 0,
    invalid_replies: 0,
    timeouts: 0,
    exceptions: 0,
  };
  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #parser = new ReplyParser();
  /** Ids whose true reply may still come; they are not given again before it has. */
  readonly #retired = new Set<number>();
  #tid: number;
  #pending: Pending | undefined;
  #lost: LinkLost | undefined;

  private constructor(socket: Socket, clock: Clock, startTid: number) {
    this.#clock = clock;
    this.#tid = startTid;
    this.#socket = socket;
    socket.on('data', (part: Buffer) => {
      const replies = this.#parser.push(part);
      if (!replies) return this.#lose('the device sent something that is not Modbus TCP');
      for (const reply of replies) this.#take(reply);
    });
    socket.on('error', (error) => this.#lose(error.message));
    socket.on('end', () => this.#lose('the device closed the connection'));
    socket.on('close', () => this.#lose('the connection is closed'));
  }

  /**
   * @param startTid the id before the first request's; at random, so that a reply to an earlier link's request finds no taker
   * @throws LinkLost when it is refused, takes longer than `within` ms, or `signal` aborts
   */
  static connect(
    host: string,
    port: number,
    within: number,
    clock: Clock,
    signal: AbortSignal,
    startTid = Math.floor(Math.random() * 65_536),
  ): Promise<ModbusClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 });
      const fail = (reason: string) => {
        settled();
        socket.on('error', () => {});
        socket.destroy();
        reject(new LinkLost(reason));
      };
      const refused = (error: Error) => fail(error.message);
      const aborted = () => fail('stopped');
      const callOff = clock.after(within, () => fail(`no connection to ${host}:${port} within ${within} ms`));
      const settled = () => {
        callOff();
        socket.off('error', refused);
        signal.removeEventListener('abort', aborted);
      };
      socket.once('error', refused);
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) return aborted();
      socket.once('connect', () => {
        settled();
        resolve(new ModbusClient(socket, clock, startTid));
      });
    });
  }

  /**
   * Asks once. Resolves with the answer, or 'timeout' after `timeout` ms; one call at a time.
   * @throws LinkLost when the connection is or goes down
   */
  read(unitId: number, table: Table, from: number, count: number, timeout: number): Promise<Answer | 'timeout'> {
    if (this.#lost) return Promise.reject(this.#lost);
    if (this.#pending) return Promise.reject(new Error('a request is in flight on this link already'));
    const tid = this.#nextTid();
    if (tid === undefined) {
      this.#lose('the device leaves too many requests without an answer');
      return Promise.reject(this.#lost ?? new LinkLost('stopped'));
    }
    this.stats.requests++;
    return new Promise((resolve, reject) => {
      const callOff = this.#clock.after(timeout, () => {
        this.stats.timeouts++;
        this.#retired.add(tid);
        settle('timeout');
      });
      const settle = (answer: Answer | 'timeout' | LinkLost) => {
        callOff();
        this.#pending = undefined;
        if (answer instanceof LinkLost) reject(answer);
        else resolve(answer);
      };
      this.#pending = { tid, unitId, table, count, settle };
      this.#socket.write(readRequest(tid, unitId, table, from, count));
    });
  }

  /** Idempotent; whatever waits is rejected at once. */
  close(): void {
    this.#lose('stopped');
  }

  #take(reply: Reply): void {
    const pending = this.#pending;
    if (!pending || pending.tid !== reply.tid) {
      this.#retired.delete(reply.tid);
      this.stats.late_replies++;
      return;
    }
    const answer = answerTo(pending, reply);
    if ('invalid' in answer) {
      this.stats.invalid_replies++;
      // The true reply to this id may follow.
      this.#retired.add(reply.tid);
    } else this.stats.replies++;
    if ('exception' in answer) this.stats.exceptions++;
    pending.settle(answer);
  }

  /** The next id that no late reply can carry; undefined when very many requests were never answered on this link. */
  #nextTid(): number | undefined {
    if (this.#retired.size >= mostRetired) return undefined;
    do this.#tid = (this.#tid + 1) & 0xffff;
    while (this.#retired.has(this.#tid));
    return this.#tid;
  }

  #lose(reason: string): void {
    if (this.#lost) return;
    this.#lost = new LinkLost(reason);
    this.#socket.destroy();
    this.#pending?.settle(this.#lost);
  }
}
