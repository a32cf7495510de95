// What every forwarder stores: values, times, names, corrections and events come back as they were. Called by contract.ts.
import { expect, test } from 'vitest';
import type { Consumer } from '../../consumer.ts';
import { Status } from '../../model.ts';
import type { Alarm, GatewayEvent, Value } from '../../model.ts';
import { eventRow } from '../events.ts';
import type { EventRow } from '../events.ts';
import { START, frame, never, sample, tags, until } from './bed.ts';
import type { ContractTag, ForwarderBed } from './bed.ts';

/** @param bedOf the bed, once the tests run */
export function storedTests(bedOf: () => ForwarderBed): void {
  const fresh = async (): Promise<Consumer> => {
    await bedOf().clear();
    return bedOf().forwarder(tags);
  };

  test('values and times come back as they were', async () => {
    const consumer = await fresh();
    const given: [tag: number, value: Value, status: number][] = [
      ...[0, -0, 0.1, -1.5e-300, 5e-324, Number.MAX_VALUE, -7, 1e21, Number.NaN, Infinity, -Infinity].map(
        (value): [number, Value, number] => [0, value, Status.good],
      ),
      [0, null, Status.badCommunication],
      [0, 3.25, Status.uncertainLastUsable],
      [0, 1, 0xffff_ffff],
      ...[0, -1, Number.MAX_SAFE_INTEGER, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n) + 1n, -(2n ** 63n)].map(
        (value): [number, Value, number] => [2, value, Status.good],
      ),
      [2, 2n ** 64n - 1n, Status.good],
      [2, null, Status.badDeviceFailure],
      ...[
        '',
        'NULL',
        'it\'s "quoted"',
        'a,b={c}; \\ \\n',
        'two\nlines\r\nand\ttab',
        'Größe µ 温度 🌡',
        ' space ',
        'x'.repeat(20_000),
      ].map((value): [number, Value, number] => [3, value, Status.good]),
      [3, null, Status.bad],
      [4, true, Status.good],
      [4, false, Status.good],
      [4, null, Status.bad],
    ];
    const samples = given.map(([tag, value, status], i) => sample(tag, START + i, value, status));
    await consumer.write([frame(1, samples)], never());
    const { reads } = bedOf();
    const found = new Map((await bedOf().rows()).map((row) => [row.t, row]));
    expect(found.size).toBe(given.length);
    for (const { tag, t, value, status } of samples) {
      const { id, type } = tags[tag] as ContractTag;
      const kept = reads ? reads(value, type) : value;
      const row = found.get(t);
      expect([t - START, row?.tag, row?.status]).toEqual([t - START, id, status]);
      if (row?.table === 'readings_text') expect(row.value).toBe(kept === null ? null : String(kept));
      else if (row?.table === 'readings_integer') expect(row.value).toBe(kept === null ? null : BigInt(kept));
      else expect(row?.value).toBe(kept === null ? null : Number(kept));
    }
    await consumer.close();
  });

  test('any day is taken, each sample under its own microsecond', async () => {
    const consumer = await fresh();
    const times = [
      ['1990-01-01T00:00:00Z', 0],
      ['2024-02-29T23:59:59.999Z', 999],
      ['2024-03-01T00:00:00Z', 0],
      ['2025-03-30T01:30:00.123Z', 456],
      ['2025-10-26T00:30:00Z', 1],
      ['2026-12-31T23:59:59.999Z', 999],
    ].map(([text, micros]) => Date.parse(String(text)) * 1000 + Number(micros));
    await until(consumer, [
      frame(
        1,
        times.map((t, i) => sample(0, t, i)),
      ),
    ]);
    const found = (await bedOf().rows()).map(({ t, value }) => [t, value]);
    expect(found.sort((a, b) => Number(a[1]) - Number(b[1]))).toEqual(times.map((t, i) => [t, i]));
    await consumer.close();
  });

  test('two sites with the same asset names stay apart, and each part of a name has its column', async () => {
    const consumer = await fresh();
    await consumer.write([frame(1, [sample(0, START, 1), sample(1, START, 2), sample(2, START, 3)])], never());
    const rows = (await bedOf().rows()).sort((a, b) => Number(a.value) - Number(b.value));
    expect(rows.map(({ tag, site, asset, metric, value }) => [tag, site, asset, metric, Number(value)])).toEqual([
      ['north/pump-1/flow', 'north', 'north/pump-1', 'flow', 1],
      ['south/pump-1/flow', 'south', 'south/pump-1', 'flow', 2],
      ['north/line-2/pump-1/count', 'north', 'north/line-2/pump-1', 'count', 3],
    ]);
    await consumer.close();
  });

  test('a later correction wins, also when live frames were sent before the backlog', async () => {
    const consumer = await fresh();
    const live = Array.from({ length: 8 }, (_, i) => frame(i + 1, [sample(0, START + i, i)]));
    const correction = frame(
      9,
      live.map((_, i) => sample(0, START + i, 100 + i)),
      [],
      'import',
    );
    const values = async (): Promise<Value[]> =>
      (await bedOf().rows()).sort((a, b) => a.t - b.t).map(({ value }) => value);
    await until(consumer, live.slice(4));
    await until(consumer, live.slice(0, 4));
    await until(consumer, [correction]);
    const corrected = live.map((_, i) => 100 + i);
    expect(await values()).toEqual(corrected);
    // After a crash: the same once more, and both in one write.
    await until(consumer, [...live, correction]);
    expect(await values()).toEqual(corrected);
    await consumer.close();
  });

  test('an event is there once, with its columns and as a whole', async () => {
    const consumer = await fresh();
    const alarm: Alarm = {
      key: 'north/pump-1/flow',
      name: 'flow',
      site: 'north',
      asset: 'north/pump-1',
      tag: 'north/pump-1/flow',
      kind: 'limit',
      level: 'h',
      severity: 'high',
      active: true,
      unacked: true,
      event: 'e1',
      raisedAt: START / 1000,
      message: 'it said "too\thigh"\n\\ really, 温度',
    };
    const events: GatewayEvent[] = [
      { kind: 'alarm', id: 'e1-1', time: START / 1000, transition: 'raise', alarm },
      { kind: 'alarm', id: 'e1-2', time: START / 1000, transition: 'ack', alarm: { ...alarm, ackedBy: 'ada' } },
      { kind: 'device', id: 'd-1', time: START / 1000 + 1, device: 'plc', state: 'offline', reason: 'it\'s "gone"' },
      { kind: 'clock', id: 'e-1', time: START / 1000 + 2, tag: 'south/pump-1/flow', message: 'the clock stands' },
      {
        ...{ kind: 'loss', id: 'f-1', time: START / 1000 + 3, consumer: 'questdb' },
        ...{ samples: 3, from: 1, to: 2, reason: 'full' },
      },
      {
        ...{ kind: 'state', id: 'g-1', time: START / 1000 + 4, asset: 'north/pump-1' },
        state: { status: 'down', comm: 'ok', since: 5 },
      },
    ];
    const frames = [frame(1, [sample(0, START, 1)], events)];
    await until(consumer, frames);
    await until(consumer, frames);
    const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
    const found = (await bedOf().events()).sort(byId);
    const parsed = (row: EventRow) => ({ ...row, detail: JSON.parse(row.detail) as unknown });
    expect(found.map(parsed)).toEqual(events.map(eventRow).sort(byId).map(parsed));
    const [raised, acknowledged] = found.filter(({ kind }) => kind === 'alarm');
    expect(raised).toMatchObject({
      ...{ t: START, kind: 'alarm', transition: 'raise', site: 'north', asset: 'north/pump-1', tag: alarm.tag },
      ...{ device: '', alarm: alarm.key, severity: 'high', actor: '', message: alarm.message },
    });
    expect(acknowledged).toMatchObject({ transition: 'ack', actor: 'ada' });
    await consumer.close();
  });
}
