// What systemd hears, with a virtual clock; and that nothing is said where there is no systemd.
import { expect, test } from 'vitest';
import { ManualClock } from './clock.ts';
import { systemd } from './systemd.ts';

test('ready, watchdog while healthy, stopping', async () => {
  const said: string[] = [];
  const clock = new ManualClock();
  let healthy = true;
  const unit = systemd({ NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '60000000' }, clock, (state) => said.push(state));
  unit.ready();
  const stop = unit.watch(() => healthy);
  await clock.advance(41_000);
  healthy = false;
  await clock.advance(60_000);
  healthy = true;
  await clock.advance(20_000);
  stop();
  await clock.advance(60_000);
  unit.stopping();
  expect(said).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1', 'STOPPING=1']);
});

test('without systemd nothing is said', () => {
  const said: string[] = [];
  const unit = systemd({}, new ManualClock(), (state) => said.push(state));
  unit.ready();
  unit.watch(() => true)();
  unit.stopping();
  expect(said).toEqual([]);
});
