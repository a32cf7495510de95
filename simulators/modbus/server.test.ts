// The server against clients that are not ours: modbus-serial, mbpoll, and bytes written by hand.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import modbusSerial from 'modbus-serial';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../gateway/test/needs.ts';
import type { Plant, PlantSite, Signal, SignalValue } from '../plant.ts';
import { registerMap } from './map.ts';
import { serveModbus } from './server.ts';
import type { ModbusServer } from './server.ts';

const signal = (metric: string, more: Partial<Signal> = {}): Signal => {
  return { metric, name: metric, unit: '', decimals: 1, type: 'double', range: { low: 0, high: 100 }, ...more };
};
const signals = [
  signal('flow'),
  signal('level', { instrument: { low: -100, high: 100 } }),
  signal('heat'),
  signal('speed'),
  signal('starts', { type: 'integer' }),
  signal('running', { type: 'boolean' }),
  signal('fault', { type: 'boolean' }),
  signal('target'),
];
const asset = { kind: 'pump', line: null, signals };
const site: PlantSite = {
  ...{ id: 'north', name: 'North', location: '', timezone: 'UTC', protocol: 'modbus', interval: 1000 },
  assets: [
    { ...asset, path: 'north/pump-1', name: 'Pump 1' },
    { ...asset, path: 'north/pump-2', name: 'Pump 2' },
  ],
};
const first = [123456, -21.5, 3.25, 7, 70000, true, false, 55.5];
const second = [-2, 12.3, null, 8, 5, false, true, 44.5];
let now: (SignalValue | null)[] = [...first, ...second];
let advanced = 0;
const plant: Plant = { site, advance: (to) => void (advanced = to), values: () => now };
const map = registerMap(site);
const place = (tag: string) => map.entries.find((entry) => entry.tag === `north/${tag}`)!;

let server: ModbusServer;
beforeAll(async () => void (server = await serveModbus(plant, map, { host: '127.0.0.1', port: 0 })));
afterAll(() => server.close());

