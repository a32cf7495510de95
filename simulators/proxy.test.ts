// The proxy does what it says: bytes arrive whole and in order, faults take effect on open connections.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startProxy } from './proxy.ts';
import type { Proxy } from './proxy.ts';

let proxy: Proxy;
let open: Socket[];
let server: ReturnType<typeof createServer>;

/** A server that sends back what it gets. */
beforeEach(async () => {
  open = [];
  server = createServer((socket) => {
    open.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy = await startProxy({ target: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } });
});
afterEach(async () => {
  await proxy.close();
  await proxy.close();
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function client() {
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  open.push(socket);
  const parts: Buffer[] = [];
  let error: string | undefined;
  const closed = new Promise<string | undefined>((resolve) => socket.on('close', () => resolve(error)));
  socket.on('error', (fault: NodeJS.ErrnoException) => (error = fault.code));
  socket.on('data', (part) => parts.push(part));
  const text = () => Buffer.concat(parts).toString();
  return { socket, parts, text, closed, has: (wanted: string) => expect.poll(text).toBe(wanted) };
}

describe('proxy', () => {
  test('passes bytes on whole and in order through delay, jitter and split writes', async () => {
    const { socket, parts, has } = client();
    socket.write('plain ');
    await has('plain ');
    proxy.set({ delayMs: 5, jitterMs: 20, splitBytes: 1 });
    for (let i = 0; i < 10; i++) socket.write(`${i}`);
    await has('plain 0123456789');
    expect(parts.length).toBeGreaterThan(2);
  });

  test('a black hole swallows what comes and keeps the connection', async () => {
    const { socket, text, has } = client();
    socket.write('a');
    await has('a');
    proxy.set({ blackhole: true });
    socket.write('b');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(text()).toBe('a');
    expect(socket.destroyed).toBe(false);
    proxy.set({ blackhole: false });
    socket.write('c');
    await has('ac');
  });

  test('cut resets both sides; refuse resets new connections and leaves open ones', async () => {
    const first = client();
    first.socket.write('x');
    await first.has('x');
    proxy.set({ refuse: true });
    expect(await client().closed).toBe('ECONNRESET');
    first.socket.write('y');
    await first.has('xy');
    const far = open.at(1)!;
    proxy.cut();
    expect(await first.closed).toBe('ECONNRESET');
    await expect.poll(() => far.destroyed).toBe(true);
  });

  test('passes a close on, and a target that is away as a reset', async () => {
    const { socket, closed, has } = client();
    socket.write('bye');
    await has('bye');
    socket.end();
    expect(await closed).toBeUndefined();
    const lone = await startProxy({ target: { host: '127.0.0.1', port: 1 } });
    const away = connect({ port: lone.port, host: '127.0.0.1' });
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => away.on('error', resolve));
    expect(error.code).toBe('ECONNRESET');
    await lone.close();
  });
});
