// The driver against real servers: exact values and times, faults of the connection, and servers that come back different.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { DataType, StatusCodes } from 'node-opcua';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../clock.ts';
import { Status } from '../../model.ts';
import type { DeviceRequest, RequestResult } from '../../driver.ts';
import { point, Recorder, testProxy, testServer } from './testing.ts';

const A = 'urn:test:a';
const B = 'urn:test:b';
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serving(...given: Parameters<typeof testServer>): ReturnType<typeof testServer> {
  const server = await testServer(...given);
  ends.push(() => server.stop());
  return server;
}
async function proxied(port: number): ReturnType<typeof testProxy> {
  const proxy = await testProxy(port);
  ends.push(() => proxy.close());
  return proxy;
}
function running(port: number, points: ReturnType<typeof point>[], connection: object = {}): Recorder {
  const settings = { endpoint: `opc.tcp://127.0.0.1:${port}`, keepAlive: 500, samplingInterval: 0, ...connection };
  const recorder = new Recorder(settings, points);
  ends.push(() => recorder.end());
  return recorder;
}
function ask(recorder: Recorder, body: Record<string, unknown>): Promise<RequestResult> {
  return new Promise((reply) => recorder.requests.put({ ...body, reply } as DeviceRequest));
}

test('every change arrives once, with its own value, status and source time; the constant tag is proved alive', async () => {
  const server = await serving({ [A]: { flow: 0, level: 5 } }, { maxItems: 1 });
  const start = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  server.set(A, 'flow', 0, new Date(start));
  const recorder = running(server.port, [
    point(1, `nsu=${A};s=flow`),
    point(2, `nsu=${A};s=level`, { interval: 1000 }),
    point(3, `nsu=${A};s=missing`),
    point(4, 'nsu=urn:elsewhere;s=flow'),
    point(5, 'i=2259'),
  ]);
  await expect.poll(() => recorder.of(1).length).toBe(1);
  const expected = [{ tag: 1, value: 0, status: 0, at: start * 1000 }];
  for (let step = 1; step <= 50; step++) {
    server.set(A, 'flow', step, new Date(start + step));
    expected.push({ tag: 1, value: step, status: 0, at: (start + step) * 1000 });
  }
  const variable = server.variable(A, 'flow');
  variable.setValueFromSource({ dataType: DataType.Null }, StatusCodes.BadSensorFailure, new Date(start + 60));
  await expect.poll(() => recorder.of(1).length).toBe(52);
  expect(recorder.of(1).slice(0, 51)).toMatchObject(expected);
  expect(recorder.last(1)).toMatchObject({ value: null, status: Status.badSensorFailure, at: (start + 60) * 1000 });
  expect(recorder.of(2)).toMatchObject([{ value: 5, status: 0 }]);
  expect(recorder.of(3)).toMatchObject([{ value: null, status: Status.badNodeIdUnknown }]);
  expect(recorder.of(4)).toMatchObject([{ value: null, status: Status.badConfiguration }]);
  expect(recorder.of(5)).toMatchObject([{ value: 0, status: 0 }]);
  expect(recorder.said).toEqual(['online']);

  const before = recorder.proofs.filter((tags) => tags.includes(2)).length;
  await expect.poll(() => recorder.proofs.filter((tags) => tags.includes(2)).length).toBeGreaterThan(before + 1);
  expect(recorder.proofs.some((tags) => tags.includes(3) || tags.includes(4))).toBe(false);
  expect(recorder.of(2)).toHaveLength(1);

  expect(server.sessions()).toBe(1);
  expect(await recorder.end()).toBeLessThan(2000);
  expect(recorder.ended).toBe('resolved');
  await expect.poll(() => server.sessions()).toBe(0);
});

test('reads on demand; an expired request is not carried out; others are unsupported', async () => {
  const server = await serving({ [A]: { flow: 7 } });
  const recorder = running(server.port, [point(1, `nsu=${A};s=flow`)]);
  await expect.poll(() => recorder.said).toEqual(['online']);
  const deadline = systemClock.mono() + 3000;
  expect(await ask(recorder, { kind: 'read', tags: [1, 99], deadline })).toMatchObject({
    ok: true,
    readings: [
      { tag: 99, value: null, status: Status.badConfiguration },
      { tag: 1, value: 7, status: 0 },
    ],
  });
  const expired = systemClock.mono() - 1;
  expect(await ask(recorder, { kind: 'read', tags: [1], deadline: expired })).toMatchObject({ reason: 'expired' });
  expect(await ask(recorder, { kind: 'write', tag: 1, value: 8, deadline })).toMatchObject({ reason: 'unsupported' });
  expect(server.get(A, 'flow')).toBe(7);
});

test('a cut of a few seconds loses no sample', async () => {
  const server = await serving({ [A]: { flow: 0 } });
  const proxy = await proxied(server.port);
  const recorder = running(proxy.port, [point(1, `nsu=${A};s=flow`)]);
  await expect.poll(() => recorder.of(1).length).toBe(1);
  let step = 0;
  const start = Date.now();
  const tick = (): void => {
    step++;
    server.set(A, 'flow', step, new Date(start + step));
  };
  const timer = setInterval(tick, 20);
  try {
    await expect.poll(() => recorder.of(1).length).toBeGreaterThan(10);
    proxy.cut();
    await expect.poll(() => recorder.said).toEqual(['online', 'offline']);
    const [count, proofs] = [recorder.readings.length, recorder.proofs.length];
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect([recorder.readings.length, recorder.proofs.length]).toEqual([count, proofs]);
    proxy.mend();
    await expect.poll(() => recorder.said).toEqual(['online', 'offline', 'online']);
  } finally {
    clearInterval(timer);
  }
  await expect.poll(() => recorder.last(1)?.value).toBe(step);
  const distinct = new Map(recorder.of(1).map((reading) => [reading.at, reading.value]));
  for (let n = 1; n <= step; n++) expect(distinct.get((start + n) * 1000)).toBe(n);
});

