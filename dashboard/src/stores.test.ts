// What the page says of the gateway's own parts: of those in trouble alone, with times at the plant and what it costs.
import { expect, test } from 'vitest';
import type { Backlog, WireHealth } from '../../gateway/web/wire.ts';
import { troubles } from './stores.ts';

const now = Date.UTC(2026, 10, 21, 10, 0);
const part = (name: string, state: string, reason = '') => ({ name, state, reason, seconds: 1 });
const owed = (name: string, samples: number, dropped = 0): Backlog => ({ name, samples, bytes: samples * 20, dropped });
const lost = (name: string, to: string): Backlog => ({
  ...owed(name, 0, 2000),
  lost: { from: '2026-10-01T00:00:00Z', to },
});
const health = (components: WireHealth['components'], consumers: Backlog[] = []): WireHealth => ({
  ...{ status: 'degraded', components, consumers },
});

test.each<[string, WireHealth, string[]]>([
  [
    'all well',
    health([part('forward.questdb', 'ok', 'sends what waited'), part('disk', 'ok')], [owed('questdb', 9)]),
    [],
  ],
  ['a device, the page', health([part('device/press', 'failed', 'no answer'), part('web', 'degraded', 'open')]), []],
  [
    'a store elsewhere, told at the plant',
    health(
      [part('forward.questdb', 'degraded', 'nothing stored since 2026-11-21T09:31:00.123Z: refused; samples wait')],
      [owed('historian', 7, 7), owed('questdb', 11139)],
    ),
    ['QuestDB: nothing stored since 10:31: refused; samples wait | 11,139 samples waiting'],
  ],
  [
    'since days ago',
    health([part('forward.postgres', 'degraded', 'since 2026-11-19T09:31:00Z')], [owed('postgres', 1, 2)]),
    ['PostgreSQL: since 19 Nov, 10:31 | 1 sample waiting, 2 samples lost'],
  ],
  [
    'journal and disk',
    health([part('journal', 'degraded', 'history: disk full'), part('disk', 'failed')], [owed('historian', 3, 1)]),
    ['Journal: history: disk full | 3 samples waiting, 1 sample lost', 'Disk: failed | '],
  ],
  [
    'well again, but not whole',
    health(
      [part('forward.questdb', 'ok')],
      [lost('questdb', '2026-11-20T21:15:00Z'), lost('historian', '2026-11-21T09:00:00Z')],
    ),
    [
      'QuestDB: not every sample up to 20 Nov, 22:15 reached it: penstock ledger has the account | 2,000 samples lost',
      'History: not every sample up to 10:00 reached it: penstock ledger has the account | 2,000 samples lost',
    ],
  ],
  [
    'in trouble, and it lost: said once',
    health([part('forward.file', 'degraded', 'full')], [lost('file', '2026-11-21T09:00:00Z')]),
    ['Files: full | 2,000 samples lost'],
  ],
  ['lost long ago', health([], [lost('questdb', '2026-11-10T21:15:00Z')]), []],
  ['a part of tomorrow', health([part('uplink.north', 'degraded', 'refused')]), ['uplink.north: refused | ']],
])('%s', (_, body, said) =>
  expect(troubles(body, 'Europe/Stockholm', now).map(({ name, words, cost }) => `${name}: ${words} | ${cost}`)).toEqual(
    said,
  ),
);
