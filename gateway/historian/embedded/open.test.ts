// The shared memory of open samples: whatever goes in comes out, and a thread that reads meanwhile never sees half.
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Sample, Value } from '../../model.ts';
import { Filling } from './filling.ts';
import { Field, OpenColumns, openMemory, readOpen } from './open.ts';
import { valueAt } from './series.ts';

const sample = (tag: number, t: number, value: Value, status = 0, flags = 0): Sample => ({
  tag,
  t,
  receivedAt: 0,
  value,
  status,
  flags,
});
const value = fc.oneof(
  { weight: 5, arbitrary: fc.double() },
  fc.constantFrom<Value>(null, true, false, -0, '', 'é\n', 2n ** 62n, -(2n ** 63n), 2n ** 70n, 'x'.repeat(3000)),
);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ tag: fc.nat(2), ahead: fc.integer({ min: -30, max: 60 }), value, n: fc.nat(90) }),
  },
  fc.record({ tag: fc.nat(2), keep: fc.nat(200) }),
);

test('whatever goes in is read in time order, the last word for each time, until it is taken out; no block is lost', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = openMemory(1 << 20);
      const filling = new Filling(memory);
      const columns = new OpenColumns(memory);
      const model = [new Map<number, Sample>(), new Map<number, Sample>(), new Map<number, Sample>()];
      for (const each of steps) {
        const kept = model[each.tag] as Map<number, Sample>;
        if ('keep' in each) {
          const run = filling.count(each.tag, Field.run);
          const late = filling.count(each.tag, Field.late);
          const gone = late > 0 ? run : Math.max(0, run - each.keep);
          const series = late > 0 ? undefined : filling.run(each.tag, gone);
          filling.remove(each.tag, gone, filling.count(each.tag, Field.late));
          if (late > 0) kept.clear();
          else for (const t of series?.t ?? []) kept.delete(t);
          continue;
        }
        const newest = Math.max(1000, ...kept.keys());
        for (let i = 0; i <= each.n; i++) {
          const one = sample(each.tag, newest + each.ahead + i, each.value, 0x80000000 + i, i % 256);
          expect(filling.add(one)).toBe(true);
          kept.set(one.t, one);
        }
      }
      for (const [tag, kept] of model.entries()) {
        const series = readOpen(columns, tag);
        const expected = [...kept.values()].sort((a, b) => a.t - b.t);
        expect(series?.n ?? 0).toBe(expected.length);
        for (const [i, { t, value, status, flags }] of expected.entries()) {
          if (!series) break;
          expect([series.t[i], series.status[i], series.flags[i]]).toEqual([t, status, flags]);
          expect(valueAt(series, i)).toEqual(value);
        }
        filling.remove(tag, filling.count(tag, Field.run), filling.count(tag, Field.late));
      }
      expect(filling.used).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test('full memory refuses a sample and takes it when there is room again', () => {
  const filling = new Filling(openMemory(10_000));
  let t = 0;
  while (filling.add(sample(1, ++t, t))) expect(t).toBeLessThan(10_000);
  expect(filling.used).toBe(filling.blocks);
  expect(filling.add(sample(1, t, 'text'))).toBe(false);
  filling.remove(1, 200, 0);
  expect(filling.add(sample(1, t, 'text'))).toBe(true);
  expect(filling.count(1, Field.run)).toBe(t - 200);
});

test('a thread that reads all the time sees every sample whole, in order and without a gap', async () => {
  const memory = openMemory(1 << 20);
  const filling = new Filling(memory);
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    void (async () => {
      const { OpenColumns, readOpen } = await import(workerData.open);
      const columns = new OpenColumns(workerData.memory);
      let reads = 0;
      let newest = 0;
      const wrong = [];
      parentPort.postMessage('up');
      for (let more = true; more; reads++) {
        const series = readOpen(columns, 7);
        if (!series) continue;
        for (let i = 0; i < series.n; i++)
          if (series.values.v[i] !== series.t[i] * 2 || (i > 0 && series.t[i] !== series.t[i - 1] + 1))
            wrong.push([i, series.n, series.t[i], series.values.v[i]]);
        if (series.t[series.n - 1] < newest) wrong.push(['back', newest]);
        newest = series.t[series.n - 1];
        more = newest < workerData.last && wrong.length === 0;
      }
      parentPort.postMessage({ reads, wrong });
    })();`;
  const last = 400_000;
  const open = new URL('./open.ts', import.meta.url).href;
  const worker = new Worker(script, { eval: true, workerData: { memory, open, last } });
  await new Promise((resolve) => worker.once('message', resolve));
  const answer = new Promise<{ reads: number; wrong: unknown[] }>((resolve) => worker.once('message', resolve));
  for (let t = 1; t <= last; t++) {
    if (!filling.add(sample(7, t, t * 2))) expect.fail('the memory is full');
    if (filling.count(7, Field.run) > 700) filling.remove(7, 200 + (t % 300), 0);
  }
  const { reads, wrong } = await answer;
  expect(wrong).toEqual([]);
  expect(reads).toBeGreaterThan(10);
  await worker.terminate();
}, 20_000);
