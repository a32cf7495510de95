// Finding the rows that a server refuses among those it takes, with and without its help. Property test.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Encoder, Lines } from './lines.ts';
import { sendAll } from './refused.ts';
import { frameOf, tagOf } from './testing.ts';

/** A server that refuses a request with any bad row in it, and may say which, rightly or wrongly. */
async function against(bad: readonly boolean[], hint: (rows: number[]) => number | undefined): Promise<unknown> {
  const lines = new Lines<number>('readings_integer');
  const encoder = new Encoder();
  for (const i of bad.keys()) encoder.sample(lines, tagOf(0, 'a/b'), frameOf(1, [{ t: i }]).samples[0]!, BigInt(i), i);
  const stored: number[] = [];
  const refused: number[] = [];
  let requests = 0;
  await sendAll(
    lines,
    (bytes) => {
      requests++;
      const rows = [
        ...Buffer.from(bytes)
          .toString()
          .matchAll(/ (\d+)t\n/g),
      ].map((match) => Number(match[1]));
      const wrong = rows.filter((row) => bad[row]);
      if (wrong.length === 0) stored.push(...rows);
      const line = hint(rows);
      return Promise.resolve(
        wrong.length === 0 ? { ok: true } : { ok: false, reason: 'no', ...(line === undefined ? {} : { line }) },
      );
    },
    ({ of }) => void refused.push(of),
  );
  return { stored, refused, requests };
}
const split = (bad: readonly boolean[]): { stored: number[]; refused: number[] } => ({
  stored: [...bad.keys()].filter((i) => !bad[i]),
  refused: [...bad.keys()].filter((i) => bad[i]),
});

test('whatever the server says or hides: bad rows alone are refused, the others stored once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { maxLength: 40 }),
      fc.option(fc.integer({ min: -3, max: 50 }), { nil: undefined }),
      async (bad, line) => {
        expect(await against(bad, () => line)).toMatchObject(split(bad));
      },
    ),
    { numRuns: 200 },
  );
});

test('with the row named, one bad row among 5,000 costs four requests; without, some thirty', async () => {
  const bad = Array.from({ length: 5000 }, (_, i) => i === 3210);
  const right = (rows: number[]): number => rows.indexOf(3210) + 1;
  expect(await against(bad, right)).toMatchObject({ ...split(bad), requests: 4 });
  const { requests } = (await against(bad, () => undefined)) as { requests: number };
  expect(requests).toBeLessThan(32);
});
