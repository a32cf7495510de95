// A TCP proxy that misbehaves on purpose: delay, jitter, split writes, silence, refusal, resets. Tests of any protocol
// put it between client and server; `set` changes the faults while connections are open. Knows nothing of the bytes.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Faults {
  /** Every part is passed on this much later, ms, each way. */
  delayMs: number;
  /** Up to this much more, at random; the order of the bytes stays. */
  jitterMs: number;
  /** Parts are cut into pieces of so many bytes, each written alone; 0 = as they come. */
  splitBytes: number;
  /** What comes is thrown away both ways, and connections stay open: a cable pulled, a firewall that drops. */
  blackhole: boolean;
  /** New connections are reset at once; open ones go on. */
  refuse: boolean;
}

export interface Proxy {
  port: number;
  /** Changes what is named, also for connections that are open. */
  set(faults: Partial<Faults>): void;
  /** Resets every open connection, both sides (RST). */
  cut(): void;
  /** Resets what is open and stops listening. Idempotent. */
  close(): Promise<void>;
}

export interface ProxyOptions {
  target: { host: string; port: number };
  host?: string;
  /** 0 or absent takes a free one. */
  port?: number;
}

/** Starts listening. Rejects when the address cannot be had. */
export async function startProxy({ target, host = '127.0.0.1', port = 0 }: ProxyOptions): Promise<Proxy> {
  const faults: Faults = { delayMs: 0, jitterMs: 0, splitBytes: 0, blackhole: false, refuse: false };
  const sockets = new Set<Socket>();
  const keep = (socket: Socket, other: () => Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => other().resetAndDestroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (faults.refuse) {
      near.on('error', () => {});
      near.resetAndDestroy();
      return;
    }
    const far: Socket = connect({ ...target, allowHalfOpen: true });
    keep(near, () => far);
    keep(far, () => near);
    carry(near, far, faults);
    carry(far, near, faults);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  let closed: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    set: (changed) => void Object.assign(faults, changed),
    cut,
    close() {
      closed ??= new Promise<void>((resolve) => {
        server.close(() => resolve());
        cut();
      });
      return closed;
    },
  };
}

/** One direction. Each part waits for its own time and for the part before it, so bytes never overtake. */
function carry(from: Socket, to: Socket, faults: Faults): void {
  let before: Promise<void> = Promise.resolve();
  const inTurn = (act: () => void | Promise<void>) => {
    const { delayMs, jitterMs } = faults;
    const wait = delayMs + Math.random() * jitterMs;
    const due = wait > 0 ? pause(wait) : undefined;
    before = before.then(async () => {
      if (due) await due;
      await act();
    });
  };
  from.on('data', (part) => {
    if (faults.blackhole) return;
    inTurn(async () => {
      if (to.destroyed || faults.blackhole) return;
      const piece = faults.splitBytes > 0 ? faults.splitBytes : part.length;
      for (let at = 0; at < part.length; at += piece) {
        to.write(part.subarray(at, at + piece));
        // The next piece leaves in a segment of its own.
        if (at + piece < part.length) await new Promise<void>((resolve) => setImmediate(resolve));
      }
      if (to.writableNeedDrain && !to.destroyed) {
        from.pause();
        to.once('drain', () => from.resume());
        to.once('close', () => from.resume());
      }
    });
  });
  from.on('end', () => inTurn(() => void (faults.blackhole || to.end())));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
