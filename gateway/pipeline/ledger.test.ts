// The accounts of the sources, over kills at any frame: what the journal carries is where a source goes on.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Batch, Reading, SourceCounts } from '../model.ts';
import { bed, bedTags, device, LEVEL } from './bed.ts';
import type { Bed } from './bed.ts';
import { catalogOf } from './plant.ts';

function holds({ received, made, rejected, filtered, shed, journalled, merged }: SourceCounts): boolean {
  return received + made === rejected + filtered + shed + journalled + merged;
}
/** The last account of each source in these frames, as a log gives it after recovery. */
function accounts(frames: readonly Batch[]): Map<string, SourceCounts> {
  return new Map(frames.flatMap(({ source, counts }) => (counts ? [[source, counts] as const] : [])));
}
const started = (...given: Parameters<typeof bed>): Bed => {
  const it = bed(...given);
  it.pipeline.start();
  it.pipeline.online(device);
  return it;
};

test('each batch carries its source’s account with itself in it', () => {
  const it = started();
  it.says(LEVEL, 1, { at: it.clock.micros() });
  it.says(LEVEL, 1, { at: it.clock.micros() });
  it.says(LEVEL, 2, { at: it.clock.micros() + 1 });
  expect(it.journal.filter(({ source }) => source === device).map(({ counts }) => counts)).toMatchObject([
    { received: 0, journalled: 0 },
    { received: 1, journalled: 1, merged: 0 },
    { received: 3, journalled: 2, merged: 1 },
  ]);
});

test('an account that moves without a frame follows in an empty one, once in 5 s and at the end', async () => {
  const it = started();
  const empty = (): Batch[] => it.journal.filter(({ samples, events }) => samples.length + events.length === 0);
  it.says(99, 1);
  it.says(99, 1);
  it.pipeline.reject('import', 3);
  await it.clock.advance(5100);
  expect(empty().map(({ source, counts }) => [source, counts?.rejected])).toEqual([
    [device, 2],
    ['import', 3],
  ]);
  await it.clock.advance(4000);
  expect(empty().length).toBe(2);
  it.says(99, 1);
  it.pipeline.close();
  expect(empty().at(-1)).toMatchObject({ source: device, counts: { rejected: 3 } });
  expect(it.live.every(({ samples, events }) => samples.length + events.length > 0)).toBe(true);
});

test('while shedding, samples are shown and judged, events journalled, and what is left out is counted', () => {
  const it = started();
  it.pipeline.shed(true);
  it.says(LEVEL, 1);
  it.says(1, 2);
  const history: Reading[] = [{ tag: LEVEL, value: 1, status: 0, at: 1e15 }];
  expect(it.pipeline.file('import', history, 'import')).toEqual({ accepted: 0, rejected: 0, shed: 1 });
  expect(it.samples()).toEqual([]);
  expect(it.pipeline.latest(LEVEL)?.value).toBe(1);
  expect(it.live.flatMap(({ samples }) => samples).length).toBe(2);
  expect(it.told()).toEqual(['raise north/pump-1/state.2']);
  it.pipeline.shed(false);
  it.says(LEVEL, 3);
  expect(it.samples()).toMatchObject([{ value: 3 }]);
  expect(it.pipeline.ledger().get(device)).toMatchObject({ received: 3, shed: 2, journalled: 1 });
  expect(it.pipeline.ledger().get('import')).toMatchObject({ received: 1, shed: 1 });
});

test('a batch that the journal refuses is shed, and an act is not said to be done', () => {
  const it = started();
  it.says(1, 2);
  const [alarm] = it.pipeline.alarms();
  const { push } = it.journal;
  it.journal.push = (batch) => {
    if (batch.samples.length > 0) throw new RangeError('too large');
    return push.call(it.journal, batch);
  };
  it.says(LEVEL, 1);
  expect(it.pipeline.ledger().get(device)).toMatchObject({ received: 2, shed: 1, journalled: 1 });
  it.says(1, 3);
  expect(it.told()).toEqual(['raise north/pump-1/state.2', 'clear north/pump-1/state.2']);
  expect(it.pipeline.ledger().get(device)).toMatchObject({ received: 3, shed: 2, journalled: 1 });
  it.journal.push = () => {
    throw new Error('the journal is closed');
  };
  const { key, event } = alarm!;
  expect(it.pipeline.act({ kind: 'acknowledge', key, event, user: 'ann' })).toMatchObject({ reason: 'refused' });
});

