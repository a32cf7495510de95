// What systemd hears, with a virtual clock; and that nothing is said where there is no systemd.
import { expect, test } from 'vitest';
import { ManualClock } from './clock.ts';
import { systemd } from './systemd.ts';

const env = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '60000000' };

test('ready, watchdog while well, stopping', async () => {
  const said: string[] = [];
  const clock = new ManualClock();
  let ill = '';
  const unit = systemd(env, clock, (states) => said.push(states));
  unit.ready();
  const stop = unit.watch(() => ill);
  await clock.advance(41_000);
  ill = 'the writer has not answered for 20 s';
  await clock.advance(60_000);
  ill = '';
  await clock.advance(20_000);
  stop();
  await clock.advance(60_000);
  unit.stopping();
  expect(said).toEqual([
    'READY=1',
    'WATCHDOG=1',
    'WATCHDOG=1',
    'WATCHDOG=1',
    'STATUS=the writer has not answered for 20 s',
    'WATCHDOG=1\nSTATUS=',
    'STOPPING=1',
  ]);
});

test('the status of a degraded daemon rides on the pings, once per change and in one line', async () => {
  const said: string[] = [];
  const clock = new ManualClock();
  let words = '';
  const stop = systemd(env, clock, (states) => said.push(states)).watch(
    () => '',
    () => words,
  );
  words = 'mqtt: degraded:\nport taken';
  await clock.advance(41_000);
  words = '';
  await clock.advance(20_000);
  stop();
  expect(said).toEqual([
    'WATCHDOG=1',
    'WATCHDOG=1\nSTATUS=mqtt: degraded: port taken',
    'WATCHDOG=1',
    'WATCHDOG=1\nSTATUS=',
  ]);
});

test('a unit without a watchdog still gets its status', async () => {
  const said: string[] = [];
  const clock = new ManualClock();
  let words = '';
  const stop = systemd({ NOTIFY_SOCKET: '/run/notify' }, clock, (states) => said.push(states)).watch(
    () => '',
    () => words,
  );
  words = 'history: degraded: the disk is full';
  await clock.advance(60_000);
  stop();
  expect(said).toEqual(['STATUS=history: degraded: the disk is full']);
});

test('without systemd nothing is said', () => {
  const said: string[] = [];
  const unit = systemd({}, new ManualClock(), (states) => said.push(states));
  unit.ready();
  unit.watch(() => '')();
  unit.reloading();
  unit.stopping();
  expect(said).toEqual([]);
});
