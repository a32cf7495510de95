import { expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { elsewhereOf, withDeep } from './elsewhere.ts';
import type { Elsewhere } from './elsewhere.ts';

const secrets = { user: '', passwordFile: '', passwordCommand: '' };
const off = { questdb: { url: '', ...secrets }, postgres: { url: '', ...secrets, tls: 'off', tlsCa: '' } } as const;
const there = 'http://127.0.0.1:1';
const wire = 'postgres://127.0.0.1:1/qdb';

test('QuestDB before PostgreSQL, and neither when none is configured', () => {
  expect(elsewhereOf(off, 5)).toBe(undefined);
  const postgres = { ...off.postgres, url: 'postgres://127.0.0.1:1/plant' };
  expect(elsewhereOf({ ...off, postgres }, 5)).toEqual({ retention: 5, postgres });
  const questdb = { ...off.questdb, url: there };
  expect(elsewhereOf({ questdb, postgres }, 5)).toEqual({ retention: 5, questdb });
});

const clock = new ManualClock(10_000_000);
let closed = 0;
const local = (floor: number): Parameters<typeof withDeep>[0] => ({
  raw: async (tag) => ({ tag, t: [1], value: [1], status: [0], more: false }),
  buckets: async () => [],
  latest: async () => [],
  floor: () => floor,
  close: () => void closed++,
});
const named = () => ({ id: 'n/p/flow', type: 'double' }) as const;
/** Whether the question went to the database, which is not there. */
async function asked(elsewhere: Elsewhere | undefined, floor: number, from: number): Promise<boolean> {
  const history = await withDeep(local(floor), elsewhere, named, clock);
  const { incomplete } = await history.raw(1, from, 10_000_000_000, 10);
  history.close();
  return incomplete !== undefined;
}

test.each<[string, Partial<Elsewhere> | undefined, number, number, boolean]>([
  ['nowhere to ask', undefined, 0, 0, false],
  ['older than the retention', { retention: 1000 }, 0, 9_998_000_000, true],
  ['within the retention', { retention: 1000 }, 0, 9_999_000_000, false],
  ['within it, but dropped for want of room', { retention: 1000 }, 9_999_500_000, 9_999_000_000, true],
])('%s', async (_name, of, floor, from, expected) => {
  const questdb = { ...off.questdb, url: there, wire };
  const elsewhere = of && { retention: 0, questdb, ...of };
  closed = 0;
  expect(await asked(elsewhere, floor, from)).toBe(expected);
  expect(closed).toBe(1);
});

test('PostgreSQL is asked as well', async () => {
  const postgres = { ...off.postgres, url: 'postgres://127.0.0.1:1/plant' };
  expect(await asked({ retention: 1000, postgres }, 0, 0)).toBe(true);
});