test('whatever comes, and whenever it is killed: every frame’s account holds and agrees with the source', async () => {
  const tag = fc.integer({ min: -1, max: 4 });
  const ago = fc.option(fc.integer({ min: -3, max: 3 }), { nil: undefined });
  const said = fc.array(fc.record({ tag, same: fc.boolean(), ago }), { maxLength: 5 });
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant('says' as const), said }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('import' as const, 'backfill' as const), said }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom('online', 'offline', 'alive', 'shed', 'keep', 'line', 'stranger') }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 70_000 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('kill' as const), percent: fc.integer({ min: 0, max: 100 }) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const clock = new ManualClock();
      const catalog = catalogOf(bedTags({ storeDeadband: 2 }));
      /** What is on disk of earlier lives, and what each source had said when each frame was made. */
      let disk: Batch[] = [];
      let sent = new Map<string, number>();
      const sentAt = new Map<Batch, ReadonlyMap<string, number>>();
      let running = 0;
      let it: Bed;
      const live = (): void => {
        it = bed(catalog, {}, clock);
        const { journal } = it;
        journal.push = (batch) => {
          sentAt.set(batch, new Map(sent));
          return Array.prototype.push.call(journal, batch);
        };
        it.pipeline.restore({ ledgers: accounts(disk) });
        it.pipeline.start();
      };
      const die = (kept: number): void => {
        disk = [...disk, ...it.journal].slice(0, kept);
        sent = new Map([...accounts(disk).keys()].map((source) => [source, 0]));
        for (const frame of disk) sent.set(frame.source, sentAt.get(frame)!.get(frame.source) ?? 0);
        // Its timers must not go on beside the next life's.
        it.journal.push = () => 0;
        it.pipeline.close();
      };
      live();
      for (const one of steps) {
        if ('said' in one) {
          const readings = one.said.map(({ tag, same, ago }) => ({
            tag,
            value: same ? running : ++running,
            status: 0,
            at: ago === undefined ? undefined : (clock.now() + ago) * 1000,
          }));
          const source = one.do === 'import' ? 'import' : device;
          sent.set(source, (sent.get(source) ?? 0) + readings.length);
          if (one.do === 'import') it!.pipeline.file('import', readings, 'import');
          else it!.pipeline.ingest(device, readings, one.do === 'backfill' ? 'backfill' : 'live');
        } else if ('ms' in one) await clock.advance(one.ms);
        else if ('percent' in one) {
          die(Math.round((one.percent / 100) * (disk.length + it!.journal.length)));
          live();
        } else if (one.do === 'online') it!.pipeline.online(device);
        else if (one.do === 'offline') it!.pipeline.offline(device, 'test');
        else if (one.do === 'alive') it!.pipeline.alive(device, [0, 1, 2], clock.micros());
        else if (one.do === 'shed' || one.do === 'keep') it!.pipeline.shed(one.do === 'shed');
        else {
          const source = one.do === 'line' ? 'import' : 'stranger';
          sent.set(source, (sent.get(source) ?? 0) + 1);
          if (source === 'import') it!.pipeline.reject(source, 1);
          else it!.pipeline.ingest(source, [{ tag: 0, value: 1, status: 0 }]);
        }
        for (const counts of it!.pipeline.ledger().values()) expect(holds(counts)).toBe(true);
      }
      it!.pipeline.close();
      const stored = new Map<string, number>();
      for (const frame of [...disk, ...it!.journal]) {
        const { source, samples, counts } = frame;
        const journalled = (stored.get(source) ?? 0) + samples.length;
        stored.set(source, journalled);
        expect(counts).toMatchObject({ journalled, received: sentAt.get(frame)!.get(source) ?? 0 });
        expect(holds(counts!)).toBe(true);
      }
      // At the end nothing is left untold.
      const { pipeline } = it!;
      const last = accounts([...disk, ...it!.journal]);
      for (const [source, counts] of pipeline.ledger())
        expect(counts).toEqual(last.get(source) ?? { ...counts, received: 0, made: 0 });
    }),
    { numRuns: 300 },
  );
});
