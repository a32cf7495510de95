// Backup of a running daemon that takes in readings all the while, and its restore elsewhere: what was acknowledged before
// the backup is there without a hole, and the folder of a running gateway is refused.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { importFile } from '../cli/import.ts';
import { readLedger } from '../cli/ledger.ts';
import { openReader } from '../reader.ts';
import { folder } from './folder.ts';
import { eventually, startGateway, startProcess } from './rig.ts';
import type { Gateway } from './rig.ts';

const tag = 'north/pump-1/flow';
const never = new AbortController().signal;

function plant(folder: string): string {
  const config = join(folder, 'config');
  mkdirSync(join(config, 'devices'), { recursive: true });
  writeFileSync(
    join(config, 'plant.yaml'),
    `sites: [{ id: north, name: North, location: There, timezone: UTC }]
metrics: { flow: { name: Flow, unit: l/s } }
assets: [{ path: north/pump-1, name: Pump, kind: pump }]
`,
  );
  writeFileSync(
    join(config, 'devices', 'plc.yaml'),
    `device: plc
protocol: modbus
enabled: false
connection: { host: 127.0.0.1, port: 1 }
interval: 1s
tags: [{ tag: ${tag}, unitId: 1, register: ir:0, encoding: float32, order: ABCD }]
`,
  );
  return config;
}

async function penstock(...args: string[]): Promise<{ code: number | null; said: string }> {
  const child = startProcess('gateway/main.ts', args);
  let said = '';
  child.child.stdout?.on('data', (part: Buffer) => (said += part.toString()));
  const { code } = await child.exited;
  return { code, said: `${said}${child.errors.join('\n')}` };
}

async function gatewayOn(config: string, data: string): Promise<Gateway> {
  const gateway = await startGateway('run', ['--config', config, '--log-level', 'warn'], data);
  onTestFinished(() => gateway.stop());
  return gateway;
}

test('a backup taken while readings come in is restored elsewhere without a hole', async () => {
  const place = folder();
  const config = plant(place);
  const [one, other, file] = [join(place, 'one'), join(place, 'other'), join(place, 'saved.tar')];
  const first = await gatewayOn(config, one);
  const start = Date.now() - 3_600_000;
  let acknowledged = 0;
  let going = true;
  const lines = join(place, 'lines.ndjson');
  const feeding = (async () => {
    while (going) {
      const rows = Array.from({ length: 400 }, (_, i) => {
        const value = acknowledged + i;
        return `${JSON.stringify({ tag, timestamp: start + value, value })}\n`;
      });
      writeFileSync(lines, rows.join(''));
      const report = await importFile({ data: one, file: lines, origin: 'import', params: {}, signal: never });
      expect(report.accepted).toBe(400);
      acknowledged += 400;
    }
  })();
  await eventually(
    () => acknowledged,
    (n) => n >= 4000,
    60_000,
  );
  const before = acknowledged;
  const saved = await penstock('backup', file, '--data', one);
  const after = acknowledged;
  expect(saved).toEqual({
    code: 0,
    said: expect.stringMatching(/saved.tar: [\d.]+ MB of state and history/) as string,
  });
  expect(statSync(file).mode & 0o077).toBe(0);
  expect(await penstock('backup', file, '--data', one)).toMatchObject({
    code: 1,
    said: expect.stringMatching(/is there already/) as string,
  });
  expect(await penstock('restore', file, '--data', one)).toMatchObject({
    code: 1,
    said: expect.stringMatching(/in use by another penstock/) as string,
  });
  going = false;
  await feeding;
  await first.stop();

  const restored = await penstock('restore', file, '--data', other);
  expect(restored).toEqual({ code: 0, said: expect.stringMatching(/files as of .* from/) as string });
  const second = await gatewayOn(config, other);
  const ledger = await eventually(
    () => readLedger(other),
    ({ consumers }) => consumers.every(({ backlog }) => backlog === 0),
    60_000,
  );
  expect(ledger.holds).toBe(true);
  await second.stop();
  const reader = await openReader({ dataDir: other, onDeath: (error) => expect.fail(error.message) });
  const series = await reader.raw(0, start * 1000, Date.now() * 1000, 100_000);
  await reader.close();
  // The gateway's own samples, of a device that is not there, have no value.
  const values = series.value.filter((value) => value !== null);
  expect(values).toEqual(Array.from(values, (_, n) => n));
  expect(values.length).toBeGreaterThanOrEqual(before);
  expect(values.length).toBeLessThanOrEqual(after + 400);
  expect(readdirSync(one).filter((name) => name.startsWith('backup-in-progress'))).toEqual([]);

  // Without a daemon the same, under the folder's lock; and over what is there, which is set aside.
  const again = join(place, 'again.tar');
  expect((await penstock('backup', again, '--data', other)).code).toBe(0);
  const over = await penstock('restore', again, '--data', one);
  expect(over).toEqual({ code: 0, said: expect.stringMatching(/what was there lies in .*before-restore-/) as string });
  expect(existsSync(join(one, readdirSync(one).find((name) => name.startsWith('before-')) ?? '', 'history.db'))).toBe(
    true,
  );
});
