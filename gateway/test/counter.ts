// A Modbus device that numbers its own readings: each read of its register gives the next number, and it remembers when.
// A server nobody here wrote (modbus-serial). Used by the tests that kill, jump clocks and count what is left.
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ServerTCP } from 'modbus-serial';
import { openReader } from '../reader.ts';

export interface Counter {
  port: number;
  /** When each number was given, ms since the epoch, by the number. */
  given: number[];
  close(): Promise<void>;
}

export async function startCounter(): Promise<Counter> {
  const given: number[] = [];
  const vector = {
    getMultipleHoldingRegisters(address: number): number[] {
      // How the library is told of an illegal address.
      if (address !== 0) throw { modbusErrorCode: 2 };
      const number = given.length;
      given.push(Date.now());
      return [number >>> 16, number & 0xffff];
    },
  };
  // The library takes a port of 0 for its default.
  const port = await freePort();
  const server = new ServerTCP(vector as never, { host: '127.0.0.1', port, unitID: 1 });
  // A gateway that is killed resets its connection.
  server.on('socketError', () => {});
  server.on('error', () => {});
  await once(server, 'initialized');
  return {
    port,
    given,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export const counterTag = (i: number): string => `line/counter-${i + 1}/number`;
/** A tag of the same plant that only imports fill: its register is too far off to be read with the other, and is refused. */
export const noteTag = 'line/book/note';

/** A configuration with one device for each port, polled every `interval`, and a tag for numbered imports. */
export function writeCounterPlant(config: string, ports: readonly number[], interval = '20ms'): void {
  mkdirSync(join(config, 'devices'), { recursive: true });
  const assets = ports.map((_port, i) => `  - { path: line/counter-${i + 1}, name: Counter ${i + 1} }`).join('\n');
  writeFileSync(
    join(config, 'plant.yaml'),
    `sites:\n  - { id: line, name: Line }\nassets:\n${assets}\n  - { path: line/book, name: Book }\n`,
  );
  ports.forEach((port, i) => {
    const book =
      i === 0 ? `  - { tag: ${noteTag}, register: hr:30000, encoding: uint32, type: integer, interval: 1h }\n` : '';
    writeFileSync(
      join(config, 'devices', `counter-${i + 1}.yaml`),
      `device: counter-${i + 1}
protocol: modbus
connection: { host: 127.0.0.1, port: ${port} }
interval: ${interval}
tags:
  - { tag: ${counterTag(i)}, register: hr:0, encoding: uint32, type: integer }
${book}`,
    );
  });
}

/** The good numbers that the history of a gateway at rest holds, by counter and in the book; how often one is there again. */
export async function numbersIn(
  data: string,
  count: number,
  ids: ReadonlyMap<string, number>,
): Promise<{ counters: Set<number>[]; notes: Set<number>; twice: number }> {
  const reader = await openReader({ dataDir: data, onDeath: () => {} });
  try {
    let twice = 0;
    const numbersOf = async (id: string): Promise<Set<number>> => {
      const tag = ids.get(id) ?? -1;
      const seen = new Set<number>();
      for (let from = 0, more = true; more;) {
        const page = await reader.raw(tag, from, Number.MAX_SAFE_INTEGER, 100_000);
        page.value.forEach((value, i) => {
          if (page.status[i] !== 0) return;
          if (seen.has(value as number)) twice++;
          seen.add(value as number);
        });
        more = page.more;
        from = (page.t.at(-1) ?? 0) + 1;
      }
      return seen;
    };
    const counters: Set<number>[] = [];
    for (let i = 0; i < count; i++) counters.push(await numbersOf(counterTag(i)));
    return { counters, notes: await numbersOf(noteTag), twice };
  } finally {
    await reader.close();
  }
}
