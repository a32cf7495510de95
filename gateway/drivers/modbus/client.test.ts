// The client against devices that break the rules: never a wrong value, and whatever was asked settles.
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../clock.ts';
import { LinkLost, ModbusClient } from './client.ts';
import type { Answer } from './frame.ts';
import { exception, frame, registers, startPeer } from './peer.ts';
import type { Asked, Peer } from './peer.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function link(
  script: (asked: Asked) => Uint8Array | undefined,
  startTid?: number,
): Promise<[ModbusClient, Peer]> {
  const peer = await startPeer(script);
  const { signal } = new AbortController();
  const client = await ModbusClient.connect('127.0.0.1', peer.port, 2000, systemClock, signal, startTid);
  open.push(peer, client);
  return [client, peer];
}
const read = (client: ModbusClient, from: number, timeout = 60): Promise<Answer | 'timeout'> =>
  client.read(1, 'hr', from, 2, timeout);
const words = (from: number) => ({ words: Uint16Array.of(from, from + 1) });

describe('one wrong answer', () => {
  const pdu = (asked: Asked) => [...registers(asked).subarray(7)];
  test.each<[string, (asked: Asked) => Uint8Array]>([
    ['another unit', (asked) => frame({ ...asked, unitId: 2 }, pdu(asked))],
    ['another function', (asked) => frame(asked, [4, ...pdu(asked).slice(1)])],
    ['a short answer', (asked) => frame(asked, [3, 2, 0, 0])],
    ['a byte count that lies', (asked) => frame(asked, [3, 8, 0, 0, 0, 0])],
    ['a long answer', (asked) => frame(asked, [3, 6, 0, 0, 0, 0, 0, 0])],
  ])('%s is invalid, and the next read is right', async (_what, wrong) => {
    const [client] = await link((asked) => (asked.n === 0 ? wrong(asked) : registers(asked)));
    expect(await read(client, 10, 2000)).toHaveProperty('invalid');
    expect(await read(client, 20, 2000)).toEqual(words(20));
    expect(client.stats).toMatchObject({ requests: 2, replies: 1, invalid_replies: 1 });
  });

  test('of another transaction is dropped, and the right one behind it taken', async () => {
    const [client] = await link((asked) =>
      Buffer.concat([registers({ ...asked, tid: (asked.tid + 1) & 0xffff }, () => 666), registers(asked)]),
    );
    expect(await read(client, 10, 2000)).toEqual(words(10));
    expect(client.stats.late_replies).toBe(1);
  });

  test('an exception is handed on', async () => {
    const [client] = await link((asked) => exception(asked, 6));
    expect(await read(client, 10, 2000)).toEqual({ exception: 6 });
  });
});

describe('a late reply', () => {
  test('is dropped and counted; the request after it gets its own', async () => {
    let late: Asked | undefined;
    const [client] = await link((asked) => {
      if (asked.n > 0) return Buffer.concat([registers(late!), registers(asked)]);
      late = asked;
      return undefined;
    });
    expect(await read(client, 10)).toBe('timeout');
    expect(await read(client, 20, 2000)).toEqual(words(20));
    expect(client.stats).toMatchObject({ timeouts: 1, late_replies: 1, replies: 1 });
  });

  test('after the ids have come round finds no request with its id', async () => {
    let late: Asked | undefined;
    let send = false;
    const [client, peer] = await link((asked) => {
      if (asked.n === 0) {
        late = asked;
        return undefined;
      }
      return send ? Buffer.concat([registers(late!, () => 666), registers(asked)]) : registers(asked);
    }, 65_534);
    expect(await read(client, 10)).toBe('timeout');
    expect(late?.tid).toBe(65_535);
    for (let i = 0; i < 65_534; i++) await read(client, i & 0xff, 5000);
    expect(await read(client, 10, 5000)).toEqual(words(10));
    expect(peer.asked.at(-1)?.tid).toBe(65_534);
    // The next id would be the one whose reply is still owed; it is passed over, and the reply finds nobody.
    send = true;
    expect(await read(client, 20, 5000)).toEqual(words(20));
    expect(peer.asked.at(-1)?.tid).toBe(0);
    expect(client.stats.late_replies).toBe(1);
  }, 60_000);
});

