// The whole driver over real sockets: against modbus-serial's server, and against scripted devices whose units die,
// are busy, lack registers or go away.
import modbusSerial from 'modbus-serial';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../clock.ts';
import { Status } from '../../model.ts';
import type { DriverStats, Link, Point, RequestResult } from '../../driver.ts';
import type { Reading } from '../../model.ts';
import { RequestQueue } from '../requests.ts';
import { modbus } from './driver.ts';
import { exception, frame, point, registers, startPeer } from './peer.ts';
import type { Asked, Peer } from './peer.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const until = (condition: () => boolean) => expect.poll(condition, { interval: 5 }).toBe(true);

/** Runs a driver and keeps what it says. `ended` resolves with what it threw, undefined when it was aborted. */
function run(port: number, points: readonly Point[], connection: Record<string, unknown> = {}) {
  const driver = modbus.create('device', { host: '127.0.0.1', port, timeout: 2000, ...connection }, points);
  const abort = new AbortController();
  const requests = new RequestQueue();
  const said: (
    { what: 'online' } | { what: 'emit'; readings: readonly Reading[] } | { what: 'alive'; tags: readonly number[] }
  )[] = [];
  const reports: DriverStats[] = [];
  const link: Link = {
    clock: systemClock,
    requests,
    emit: (readings) => void said.push({ what: 'emit', readings }),
    online: () => void said.push({ what: 'online' }),
    offline: () => {},
    alive: (tags) => void said.push({ what: 'alive', tags }),
    report: (stats) => void reports.push(stats),
    log: () => {},
    follow: () => {
      throw new Error('follows nothing');
    },
  };
  const ended: Promise<Error | undefined> = driver.run(link, abort.signal).then(
    () => undefined,
    (error: Error) => error,
  );
  const stop = () => {
    abort.abort();
    requests.end();
    return ended;
  };
  ends.push(stop);
  const of = (tag: number) =>
    said.flatMap((one) => (one.what === 'emit' ? one.readings.filter((reading) => reading.tag === tag) : []));
  return {
    said,
    ended,
    stop,
    of,
    last: (tag: number) => of(tag).at(-1),
    ask: (tags: number[], within = 3000) =>
      new Promise<RequestResult>((reply) =>
        requests.put({ kind: 'read', tags, deadline: systemClock.mono() + within, reply }),
      ),
  };
}

async function peer(script: (asked: Asked) => Uint8Array | undefined): Promise<Peer> {
  const started = await startPeer(script);
  ends.push(() => started.close());
  return started;
}
const good = (tag: number, value: unknown) => ({ tag, value, status: Status.good });
const lacks = (asked: Asked, ...missing: number[]) =>
  missing.some((address) => address >= asked.from && address < asked.from + asked.count);

test('reads float32, int16 and coils from modbus-serial’s server', async () => {
  const image = Buffer.alloc(20);
  image.writeFloatBE(123456, 0);
  image.writeInt16BE(-215, 4);
  image.writeUInt16BE(0x2000, 6);
  image.writeUInt16BE(0x47f1, 8);
  const server = new modbusSerial.ServerTCP(
    {
      getHoldingRegister: (address: number) => image.readUInt16BE(address * 2),
      getInputRegister: (address: number) => address + 1000,
      getCoil: (address: number) => address % 2 === 1,
    },
    { host: '127.0.0.1', port: 0, unitID: 1 },
  );
  await new Promise<void>((resolve) => server.on('initialized', () => resolve()));
  ends.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = (server as unknown as { _server: { address(): { port: number } } })._server.address();
  const { last, said } = run(port, [
    point(1, 'hr:0', { encoding: 'float32' }),
    point(2, '40003', { encoding: 'int16' }),
    point(3, 'hr:3', { encoding: 'float32', order: 'CDAB' }),
    point(4, 'ir:7'),
    point(5, 'co:3'),
    point(6, 'co:4'),
  ]);
  await until(() => [1, 2, 3, 4, 5, 6].every((tag) => last(tag)));
  expect([1, 2, 3, 4, 5, 6].map(last)).toEqual([
    good(1, 123456),
    good(2, -215),
    good(3, 123456),
    good(4, 1007),
    good(5, true),
    good(6, false),
  ]);
  expect(said[0]).toEqual({ what: 'online' });
});

