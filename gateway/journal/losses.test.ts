// Losses that belong together are told as one.
import { expect, test } from 'vitest';
import { Losses } from './losses.ts';

test('pieces of one consumer become one, with the whole range of times and every reason once', () => {
  const losses = new Losses();
  losses.add({ consumer: 'a', samples: 2, events: 3, from: 50, to: 60, reason: 'the journal was full' });
  losses.add({ consumer: 'b', samples: 1, from: 7, to: 7, reason: 'the journal was full' });
  losses.add({ consumer: 'a', samples: 3, events: 1, from: 20, to: 40, reason: 'the journal was full' });
  losses.add({ consumer: 'a', samples: 4, from: 70, to: 90, reason: 'files of the journal are damaged' });
  expect(losses.take()).toEqual([
    {
      ...{ consumer: 'a', samples: 9, events: 4, from: 20, to: 90 },
      reason: 'the journal was full; files of the journal are damaged',
    },
    { consumer: 'b', samples: 1, from: 7, to: 7, reason: 'the journal was full' },
  ]);
  expect(losses.take()).toEqual([]);
});
