// A strict Modbus TCP server over a plant: the limits of the specification, its exceptions, split and pipelined frames.
// Started by simulators/site-server and by tests; reads registers only, as most plants allow their gateways.
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import type { Plant } from '../plant.ts';
import type { RegisterMap } from './map.ts';
import { RegisterMemory } from './registers.ts';

export interface ModbusSimulator {
  readonly port: number;
  /** The plant's values are now those of this time. */
  update(atMs: number): void;
  /** Requests answered since the start. */
  readonly requests: number;
  close(): Promise<void>;
}

const tables = { 1: 'co', 2: 'di', 3: 'hr', 4: 'ir' } as const;
/** Modbus application protocol V1.1b3, §7. */
const Exception = { function: 1, address: 2, value: 3, gatewayTarget: 0x0b } as const;
const largestAdu = 260;

export async function serveModbus(plant: Plant, map: RegisterMap, options: { host: string; port: number }): Promise<ModbusSimulator> {
  const memory = new RegisterMemory(map);
  memory.write(plant.values());
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let pending = Buffer.alloc(0);
    socket.on('data', (part: Buffer) => {
      pending = pending.length === 0 ? part : Buffer.concat([pending, part]);
      while (pending.length >= 8) {
        const length = pending.readUInt16BE(4);
        // Not Modbus: a server cannot find the next frame any more (implementation guide §4.3).
        if (pending.readUInt16BE(2) !== 0 || length < 2 || length > largestAdu - 6) return socket.destroy();
        if (pending.length < 6 + length) return;
        const answer = respond(memory, pending.subarray(6, 6 + length));
        const head = Buffer.alloc(6);
        pending.copy(head, 0, 0, 4);
        head.writeUInt16BE(answer.length, 4);
        socket.write(Buffer.concat([head, answer]));
        requests++;
        pending = pending.subarray(6 + length);
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port, exclusive: true }, resolve);
  });
  const address = server.address();
  let closing: Promise<void> | undefined;
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    update: () => memory.write(plant.values()),
    get requests() {
      return requests;
    },
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      return closing;
    },
  };
}

/** Answers one unit id + PDU with unit id + PDU. */
export function respond(memory: RegisterMemory, request: Buffer): Buffer {
  const unitId = request[0] ?? 0;
  const code = request[1] ?? 0;
  const exception = (number: number) => Buffer.from([unitId, code | 0x80, number]);
  const name = tables[code as keyof typeof tables];
  if (memory.table(unitId, 'ir') === undefined) return exception(Exception.gatewayTarget);
  if (!name) return exception(Exception.function);
  if (request.length !== 6) return exception(Exception.value);
  const from = request.readUInt16BE(2);
  const count = request.readUInt16BE(4);
  const bits = code <= 2;
  if (count < 1 || count > (bits ? 2000 : 125)) return exception(Exception.value);
  const words = memory.table(unitId, name);
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const word = words?.get(from + i);
    if (word === undefined) return exception(Exception.address);
    values.push(word);
  }
  const body = bits ? packed(values) : Buffer.alloc(count * 2);
  if (!bits) values.forEach((word, i) => body.writeUInt16BE(word, i * 2));
  return Buffer.concat([Buffer.from([unitId, code, body.length]), body]);
}

function packed(values: readonly number[]): Buffer {
  const body = Buffer.alloc(Math.ceil(values.length / 8));
  values.forEach((value, i) => {
    if (value) body[i >> 3] = (body[i >> 3] ?? 0) | (1 << (i & 7));
  });
  return body;
}
