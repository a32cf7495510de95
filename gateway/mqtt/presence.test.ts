// Whether the gateway is there, as others are told: at a stop, and by the will when its socket breaks.
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Status } from '../status.ts';
import { gatewayStatus, open, parsed, reader } from './bed.ts';
import { Broker } from './broker.ts';
import { Presence } from './presence.ts';

/** A way to a port that can be cut. */
async function cuttable(port: number): Promise<{ port: number; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  const address = server.address();
  return { port: address && typeof address === 'object' ? address.port : 0, cut };
}

describe('presence', () => {
  test('says goodbye at a stop', async () => {
    const { room, port } = await open();
    const seen = await reader(port, gatewayStatus);
    await seen.until(() => parsed(seen.last.get(gatewayStatus))?.['online'] === true);
    await room.close();
    expect(parsed(seen.last.get(gatewayStatus))).toEqual({ online: false, reason: 'shutdown' });
  });

  test('turns false by the will when the session’s socket breaks, and comes back by itself', async () => {
    const status = new Status({ debug() {}, info() {}, warn() {}, error() {} });
    const broker = new Broker({ host: '127.0.0.1', port: 0, prefix: 'penstock', insecure: false }, status);
    const at = await broker.listen();
    onTestFinished(() => broker.close());
    const way = await cuttable(at.port);
    const seen = await reader(at.port, gatewayStatus);
    const { credentials } = broker;
    const presence = new Presence({
      host: '127.0.0.1',
      port: way.port,
      credentials,
      topic: gatewayStatus,
      since: 'x',
      version: '1',
      status,
    });
    onTestFinished(() => presence.close(500));
    await seen.until(() => seen.heard.length === 1);
    way.cut();
    await seen.until(() => seen.heard.length === 3);
    expect(seen.heard.map((message) => parsed(message.text))).toEqual([
      { online: true, since: 'x', version: '1' },
      { online: false, reason: 'connection_lost' },
      { online: true, since: 'x', version: '1' },
    ]);
  });
});
