// Which database is asked for what is not here, and for which times: of before the retention, the store, or a restore.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { beginAgain } from './embedded/file.ts';
import { sampleOf } from './embedded/testing.ts';
import { elsewhereOf, withDeep } from './elsewhere.ts';
import type { Elsewhere } from './elsewhere.ts';
import { HOUR, NOW, storeWith } from './contract/seams.ts';
import type { Seam } from './contract/seams.ts';

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

const named = () => ({ id: 'n/p/flow', type: 'double' }) as const;
/** Whether the question, from so many hours before now, went to the database, which is not there. */
async function asked(elsewhere: Elsewhere | undefined, seam: Seam, hours: number): Promise<boolean> {
  const { query, clock, close } = await storeWith([sampleOf(0, NOW - 1)], seam);
  const history = await withDeep(query, elsewhere, named, clock);
  const { incomplete } = await history.raw(0, NOW - hours * HOUR, NOW, 10);
  history.close();
  expect(() => query.floor()).toThrow();
  close();
  return incomplete !== undefined;
}

const DAY = 86_400_000;
test.each<[string, Partial<Elsewhere> | undefined, Seam, number, boolean]>([
  ['nowhere to ask', undefined, {}, 90, false],
  ['older than the retention', { retention: DAY }, {}, 30, true],
  ['within the retention', { retention: DAY }, {}, 20, false],
  ['within it, but from before the store was made', { retention: DAY }, { since: NOW - HOUR }, 2, true],
  ['since the store was made', { retention: DAY }, { since: NOW - 3 * HOUR }, 2, false],
])('%s', async (_name, of, seam, hours, expected) => {
  const questdb = { ...off.questdb, url: there, wire };
  expect(await asked(of && { retention: 0, questdb, ...of }, seam, hours)).toBe(expected);
});

test('a history out of a backup has all from now on, and is asked for elsewhere before that', async () => {
  const { query, dataDir, close } = await storeWith([sampleOf(0, NOW - 1)]);
  const begun = query.since();
  expect(begun).toBeLessThan(NOW);
  beginAgain(dataDir, NOW);
  expect(query.since()).toBe(NOW);
  close();
  expect(() => beginAgain(join(dataDir, 'empty'), NOW)).not.toThrow();
});

test('PostgreSQL is asked as well', async () => {
  const postgres = { ...off.postgres, url: 'postgres://127.0.0.1:1/plant' };
  expect(await asked({ retention: DAY, postgres }, {}, 30)).toBe(true);
});
