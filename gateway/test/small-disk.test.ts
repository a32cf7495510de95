// The whole gateway on a disk that others fill step by step and free again: a small tmpfs of the test's own. What it says
// at each step, what goes on all the same (values over MQTT, alarms, the API), and that every sample is accounted for.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { statfsSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { AlarmList, WireLedger } from '../web/wire.ts';
import { startCounter, writeCounterPlant } from './counter.ts';
import { drained, expectLedger } from './ledger.ts';
import { needs } from './needs.ts';
import { folder } from './folder.ts';
import { eventually, get, listen, startGateway, stream } from './rig.ts';

interface Health {
  status: string;
  components: { name: string; state: string; reason: string }[];
}

/** A disk of 256 MB, and how others leave no more than a share of it free. */
function smallDisk(folder: string): { path: string; leave(share: number): void } {
  const path = join(folder, 'disk');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', path]);
  onTestFinished(() => void execFileSync('umount', [path]));
  const fd = openSync(join(path, 'others'), 'w');
  onTestFinished(() => closeSync(fd));
  return {
    path,
    leave(share) {
      const { bsize, blocks, bavail } = statfsSync(path);
      const { size } = fstatSync(fd);
      const wanted = Math.max(0, Math.floor(size + (bavail - share * blocks) * bsize));
      if (wanted < size) ftruncateSync(fd, wanted);
      for (let at = size; at < wanted; at += 1 << 20)
        writeSync(fd, Buffer.alloc(Math.min(1 << 20, wanted - at)), 0, null, at);
    },
  };
}

needs('root', 'mount', 'umount')(
  'a disk that fills up and is freed again under the whole gateway: live goes on, what is shed is counted, no restart',
  async () => {
    const place = folder();
    const disk = smallDisk(place);
    const counter = await startCounter();
    onTestFinished(() => counter.close());
    const config = join(place, 'config');
    writeCounterPlant(config, [counter.port]);
    const plant = join(config, 'plant.yaml');
    const limited = 'name: Counter 1, metrics: { number: { limits: { h: 10 } } } }';
    writeFileSync(plant, readFileSync(plant, 'utf8').replace('name: Counter 1 }', limited));
    const data = join(disk.path, 'data');
    const reserve = join(data, 'journal', 'reserve');
    const gateway = await startGateway('run', ['--config', config], data);
    onTestFinished(() => gateway.stop());
    const { heard, close } = await listen(gateway.mqttUrl, 'penstock/demo/line/counter-1/_data/number');
    onTestFinished(close);
    const health = async () => {
      const response = await fetch(`${gateway.http}/health`);
      return { ...((await response.json()) as Health), code: response.status };
    };
    const diskIs = async () => (await health()).components.find(({ name }) => name === 'disk');
    const until = (state: string, reason: RegExp) =>
      eventually(diskIs, (now) => now?.state === state && reason.test(now.reason));
    const shed = async () =>
      (await get<WireLedger>(`${gateway.http}/api/v1/ledger`)).sources.reduce((sum, source) => sum + source.shed, 0);
    const page = stream(`${gateway.http}/api/v1/stream?facility=line`);
    onTestFinished(() => page.close());
    const goesOn = async () => {
      const before = [heard.length, page.events.length, counter.given.length];
      await eventually(
        () => [heard.length, page.events.length, counter.given.length],
        (now) => now.every((count, i) => count > (before[i] ?? 0) + 1),
      );
    };

    await until('ok', /^$/);
    await eventually(
      () => existsSync(reserve),
      (there) => there,
    );
    disk.leave(0.12);
    await until('degraded', /filling up.*make room/);
    disk.leave(0.06);
    await until('degraded', /nearly full.*oldest samples are dropped/);
    expect(await shed()).toBe(0);
    disk.leave(0.03);
    await until('failed', /is full.*shown and judged but no longer stored/);
    expect(existsSync(reserve)).toBe(false);
    expect(await health()).toMatchObject({ status: 'failed', code: 503 });
    expect((await fetch(`${gateway.http}/livez`)).status).toBe(200);
    const before = await eventually(shed, (count) => count > 0);
    await goesOn();
    const [alarm] = (await get<AlarmList>(`${gateway.http}/api/v1/alarms`)).alarms;
    const acknowledged = await fetch(`${gateway.http}/api/v1/alarms/acknowledge`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key: alarm?.key, event: alarm?.event, user: 'ada' }),
    });
    expect(acknowledged.status).toBe(200);
    expect(await shed()).toBeGreaterThan(before);
    await expectLedger(gateway.http);

    // Above the limit, but not clearly.
    disk.leave(0.05);
    await eventually(
      async () =>
        Number(/^penstock_disk_free_bytes (\d+)/m.exec(await (await fetch(`${gateway.http}/metrics`)).text())?.[1]),
      (free) => free > 0.045 * (256 << 20),
    );
    expect((await diskIs())?.state).toBe('failed');
    disk.leave(1);
    await until('ok', /^$/);
    await eventually(
      () => existsSync(reserve),
      (there) => there,
    );
    const after = await shed();
    await goesOn();
    expect(await shed()).toBe(after);
    expect(await health()).toMatchObject({ status: 'ok', code: 200 });
    expect(gateway.child.exitCode).toBe(null);
    await drained(gateway.http);
    const { consumers } = await expectLedger(gateway.http);
    expect(consumers.map(({ dropped }) => dropped)).toEqual([0]);
  },
  60_000,
);