test('a network that swallows everything is noticed, and loses no sample either', async () => {
  const server = await serving({ [A]: { flow: 0 } });
  const proxy = await proxied(server.port);
  const recorder = running(proxy.port, [point(1, `nsu=${A};s=flow`)]);
  await expect.poll(() => recorder.of(1).length).toBe(1);
  proxy.swallow(true);
  await expect.poll(() => recorder.said).toEqual(['online', 'offline']);
  for (let step = 1; step <= 20; step++) server.set(A, 'flow', step);
  proxy.swallow(false);
  await expect.poll(() => recorder.said).toEqual(['online', 'offline', 'online']);
  await expect.poll(() => new Set(recorder.of(1).map((reading) => reading.value)).size).toBe(21);
  expect(recorder.ended).toBe('no');
});

test('a server that comes back with other namespace numbers is read by name; a removed node goes bad', async () => {
  const first = await serving({ [A]: { flow: 1, level: 10 }, [B]: { flow: 2, level: 20 } });
  const proxy = await proxied(first.port);
  const recorder = running(proxy.port, [
    point(1, `nsu=${A};s=flow`),
    point(2, `nsu=${B};s=flow`),
    point(3, `nsu=${A};s=level`),
    // By index: it means the namespace it named first, which is A.
    point(4, 'ns=2;s=flow'),
  ]);
  await expect.poll(() => new Set(recorder.readings.map((reading) => reading.tag)).size).toBe(4);
  expect([1, 2, 3, 4].map((tag) => recorder.last(tag)?.value)).toEqual([1, 2, 10, 1]);

  // As if the server's process had been killed and another started: no farewell, a new address space.
  proxy.cut();
  await expect.poll(() => recorder.said.at(-1)).toBe('offline');
  const second = await serving({ [B]: { flow: 200, level: 2000 }, [A]: { flow: 100 } });
  proxy.target = second.port;
  proxy.mend();
  await expect.poll(() => recorder.last(1)?.value).toBe(100);
  await expect.poll(() => recorder.last(3)?.status).toBe(Status.badNodeIdUnknown);
  expect([1, 2, 3, 4].map((tag) => recorder.last(tag)?.value)).toEqual([100, 200, null, 100]);
  expect(recorder.readings.some(({ tag, value }) => tag === 3 && value === 2000)).toBe(false);
  second.set(A, 'flow', 101);
  second.set(B, 'flow', 201);
  await expect.poll(() => [1, 2, 4].map((tag) => recorder.last(tag)?.value)).toEqual([101, 201, 101]);
  expect(recorder.ended).toBe('no');

  // The removed node returns: asked for again after 5 s.
  second.add(A, 'level', 1000);
  await expect.poll(() => recorder.last(3)?.value).toBe(1000);
  expect(recorder.of(3).map((reading) => reading.value)).toEqual([10, null, 1000]);
}, 20_000);

test('a namespace that is gone after a restart makes its tags bad, never another one', async () => {
  const first = await serving({ [A]: { flow: 1 }, [B]: { flow: 2 } });
  const proxy = await proxied(first.port);
  const recorder = running(proxy.port, [point(1, `nsu=${A};s=flow`), point(2, `nsu=${B};s=flow`)]);
  await expect.poll(() => recorder.readings.length).toBe(2);
  proxy.cut();
  const second = await serving({ [B]: { flow: 200 } });
  proxy.target = second.port;
  proxy.mend();
  await expect.poll(() => recorder.last(2)?.value).toBe(200);
  await expect.poll(() => recorder.last(1)?.status).toBe(Status.badConfiguration);
  expect(recorder.of(1).map((reading) => reading.value)).toEqual([1, null]);
});

test('no server: run throws; a mute one: abort ends it at once', async () => {
  const mute = createServer((socket) => socket.on('error', () => undefined).resume());
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const port = (mute.address() as AddressInfo).port;
  const waiting = running(port, [point(1, 'i=2259')]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(waiting.ended).toBe('no');
  expect(await waiting.end()).toBeLessThan(2000);
  expect(waiting.ended).toBe('resolved');
  const impatient = running(port, [point(1, 'i=2259')], { connectTimeout: 1000 });
  await expect.poll(() => impatient.ended).toBeInstanceOf(Error);
  await new Promise((resolve) => mute.close(resolve));
  const refused = running(port, [point(1, 'i=2259')]);
  await expect.poll(() => refused.ended).toBeInstanceOf(Error);
  expect(refused.said).toEqual([]);
});

test('a stop while values are being read: what was read before is the last word, and nothing is said after it', async () => {
  const server = await serving({ [A]: { flow: 0, level: 0 } });
  let reading = (): void => {};
  const stopping = {
    ...point(2, `nsu=${A};s=level`),
    get type() {
      reading();
      return 'double' as const;
    },
  };
  const recorder = running(server.port, [point(1, `nsu=${A};s=flow`), stopping]);
  await expect.poll(() => [recorder.of(1).length, recorder.of(2).length]).toEqual([1, 1]);
  let said: number[] | undefined;
  reading = () => {
    reading = () => {};
    void recorder.end();
    said = [recorder.readings.length, recorder.proofs.length];
  };
  server.set(A, 'flow', 1);
  server.set(A, 'level', 1);
  await expect.poll(() => recorder.ended).toBe('resolved');
  expect(said).toBeDefined();
  expect([recorder.readings.length, recorder.proofs.length]).toEqual(said);
});
