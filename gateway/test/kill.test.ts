// The short form of the kill tests; `npm run soak` runs the same for hours. kill.ts and lives.ts do the killing.
import { expect, test } from 'vitest';
import { killAgain } from './kill.ts';
import { killGateway } from './lives.ts';

test('killed ten times: nothing acknowledged is lost, nothing is stored twice, and the ledger holds', async () => {
  const began = Date.now();
  const { missing, lost, twice, wrong, stored, rolledUp, acknowledged, file, stats } = await killAgain(10);
  expect({ missing, lost, twice, wrong }).toEqual({ missing: 0, lost: 0, twice: 0, wrong: 0 });
  expect(acknowledged).toBeGreaterThan(100);
  expect(stored).toBeGreaterThanOrEqual(acknowledged);
  const { journalled, delivered, dropped, backlog } = stats.account;
  expect({ delivered, dropped, backlog: backlog.samples }).toEqual({ delivered: stored, dropped: 0, backlog: 0 });
  expect(journalled).toBe(delivered + dropped + backlog.samples);
  expect(rolledUp).toBe(stored);
  expect(stats.journal.trouble).toBe('');
  // The same in a store elsewhere: each number of the journal once.
  expect({ ...file, account: undefined }).toEqual({ lines: stored, missing: 0, twice: 0, wrong: 0 });
  const { owed: _owed, settledAt = 0, ...account } = file.account;
  expect(settledAt).toBeGreaterThan(began);
  expect(account).toEqual({
    ...{ journalled: stored, delivered: stored, filtered: 0, deadLettered: 0, dropped: 0 },
    backlog: { frames: 0, samples: 0, bytes: 0 },
  });
});

test('the whole gateway killed under load: devices and imports lose nothing, and every sum holds', async () => {
  const { given, stored, acknowledged, ...broken } = await killGateway(3);
  expect(broken).toEqual({
    lives: 3,
    missing: 0,
    twice: 0,
    lost: 0,
    notForwarded: 0,
    forwardedTwice: 0,
    ledger: [],
    dropped: 0,
  });
  expect(given).toBeGreaterThanOrEqual(stored);
  expect(stored).toBeGreaterThan(100);
  expect(acknowledged).toBeGreaterThan(100);
});
