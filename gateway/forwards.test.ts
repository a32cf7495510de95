// How a forwarder does, in words: said when somebody must know, without figures that would be logged each second.
import { expect, test } from 'vitest';
import type { ForwardHealth } from './forwarders.ts';
import { forwardFigures, inWords, letGo, reportForwards } from './forwards.ts';
import type { Account } from './journal/log.ts';
import { Status } from './status.ts';

const noon = Date.UTC(2026, 5, 1, 12);
const fresh: ForwardHealth = { damaged: 0, failures: 0, tries: 0, lastError: '', behind: false, trouble: '' };
const well: ForwardHealth = { ...fresh, lastSuccess: noon + 15_000 };
const failing: ForwardHealth = { ...fresh, tries: 2, failures: 9, lastError: 'connection refused', failingSince: noon };
const account: Account = {
  ...{ owed: [], journalled: 90, delivered: 80, filtered: 0, deadLettered: 0, dropped: 0 },
  backlog: { frames: 1, samples: 10, bytes: 100 },
};
/** ms */
const quiet = 15_001;
const first: Account = { ...account, delivered: 0, journalled: 10 };
const earlier: Account = { ...account, settledAt: noon - 3600e3 };
const lossy: Account = { ...account, dropped: 7, lost: { from: noon * 1000, to: noon * 1000 + 1e6 } };

const cases: [string, ForwardHealth, Account | undefined, string, 'starting' | 'ok' | 'degraded', string][] = [
  ['before the first write', fresh, first, '', 'starting', 'nothing stored yet'],
  [
    'the first write on its way, of samples of an hour ago',
    ...([
      { ...fresh, begun: noon + 10_000, oldest: (noon - 3600e3) * 1000, quiet: 5001 },
      first,
      '',
      'starting',
    ] as const),
    'nothing stored yet',
  ],
  [
    'a first write without an answer',
    ...([{ ...fresh, begun: noon, oldest: noon * 1000, quiet }, first, '', 'degraded'] as const),
    'nothing stored yet, tried since 2026-06-01T12:00:00.000Z: it does not answer; samples wait in the journal',
  ],
  [
    'a first write that failed once, long ago',
    ...([{ ...failing, tries: 1, begun: noon, oldest: noon * 1000, quiet }, first, '', 'degraded'] as const),
    'nothing stored yet, tried since 2026-06-01T12:00:00.000Z: connection refused; samples wait in the journal',
  ],
  [
    'never a success in this run, and one in an earlier, at a time nobody noted',
    ...([failing, account, '', 'degraded'] as const),
    "nothing stored since the gateway's start, tried since 2026-06-01T12:00:00.000Z: connection refused; samples wait in the journal",
  ],
  [
    'never a success in this run, and one in an earlier',
    ...([failing, earlier, '', 'degraded'] as const),
    'nothing stored since 2026-06-01T11:00:00.000Z: connection refused; samples wait in the journal',
  ],
  [
    'the first write of this run on its way',
    ...([{ ...fresh, begun: noon + 10_000, oldest: noon * 1000 }, earlier, '', 'starting'] as const),
    'nothing stored since 2026-06-01T11:00:00.000Z',
  ],
  ['all well', well, account, '', 'ok', ''],
  ['before the writer has said anything', well, undefined, '', 'ok', ''],
  ['one failure is made up for', { ...failing, ...well, tries: 1 }, account, '', 'ok', ''],
  [
    'never a success',
    ...([failing, first, '', 'degraded'] as const),
    'nothing stored yet, tried since 2026-06-01T12:00:00.000Z: connection refused; samples wait in the journal',
  ],
  [
    'a success long ago, and a journal that was full',
    ...([{ ...failing, lastSuccess: noon }, lossy, '', 'degraded'] as const),
    'nothing stored since 2026-06-01T12:00:00.000Z: connection refused; samples wait in the journal; the journal was full, and its oldest samples are lost for this store',
  ],
  [
    'a write without an answer',
    ...([{ ...well, lastSuccess: noon, oldest: noon * 1000, quiet }, account, '', 'degraded'] as const),
    'nothing stored since 2026-06-01T12:00:00.000Z: it does not answer; samples wait in the journal',
  ],
  ['nothing to send for long', { ...well, lastSuccess: noon, quiet }, account, '', 'ok', ''],
  [
    'a success a moment ago, by a clock that was set since',
    ...([{ ...well, lastSuccess: 40_000, oldest: 40e6, quiet: 500 }, account, '', 'ok', ''] as const),
  ],
  [
    'a write that heeds nothing',
    ...([{ ...failing, hangingSince: noon }, account, '', 'degraded'] as const),
    'the write of 2026-06-01T12:00:00.000Z was given up and has not ended; nothing is sent until it does',
  ],
  [
    'trouble of its own',
    { ...well, trouble: 'commits are not synced' },
    lossy,
    '',
    'degraded',
    'commits are not synced',
  ],
  [
    'a dead thread',
    ...([well, account, 'out of memory', 'degraded'] as const),
    'the forwarding thread died and was started again: out of memory',
  ],
  ['catching up', { ...well, behind: true }, account, '', 'ok', 'sends what waited behind what is live'],
  [
    'after a loss',
    ...([well, { ...lossy, deadLettered: 3 }, '', 'ok'] as const),
    'lost for this store: 7 samples between 2026-06-01T12:00:00.000Z and 2026-06-01T12:00:01.000Z; the store has refused samples for good: penstock dead-letters list',
  ],
  [
    'after a loss of events too',
    ...([well, { ...lossy, droppedEvents: 1 }, '', 'ok'] as const),
    'lost for this store: 7 samples and 1 event between 2026-06-01T12:00:00.000Z and 2026-06-01T12:00:01.000Z',
  ],
  [
    'after a loss of events alone',
    ...([well, { ...account, droppedEvents: 2 }, '', 'ok'] as const),
    'lost for this store: 2 events',
  ],
];
test.each(cases)('%s', (_case, health, books, down, state, reason) => {
  expect(inWords(health, books, down, noon + 15_001)).toEqual({ state, reason });
});

test('in figures, by store', () => {
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const status = new Status(log);
  const health = { ...failing, lastSuccess: noon, hangingSince: noon, oldest: noon * 1000 };
  reportForwards(status, { forwards: { far: health }, down: '' }, { far: account }, noon + 90_000);
  const value = (name: string): number => status.value(`penstock_forward_${name}`, { consumer: 'far' });
  expect(value('backlog_seconds')).toBe(90);
  expect(value('last_success_timestamp_seconds')).toBe(noon / 1000);
  expect([value('tries'), value('failures_total'), value('hanging')]).toEqual([2, 9, 1]);
  expect(status.components()).toMatchObject([{ name: 'forward.far', state: 'degraded' }]);
  const at = '2026-06-01T12:00:00.000Z';
  expect(forwardFigures(health)).toEqual({ tries: 2, oldest: at, lastSuccess: at, lastError: 'connection refused' });
  expect([forwardFigures(fresh), forwardFigures(undefined)]).toEqual([{ tries: 0 }, {}]);
  expect(forwardFigures(fresh, earlier)).toEqual({ tries: 0, lastSuccess: '2026-06-01T11:00:00.000Z' });
});

test('a store that is taken out of the settings: what it will never get is said', () => {
  expect(letGo('questdb', 1)).toBe(
    'forward.questdb is not configured any more: the 1 sample it was still owed will never get there, also when it is configured again',
  );
  expect(letGo('questdb', 0)).toBe('forward.questdb is not configured any more, and was owed nothing');
});
