import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { Frame, Sample, Value } from '../../model.ts';
import { openQuery } from './query.ts';
import { openStore } from './store.ts';

const MINUTE = 60_000_000;
const signal = new AbortController().signal;

/** −0 and 0 are one number here: which of the two is the smaller depends on the order of arrival. */
const plus = (value: number | null | undefined): number | null => (value == null ? null : value + 0);

/** One step of a history: a write (some of it late, doubled or bad), time passing, a frame sent again, a reopening. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      samples: fc.array(
        fc.record({
          tag: fc.nat(2),
          back: fc.oneof(fc.nat(5), fc.nat(200)),
          value: fc.oneof(fc.integer({ min: -50, max: 50 }), fc.constantFrom(null, 0.5, -0, Infinity)),
          bad: fc.nat(5),
        }),
        { maxLength: 25 },
      ),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), minutes: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'again' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clock' as const), minutes: fc.integer({ min: -90, max: 90 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);

test('every answer equals a plain model, through late, doubled and re-sent samples and reopenings', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      const dir = mkdtempSync(join(tmpdir(), 'penstock-history-'));
      const clock = new ManualClock();
      const tags = [0, 1, 2].map((index) => ({ index, id: `n/${index}`, type: 'double' as const }));
      let store = openStore(dir, clock);
      store.use(tags);
      const model = new Map<string, Sample>();
      let sent: Frame[] = [];
      let seq = 1;
      try {
        for (const each of steps) {
          if (each.kind === 'pass') await clock.advance(each.minutes * 60_000 + 1234);
          else if (each.kind === 'clock') clock.stepWall(each.minutes * 60_000);
          else if (each.kind === 'again') await store.write(sent, signal);
          else if (each.kind === 'reopen') {
            await store.close();
            store = openStore(dir, clock);
            store.use(tags);
          } else {
            const samples = each.samples.map(({ tag, back, value, bad }): Sample => ({
              tag,
              t: clock.micros() - back * 20_000_000,
              receivedAt: clock.micros(),
              value,
              status: bad === 0 ? 0x80050000 : 0,
              flags: 0,
            }));
            for (const sample of samples) model.set(`${sample.tag} ${sample.t}`, sample);
            sent = [{ origin: 'live', source: 'line', samples, events: [], seq: seq++, revision: 1 }];
            await store.write(sent, signal);
          }
        }
        const query = openQuery(dir, () => clock.mono());
        const to = clock.micros() + 1;
        for (const from of [to - 90 * MINUTE - 1234, Math.floor((to - 60 * MINUTE) / MINUTE) * MINUTE]) {
          const of = (tag: number): Sample[] =>
            [...model.values()].filter((s) => s.tag === tag && s.t >= from && s.t < to).sort((a, b) => a.t - b.t);
          const good = (all: Sample[]): number[] =>
            all.filter((s) => s.status === 0 && Number.isFinite(s.value)).map((s) => s.value as number);
          for (const width of [7_000_000, 5 * MINUTE])
            for (const series of await query.buckets([0, 1, 2], from, to, width))
              for (const [i, start] of series.t.entries()) {
                const values = good(of(series.tag).filter((s) => s.t >= start && s.t < start + width));
                expect(series.n[i]).toBe(values.length);
                expect(plus(series.min[i])).toEqual(values.length ? Math.min(...values) + 0 : null);
                expect(plus(series.max[i])).toEqual(values.length ? Math.max(...values) + 0 : null);
                if (values.length)
                  expect(series.avg[i]).toBeCloseTo(values.reduce((a, b) => a + b, 0) / values.length, 9);
              }
          for (const kpi of await query.kpis([0, 1, 2], from, to)) {
            const all = of(kpi.tag);
            expect(kpi.n).toBe(good(all).length);
            expect(kpi.last?.t).toBe(all.at(-1)?.t);
            expect(kpi.last?.value).toBe(all.at(-1)?.value);
            const raw = await query.raw(kpi.tag, from, to, 1000);
            expect(raw.t).toEqual(all.map((s) => s.t));
            expect(raw.value).toEqual(all.map((s) => s.value));
            expect(raw.status).toEqual(all.map((s) => s.status));
          }
        }
        query.close();
      } finally {
        await store.close();
        rmSync(dir, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
}, 30_000);

test('integers past 2^53, booleans, text and doubles come back exactly', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-history-'));
  const clock = new ManualClock();
  const store = openStore(dir, clock);
  const given: [number, Value][] = [
    [0, 7],
    [1, 2n ** 62n],
    [1, 2n ** 70n],
    [1, 5],
    [2, true],
    [2, false],
    [3, '12'],
    [3, 'é\n'],
    [0, -0.1],
  ];
  const types = ['double', 'integer', 'boolean', 'text'] as const;
  store.use(types.map((type, index) => ({ index, id: `n/${type}`, type })));
  const base = clock.micros();
  const samples = given.map(([tag, value], i): Sample => ({
    tag,
    t: base + i,
    receivedAt: base,
    value,
    status: 0,
    flags: 0,
  }));
  await store.write([{ origin: 'live', source: 'line', samples, events: [], seq: 1, revision: 1 }], signal);
  const query = openQuery(dir, () => 0);
  for (const tag of [0, 1, 2, 3])
    expect((await query.raw(tag, base, base + 100, 100)).value).toEqual(
      given.filter((pair) => pair[0] === tag).map((pair) => pair[1]),
    );
  expect((await query.raw(1, base, base + 100, 2)).more).toBe(true);
  await expect(query.raw(1, base, base + 100, 1e6)).rejects.toThrow(/limit/);
  await expect(query.buckets([0], 0, base, 1_000_000)).rejects.toThrow(/cells/);
  query.close();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

test('a clock set back and caught up again leaves the rollups complete', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-history-'));
  const clock = new ManualClock();
  const from = clock.micros();
  let seq = 1;
  let store = openStore(dir, clock);
  const tags = [{ index: 0, id: 'n/0', type: 'double' as const }];
  const write = (t: number): Promise<unknown> => {
    const samples: Sample[] = [{ tag: 0, t, receivedAt: t, value: 1, status: 0, flags: 0 }];
    return store.write([{ origin: 'live', source: 'line', samples, events: [], seq: seq++, revision: 1 }], signal);
  };
  store.use(tags);
  for (let minute = 0; minute < 30; minute++) {
    await write(from + minute * MINUTE);
    await clock.advance(60_000);
  }
  // The first hour lies before the mark and, after the reopening, not in memory.
  await clock.advance(60 * 60_000);
  await write(from + 199 * MINUTE);
  await store.close();
  store = openStore(dir, clock);
  store.use(tags);
  await write(from + 200 * MINUTE);
  clock.stepWall(-80 * 60_000);
  await write(from + 201 * MINUTE);
  await write(from + 15 * MINUTE + 1);
  await clock.advance(50 * 60_000);
  await write(from + 202 * MINUTE);
  const query = openQuery(dir, () => 0);
  const [kpi] = await query.kpis([0], from, from + 30 * MINUTE);
  expect(kpi?.n).toBe(31);
  query.close();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});
