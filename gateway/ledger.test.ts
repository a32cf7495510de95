// The sums of the ledger, and how a terminal and an answer say that one does not hold.
import { expect, test } from 'vitest';
import { ledgerOf, ledgerTable } from './ledger.ts';
import type { JournalLedger } from './ledger.ts';

const counts = { received: 10, made: 2, rejected: 1, filtered: 2, shed: 1, journalled: 7, merged: 1 };
const consumer = {
  ...{ journalled: 7, delivered: 3, filtered: 1, deadLettered: 1, dropped: 1 },
  backlog: { samples: 1 },
};
const journal = (counted: number, account: Partial<typeof consumer> = {}): JournalLedger => ({
  sources: new Map([['line', { told: counts, counted }]]),
  accounts: { historian: { ...consumer, ...account } },
});

test.each<[string, JournalLedger, Partial<typeof counts>, string[]]>([
  ['every sum holds', journal(7), {}, []],
  [
    'a source lost track of a reading',
    journal(7),
    { received: 11 },
    [
      'line: received 11 + made 2 is not rejected 1 + filtered 2 + shed 1 + journalled 7 + merged 1: 1 are missing on the right',
    ],
  ],
  [
    'the journal has more than the source says',
    journal(9),
    {},
    ['line: journalled 7 is not in the journal 9: 2 are too many on the right'],
  ],
  [
    'a consumer was given a sample twice',
    journal(7, { delivered: 4 }),
    {},
    [
      'historian: journalled 7 is not delivered 4 + filtered 1 + backlog 1 + deadLettered 1 + dropped 1: 1 are too many on the right',
    ],
  ],
])('%s', (_what, found, change, faults) => {
  const ledger = ledgerOf(found, 0, new Map([['line', { ...counts, ...change }]]));
  expect(ledger.faults).toEqual(faults);
  expect(ledger.holds).toBe(faults.length === 0);
  expect([...ledger.sources, ...ledger.consumers].filter(({ holds }) => !holds).length).toBe(faults.length);
});

test('a source that the journal alone knows, and one that it has never heard of, are both there', () => {
  const ledger = ledgerOf(journal(7), 0, new Map([['other', { ...counts, rejected: 8, journalled: 0 }]]));
  expect(ledger.sources.map(({ source, inJournal, holds }) => [source, inJournal, holds])).toEqual([
    ['line', 7, false],
    ['other', 0, true],
  ]);
});

test('without a word of the sources, what the frames carry is checked against the journal’s own count', () => {
  expect(ledgerOf(journal(7), 0).holds).toBe(true);
  expect(ledgerOf(journal(8), 0).faults).toEqual([
    'line: journalled 7 is not in the journal 8: 1 are too many on the right',
  ]);
});

test('the table: numbers under their names, lost times, and the verdict', () => {
  const lost = { from: 0, to: 1_500_000 };
  const table = ledgerTable(ledgerOf({ ...journal(7), accounts: { historian: { ...consumer, lost } } }, 0));
  expect(table.split('\n')).toEqual([
    'Samples at 1970-01-01T00:00:00.000Z',
    '',
    'source  received  made  rejected  filtered  shed  journalled  merged  in journal',
    'line          10     2         1         2     1           7       1           7  holds',
    '',
    'consumer   journalled  delivered  filtered  backlog  dead letters  dropped         lost',
    'historian           7          3         1        1             1        1  holds  1970-01-01T00:00:00.000Z to 1970-01-01T00:00:01.500Z',
    '',
    'Every sum holds.',
  ]);
});
