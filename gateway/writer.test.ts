// The writer and reader threads together over a real folder: what main appends is in history, and losses are told.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Drop } from './journal/consumers.ts';
import type { Account } from './journal/log.ts';
import { openReader } from './reader.ts';
import { openWriter } from './writer.ts';

test('what is appended on main is in history, through both threads and over a restart', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-writer-'));
  const failed = (error: Error): void => expect.fail(error.message);
  const now = Date.now() * 1000;
  let last = 0;
  const event = { kind: 'clock' as const, id: 'e1', time: 1, message: 'set back' };
  const none = { made: 0, rejected: 0, filtered: 0, shed: 0, merged: 0 };
  const counts = (round: number) => ({ received: 100 * (round + 1), journalled: 100 * (round + 1), ...none });
  for (const round of [0, 1]) {
    const writer = await openWriter({ dataDir: dir, onDeath: failed });
    const { indexes, revision } = await writer.assign([{ id: 'n/a', type: 'double' }]);
    const index = indexes.get('n/a') as number;
    await writer.use([{ index, id: 'n/a', type: 'double' }], revision);
    expect(await writer.loadAlarms()).toEqual({
      snapshot: round === 0 ? undefined : { round: 0 },
      events: round === 0 ? [] : [event],
      trouble: '',
    });
    expect([...writer.ledgers]).toEqual(round === 0 ? [] : [['line', counts(0)]]);
    await writer.saveAlarms({ round });
    const samples = Array.from({ length: 100 }, (_, i) => ({
      tag: index,
      t: now - i * 1_000_000 - round * 500_000,
      receivedAt: now,
      value: i,
      status: 0,
      flags: 0,
    }));
    const seq = writer.journal.append({
      origin: 'live',
      source: 'line',
      samples,
      events: [event],
      counts: counts(round),
    });
    expect(seq).toBeGreaterThan(last);
    last = seq;
    await writer.journal.durable(seq);
    const reader = await openReader({ dataDir: dir, open: writer.open, onDeath: failed });
    await expect.poll(async () => (await reader.raw(index, now - 1e9, now + 1, 1000)).t.length).toBe(100 * (round + 1));
    const [buckets] = await reader.buckets([index], now - 1e9, now + 1, 60_000_000);
    expect(buckets?.n.reduce((a, b) => a + b, 0)).toBe(100 * (round + 1));
    expect((await reader.latest([index]))[0]?.t).toBe(now);
    const stopped = AbortSignal.abort();
    await expect(reader.raw(index, 0, now, 10, stopped)).rejects.toThrow();
    await expect(reader.raw(index, 0, now, 0)).rejects.toThrow(RangeError);
    expect((await writer.stats()).account).toMatchObject({
      journalled: 100 * (round + 1),
      delivered: 100 * (round + 1),
      dropped: 0,
    });
    expect((await writer.ledger()).sources.get('line')).toMatchObject({ counted: 100 * (round + 1) });
    await reader.close();
    await writer.close();
  }
  rmSync(dir, { recursive: true, force: true });
}, 15_000);

test('what a consumer loses because the journal is full is told once it happens, with its times', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-writer-'));
  const writer = await openWriter({
    dataDir: dir,
    journalCap: 64 * 1024,
    onDeath: (error) => expect.fail(error.message),
  });
  await writer.attach(['slow']);
  let given = 0;
  for (let i = 0; i < 40; i++) {
    const samples = Array.from({ length: 500 }, (_, k) => {
      const n = given++;
      return { tag: k, t: n * 1000, receivedAt: n * 1000, value: Math.sin(n), status: 0, flags: 0 };
    });
    writer.journal.append({ origin: 'import', source: 'import', samples, events: [] });
  }
  const drops: Drop[] = [];
  writer.onDrop((drop) => drops.push(drop));
  await expect.poll(() => drops.find(({ consumer }) => consumer === 'slow'), { timeout: 5000 }).toBeDefined();
  const { dropped, backlog, journalled, lost } = (await writer.stats()).accounts.slow as Account;
  expect(drops.filter(({ consumer }) => consumer === 'slow')).toEqual([
    { consumer: 'slow', samples: dropped, ...lost, reason: 'the journal was full' },
  ]);
  expect(dropped + backlog.samples).toBe(journalled);
  await writer.close();
  rmSync(dir, { recursive: true, force: true });
});
