import { expect, test } from 'vitest';
import { killAgain } from './kill.ts';

test('killed ten times: nothing acknowledged is lost, nothing is stored twice, and the ledger holds', async () => {
  const { missing, lost, twice, wrong, stored, rolledUp, acknowledged, stats } = await killAgain(10);
  expect({ missing, lost, twice, wrong }).toEqual({ missing: 0, lost: 0, twice: 0, wrong: 0 });
  expect(acknowledged).toBeGreaterThan(100);
  expect(stored).toBeGreaterThanOrEqual(acknowledged);
  const { journalled, delivered, dropped, backlog } = stats.account;
  expect({ delivered, dropped, backlog: backlog.samples }).toEqual({ delivered: stored, dropped: 0, backlog: 0 });
  expect(journalled).toBe(delivered + dropped + backlog.samples);
  expect(rolledUp).toBe(stored);
  expect(stats.journal.trouble).toBe('');
}, 60_000);
