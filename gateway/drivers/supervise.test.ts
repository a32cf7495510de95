// A device under supervision, on a manual clock: edges told once, tried again in time, restarted only when it changed,
// left behind when it ignores its abort; and requests that are answered, expire or fail.
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { Status as Codes } from '../model.ts';
import type { Driver, Link, Protocol, RequestResult } from '../driver.ts';
import { Status } from '../status.ts';
import { retryDelay } from './backoff.ts';
import { createDevices } from './supervise.ts';
import type { DeviceSpec, Sink } from './supervise.ts';

/** An in-memory protocol whose runs the test holds in its hand. */
interface Held {
  device: string;
  link: Link;
  signal: AbortSignal;
  end(): void;
  fail(reason: string): void;
}

function rig({ deaf = false } = {}) {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = (_detail: object, message: string) => void lines.push(message);
  const status = new Status({ debug: log, info: log, warn: log, error: log }, () => clock.now());
  const runs: Held[] = [];
  let open = 0;
  let mostOpen = 0;
  const protocol: Protocol = {
    name: 'held',
    connection: {},
    address: {},
    valueType: () => 'double',
    create(device, connection): Driver {
      if (connection['impossible']) throw new Error('the connection cannot be');
      return {
        async run(link, signal) {
          mostOpen = Math.max(mostOpen, ++open);
          try {
            await new Promise<void>((resolve, reject) => {
              runs.push({ device, link, signal, end: resolve, fail: (reason) => reject(new Error(reason)) });
              if (!deaf) signal.addEventListener('abort', () => resolve());
            });
          } finally {
            open--;
          }
        },
      };
    },
  };
  const said: string[] = [];
  const sink: Sink = {
    ingest: (device, readings, origin) =>
      void said.push(`${device} ${origin} ${readings.map((r) => r.value).join(',')}`),
    alive: (device, tags) => void said.push(`${device} alive ${tags.join(',')}`),
    online: (device) => void said.push(`${device} online`),
    offline: (device, reason) => void said.push(`${device} offline: ${reason}`),
  };
  const devices = createDevices({ clock, status, protocols: new Map([['held', protocol]]), sink, random: () => 0.999 });
  return { clock, status, runs, said, lines, devices, mostOpen: () => mostOpen, last: () => runs.at(-1)! };
}

function spec(name: string, change: Partial<DeviceSpec> = {}): DeviceSpec {
  return {
    name,
    protocol: 'held',
    enabled: true,
    connection: { host: 'a' },
    addresses: new Map([[1, { at: 0 }]]),
    tags: [{ index: 1, id: 'north/pump-1/flow', type: 'double', interval: 1000 }],
    ...change,
  };
}

const good = (value: number) => [{ tag: 1, value, status: Codes.good }];