async function open(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: server.port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** Collects until so many bytes have come, or the connection ends. */
function receive(socket: Socket, bytes: number): Promise<Buffer> {
  return new Promise((resolve) => {
    let all = Buffer.alloc(0);
    socket.on('data', (part: Buffer) => {
      all = Buffer.concat([all, part]);
      if (all.length >= bytes) resolve(all);
    });
    socket.on('close', () => resolve(all));
    socket.on('error', () => {});
  });
}

const frame = (tid: number, unit: number, ...pdu: number[]) =>
  Buffer.from([tid >> 8, tid & 255, 0, 0, 0, pdu.length + 1, unit, ...pdu]);
const read = (code: number, from: number, count: number) => [code, from >> 8, from & 255, count >> 8, count & 255];

async function pdu(unit: number, ...request: number[]): Promise<number[]> {
  const socket = await open();
  const answer = receive(socket, 9);
  socket.write(frame(7, unit, ...request));
  const bytes = await answer;
  socket.destroy();
  expect([...bytes.subarray(0, 4), bytes[6]]).toEqual([0, 7, 0, 0, unit]);
  expect(bytes.readUInt16BE(4)).toBe(bytes.length - 6);
  return [...bytes.subarray(7)];
}

describe('answers', () => {
  test('float32 in the order of each unit', async () => {
    expect(await pdu(1, ...read(4, place('pump-1/flow').address, 2))).toEqual([4, 4, 0x47, 0xf1, 0x20, 0]);
    // -2 is 0xC0000000, low word first.
    expect(await pdu(2, ...read(4, place('pump-2/flow').address, 2))).toEqual([4, 4, 0, 0, 0xc0, 0]);
  });

  test('scaled registers, counters, set-points and bits', async () => {
    expect(place('pump-1/level')).toMatchObject({ encoding: 'int16', scale: 0.1 });
    expect(await pdu(1, ...read(4, place('pump-1/level').address, 1))).toEqual([4, 2, 0xff, 0x29]);
    expect(await pdu(1, ...read(4, place('pump-1/starts').address, 2))).toEqual([4, 4, 0, 1, 0x11, 0x70]);
    expect(await pdu(1, ...read(3, place('pump-1/target').address, 2))).toEqual([3, 4, 0x42, 0x5e, 0, 0]);
    expect(await pdu(1, ...read(2, 0, 2))).toEqual([2, 1, 0b01]);
    expect(await pdu(2, ...read(4, place('pump-2/fault').address, 1))).toEqual([4, 2, 0, 0b10]);
  });

  test('a sensor without a value says NaN', async () => {
    const { address } = place('pump-2/heat');
    expect(await pdu(2, ...read(4, address, 2))).toEqual([4, 4, 0, 0, 0x7f, 0xc0]);
  });

  test('new values after an update', async () => {
    const before = now;
    now = [1, ...now.slice(1)];
    server.update(5000);
    expect(advanced).toBe(5000);
    expect(await pdu(1, ...read(4, 0, 2))).toEqual([4, 4, 0x3f, 0x80, 0, 0]);
    now = before;
    server.update(6000);
  });
});

test.each([
  ['an unknown function', 1, [0x2b, 14, 1, 0], [0xab, 1]],
  ['a write', 1, [6, 0, 0, 0, 1], [0x86, 1]],
  ['a register that is a hole', 1, read(4, 5, 2), [0x84, 2]],
  ['a register beyond the map', 1, read(4, 65535, 1), [0x84, 2]],
  ['a read across the end of the addresses', 1, read(4, 65535, 2), [0x84, 2]],
  ['a table the unit does not have', 1, read(1, 0, 1), [0x81, 2]],
  ['no registers', 1, read(4, 0, 0), [0x84, 3]],
  ['126 registers', 1, read(4, 0, 126), [0x84, 3]],
  ['2001 bits', 1, read(2, 0, 2001), [0x82, 3]],
  ['a request cut short', 1, [4, 0, 0], [0x84, 3]],
  ['a unit that is not there', 9, read(4, 0, 1), [0x84, 0x0b]],
])('%s is refused with its exception', async (_what, unit, request, refusal) => {
  expect(await pdu(unit, ...request)).toEqual(refusal);
});

describe('the stream', () => {
  test('split to single bytes and pipelined: every request is answered, in order', async () => {
    const socket = await open();
    const answers = receive(socket, 3 * 13);
    const three = Buffer.concat([1, 2, 3].map((tid) => frame(tid, 1, ...read(4, 0, 2))));
    for (const byte of three.subarray(0, 12)) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.write(three.subarray(12));
    const bytes = await answers;
    expect(bytes.length).toBe(3 * 13);
    expect([0, 13, 26].map((at) => bytes.readUInt16BE(at))).toEqual([1, 2, 3]);
    socket.destroy();
  });

  test.each([
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a length of nothing', Buffer.from([0, 1, 0, 0, 0, 0, 1, 4])],
    ['a length beyond any request', Buffer.from([0, 1, 0, 0, 0xff, 0xff, 1, 4])],
  ])('%s ends this connection and no other', async (_what, bytes) => {
    const other = await open();
    const socket = await open();
    const answer = receive(socket, 1);
    socket.write(bytes);
    expect((await answer).length).toBe(0);
    const good = receive(other, 13);
    other.write(frame(1, 1, ...read(4, 0, 2)));
    expect((await good).length).toBe(13);
    other.destroy();
  });

  test('close ends open connections and can be said twice', async () => {
    const own = await serveModbus(plant, map);
    const socket = connect({ host: '127.0.0.1', port: own.port });
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    socket.on('error', () => {});
    await Promise.all([own.close(), own.close()]);
    await closed;
  });

  test('a taken port is an error, not a crash', async () => {
    await expect(serveModbus(plant, map, { port: server.port })).rejects.toThrow('EADDRINUSE');
  });
});

test('modbus-serial reads the same', async () => {
  const client = new modbusSerial.default();
  await client.connectTCP('127.0.0.1', { port: server.port });
  client.setTimeout(2000);
  client.setID(1);
  expect((await client.readInputRegisters(0, 2)).buffer.readFloatBE(0)).toBe(123456);
  expect((await client.readDiscreteInputs(0, 2)).data.slice(0, 2)).toEqual([true, false]);
  client.setID(2);
  const words = (await client.readInputRegisters(place('pump-2/speed').address, 2)).data;
  expect(words.length).toBe(2);
  await expect(client.readHoldingRegisters(60000, 1)).rejects.toMatchObject({ modbusCode: 2 });
  await new Promise<void>((resolve) => client.close(() => resolve()));
});

needs('mbpoll')('mbpoll reads the same', async () => {
  const run = promisify(execFile);
  const poll = async (...options: string[]) => {
    const { stdout } = await run('mbpoll', [
      '-m',
      'tcp',
      '-p',
      String(server.port),
      '-0',
      '-1',
      '-q',
      ...options,
      '127.0.0.1',
    ]);
    return [...stdout.matchAll(/^\[\d+\]:\s*(\S+)/gm)].map((found) => Number(found[1]));
  };
  // -B: high word first; without it mbpoll expects the low word first.
  expect(await poll('-a', '1', '-t', '3:float', '-B', '-r', '0', '-c', '1')).toEqual([123456]);
  expect(await poll('-a', '2', '-t', '3:float', '-r', '0', '-c', '1')).toEqual([-2]);
  expect(await poll('-a', '1', '-t', '1', '-r', '0', '-c', '2')).toEqual([1, 0]);
  expect(await poll('-a', '1', '-t', '4:float', '-B', '-r', '0', '-c', '1')).toEqual([55.5]);
  expect(await poll('-a', '1', '-t', '3', '-r', String(place('pump-1/level').address), '-c', '1')).toEqual([65321]);
  expect(await poll('-a', '1', '-t', '3:int', '-B', '-r', String(place('pump-1/starts').address), '-c', '1')).toEqual([
    70000,
  ]);
  expect(await poll('-a', '2', '-t', '3:int', '-r', String(place('pump-2/starts').address), '-c', '1')).toEqual([5]);
});
