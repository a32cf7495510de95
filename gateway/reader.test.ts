// The reader thread's finished text says the same as its numbers, rounded, what held as its value and gaps as null.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
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
  const values: [number, number][] = [
    [93.5999984741211, 0],
    [93.80000305175781, 0],
    [93.80000305175781, 0x80310000],
    [1e15 + 0.125, 0],
  ];
  const samples = values.map(([value, status], i) => ({
    tag,
    t: from + i * 2 * minute,
    receivedAt: from,
    value,
    status,
    flags: 0,
  }));
  await writer.journal.durable(writer.journal.append({ origin: 'import', source: 'file', samples, events: [] }));
  const reader = await openReader({ dataDir: folder.path, open: writer.open, onDeath });
  const ask = async () => {
    const { t, columns } = await reader.bucketText([{ tag, places: 4 }], from, from + 8 * minute, minute);
    const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
    return { t: JSON.parse(decode(t)) as number[], ...(JSON.parse(`{${decode(columns[0])}}`) as object) };
  };
  const column = [93.6, 93.6, 93.8, 93.8, null, null, 1e15 + 0.125, 1e15 + 0.125];
  await expect
    .poll(ask)
    .toEqual({ t: column.map((_value, i) => from / 1000 + i * 60_000), min: column, avg: column, max: column });
  await reader.close();
  await writer.close();
  folder.remove();
});

test('a sample is in every answer while its chunk is still open, and a question called off ends', async () => {
  const folder = scratch();
  let calledOff = 0;
  const onDeath = (error: Error): void => expect.fail(error.message);
  const writer = await openWriter({ dataDir: folder.path, onDeath });
  const { indexes, revision } = await writer.assign([{ id: 'north/pump-1/mode', type: 'integer' }]);
  const tag = indexes.get('north/pump-1/mode') ?? -1;
  await writer.use([{ index: tag, id: 'north/pump-1/mode', type: 'integer' }], revision);
  const reader = await openReader({ dataDir: folder.path, open: writer.open, onDeath, onCalledOff: () => calledOff++ });
  const t = Date.now() * 1000;
  const sample = { tag, t, receivedAt: t, value: 3, status: 0, flags: 0 };
  await writer.journal.durable(
    writer.journal.append({ origin: 'live', source: 'line', samples: [sample], events: [] }),
  );
  await expect.poll(async () => (await reader.raw(tag, t, t + 1, 10)).value).toEqual([3]);
  const ask = { tags: [tag], from: t - 1_000_000, to: t + 1, width: 'year' as const, zone: 'Asia/Kolkata' };
  expect(await reader.aggregate(ask)).toMatchObject([{ tag, count: [1], last: [3] }]);
  expect((await reader.states([tag], t, t + 1, 5))[0]?.spans).toEqual([
    { from: t, to: t + 1, value: 3, quality: 'good' },
  ]);
  expect(await reader.limitTime([tag], t, t + 1, 2)).toEqual([{ tag, above: 1, below: 0, known: 1 }]);
  expect(await reader.latest([tag])).toEqual([{ tag, t, value: 3, status: 0 }]);
  await expect(reader.aggregate(ask, AbortSignal.abort())).rejects.toThrow(/abort/);
  const gone = new AbortController();
  const asked = reader.aggregate(ask, gone.signal);
  gone.abort();
  await expect(asked).rejects.toThrow(/abort/);
  await expect(reader.aggregate({ ...ask, zone: 'Nowhere' })).rejects.toThrow(RangeError);
  // A question that cannot cross to the thread is the caller's error, once: calling it off later rejects nothing more.
  const off = new AbortController();
  await expect(reader.aggregate({ ...ask, width: Object as never }, off.signal)).rejects.toThrow(/cloned/);
  off.abort();
  expect(calledOff).toBe(2);
  await reader.close();
  await writer.close();
  folder.remove();
});

test('a damaged chunk is told once, an answer without it says so in each of its forms', async () => {
  const folder = scratch();
  const onDeath = (error: Error): void => expect.fail(error.message);
  const writer = await openWriter({ dataDir: folder.path, onDeath });
  const tag = { id: 'north/pump-1/flow', type: 'double' as const };
  const { indexes, revision } = await writer.assign([tag]);
  const index = indexes.get(tag.id) ?? -1;
  await writer.use([{ index, ...tag }], revision);
  const from = Math.floor(Date.now() / 3_600_000 - 2) * 3_600_000_000;
  const samples = Array.from({ length: 100 }, (_none, i) => {
    const t = from + i * 1_000_000;
    return { tag: index, t, receivedAt: t, value: i, status: 0, flags: 0 };
  });
  await writer.journal.durable(writer.journal.append({ origin: 'import', source: 'file', samples, events: [] }));
  await writer.close();
  const db = new DatabaseSync(join(folder.path, 'history.db'));
  expect(db.prepare('UPDATE chunk SET data = zeroblob(9)').run().changes).toBe(1);
  db.close();
  const told: string[] = [];
  const reader = await openReader({ dataDir: folder.path, onDeath, onDamage: (what) => told.push(what) });
  const to = from + 60_000_000;
  const form = { format: 'csv' as const, tag: tag.id, unit: '', zone: 'UTC' };
  const answers = [
    await reader.rows(index, from, to, 100, form),
    await reader.bucketText([{ tag: index, places: 1 }], from, to, 1_000_000),
    ...(await reader.buckets([index], from, to, 1_000_000)),
  ];
  const said = /^the samples of north\/pump-1\/flow from .* are damaged on disk and left out: penstock history verify/;
  for (const { incomplete } of answers) expect(incomplete).toMatch(said);
  expect(told).toEqual([expect.stringMatching(said)]);
  await reader.close();
  folder.remove();
});