describe('a link that ends', () => {
  test.each<[string, (asked: Asked) => Uint8Array | undefined]>([
    ['RST', (asked) => void asked.socket.resetAndDestroy()],
    ['FIN', (asked) => void asked.socket.end()],
    ['FIN amid an answer', (asked) => void asked.socket.end(registers(asked).subarray(0, 9))],
    ['length 0', () => Buffer.from([0, 1, 0, 0, 0, 0])],
    ['another protocol', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('%s rejects what waits, and everything after it', async (_what, script) => {
    const [client] = await link(script);
    await expect(read(client, 10, 5000)).rejects.toThrow(LinkLost);
    await expect(read(client, 10, 5000)).rejects.toThrow(LinkLost);
  });

  test('close rejects what waits at once and may be said twice', async () => {
    const [client] = await link(() => undefined);
    const waiting = read(client, 10, 5000);
    client.close();
    client.close();
    await expect(waiting).rejects.toThrow('stopped');
  });

  test('a silent device times out, again and again', async () => {
    const [client] = await link(() => undefined);
    for (let i = 0; i < 3; i++) expect(await read(client, 10, 20)).toBe('timeout');
    expect(client.stats.timeouts).toBe(3);
  });

  test('a second request while one waits is refused, the first goes on', async () => {
    let release: (() => void) | undefined;
    const [client] = await link((asked) => void (release = () => void asked.socket.write(registers(asked))));
    const first = read(client, 10, 5000);
    await expect(read(client, 20)).rejects.toThrow('in flight');
    await expect.poll(() => release).toBeDefined();
    release?.();
    expect(await first).toEqual(words(10));
  });
});

test('an answer byte by byte is one answer', async () => {
  const [client] = await link((asked) => {
    const bytes = registers(asked);
    const next = (i: number): void => {
      if (i >= bytes.length) return;
      asked.socket.write(bytes.subarray(i, i + 1), () => setImmediate(next, i + 1));
    };
    next(0);
    return undefined;
  });
  expect(await read(client, 10, 5000)).toEqual(words(10));
});

test('random faults: every read settles, and a value is the right one or none', async () => {
  const faults = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9];
  const owed: Asked[] = [];
  const [client] = await link((asked) => {
    const fault = faults[asked.n % faults.length];
    if (fault === 1) return void owed.push(asked);
    if (fault === 4) return frame({ ...asked, unitId: 9 }, [...registers(asked, () => 666).subarray(7)]);
    if (fault === 5)
      return Buffer.concat([...owed.splice(0).map((late) => registers(late, () => 666)), registers(asked)]);
    if (fault === 9) return frame(asked, [3, 2, 0, 0]);
    return registers(asked);
  });
  let right = 0;
  for (let i = 0; i < 90; i++) {
    const answer = await read(client, i, 25);
    if (answer === 'timeout' || !('words' in answer)) continue;
    expect(answer).toEqual(words(i));
    right++;
  }
  expect(right).toBeGreaterThan(40);
  expect(client.stats.late_replies).toBeGreaterThan(0);
});

describe('connecting', () => {
  test('a refused connection says so', async () => {
    const peer = await startPeer(() => undefined);
    await peer.close();
    const { signal } = new AbortController();
    await expect(ModbusClient.connect('127.0.0.1', peer.port, 2000, systemClock, signal)).rejects.toThrow(
      'ECONNREFUSED',
    );
  });
  test('an abort ends it, before and while it waits', async () => {
    const abort = new AbortController();
    // An address of the documentation range: nobody answers there.
    const waiting = ModbusClient.connect('192.0.2.1', 502, 5000, systemClock, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toThrow(LinkLost);
    await expect(ModbusClient.connect('192.0.2.1', 502, 5000, systemClock, abort.signal)).rejects.toThrow('stopped');
  });
});
