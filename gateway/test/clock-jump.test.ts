// The gateway's own clock jumps an hour ahead and back (libfaketime) while devices that number their readings are polled:
// nothing is lost, nothing shown as stale or bad, no device is called lost, and the sums hold.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import type { AlarmList, Dict, Summary } from '../web/wire.ts';
import { counterTag, numbersIn, startCounter, writeCounterPlant } from './counter.ts';
import type { Counter } from './counter.ts';
import { expectLedger } from './ledger.ts';
import { needs } from './needs.ts';
import { eventually, get, scratch, startGateway } from './rig.ts';
import type { Gateway } from './rig.ts';

const folder = scratch();
let counters: Counter[] = [];
let gateway: Gateway | undefined;
afterEach(async () => {
  await gateway?.stop('SIGKILL');
  await Promise.all(counters.map((counter) => counter.close()));
  folder.remove();
});

/** Debian's place for it, whatever the processor. */
function library(): string {
  const places = readdirSync('/usr/lib', { withFileTypes: true }).map(({ name }) => `/usr/lib/${name}/faketime`);
  const found = places.map((place) => join(place, 'libfaketime.so.1')).find((path) => existsSync(path));
  if (!found) throw new Error('libfaketime is not below /usr/lib');
  return found;
}

needs('faketime')(
  'a clock that jumps an hour ahead and back loses nothing and frightens nobody',
  async () => {
    counters = [await startCounter(), await startCounter()];
    const [config, data, offset] = ['config', 'data', 'offset'].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ];
    writeCounterPlant(
      config,
      counters.map(({ port }) => port),
    );
    const jump = (by: string): void => writeFileSync(offset, `${by}\n`);
    jump('+0');
    const running = (gateway = await startGateway('run', ['--config', config], data, {
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: offset,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }));
    const summary = (): Promise<Summary> => get<Summary>(`${running.http}/api/v1/dashboard/summary/line?hours=1`);
    const shown = async () => {
      const values = (await summary()).assets
        .flatMap((asset) => asset.values)
        .filter(({ metric }) => metric === 'number');
      return values.map(({ quality, stale, timestamp }) => ({ quality, stale, at: Date.parse(timestamp ?? '') }));
    };
    const given = (): number => counters.reduce((sum, counter) => sum + counter.given.length, 0);
    /** Live, good, and dated about `ahead` hours from the true time. */
    const live = (ahead: number) =>
      eventually(shown, (values) =>
        values.every(
          ({ quality, stale, at }) =>
            quality === 'good' && !stale && Math.abs(at - Date.now() - ahead * 3_600_000) < 30_000,
        ),
      );

    await live(0);
    for (const [by, ahead] of [
      ['+3600', 1],
      ['+0', 0],
      ['-3600', -1],
      ['+0', 0],
    ] as const) {
      jump(by);
      const before = given();
      await live(ahead);
      await eventually(given, (count) => count > before + 40);
      const alarms = (await get<AlarmList>(`${running.http}/api/v1/alarms`)).alarms;
      expect(alarms.filter(({ kind }) => kind === 'comm' || kind === 'stale')).toEqual([]);
    }
    const ids = new Map((await get<Dict>(`${running.http}/api/v1/dict`)).tags.map(({ id, i }) => [id, i]));
    await expectLedger(running.http);
    await running.stop();
    expect(running.errors.filter((line) => line.includes('clock was set back')).length).toBe(2);

    const { counters: seen, twice } = await numbersIn(data, counters.length, ids);
    expect(twice).toBe(0);
    counters.forEach((counter, i) => {
      const missing = counter.given.flatMap((_at, n) => (seen[i]?.has(n) ? [] : [n]));
      // The last answers may have come while the gateway stopped.
      expect({ tag: counterTag(i), missing: missing.filter((n) => n < counter.given.length - 3) }).toEqual({
        tag: counterTag(i),
        missing: [],
      });
    });
  },
  60_000,
);
