// When the process is ill: a silent or refusing writer, a main that was held; on virtual time.
import { expect, test } from 'vitest';
import { ManualClock } from './clock.ts';
import { startPulse } from './pulse.ts';

test('well as long as the writer answers within 10 s', async () => {
  const clock = new ManualClock();
  let silent = false;
  const open: (() => void)[] = [];
  const pulse = startPulse(clock, () =>
    silent ? new Promise<void>((resolve) => open.push(resolve)) : Promise.resolve(),
  );
  await clock.advance(60_000);
  expect(pulse.ill()).toBe('');
  silent = true;
  await clock.advance(9000);
  expect(pulse.ill()).toBe('');
  await clock.advance(6000);
  expect(pulse.ill()).toMatch(/^the writer has not answered for 1\d s$/);
  expect(open).toHaveLength(1);
  silent = false;
  for (const resolve of open) resolve();
  await clock.advance(1);
  expect(pulse.ill()).toBe('');
  pulse.stop();
});

test('a writer that refuses is ill for good', async () => {
  const clock = new ManualClock();
  const pulse = startPulse(clock, () => Promise.reject(new Error('the writer thread is gone')));
  await clock.advance(12_000);
  expect(pulse.ill()).toContain('the writer has not answered');
  pulse.stop();
});

/** A clock whose timers come late, as on a main thread that somebody holds. */
class HeldClock extends ManualClock {
  held = 0;
  override mono(): number {
    return super.mono() + this.held;
  }
}

test('a main that was held for 6 s is ill at once and for 10 s after; 4 s is no illness', async () => {
  const clock = new HeldClock();
  const pulse = startPulse(clock, () => Promise.resolve());
  await clock.advance(5000);
  clock.held += 4000;
  expect(pulse.ill()).toBe('');
  await clock.advance(5000);
  expect(pulse.ill()).toBe('');
  clock.held += 7000;
  expect(pulse.ill()).toMatch(/^main was held for [67] s$/);
  await clock.advance(2000);
  expect(pulse.ill()).toMatch(/^main was held for [67] s$/);
  await clock.advance(12_000);
  expect(pulse.ill()).toBe('');
  pulse.stop();
});

test('a stopped pulse asks no more', async () => {
  const clock = new ManualClock();
  let asked = 0;
  const pulse = startPulse(clock, () => Promise.resolve(asked++));
  await clock.advance(3000);
  pulse.stop();
  const before = asked;
  expect(before).toBeGreaterThan(2);
  await clock.advance(10_000);
  expect(asked).toBe(before);
});
