// Which batches share a frame and which never may: a table of cases, read back from the bytes that were sent.
import { expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Batch, GatewayEvent, SourceCounts } from '../model.ts';
import { framesIn } from './testing.ts';
import { MainJournal } from './journal.ts';

const none: SourceCounts = { received: 0, made: 0, rejected: 0, filtered: 0, shed: 0, journalled: 0, merged: 0 };
const event: GatewayEvent = { kind: 'clock', id: 'e', time: 1, message: 'set back' };
const batch = (source: string, values: (number | string)[], more: Partial<Batch> = {}): Batch => ({
  origin: 'live',
  source,
  samples: values.map((value, i) => ({ tag: i, t: 5, receivedAt: 5, value, status: 0, flags: 0 })),
  events: [],
  ...more,
});
const many = Array.from({ length: 2048 }, (_, i) => i);

/** What each batch gets as its sequence, and the frames: sequence, source and values of each. */
function taken(batches: readonly Batch[]): { given: number[]; frames: [number, string, ...unknown[]][] } {
  const clock = new ManualClock();
  const frames: [number, string, ...unknown[]][] = [];
  const send = (bytes: Uint8Array): void => {
    for (const { seq, source, samples } of framesIn(bytes))
      frames.push([seq, source, ...samples.map(({ value }) => value)]);
  };
  const journal = new MainJournal({ clock, start: 1, cap: 1e6, send });
  const given = batches.map((each) => journal.append(each));
  journal.flush(true);
  return { given, frames };
}

const long = 'x'.repeat(1025);
const cases: [what: string, batches: Batch[], given: number[], frames: unknown[][]][] = [
  [
    'each source has a frame of its own',
    [batch('a', [1]), batch('b', [2]), batch('a', [3, 4]), batch('b', [5])],
    [1, 2, 1, 2],
    [
      [1, 'a', 1, 3, 4],
      [2, 'b', 2, 5],
    ],
  ],
  [
    'events stand behind what came before them, and what follows stands behind them',
    [batch('a', [1]), batch('b', [2]), batch('a', [3], { events: [event] }), batch('a', [4])],
    [1, 2, 3, 4],
    [
      [1, 'a', 1],
      [2, 'b', 2],
      [3, 'a', 3],
      [4, 'a', 4],
    ],
  ],
  [
    'what is not live keeps its place',
    [batch('a', [1]), batch('a', [2], { origin: 'import' }), batch('a', [3])],
    [1, 2, 3],
    [
      [1, 'a', 1],
      [2, 'a', 2],
      [3, 'a', 3],
    ],
  ],
  [
    'a long text has a frame of its own',
    [batch('a', ['x']), batch('a', [long]), batch('a', ['y'])],
    [1, 2, 3],
    [
      [1, 'a', 'x'],
      [2, 'a', long],
      [3, 'a', 'y'],
    ],
  ],
  [
    'a frame takes so many samples and no more',
    [batch('a', [1]), batch('a', many), batch('a', [2])],
    [1, 2, 3],
    [
      [1, 'a', 1],
      [2, 'a', ...many],
      [3, 'a', 2],
    ],
  ],
  [
    'batches with an account and without are kept apart',
    [batch('a', [1]), batch('a', [2], { counts: none }), batch('a', [3])],
    [1, 2, 3],
    [
      [1, 'a', 1],
      [2, 'a', 2],
      [3, 'a', 3],
    ],
  ],
];
test.each(cases)('live batches of one source share a frame: %s', (_what, batches, given, frames) => {
  expect(taken(batches)).toEqual({ given, frames });
});

test('a shared frame carries its last account, and what was given stays as it was', () => {
  const clock = new ManualClock();
  const told: unknown[] = [];
  const send = (bytes: Uint8Array): void => {
    for (const { counts, samples } of framesIn(bytes)) told.push([samples.length, counts]);
  };
  const journal = new MainJournal({ clock, start: 1, cap: 1e6, send });
  const first = batch('a', [1], { counts: { ...none, received: 1, journalled: 1 } });
  const last = { ...none, received: 5, rejected: 2, journalled: 3 };
  journal.append(first);
  journal.append(batch('a', [2, 3], { counts: last }));
  expect(first).toEqual(batch('a', [1], { counts: { ...none, received: 1, journalled: 1 } }));
  journal.flush(false);
  expect(told).toEqual([[3, last]]);
});

test('what is gathered waits no longer than anything else', async () => {
  const clock = new ManualClock();
  const sent: number[] = [];
  const journal = new MainJournal({
    clock,
    start: 1,
    cap: 1e6,
    send: (bytes) => void sent.push([...framesIn(bytes)].length),
  });
  journal.append(batch('a', [1]));
  await clock.advance(40);
  journal.append(batch('a', [2]));
  expect(sent).toEqual([]);
  await clock.advance(10);
  expect(sent).toEqual([1]);
  const later = journal.durable(journal.append(batch('a', [3])));
  expect(sent).toEqual([1, 1]);
  journal.acknowledged({ durable: 3, taken: 0, backlog: 0 });
  await later;
});
