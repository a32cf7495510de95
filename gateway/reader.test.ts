// The reader thread's finished text says the same as its numbers, rounded, gaps as null.
import { expect, test } from 'vitest';
import { openReader } from './reader.ts';
import { scratch } from './test/rig.ts';
import { openWriter } from './writer.ts';

test('columns as text are the buckets, rounded to their places', async () => {
  const folder = scratch();
  const onDeath = (error: Error): void => expect.fail(error.message);
  const writer = await openWriter({ dataDir: folder.path, onDeath });
  const { indexes, revision } = await writer.assign([{ id: 'north/pump-1/flow', type: 'double' }]);
  const tag = indexes.get('north/pump-1/flow') ?? -1;
  await writer.use([{ index: tag, id: 'north/pump-1/flow', type: 'double' }], revision);
  const minute = 60_000_000;
  const from = Math.floor(Date.now() / 60_000 - 10) * minute;
  const values = [93.5999984741211, 93.80000305175781, 1e15 + 0.125];
  const samples = values.map((value, i) => ({
    tag,
    t: from + i * 2 * minute,
    receivedAt: from,
    value,
    status: 0,
    flags: 0,
  }));
  await writer.journal.durable(writer.journal.append({ origin: 'import', source: 'file', samples, events: [] }));
  const reader = await openReader({ dataDir: folder.path, open: writer.open, onDeath });
  const ask = async () => {
    const { t, columns } = await reader.bucketText([{ tag, places: 4 }], from, from + 6 * minute, minute);
    const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
    return { t: JSON.parse(decode(t)) as number[], ...(JSON.parse(`{${decode(columns[0])}}`) as object) };
  };
  const column = [93.6, null, 93.8, null, 1e15 + 0.125, null];
  await expect
    .poll(ask, { timeout: 5000 })
    .toEqual({ t: [0, 1, 2, 3, 4, 5].map((i) => from / 1000 + i * 60_000), min: column, avg: column, max: column });
  await reader.close();
  await writer.close();
  folder.remove();
});
