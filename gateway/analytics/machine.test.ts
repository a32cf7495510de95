// An asset's status and comm state from its facts.
import { expect, test } from 'vitest';
import { assetState } from './machine.ts';
import type { AssetFacts } from './machine.ts';

const well: AssetFacts = { said: undefined, tags: 3, usable: 3, good: 3, answering: true, alarmed: false };

test.each<[string, Partial<AssetFacts>, string, string]>([
  ['all good', {}, 'operational', 'ok'],
  ['an alarm', { alarmed: true }, 'warning', 'ok'],
  ['its state tag decides, alarm or not', { said: 'maintenance', alarmed: true }, 'maintenance', 'ok'],
  ['one tag uncertain', { good: 2 }, 'operational', 'degraded'],
  ['no usable value, device answers', { usable: 0, good: 0 }, 'offline', 'degraded'],
  ['no device answers', { usable: 0, good: 0, answering: false }, 'offline', 'lost'],
  [
    'an old state tag does not hide the loss',
    { said: 'operational', usable: 0, good: 0, answering: false },
    'offline',
    'lost',
  ],
])('%s', (_, facts, status, comm) =>
  expect(assetState(undefined, { ...well, ...facts }, 5)).toEqual({ status, comm, since: 5 }),
);

test('nothing changed: the same state; only comm changed: since stays', () => {
  const before = assetState(undefined, well, 5);
  expect(assetState(before, well, 9)).toBe(before);
  expect(assetState(before, { ...well, good: 1 }, 9)).toEqual({ status: 'operational', comm: 'degraded', since: 5 });
  expect(assetState(before, { ...well, alarmed: true }, 9)).toMatchObject({ status: 'warning', since: 9 });
});
