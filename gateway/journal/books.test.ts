// What a consumer's books store while a write is only partly durable. No file is read: its ends are given.
import { expect, test } from 'vitest';
import { Books, noneStored } from './books.ts';
import { numbered } from './testing.ts';

const books = (): Books =>
  new Books({ owed: [{ from: 1, to: Infinity }], ...noneStored(), dropped: 0, since: 0, before: noneStored() }, false);

test('a write that is not durable as a whole is stored as owed as a whole, with its counts', () => {
  const it = books();
  const metas = [1, 2, 3, 4].map((seq) => numbered(seq).meta);
  for (const { samples, size } of metas) it.add(samples, size);
  it.deliver(metas.slice(0, 1), 3, 1000);
  it.deliver(metas.slice(1, 3), 3, 2000, { delivered: 2, filtered: 1, deadLettered: 1 });
  expect(it.account(8)).toMatchObject({
    delivered: 4,
    filtered: 1,
    deadLettered: 1,
    owed: [{ from: 4, to: Infinity }],
  });
  expect(it.position(3)).toMatchObject({
    delivered: 2,
    filtered: 0,
    deadLettered: 0,
    owed: [{ from: 2, to: Infinity }],
  });
  expect(it.position(4)).toMatchObject({
    delivered: 4,
    filtered: 1,
    deadLettered: 1,
    owed: [{ from: 4, to: Infinity }],
  });
});
