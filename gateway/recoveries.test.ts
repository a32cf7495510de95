// When it is said that a store elsewhere has caught up, and with which figures.
import { expect, test } from 'vitest';
import type { ForwardHealth } from './forwarders.ts';
import type { Account } from './journal/log.ts';
import { Recoveries } from './recoveries.ts';

const noon = Date.UTC(2026, 5, 1, 12);
const well: ForwardHealth = { damaged: 0, failures: 0, tries: 0, lastError: '', behind: false, trouble: '' };
const waiting = (samples: number): Account => ({
  ...{ owed: [], journalled: 0, delivered: 0, filtered: 0, deadLettered: 0, dropped: 0 },
  backlog: { frames: 1, samples, bytes: 100 },
});
const failing = { ...well, tries: 2, failingSince: noon + 1000, lastSuccess: noon, oldest: noon * 1000 };
const said = 'caught up: 900 samples that had waited since 2026-06-01T12:00:00.000Z are stored';

test('what was caught up is said once, when nothing old waits any more', () => {
  const recoveries = new Recoveries();
  const at = (seconds: number, health: ForwardHealth, samples: number): string =>
    recoveries.look('far', health, waiting(samples), noon + seconds * 1000);
  expect(at(0, well, 5)).toBe('');
  expect(at(3, failing, 300)).toBe('');
  expect(at(9, { ...failing, tries: 1 }, 900)).toBe('');
  const again = { ...well, lastSuccess: noon + 10_000 };
  expect(at(10, { ...again, behind: true, oldest: (noon + 1000) * 1000 }, 800)).toBe('');
  expect(at(11, { ...again, oldest: (noon + 4000) * 1000 }, 400)).toBe('');
  expect(at(12, { ...again, oldest: (noon + 11_500) * 1000 }, 7)).toBe(said);
  expect(at(13, { ...again, lastSuccess: noon + 13_000 }, 0)).toBe('');
});

test.each<[string, Partial<ForwardHealth>, number]>([
  ['one failure, made up for at once', { tries: 1 }, 3],
  ['an old success with nothing to send', { tries: 0, oldest: undefined, quiet: 60_000 }, 60],
])('%s is not spoken of', (_name, health, seconds) => {
  const recoveries = new Recoveries();
  recoveries.look('far', { ...failing, ...health }, waiting(9), noon + seconds * 1000);
  expect(recoveries.look('far', well, waiting(0), noon + 61_000)).toBe('');
});

test('a store that took nothing and refused nothing has caught up as well', () => {
  const recoveries = new Recoveries();
  recoveries.look('far', { ...failing, tries: 0, quiet: 16_000 }, waiting(900), noon + 16_000);
  expect(recoveries.look('far', well, waiting(0), noon + 17_000)).toBe(said);
});

test('a gateway started meanwhile goes by the oldest samples', () => {
  const recoveries = new Recoveries();
  const health = { ...failing, lastSuccess: undefined, failingSince: noon + 50_000 };
  recoveries.look('far', health, waiting(900), noon + 60_000);
  expect(recoveries.look('far', well, waiting(0), noon + 61_000)).toBe(said);
});
