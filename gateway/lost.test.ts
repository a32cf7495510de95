// How often the log tells of what a consumer lost, on a manual clock.
import { expect, test } from 'vitest';
import { ManualClock } from './clock.ts';
import { sayLosses } from './lost.ts';

const minute = 60_000;

test('a loss is an error at once, what follows is one line every ten minutes, and then it is quiet', async () => {
  const clock = new ManualClock();
  const said: string[] = [];
  const never = (): void => expect.fail('a loss is an error');
  const error = (_detail: object, message: string): void => void said.push(message);
  const lost = sayLosses(clock, { debug: never, info: never, warn: never, error });
  const drop = (consumer: string, n: number) =>
    lost({ consumer, samples: n, from: n * 1e6, to: n * 1e6 + 999_999, reason: 'the journal was full' });
  const words = (consumer: string, samples: string, from: number, to: number): string =>
    `${consumer}: ${samples} between 1970-01-01T00:00:0${from}.000Z and 1970-01-01T00:00:0${to}.999Z will never get there: the journal was full`;
  drop('store', 1);
  expect(said.splice(0)).toEqual([words('store', '1 sample', 1, 1)]);
  drop('store', 2);
  drop('history', 5);
  drop('store', 3);
  expect(said.splice(0)).toEqual([words('history', '5 samples', 5, 5)]);
  await clock.advance(10 * minute);
  expect(said.splice(0)).toEqual([words('store', '5 samples', 2, 3)]);
  await clock.advance(60 * minute);
  expect(said).toEqual([]);
  drop('store', 4);
  expect(said.splice(0)).toEqual([words('store', '4 samples', 4, 4)]);
  lost({ consumer: 'other', samples: 0, events: 1, from: 1e6, to: 1_999_000, reason: 'the journal was full' });
  expect(said.splice(0)).toEqual([words('other', '1 event', 1, 1)]);
});
