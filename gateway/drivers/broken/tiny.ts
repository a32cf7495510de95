// A correct little driver over a protocol of one line each way, and its server: what the contract's own tests run
// against. The broken drivers beside it differ from it in one thing each.
//   > get flow level missing        > set flow 7
//   < 12 5 ?                        < ok
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { every } from '../every.ts';
import { Status } from '../../model.ts';
import type { DeviceRequest, Driver, Link, Point } from '../../driver.ts';
import type { Reading } from '../../model.ts';

export type TinyPoint = Point<{ name: string }>;

export class TinyServer {
  readonly values = new Map<string, number>();
  port = 0;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();

  async start(): Promise<void> {
    if (this.#server) return;
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      createInterface({ input: socket })
        .on('line', (line) => socket.write(`${this.#answer(line)}\n`))
        .on('error', () => {}); // readline passes the socket's error on: a reset by the client is no failure
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
    const address = server.address();
    if (address && typeof address === 'object') this.port = address.port;
  }
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  #answer(line: string): string {
    const [verb, ...names] = line.split(' ');
    if (verb === 'get') return names.map((name) => this.values.get(name) ?? '?').join(' ');
    this.values.set(names[0] ?? '', Number(names[1]));
    return 'ok';
  }
}

export class TinyDriver implements Driver {
  protected readonly port: number;
  protected readonly points: readonly TinyPoint[];

  constructor(port: number, points: readonly TinyPoint[]) {
    this.port = port;
    this.points = points;
  }

  async run(link: Link, signal: AbortSignal): Promise<void> {
    const wire = new Wire(this.port);
    const abort = () => wire.socket.destroy();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      await Promise.race([wire.lost, Promise.all([this.poll(wire, link, signal), this.serve(wire, link)])]);
    } catch (error) {
      if (!signal.aborted) this.whenLost(link, error as Error);
    } finally {
      signal.removeEventListener('abort', abort);
      wire.socket.destroy();
    }
  }

  protected whenLost(_link: Link, error: Error): void {
    throw error;
  }
  protected isExpired(link: Link, request: DeviceRequest): boolean {
    return link.clock.mono() >= request.deadline;
  }
  protected prove(link: Link, tags: number[]): void {
    link.alive(tags, link.clock.micros());
  }

  private async poll(wire: Wire, link: Link, signal: AbortSignal): Promise<void> {
    const last = new Map<number, number | null>();
    const period = Math.min(...this.points.map((point) => point.interval));
    for await (const _tick of every(link.clock, period, signal)) {
      const readings = await this.read(wire, this.points);
      if (last.size === 0) link.online();
      const changed = readings.filter((reading) => last.get(reading.tag) !== reading.value);
      for (const reading of changed) last.set(reading.tag, reading.value as number | null);
      link.emit(changed);
      this.prove(
        link,
        readings.filter((reading) => reading.status === Status.good).map((reading) => reading.tag),
      );
    }
  }

  private async serve(wire: Wire, link: Link): Promise<void> {
    for await (const request of link.requests) {
      if (this.isExpired(link, request)) {
        request.reply({ ok: false, reason: 'expired', message: 'the deadline had passed' });
      } else if (request.kind === 'read') {
        const asked = this.points.filter((point) => request.tags.includes(point.tag));
        request.reply({ ok: true, readings: await this.read(wire, asked) });
      } else if (request.kind === 'write') {
        const point = this.points.find((candidate) => candidate.tag === request.tag);
        await wire.ask(`set ${point?.address.name} ${request.value}`);
        request.reply({ ok: true });
      } else {
        request.reply({ ok: false, reason: 'unsupported', message: `this protocol has no ${request.kind}` });
      }
    }
  }

  private async read(wire: Wire, points: readonly TinyPoint[]): Promise<Reading[]> {
    const words = (await wire.ask(`get ${points.map((point) => point.address.name).join(' ')}`)).split(' ');
    return points.map((point, i) =>
      words[i] === undefined || words[i] === '?'
        ? { tag: point.tag, value: null, status: Status.badNodeIdUnknown }
        : { tag: point.tag, value: Number(words[i]), status: Status.good },
    );
  }
}

class Wire {
  readonly socket: Socket;
  /** Rejects when the connection is over; never resolves. */
  readonly lost: Promise<never>;
  readonly #waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.lost = new Promise((_resolve, reject) => {
      let reason = new Error('the connection was closed');
      this.socket.on('error', (error) => (reason = error));
      this.socket.on('close', () => {
        for (const waiting of this.#waiting.splice(0)) waiting.reject(reason);
        reject(reason);
      });
    });
    createInterface({ input: this.socket })
      .on('line', (line) => this.#waiting.shift()?.resolve(line))
      .on('error', () => {}); // the socket's own error is the reason; readline only passes it on
  }
  ask(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.socket.write(`${line}\n`);
    });
  }
}
