// Pure: the ledger put together from the sources' word (the pipeline's) and the journal's own counts. Called by daemon for
// REST and the command line, and by the command line itself when no daemon runs. No term is computed from the others, so
// a sum that does not hold shows here, in words.
import type { SourceCounts } from './model.ts';
import type { Stored } from './consumer.ts';
import type { LedgerConsumer, LedgerSource, WireLedger } from './web/wire.ts';

/** What the journal says at one moment. */
export interface JournalLedger {
  /** By source: the account that its newest frame carries, and the samples the journal itself counted in its frames. */
  sources: ReadonlyMap<string, { told: SourceCounts; counted: number }>;
  /** By consumer; `backlog` and `lost` (µs) of its owed and dropped samples. */
  accounts: Readonly<
    Record<
      string,
      {
        journalled: number;
        dropped: number;
        lost?: { from: number; to: number };
        backlog: { samples: number };
      } & Stored
    >
  >;
}

/**
 * @param sources the sources' word at the moment the journal was asked; without it what the frames carry
 * @param now ms since the epoch
 */
export function ledgerOf(
  journal: JournalLedger,
  now: number,
  sources: ReadonlyMap<string, SourceCounts> = carried(journal),
): WireLedger {
  const faults: string[] = [];
  const checked = [...new Set([...sources.keys(), ...journal.sources.keys()])].sort().map((source): LedgerSource => {
    const counts = sources.get(source) ?? none;
    const inJournal = journal.sources.get(source)?.counted ?? 0;
    const wrong = sourceFaults(source, counts, inJournal);
    faults.push(...wrong);
    return { source, ...counts, inJournal, holds: wrong.length === 0 };
  });
  const consumers = Object.entries(journal.accounts).map(([consumer, account]): LedgerConsumer => {
    const { journalled, delivered, filtered, deadLettered, dropped, lost } = account;
    const backlog = account.backlog.samples;
    const terms = { delivered, filtered, backlog, deadLettered, dropped };
    const wrong = difference(consumer, { journalled }, terms);
    faults.push(...wrong);
    const times = lost ? { lost: { from: iso(lost.from), to: iso(lost.to) } } : {};
    return { consumer, journalled, ...terms, ...times, holds: wrong.length === 0 };
  });
  return { time: new Date(now).toISOString(), holds: faults.length === 0, faults, sources: checked, consumers };
}

const none: SourceCounts = { received: 0, made: 0, rejected: 0, filtered: 0, shed: 0, journalled: 0, merged: 0 };

function carried({ sources }: JournalLedger): Map<string, SourceCounts> {
  return new Map([...sources].map(([source, { told }]) => [source, told]));
}

function sourceFaults(source: string, counts: SourceCounts, inJournal: number): string[] {
  const { received, made, rejected, filtered, shed, journalled, merged } = counts;
  return [
    ...difference(source, { received, made }, { rejected, filtered, shed, journalled, merged }),
    ...difference(source, { journalled }, { 'in the journal': inJournal }),
  ];
}

function difference(who: string, left: Record<string, number>, right: Record<string, number>): string[] {
  const sum = (terms: Record<string, number>): number => Object.values(terms).reduce((a, b) => a + b, 0);
  const by = sum(left) - sum(right);
  if (by === 0) return [];
  const said = (terms: Record<string, number>): string =>
    Object.entries(terms)
      .map(([name, count]) => `${name} ${count}`)
      .join(' + ');
  return [
    `${who}: ${said(left)} is not ${said(right)}: ${Math.abs(by)} ${by > 0 ? 'are missing' : 'are too many'} on the right`,
  ];
}

const iso = (micros: number): string => new Date(Math.floor(micros / 1000)).toISOString();

/** The ledger as a table for a terminal. */
export function ledgerTable({ sources, consumers, faults, time }: WireLedger): string {
  const range = (consumer: LedgerConsumer): string =>
    consumer.lost ? `${consumer.lost.from} to ${consumer.lost.to}` : '';
  const yes = (holds: boolean): string => (holds ? 'holds' : 'DOES NOT HOLD');
  const lines = [
    `Samples at ${time}`,
    '',
    ...table(
      ['source', 'received', 'made', 'rejected', 'filtered', 'shed', 'journalled', 'merged', 'in journal', ''],
      sources.map((row) => [
        ...[row.source, row.received, row.made, row.rejected, row.filtered, row.shed, row.journalled, row.merged],
        ...[row.inJournal, yes(row.holds)],
      ]),
    ),
    '',
    ...table(
      ['consumer', 'journalled', 'delivered', 'filtered', 'backlog', 'dead letters', 'dropped', '', 'lost'],
      consumers.map((row) => [
        ...[row.consumer, row.journalled, row.delivered, row.filtered, row.backlog, row.deadLettered, row.dropped],
        ...[yes(row.holds), range(row)],
      ]),
    ),
    '',
    ...(faults.length === 0 ? ['Every sum holds.'] : faults),
  ];
  return lines.join('\n');
}

/** Names to the left, numbers to the right. */
function table(head: string[], rows: (string | number)[][]): string[] {
  const width = head.map((name, at) => Math.max(name.length, ...rows.map((row) => String(row[at]).length)));
  const line = (row: (string | number)[], numbers: boolean): string =>
    row
      .map((cell, at) => {
        const text = String(cell);
        const right = typeof cell === 'number' || (numbers && typeof rows[0]?.[at] === 'number');
        return right ? text.padStart(width[at] ?? 0) : text.padEnd(width[at] ?? 0);
      })
      .join('  ')
      .trimEnd();
  return [line(head, true), ...rows.map((row) => line(row, false))];
}
