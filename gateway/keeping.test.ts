// When alarm states are stored: soon after a change, once a minute, again after a failure, and at the end.
import { expect, test } from 'vitest';
import { ManualClock } from './clock.ts';
import { keepAlarms } from './keeping.ts';
import { Status } from './status.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

test('a flood of changes is one write; a minute without any is one too', async () => {
  const clock = new ManualClock();
  const saved: number[] = [];
  const status = new Status(quiet, () => clock.now());
  const keeping = keepAlarms(clock, status, async () => void saved.push(clock.mono()));
  await clock.advance(1000);
  for (let n = 0; n < 50; n++) {
    keeping.changed();
    await clock.advance(3);
  }
  await clock.advance(850);
  expect(saved).toEqual([1200]);
  await clock.advance(120_000);
  expect(saved).toEqual([1200, 61_200, 121_200]);
  await Promise.all([keeping.close(), keeping.close()]);
  keeping.changed();
  await clock.advance(120_000);
  expect(saved.length).toBe(4);
});

test('what cannot be stored is tried again soon, and said once', async () => {
  const clock = new ManualClock();
  const status = new Status(quiet, () => clock.now());
  let full = true;
  let tries = 0;
  const keeping = keepAlarms(clock, status, async () => {
    tries++;
    if (full) throw new Error('the disk is full');
  });
  keeping.changed();
  await clock.advance(5000);
  expect(tries).toBe(3);
  expect(status.components()).toMatchObject([
    { name: 'state', state: 'degraded', reason: expect.stringContaining('the disk is full') as string },
  ]);
  full = false;
  await clock.advance(2000);
  expect(status.components()).toMatchObject([{ name: 'state', state: 'ok' }]);
});
