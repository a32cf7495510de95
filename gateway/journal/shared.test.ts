// The ends of the journal in shared memory, read by another thread while they move.
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { publisher, readEnds, sharedEnds } from './shared.ts';

test('another thread never sees ends of two moments', async () => {
  const buffer = sharedEnds();
  const stop = new SharedArrayBuffer(4);
  const script = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ publisher }) => {
      const publish = publisher(workerData.buffer);
      const stop = new Int32Array(workerData.stop);
      let i = 0;
      do publish({ written: ++i, durable: i * 3, first: i * 5, generation: i * 7 });
      while (Atomics.load(stop, 0) === 0);
      parentPort.postMessage(i);
    });`;
  const module = new URL('./shared.ts', import.meta.url).href;
  const worker = new Worker(script, { eval: true, workerData: { buffer, module, stop } });
  const last = new Promise<number>((resolve) => worker.once('message', resolve));
  let before = 0;
  for (let seen = 0; seen < 300;) {
    const { written, durable, first, generation } = readEnds(buffer);
    expect([durable, first, generation]).toEqual([written * 3, written * 5, written * 7]);
    expect(written).toBeGreaterThanOrEqual(before);
    if (written !== before) seen++;
    // Until the thread is up.
    if (written === 0) await new Promise((resolve) => setImmediate(resolve));
    before = written;
  }
  Atomics.store(new Int32Array(stop), 0, 1);
  const ended = await last;
  expect(readEnds(buffer).written).toBe(ended);
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
