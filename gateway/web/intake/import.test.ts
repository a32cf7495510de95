// A file on its way in: what waits for the disk and what does not, and what is known to be stored at each checkpoint.
import { expect, test } from 'vitest';
import { Catalog } from '../../catalog.ts';
import { systemClock } from '../../clock.ts';
import { takeIn } from './import.ts';
import type { Checkpoint, IntakeOptions } from './import.ts';

const id = 'a/p/flow';
const catalog = new Catalog(
  {
    ...{ enterprise: 'e', metrics: [], devices: [] },
    tags: [
      {
        ...{ id, site: 'a', asset: 'a/p', metric: 'flow', name: 'Flow', type: 'double', unit: '', decimals: 1 },
        ...{ device: 'd', interval: 1000, address: {} },
      },
    ],
    sites: [{ id: 'a', name: 'A', location: '', timezone: 'UTC' }],
    assets: [{ path: 'a/p', site: 'a', name: 'P', kind: 'pump', line: null }],
  },
  new Map([[id, 0]]),
  1,
);
const lines = (count: number, tag = id): Buffer =>
  Buffer.from(
    Array.from({ length: count }, (_none, k) => `{"tag":"${tag}","timestamp":${1e12 + k},"value":${k}}\n`).join(''),
  );
const ask = { origin: 'import', nulls: 'reject', allowOutOfRange: false, dry: false, before: 0 } as const;

/** An intake whose disk confirms nothing until it is told to. */
function intake() {
  const disk = Promise.withResolvers<void>();
  const reached: Checkpoint[] = [];
  let filed = 0;
  let told = 0;
  const options: IntakeOptions = {
    clock: systemClock,
    catalog: () => catalog,
    file: (_origin, readings) => ({ accepted: readings.length, rejected: 0, shed: 0, seq: (filed += readings.length) }),
    reject: (_origin, count) => void (told += count),
    room: () => Promise.resolve(),
    durable: () => disk.promise,
    ahead: 0,
    kept: () => -1e15,
  };
  const take = (body: Buffer) => {
    const parts = (async function* () {
      await Promise.resolve();
      for (let at = 0; at < body.length; at += 65_536) yield body.subarray(at, at + 65_536);
    })();
    return takeIn(options, parts, ask, new AbortController().signal, (at) => Promise.resolve(void reached.push(at)));
  };
  return { take, reached, confirm: disk.resolve, filed: () => filed, told: () => told };
}

test('lines are read on while the disk confirms those before; nothing is called stored until it has', async () => {
  const { take, reached, confirm, filed } = intake();
  const done = take(lines(40_000));
  await expect.poll(filed, { timeout: 10_000 }).toBe(40_000);
  expect(reached).toEqual([]);
  confirm();
  expect(await done).toMatchObject({ accepted: 40_000, lines: 40_000, lastSeq: 40_000 });
  const accepted = reached.map((each) => each.accepted);
  expect(accepted).toEqual([...accepted].sort((a, b) => a - b));
  expect(accepted.at(-1)).toBe(40_000);
});

test('another header ends the import with its line; what stands above it is filed and stored', async () => {
  const { take, confirm, filed } = intake();
  const file = ['time,a/p/flow,note', '2001-01-01T00:00:00Z,1,', 'time,note,a/p/flow', '2001-01-01T00:00:01Z,2,3'];
  const done = take(Buffer.from(file.join('\n')));
  await expect.poll(filed, { timeout: 10_000 }).toBe(1);
  confirm();
  await expect(done).rejects.toThrow('line 3: this is a header with other columns');
  expect(filed()).toBe(1);
});

test('rejected lines that nobody has been told of yet are not heaped up', async () => {
  const { take, reached, confirm, told } = intake();
  const done = take(Buffer.concat([lines(1000), lines(40_000, 'a/p/gone')]));
  await expect.poll(told, { timeout: 10_000 }).toBeGreaterThan(1000);
  for (let turns = 0; turns < 500; turns++) await new Promise((resolve) => setImmediate(resolve));
  expect(told()).toBeLessThan(5000);
  confirm();
  expect(await done).toMatchObject({ accepted: 1000, rejected: 40_000 });
  expect(reached.flatMap(({ faults }) => faults)).toHaveLength(40_000);
});