test('a value is said before the proof that it holds, and what is no number has no proof', async () => {
  const { port } = await peer((asked) =>
    registers(asked, (address) => (address === 2 ? 0x7fc0 : address === 3 ? 0 : 7)),
  );
  const { said, last } = run(port, [point(1, 'hr:0'), point(2, 'hr:2', { encoding: 'float32' })]);
  await until(() => said.filter((one) => one.what === 'emit').length >= 3);
  expect(last(2)).toEqual({ tag: 2, value: null, status: Status.badSensorFailure });
  const told = said.filter((one) => one.what !== 'online');
  told.forEach((one, i) => expect(one.what).toBe(i % 2 === 0 ? 'emit' : 'alive'));
  for (const one of said) if (one.what === 'alive') expect(one.tags).toEqual([1]);
});

describe('a register the device does not have', () => {
  test('amid a block: exactly that tag is bad, said once, the others keep coming', async () => {
    const { port, asked } = await peer((one) => (lacks(one, 9) ? exception(one, 2) : registers(one)));
    const points = Array.from({ length: 20 }, (_, tag) => point(tag, `hr:${tag}`));
    const { of, last } = run(port, points);
    await until(() => points.every(({ tag }) => (tag === 9 ? of(9).length === 1 : of(tag).length >= 3)));
    for (const { tag } of points) {
      if (tag === 9) expect(of(9)).toEqual([{ tag: 9, value: null, status: Status.badNodeIdUnknown }]);
      else expect(last(tag)).toEqual(good(tag, tag));
    }
    expect(asked.filter((one) => one.from === 9 && one.count === 1)).toHaveLength(1);
  });

  test('is found by a read on demand too, and spoils no other', async () => {
    const { port } = await peer((one) => (lacks(one, 2) ? exception(one, 2) : registers(one)));
    const { ask, said } = run(
      port,
      [0, 1, 2, 3].map((tag) => point(tag, `hr:${tag}`, {}, 60_000)),
    );
    await until(() => said.length > 0);
    const result = await ask([1, 2, 3]);
    expect(result.ok && [...result.readings!].sort((a, b) => a.tag - b.tag)).toEqual([
      good(1, 1),
      { tag: 2, value: null, status: Status.badNodeIdUnknown },
      good(3, 3),
    ]);
  });

  test('is said again on a new link of the same driver', async () => {
    const { port } = await peer((one) => (lacks(one, 1) ? exception(one, 2) : registers(one)));
    const driver = modbus.create('device', { host: '127.0.0.1', port }, [point(0, 'hr:0'), point(1, 'hr:1')]);
    for (let turn = 0; turn < 2; turn++) {
      const abort = new AbortController();
      const bad: Reading[] = [];
      const done = driver.run(
        {
          clock: systemClock,
          requests: new RequestQueue(),
          emit: (readings) => void bad.push(...readings.filter(({ tag }) => tag === 1)),
          online: () => {},
          offline: () => {},
          alive: () => {},
          report: () => {},
          log: () => {},
          follow: () => {
            throw new Error('follows nothing');
          },
        },
        abort.signal,
      );
      await until(() => bad.length > 0);
      abort.abort();
      await done;
      expect(bad).toEqual([{ tag: 1, value: null, status: Status.badNodeIdUnknown }]);
    }
  });
});

describe('a dead unit', () => {
  const points = [
    point(1, 'hr:0', { unitId: 1 }),
    point(2, 'hr:0', { unitId: 2 }),
    point(3, 'ir:0', { unitId: 2 }, 60_000),
  ];

  test.each([0x0a, 0x0b])(
    'of which the gateway says exception %i: all its tags bad, the others keep their pace',
    async (code) => {
      const { port, asked } = await peer((one) => (one.unitId === 2 ? exception(one, code) : registers(one)));
      const { of, last } = run(port, points);
      await until(() => of(1).length >= 8 && of(2).length > 0);
      for (const tag of [2, 3]) expect(of(tag)).toEqual([{ tag, value: null, status: Status.badNoCommunication }]);
      expect(last(1)).toEqual(good(1, 0));
      const dead = asked.filter((one) => one.unitId === 2).length;
      expect(dead).toBeLessThan(asked.length - dead);
    },
  );

  test('that is silent costs three timeouts, then rests with all its tags bad', async () => {
    const { port, asked } = await peer((one) => (one.unitId === 2 ? undefined : registers(one)));
    const { of } = run(port, points, { timeout: 100 });
    await until(() => of(3).length > 0);
    expect(asked.filter((one) => one.unitId === 2)).toHaveLength(3);
    const before = of(1).length;
    await until(() => of(1).length >= before + 5);
    for (const tag of [2, 3]) expect(of(tag)).toEqual([{ tag, value: null, status: Status.badTimeout }]);
  });

  test('is good again when it answers', async () => {
    let dead = true;
    const { port } = await peer((one) => (one.unitId === 2 && dead ? exception(one, 0x0b) : registers(one)));
    const { of, last } = run(port, points);
    await until(() => of(2).length > 0 && of(3).length > 0);
    dead = false;
    await until(() => last(2)?.status === Status.good && last(3)?.status === Status.good);
  });
});

