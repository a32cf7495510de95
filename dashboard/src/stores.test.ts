// What the page says of the gateway's own parts: of those in trouble alone, with times at the plant and what it costs.
import { expect, test } from 'vitest';
import type { Backlog, WireHealth } from '../../gateway/web/wire.ts';
import { troubles } from './stores.ts';

const now = Date.UTC(2026, 10, 21, 10, 0);
const part = (name: string, state: string, reason = '') => ({ name, state, reason, seconds: 1 });
const owed = (name: string, samples: number, dropped = 0): Backlog => ({ name, samples, bytes: samples * 20, dropped });
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
  ['a part of tomorrow', health([part('uplink.north', 'degraded', 'refused')]), ['uplink.north: refused | ']],
])('%s', (_, body, said) =>
  expect(troubles(body, 'Europe/Stockholm', now).map(({ name, words, cost }) => `${name}: ${words} | ${cost}`)).toEqual(
    said,
  ),
);
