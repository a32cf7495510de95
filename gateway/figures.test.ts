// What the journal's figures come to in words, and every term of every consumer in the metrics.
import { expect, test } from 'vitest';
import { backlogs, reportJournal } from './figures.ts';
import type { Account } from './journal/log.ts';
import { Status } from './status.ts';
import type { WriterStats } from './writer.ts';

const account = (given: Partial<Account> = {}): Account => ({
  owed: [],
  ...{ journalled: 15, delivered: 5, filtered: 4, deadLettered: 3, dropped: 0 },
  backlog: { frames: 1, samples: 3, bytes: 40 },
  ...given,
});
type Given = Partial<Pick<WriterStats, 'durability'>> & { trouble?: string; historian?: Account };
function stats({ durability = 'interval', trouble = '', historian = account() }: Given): WriterStats {
  return {
    historian: {
      ...{ damaged: 0, failures: 0, tries: 0, lastError: '', trouble: '', broken: false },
      ...{ samples: 0, filtered: 0, removed: 0, floor: 0, open: 0, memory: 0, bytes: 0, commits: 0, commitMs: 0 },
    },
    account: historian,
    accounts: { historian, store: account({ delivered: 3, dropped: 2, lost: { from: 1500, to: 60e6 } }) },
    ...{ written: 0, durable: 0, durability, garbled: 0 },
    journal: { trouble, failures: 0, segments: 1, bytes: 100, waiting: 0, damaged: 0, truncated: 0 },
    disk: { step: 'ok', reason: '', reserve: true, trouble: '', free: 10, total: 20 },
  };
}
function reported(given: Given): Status {
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const status = new Status(quiet);
  reportJournal(status, stats(given));
  return status;
}

test.each<[string, Given, { state: string; reason: string | RegExp }]>([
  ['all well', {}, { state: 'ok', reason: '' }],
  ['durability batch is well too', { durability: 'batch' }, { state: 'ok', reason: '' }],
  ['os is not synced', { durability: 'os' }, { state: 'ok', reason: /acknowledged is written but not synced/ }],
  ['frames wait', { trouble: 'the disk is full' }, { state: 'degraded', reason: 'the disk is full' }],
  [
    'samples were lost',
    { historian: account({ dropped: 2, lost: { from: 0, to: 1e6 } }) },
    { state: 'ok', reason: /some samples never reached the history: penstock ledger/ },
  ],
])('%s', (_what, given, { state, reason }) => {
  const [component] = reported(given).components();
  expect(component).toMatchObject({ name: 'journal', state });
  expect(component?.reason).toMatch(typeof reason === 'string' ? new RegExp(`^${reason}$`) : reason);
});

test('each term of each consumer, as metrics and as backlogs', () => {
  const metrics = reported({}).metrics();
  for (const [term, value] of Object.entries({
    ...{ journalled_total: 15, delivered_total: 3, filtered_total: 4, dead_lettered_total: 3, dropped_total: 2 },
    ...{ backlog_samples: 3, backlog_bytes: 40 },
  }))
    expect(metrics).toContain(`penstock_journal_${term}{consumer="store"} ${value}\n`);
  expect(metrics).toContain('penstock_journal_delivered_total{consumer="historian"} 5\n');
  expect(backlogs(stats({}))).toEqual([
    { name: 'historian', samples: 3, bytes: 40, dropped: 0 },
    {
      ...{ name: 'store', samples: 3, bytes: 40, dropped: 2 },
      lost: { from: '1970-01-01T00:00:00.001Z', to: '1970-01-01T00:01:00.000Z' },
    },
  ]);
  expect(backlogs(undefined)).toEqual([]);
});