test('a busy device is asked again before the next place on the grid', async () => {
  const { port, asked } = await peer((one) => (one.n < 2 ? exception(one, 6) : registers(one)));
  const { of } = run(port, [point(1, 'hr:0', {}, 60_000)]);
  await until(() => of(1).length > 0);
  expect(of(1)).toEqual([good(1, 0)]);
  expect(asked).toHaveLength(3);
});

test.each([
  [1, Status.badNotSupported],
  [4, Status.badDeviceFailure],
])('exception %i makes the tags of the block bad and ends nothing', async (code, status) => {
  const { port } = await peer((one) => (one.code === 4 ? exception(one, code) : registers(one)));
  const { of } = run(port, [point(1, 'hr:0'), point(2, 'ir:0')]);
  await until(() => of(1).length >= 3 && of(2).length > 0);
  expect(of(2)).toEqual([{ tag: 2, value: null, status }]);
});

test('a reply of another unit is never taken for a value', async () => {
  const { port } = await peer((one) =>
    one.n % 2 === 0 ? frame({ ...one, unitId: 9 }, [3, 2, 2, 154]) : registers(one),
  );
  const { of } = run(port, [point(1, 'hr:5')]);
  await until(() => of(1).length >= 4);
  for (const reading of of(1)) expect(reading).toEqual(good(1, 5));
});

describe('the link', () => {
  test('reset: the run throws, and a read in service is answered', async () => {
    const { port } = await peer((one) => {
      if (one.from === 0) return registers(one);
      setTimeout(() => one.socket.resetAndDestroy(), 30);
      return undefined;
    });
    const { ask, ended, of } = run(port, [point(1, 'hr:0'), point(2, 'hr:900', {}, 60_000)]);
    const asked = ask([2]);
    expect(await asked).toMatchObject({ ok: false, reason: 'offline' });
    expect(await ended).toBeInstanceOf(Error);
    expect(of(2)).toEqual([]);
  });

  test('silent for every unit: given up after each was asked', async () => {
    const { port, asked } = await peer(() => undefined);
    const { ended, said } = run(
      port,
      [1, 2, 3, 4].map((unitId) => point(unitId, 'hr:0', { unitId })),
      { timeout: 50 },
    );
    expect((await ended)?.message).toContain('no answer within 50 ms');
    expect(new Set(asked.map((one) => one.unitId)).size).toBe(4);
    expect(asked.length).toBeLessThanOrEqual(8);
    expect(said).toEqual([]);
  });

  test('an abort ends the run while a request waits', async () => {
    const { port, asked } = await peer(() => undefined);
    const { stop } = run(port, [point(1, 'hr:0')], { timeout: 60_000 });
    await until(() => asked.length > 0);
    expect(await stop()).toBeUndefined();
  });
});

test('a device that asks for a pause is never asked within it', async () => {
  const times: number[] = [];
  const { port } = await peer((one) => {
    times.push(performance.now());
    return registers(one);
  });
  const { ask, said } = run(port, [point(1, 'hr:0', {}, 100), point(2, 'hr:500', {}, 100)], { pause: 40 });
  await until(() => said.length > 0);
  await Promise.all([ask([1, 2]), ask([2]), ask([1])]);
  await until(() => times.length > 8);
  // The pause begins where the answer is taken, after the server has sent it; so gaps can only be longer.
  for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(38);
});
