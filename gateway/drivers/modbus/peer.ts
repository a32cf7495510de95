// Scripted Modbus TCP devices for the tests of this folder: what is answered to each request is a function of the test.
// Real sockets; written from the specification, not from frame.ts.
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Point } from '../../driver.ts';

export interface Asked {
  tid: number;
  unitId: number;
  code: number;
  from: number;
  count: number;
  /** Number of the request since the peer began, from 0. */
  n: number;
  socket: Socket;
}

export interface Peer {
  port: number;
  asked: Asked[];
  close(): Promise<void>;
}

/** `script` returns bytes to send at once, or undefined to send nothing (it may write to `asked.socket` later). */
export async function startPeer(script: (asked: Asked) => Uint8Array | undefined): Promise<Peer> {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let rest = Buffer.alloc(0);
    socket.on('data', (part) => {
      rest = Buffer.concat([rest, part]);
      for (; rest.length >= 12; rest = rest.subarray(12)) {
        const request: Asked = {
          tid: rest.readUInt16BE(0),
          unitId: rest.readUInt8(6),
          code: rest.readUInt8(7),
          from: rest.readUInt16BE(8),
          count: rest.readUInt16BE(10),
          n: asked.length,
          socket,
        };
        asked.push(request);
        const bytes = script(request);
        if (bytes && !socket.destroyed) socket.write(bytes);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** A frame around a PDU; the fields that a fault bends can be given. */
export function frame({ tid, unitId }: { tid: number; unitId: number }, pdu: readonly number[]): Buffer {
  const bytes = Buffer.alloc(7 + pdu.length);
  bytes.writeUInt16BE(tid, 0);
  bytes.writeUInt16BE(pdu.length + 1, 4);
  bytes.writeUInt8(unitId, 6);
  bytes.set(pdu, 7);
  return bytes;
}

/** The right reply to a read of registers: register a of every unit holds `word(a)`. */
export function registers(asked: Asked, word: (address: number) => number = (address) => address): Buffer {
  const data = Array.from({ length: asked.count }, (_, i) => word(asked.from + i) & 0xffff);
  return frame(asked, [asked.code, asked.count * 2, ...data.flatMap((value) => [value >> 8, value & 0xff])]);
}

export const exception = (asked: Asked, code: number): Buffer => frame(asked, [asked.code | 0x80, code]);

export function point(tag: number, register: string, more: Record<string, unknown> = {}, interval = 100): Point {
  return { tag, id: `north/pump-1/m${tag}`, type: 'double', interval, address: { register, ...more } };
}
