// A strict Modbus TCP server over a plant: several units behind one address, only the registers of the map exist.
// simulators/main starts one per Modbus site and calls `update` on every step; tests read it with our driver and
// with independent masters. Requests may come split or pipelined; each is answered in order.
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Plant } from '../plant.ts';
import { registersFor } from './map.ts';
import type { RegisterMap, Table } from './map.ts';

export interface ModbusServer {
  port: number;
  /** Advances the plant to this time (ms since the epoch) and takes its values into the registers. */
  update(atMs: number): void;
  close(): Promise<void>;
}

/** One table of one unit; `defined` says which addresses exist. */
interface Cells {
  words: Uint16Array;
  defined: Uint8Array;
}
type Unit = Partial<Record<Table, Cells>>;

const tables: Record<number, Table> = { 1: 'co', 2: 'di', 3: 'hr', 4: 'ir' };
const illegalFunction = 1;
const illegalAddress = 2;
const illegalValue = 3;
const targetSilent = 0x0b;
/** The longest request: header 7, PDU 253. */
const longest = 260;
/** A client that never reads its answers is cut off here. */
const mostUnsent = 1 << 20;

/** Starts listening; port 0 takes a free one. Rejects when the address cannot be had. */
export async function serveModbus(
  plant: Plant,
  map: RegisterMap,
  { host = '127.0.0.1', port = 0 }: { host?: string; port?: number } = {},
): Promise<ModbusServer> {
  const units = layOut(map);
  const take = () => {
    const values = plant.values();
    for (const entry of map.entries) {
      const cells = units.get(entry.unitId)![entry.table]!;
      const words = registersFor(entry, values[entry.signal] ?? null);
      if (entry.encoding === 'bit') {
        const mask = 1 << entry.bit!;
        cells.words[entry.address] = words[0]
          ? cells.words[entry.address]! | mask
          : cells.words[entry.address]! & ~mask;
      } else cells.words.set(words, entry.address);
    }
  };
  take();

  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    converse(socket, (unit, pdu) => answer(units.get(unit), pdu));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', () => {});
  let closed: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    update(atMs) {
      plant.advance(atMs);
      take();
    },
    close() {
      closed ??= new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      return closed;
    },
  };
}

function layOut(map: RegisterMap): Map<number, Unit> {
  const units = new Map<number, Unit>();
  const ends = new Map<string, number>();
  for (const { unitId, table, address, size } of map.entries) {
    const key = `${unitId}:${table}`;
    ends.set(key, Math.max(ends.get(key) ?? 0, address + size));
  }
  for (const { unitId, table, address, size } of map.entries) {
    let unit = units.get(unitId);
    if (!unit) units.set(unitId, (unit = {}));
    const end = ends.get(`${unitId}:${table}`)!;
    unit[table] ??= { words: new Uint16Array(end), defined: new Uint8Array(end) };
    unit[table].defined.fill(1, address, address + size);
  }
  return units;
}

/** Cuts the stream into requests and writes the replies in order; a header that cannot be Modbus ends the connection. */
function converse(socket: Socket, reply: (unit: number, pdu: Buffer) => Buffer): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const replies: Buffer[] = [];
    while (rest.length >= 8) {
      const length = rest.readUInt16BE(4);
      if (rest.readUInt16BE(2) !== 0 || length < 2 || length + 6 > longest) {
        socket.destroy();
        return;
      }
      if (rest.length < length + 6) break;
      const unit = rest[6]!;
      const pdu = reply(unit, rest.subarray(7, length + 6));
      const frame = Buffer.alloc(7 + pdu.length);
      rest.copy(frame, 0, 0, 4);
      frame.writeUInt16BE(pdu.length + 1, 4);
      frame[6] = unit;
      pdu.copy(frame, 7);
      replies.push(frame);
      rest = rest.subarray(length + 6);
    }
    if (replies.length === 0) return;
    socket.write(replies.length === 1 ? replies[0]! : Buffer.concat(replies));
    if (socket.writableLength > mostUnsent) socket.destroy();
  });
}

function answer(unit: Unit | undefined, pdu: Buffer): Buffer {
  const code = pdu[0]!;
  const refuse = (exception: number) => Buffer.from([code | 0x80, exception]);
  if (!unit) return refuse(targetSilent);
  const table = tables[code];
  if (!table) return refuse(illegalFunction);
  if (pdu.length !== 5) return refuse(illegalValue);
  const start = pdu.readUInt16BE(1);
  const count = pdu.readUInt16BE(3);
  const bits = code <= 2;
  if (count < 1 || count > (bits ? 2000 : 125)) return refuse(illegalValue);
  const cells = unit[table];
  if (!cells || start + count > cells.words.length) return refuse(illegalAddress);
  for (let i = start; i < start + count; i++) if (!cells.defined[i]) return refuse(illegalAddress);
  const data = Buffer.alloc(2 + (bits ? Math.ceil(count / 8) : count * 2));
  data[0] = code;
  data[1] = data.length - 2;
  for (let i = 0; i < count; i++) {
    const word = cells.words[start + i]!;
    if (!bits) data.writeUInt16BE(word, 2 + i * 2);
    else if (word) data[2 + (i >> 3)]! |= 1 << (i & 7);
  }
  return data;
}
