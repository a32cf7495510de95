// Rows that a store refused, in their file: kept with the reason, bounded, listed, and taken out once they are stored.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deadLetters, listDeadLetters, readDeadLetters, takeDeadLetters } from './dead-letters.ts';
import type { DeadLetter } from './dead-letters.ts';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'penstock-dead-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const letter = (n: number, table = 'readings', reason = 'refused'): DeadLetter => ({
  reason,
  table,
  at: n,
  row: { tag: 'n/pump/flow', timestamp: '2026-01-01T00:00:00.000001Z', value: n },
});
async function all<T>(of: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of of) found.push(each);
  return found;
}

test('letters come back as they were kept, per consumer, oldest first, with their reasons counted', async () => {
  await deadLetters(dir, 'postgres').append([letter(1), letter(2, 'readings', 'other table')]);
  await deadLetters(dir, 'postgres').append([letter(3)]);
  await deadLetters(dir, 'questdb').append([letter(9)]);
  expect(await all(readDeadLetters(dir, 'postgres'))).toEqual([
    letter(1),
    letter(2, 'readings', 'other table'),
    letter(3),
  ]);
  expect(await listDeadLetters(dir)).toMatchObject([
    {
      consumer: 'postgres',
      letters: 3,
      dropped: 0,
      oldest: 1,
      newest: 3,
      reasons: { refused: 2, 'other table': 1 },
    },
    { consumer: 'questdb', letters: 1 },
  ]);
  expect(await listDeadLetters(join(dir, 'nothing'))).toEqual([]);
});

test('the cap holds, and each letter is either kept or counted as dropped', async () => {
  const cap = 4000;
  let said = 0;
  for (let n = 0; n < 20; n++) {
    const some = Array.from({ length: n }, (_, i) => letter(n * 100 + i));
    said += await deadLetters(dir, 'postgres', cap).append(some);
    const [summary] = await listDeadLetters(dir);
    expect(summary?.bytes ?? 0).toBeLessThanOrEqual(cap);
  }
  const kept = await all(readDeadLetters(dir, 'postgres'));
  const [summary] = await listDeadLetters(dir);
  expect(summary?.dropped).toBeGreaterThan(0);
  expect(said).toBe(summary?.dropped);
  expect((summary?.dropped ?? 0) + kept.length).toBe(190);
  expect(kept.at(-1)).toEqual(letter(1918));
  expect(kept.map(({ at }) => at)).toEqual(kept.map(({ at }) => at).sort((a, b) => a - b));
});

test('a line cut by a crash is left out, and what comes behind it is read', async () => {
  await deadLetters(dir, 'postgres').append([letter(1)]);
  appendFileSync(join(dir, 'dead-letters', 'postgres.ndjson'), '{"reason":"half');
  await deadLetters(dir, 'postgres').append([letter(2)]);
  expect((await all(readDeadLetters(dir, 'postgres'))).map(({ at }) => at)).toEqual([1, 2]);
});

test('taken to be sent again: all once, and what is refused meanwhile is kept', async () => {
  const letters = deadLetters(dir, 'postgres');
  await letters.append([letter(1), letter(2, 'events'), letter(3)]);
  const cut = takeDeadLetters(dir, 'postgres');
  expect((await cut.letters.next()).value).toEqual(letter(1));
  await letters.append([letter(4)]);
  const whole = takeDeadLetters(dir, 'postgres');
  expect((await all(whole.letters)).map(({ at }) => at)).toEqual([1, 2, 3, 4]);
  await letters.append([letter(5)]);
  await whole.done();
  expect((await all(readDeadLetters(dir, 'postgres'))).map(({ at }) => at)).toEqual([5]);
});

test('what people edit is read as far as it can be, and what cannot is neither taken for nothing nor thrown away', async () => {
  await deadLetters(dir, 'postgres').append([letter(1)]);
  const file = join(dir, 'dead-letters', 'postgres.ndjson');
  const row = { tag: 'n/pump/flow', value: 7 };
  appendFileSync(
    file,
    `\uFEFF{"row":{"tag":"n/pump/flow","value":7}}\r\n\r\n{"row":"7"}\n{"at":1e300,"row":{}}\n{"half\n`,
  );
  const [summary] = await listDeadLetters(dir);
  expect(summary).toMatchObject({ letters: 3, unreadable: 2, oldest: 0, newest: 1, dropped: 0 });
  expect(summary?.reasons).toEqual({ refused: 1, 'no reason is given': 2 });
  const taken = takeDeadLetters(dir, 'postgres');
  expect((await all(taken.letters)).map((each) => each.row)).toEqual([letter(1).row, row, {}]);
  await taken.done();
  expect(readFileSync(file, 'utf8')).toBe('{"row":"7"}\n{"half\n');
});

test('only their owner may read the letters', async () => {
  await deadLetters(dir, 'postgres').append([letter(1)]);
  expect(statSync(join(dir, 'dead-letters', 'postgres.ndjson')).mode & 0o077).toBe(0);
});
