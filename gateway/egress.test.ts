// The egress thread over a real journal and a real file: what is appended on main arrives once, whatever dies in between.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Egress, EgressOptions } from './egress.ts';
import { forwardToFile, forwarded } from './test/forward.ts';
import { folder } from './test/folder.ts';
import { eventually } from './test/rig.ts';
import { openWriter } from './writer.ts';
import type { Writer } from './writer.ts';

const id = 'north/pump-1/flow';
/** Young enough for any retention. */
const base = (Math.floor(Date.now() / 3_600_000) - 1) * 3_600_000_000;

async function open(
  dataDir: string,
  journalCap?: number,
): Promise<{ writer: Writer; append(from: number, to: number): Promise<void> }> {
  const writer = await openWriter({ dataDir, journalCap, onDeath: (error) => expect.fail(error.message) });
  onTestFinished(() => writer.close());
  const { indexes, revision } = await writer.assign([{ id, type: 'double' }]);
  const tag = indexes.get(id) ?? -1;
  await writer.use([{ index: tag, id, type: 'double' }], revision);
  return {
    writer,
    async append(from, to) {
      let seq = 0;
      for (let n = from; n < to; n += 10) {
        const samples = Array.from({ length: 10 }, (_, i) => ({
          ...{ tag, t: base + (n + i) * 1000, receivedAt: Date.now() * 1000 },
          ...{ value: n + i, status: 0, flags: 0 },
        }));
        seq = writer.journal.append({ origin: 'live', source: 'line', samples, events: [] });
      }
      await writer.journal.durable(seq);
    },
  };
}
async function forward(dataDir: string, writer: Writer, more: Partial<EgressOptions> = {}): Promise<Egress> {
  const egress = await forwardToFile(dataDir, writer, { onDeath: (error) => expect.fail(error.message), ...more });
  onTestFinished(() => egress.close());
  return egress;
}
function numbersIn(path: string): number[] {
  const { numbers, wrong } = forwarded(path, base);
  expect(wrong).toBe(0);
  return numbers;
}
const upTo = (n: number, from = 0): number[] => Array.from({ length: n - from }, (_, i) => from + i);
const settledAt = (writer: Writer, delivered: number) =>
  eventually(
    async () => (await writer.stats()).accounts.file,
    (account) => account?.delivered === delivered && account.backlog.frames === 0,
  );

test('arrives in the file once, through restarts of both threads, also when the file was moved away', async () => {
  const dataDir = folder();
  const out = join(dataDir, 'out.ndjson');
  const first = await open(dataDir);
  const egress = await forward(dataDir, first.writer);
  await first.append(0, 500);
  expect(await settledAt(first.writer, 500)).toMatchObject({ journalled: 500, dropped: 0 });
  await eventually(
    () => egress.health().forwards.file,
    (health) => health?.lastSuccess !== undefined && health.oldest === undefined,
  );
  await egress.close();
  await first.append(500, 600);
  await first.writer.close();
  expect(numbersIn(out)).toEqual(upTo(500));

  const second = await open(dataDir);
  await forward(dataDir, second.writer);
  await second.append(600, 700);
  expect(await settledAt(second.writer, 700)).toMatchObject({ journalled: 700, dropped: 0 });
  expect(numbersIn(out)).toEqual(upTo(700));
  // As logrotate does it.
  renameSync(out, `${out}.1`);
  await second.append(700, 800);
  await settledAt(second.writer, 800);
  expect(numbersIn(out)).toEqual(upTo(800, 700));
});

test('a thread that dies again and again loses nothing and stores nothing twice', async () => {
  const dataDir = folder();
  const { writer, append } = await open(dataDir);
  const deaths: string[] = [];
  // It reports each second, so it is taken for dead soon after each start.
  await forward(dataDir, writer, { silence: 300, onDeath: (error) => deaths.push(error.message) });
  let n = 0;
  while (deaths.length < 3) await append(n, (n += 200));
  expect(await settledAt(writer, n)).toMatchObject({ journalled: n, filtered: 0, deadLettered: 0, dropped: 0 });
  expect(numbersIn(join(dataDir, 'out.ndjson'))).toEqual(upTo(n));
  expect(deaths[0]).toBe('the egress thread said nothing for 0.3 s');
}, 30_000);

test('a store that cannot take anything is said, keeps what it is owed, and holds up nobody', async () => {
  const dataDir = folder();
  const { writer, append } = await open(dataDir);
  writeFileSync(join(dataDir, 'taken'), '');
  const egress = await forward(dataDir, writer, {
    forward: { rate: 10_000, timeout: 5000, file: { path: 'taken/out.ndjson' } },
    names: ['file', 'nowhere'],
  });
  await append(0, 100);
  const health = await eventually(
    () => egress.health().forwards.file,
    (found) => (found?.tries ?? 0) > 0,
  );
  expect(health?.lastError).toMatch(/^ENOTDIR/);
  expect(egress.health().forwards.nowhere?.trouble).toMatch(/knows no forwarder "nowhere"; correct forward.nowhere/);
  expect((await writer.stats()).accounts.file).toMatchObject({ delivered: 0, backlog: { samples: 100 } });
  await eventually(
    async () => (await writer.stats()).account.delivered,
    (delivered) => delivered === 100,
  );
});

test('a forwarder that is not configured any more is let go, once', async () => {
  const dataDir = folder();
  const first = await open(dataDir);
  await first.writer.attach(['file', 'elsewhere']);
  await first.append(0, 10);
  await first.writer.close();
  const second = await open(dataDir);
  expect(await second.writer.attach(['elsewhere'])).toMatchObject({
    accounts: { elsewhere: { journalled: 10, backlog: { samples: 10 } } },
    released: [{ name: 'file', samples: 10 }],
  });
  expect((await second.writer.attach(['elsewhere'])).released).toEqual([]);
  expect(Object.keys((await second.writer.stats()).accounts)).toEqual(['historian', 'elsewhere']);
});

test('history waits while a store elsewhere is far behind, and goes on when that is let go', async () => {
  const dataDir = folder();
  const { writer, append } = await open(dataDir, 60_000);
  await writer.attach(['elsewhere']);
  await append(0, 6000);
  const { backlog, dropped } = (await writer.stats()).accounts.elsewhere ?? {};
  expect(backlog?.bytes).toBeGreaterThan(30_000);
  expect(dropped).toBe(0);
  let roomy = false;
  const room = writer.journal.room(new AbortController().signal).then(() => (roomy = true));
  await eventually(
    async () => (await writer.stats()).account.delivered,
    (delivered) => delivered === 6000,
  );
  expect(roomy).toBe(false);
  await writer.attach([]);
  await room;
});
