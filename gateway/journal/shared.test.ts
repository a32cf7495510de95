import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { publisher, readEnds, sharedEnds } from './shared.ts';

test('another thread never sees ends of two moments', async () => {
  const buffer = sharedEnds();
  const script = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ publisher }) => {
      const publish = publisher(workerData.buffer);
      for (let i = 1; i <= 200000; i++) publish({ written: i, durable: i * 3, first: i * 5, generation: i * 7 });
      parentPort.postMessage('done');
    });`;
  const module = new URL('./shared.ts', import.meta.url).href;
  const worker = new Worker(script, { eval: true, workerData: { buffer, module } });
  let done = false;
  worker.once('message', () => (done = true));
  let seen = 0;
  let last = 0;
  while (!done) {
    for (let i = 0; i < 2000; i++) {
      const { written, durable, first, generation } = readEnds(buffer);
      expect([durable, first, generation]).toEqual([written * 3, written * 5, written * 7]);
      expect(written).toBeGreaterThanOrEqual(last);
      if (written !== last) seen++;
      last = written;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(readEnds(buffer).written).toBe(200_000);
  expect(seen).toBeGreaterThan(10);
  await worker.terminate();
});

test('what has not changed is not published again', () => {
  const buffer = sharedEnds();
  const publish = publisher(buffer);
  publish({ written: 2 ** 40, durable: 1, first: 1, generation: 0 });
  const before = new BigInt64Array(buffer.slice(0));
  publish({ written: 2 ** 40, durable: 1, first: 1, generation: 0 });
  expect(new BigInt64Array(buffer.slice(0))).toEqual(before);
  expect(readEnds(buffer).written).toBe(2 ** 40);
});