describe('a supervised device', () => {
  test('is believed between online and offline only; every edge is told once', async () => {
    const { clock, devices, said, last, status, lines } = rig();
    devices.use({ devices: [spec('plc')] });
    await clock.advance(10);
    const { link, fail } = last();
    link.emit(good(1));
    link.online();
    link.online();
    link.emit(good(2));
    link.offline('cable out');
    link.offline('cable still out');
    link.emit(good(3));
    link.alive([1], clock.micros());
    link.online();
    link.alive([1], clock.micros());
    fail('reset by peer');
    await clock.advance(0);
    link.emit(good(4));
    expect(said).toEqual([
      'plc online',
      'plc live 2',
      'plc offline: cable out',
      'plc online',
      'plc alive 1',
      'plc offline: reset by peer',
    ]);
    expect(status.value('penstock_device_disbelieved_total', { device: 'plc' })).toBe(4);
    expect(lines.filter((line) => line.includes('not believed'))).toHaveLength(1);
    await devices.close(1000);
  });

  test('is tried again at least every 2 s in the first minutes, then less often, with one offline edge for all', async () => {
    const { clock, devices, said, runs, status, last } = rig();
    devices.use({ devices: [spec('plc')] });
    const times: number[] = [];
    for (let i = 0; i < 4000 && clock.mono() < 900_000; i++) {
      await clock.advance(250);
      if (runs.length > times.length) {
        times.push(clock.mono());
        last().fail('refused');
      }
    }
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    const early = gaps.filter((_gap, i) => (times[i] ?? 0) < 290_000);
    const late = gaps.filter((_gap, i) => (times[i] ?? 0) > 310_000);
    expect(gaps[0]).toBeLessThanOrEqual(750);
    expect(Math.max(...early)).toBeLessThanOrEqual(2250);
    expect(Math.max(...late)).toBeGreaterThan(20_000);
    expect(Math.max(...late)).toBeLessThanOrEqual(30_250);
    expect(said).toEqual(['plc offline: refused']);
    expect(status.value('penstock_device_restarts_total', { device: 'plc' })).toBe(times.length - 1);
    expect(devices.states()[0]).toMatchObject({ name: 'plc', state: 'offline', reason: 'refused' });
    await devices.close(1000);
  });

  test('the reason is the last try’s, and each is logged once in an outage', async () => {
    const { clock, devices, said, runs, status, lines, last } = rig();
    devices.use({ devices: [spec('plc')] });
    const reason = () => status.components().find(({ name }) => name === 'device/plc')?.reason;
    let tried = 0;
    for (const why of ['reset by peer', 'refused', 'timed out', 'refused', 'timed out']) {
      while (runs.length === tried) await clock.advance(250);
      tried = runs.length;
      last().fail(why);
      await clock.advance(1);
      expect(reason()).toBe(why);
    }
    expect(lines.filter((line) => line.includes('degraded'))).toEqual([
      expect.stringContaining('reset by peer'),
      expect.stringContaining('refused'),
      expect.stringContaining('timed out'),
    ]);
    expect(said).toEqual(['plc offline: reset by peer']);
    await devices.close(1000);
  });

  test('restarts only when protocol, connection or points change', async () => {
    const { clock, devices, runs, mostOpen } = rig();
    devices.use({ devices: [spec('one'), spec('two')] });
    await clock.advance(10);
    expect(runs.map((run) => run.device)).toEqual(['one', 'two']);
    devices.use({ devices: [spec('one'), { ...spec('two'), limits: { h: 7 } } as DeviceSpec] });
    await clock.advance(10);
    expect(runs).toHaveLength(2);
    devices.use({ devices: [spec('one'), spec('two', { connection: { host: 'b' } })] });
    await clock.advance(10);
    expect(runs.map((run) => run.device)).toEqual(['one', 'two', 'two']);
    devices.use({ devices: [spec('one', { addresses: new Map([[1, { at: 4 }]]) })] });
    await clock.advance(10);
    expect(runs.map((run) => run.device)).toEqual(['one', 'two', 'two', 'one']);
    expect(runs.filter((run) => !run.signal.aborted).map((run) => run.device)).toEqual(['one']);
    expect(devices.states().map((state) => state.name)).toEqual(['one']);
    expect(mostOpen()).toBe(2);
    await devices.close(1000);
  });

  test('that ignores its abort is left behind after 2 s, counted, and never heard again', async () => {
    const { clock, devices, runs, said, status } = rig({ deaf: true });
    devices.use({ devices: [spec('plc')] });
    await clock.advance(10);
    runs[0]!.link.online();
    devices.use({ devices: [spec('plc', { connection: { host: 'b' } })] });
    await clock.advance(0);
    await clock.advance(1900);
    expect(runs).toHaveLength(1);
    await clock.advance(200);
    expect(runs).toHaveLength(2);
    expect(status.value('penstock_device_abandoned_total', { device: 'plc' })).toBe(1);
    runs[1]!.link.online();
    runs[0]!.link.emit(good(1));
    runs[0]!.link.offline('old news');
    runs[0]!.fail('too late');
    await clock.advance(10);
    runs[1]!.link.emit(good(2));
    expect(said).toEqual(['plc online', 'plc online', 'plc live 2']);
    const closing = devices.close(5000);
    await clock.advance(0);
    await clock.advance(2500);
    await closing;
  });

  test('disabled, of an unknown protocol or impossible, says so and waits for another configuration', async () => {
    const { clock, devices, runs, said } = rig();
    devices.use({
      devices: [
        spec('off', { enabled: false }),
        spec('odd', { protocol: 'smoke' }),
        spec('bad', { connection: { impossible: true } }),
      ],
    });
    await clock.advance(60_000);
    expect(runs).toHaveLength(0);
    expect(devices.states().map(({ name, state }) => [name, state])).toEqual([
      ['off', 'stopped'],
      ['odd', 'failed'],
      ['bad', 'failed'],
    ]);
    expect(said).toContain('odd offline: there is no protocol smoke');
    // Once, though something else of it changes; and its next loss is told.
    devices.use({ devices: [spec('off', { enabled: false, connection: { host: 'b' } })] });
    await clock.advance(10);
    expect(said.filter((line) => line.startsWith('off'))).toEqual(['off offline: disabled in the configuration']);
    devices.use({ devices: [spec('off')] });
    await clock.advance(10);
    runs.at(-1)?.fail('connection refused');
    await clock.advance(10);
    expect(said.at(-1)).toBe('off offline: connection refused');
    devices.use({ devices: [spec('bad')] });
    await clock.advance(10);
    expect(runs.map((run) => run.device)).toEqual(['off', 'bad']);
    await devices.close(1000);
  });

  test('enabled again after long, is tried as often as after any fresh loss', async () => {
    const { clock, devices, runs, last } = rig();
    devices.use({ devices: [spec('off', { enabled: false })] });
    await clock.advance(10);
    await clock.advance(3600_000);
    devices.use({ devices: [spec('off')] });
    await clock.advance(10);
    for (let tries = 1; tries <= 8; tries++) {
      expect(runs).toHaveLength(tries);
      last().fail('connection refused');
      await clock.advance(10);
      await clock.advance(2000);
    }
    await devices.close(1000);
  });

  test('whose sink throws goes on', async () => {
    const clock = new ManualClock();
    const quiet = () => {};
    const status = new Status({ debug: quiet, info: quiet, warn: quiet, error: quiet });
    const broken = () => {
      throw new Error('full');
    };
    let link: Link | undefined;
    const protocol: Protocol = {
      name: 'held',
      connection: {},
      address: {},
      valueType: () => 'double',
      create: () => ({
        run: (given, signal) => {
          link = given;
          return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
        },
      }),
    };
    const sink: Sink = { ingest: broken, alive: broken, online: broken, offline: broken };
    const devices = createDevices({ clock, status, protocols: new Map([['held', protocol]]), sink });
    devices.use({ devices: [spec('plc')] });
    await clock.advance(1);
    link?.online();
    link?.emit(good(1));
    link?.report({ requestsTotal: 3, roundTrip: 4, firmware: 'x' });
    expect(devices.states()[0]).toMatchObject({ state: 'online', stats: { requestsTotal: 3, firmware: 'x' } });
    expect(status.value('penstock_device_sink_errors_total', { device: 'plc' })).toBe(2);
    expect(status.value('penstock_device_requests_total', { device: 'plc' })).toBe(3);
    expect(status.metrics()).toContain('penstock_device_up{device="plc"} 1');
    await devices.close(1000);
  });
});

describe('a request', () => {
  const ask = (rigged: ReturnType<typeof rig>, within = 1000) =>
    rigged.devices.request('plc', { kind: 'read', tags: [1], deadline: rigged.clock.mono() + within });

  test('is answered by the driver, or at once when nobody is there', async () => {
    const rigged = rig();
    const { clock, devices, last } = rigged;
    expect(await ask(rigged)).toMatchObject({ ok: false, reason: 'offline' });
    devices.use({ devices: [spec('plc')] });
    await clock.advance(10);
    expect(await ask(rigged)).toMatchObject({ ok: false, reason: 'offline' });
    last().link.online();
    const answer = ask(rigged);
    for await (const request of last().link.requests) {
      request.reply({ ok: true, readings: good(5) });
      break;
    }
    expect(await answer).toEqual({ ok: true, readings: good(5) });
    expect(await ask(rigged, -1)).toMatchObject({ ok: false, reason: 'expired' });
    await devices.close(1000);
  });

  test('nobody picks up expires and is never handed out; one picked up and not answered has failed', async () => {
    const rigged = rig();
    const { clock, devices, last } = rigged;
    devices.use({ devices: [spec('plc')] });
    await clock.advance(10);
    last().link.online();
    const results: RequestResult[] = [];
    void ask(rigged).then((result) => results.push(result));
    await clock.advance(1100);
    expect(results).toMatchObject([{ ok: false, reason: 'expired' }]);
    const picked: number[] = [];
    void (async () => {
      for await (const request of last().link.requests) picked.push(request.deadline);
    })();
    const deadline = clock.mono() + 500;
    void devices.request('plc', { kind: 'trace', deadline }).then((result) => results.push(result));
    await clock.advance(0);
    await clock.advance(1600);
    expect(picked).toEqual([deadline]);
    expect(results[1]).toMatchObject({ ok: false, reason: 'failed' });
    void ask(rigged, 60_000).then((result) => results.push(result));
    await devices.close(1000);
    await clock.advance(62_000);
    expect(results[2]).toMatchObject({ ok: false });
  });
});

test('the wait has full jitter under its ceiling and never spins', () => {
  expect(retryDelay(0, 0, 0.5)).toBe(250);
  expect(retryDelay(9, 60_000, 0.5)).toBe(1000);
  expect(retryDelay(9, 600_000, 0.5)).toBe(15_000);
  expect(retryDelay(0, 0, 0)).toBe(100);
  expect(retryDelay(5000, 600_000, 0.999)).toBeLessThan(30_000);
});
