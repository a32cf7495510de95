import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { BucketSeries, Historian, RawSeries } from '../history.ts';
import { deepHistory } from './deep.ts';
import type { DeepOptions } from './deep.ts';
import type { RemoteHistory } from './remote.ts';

interface Row {
  t: number;
  value: number;
}
/** A store over rows in memory, which answers in the form that both sides have. */
function storeOf(rows: readonly Row[]): Pick<Historian, 'raw' | 'buckets' | 'latest'> {
  const between = (from: number, to: number): Row[] => rows.filter(({ t }) => t >= from && t < to);
  return {
    async raw(tag, from, to, limit): Promise<RawSeries> {
      const found = between(from, to);
      const page = found.slice(0, limit);
      return {
        tag,
        t: page.map(({ t }) => t),
        value: page.map(({ value }) => value),
        status: page.map(() => 0),
        more: found.length > limit,
      };
    },
    async buckets(tags, from, to, width): Promise<BucketSeries[]> {
      const first = Math.floor(from / width);
      const t = Array.from({ length: Math.max(0, Math.ceil(to / width) - first) }, (_, i) => (first + i) * width);
      const groups = t.map((start) => between(Math.max(from, start), Math.min(to, start + width)).map((r) => r.value));
      const each = (figure: (values: number[]) => number) => groups.map((all) => (all.length ? figure(all) : null));
      return tags.map((tag) => ({
        ...{ tag, t, n: groups.map((all) => all.length) },
        min: each((all) => Math.min(...all)),
        max: each((all) => Math.max(...all)),
        avg: each((all) => all.reduce((a, b) => a + b) / all.length),
      }));
    },
    async latest(tags) {
      return tags.flatMap((tag) => rows.slice(-1).map(({ t, value }) => ({ tag, t, value, status: 0 })));
    },
  };
}
function remoteOf(rows: readonly Row[]): RemoteHistory {
  const store = storeOf(rows);
  return {
    raw: (_tag, from, to, limit) => store.raw(0, from, to, limit),
    buckets: (tags, from, to, width) =>
      store.buckets(
        tags.map(() => 0),
        from,
        to,
        width,
      ),
    latest: async (tags) => (await store.latest([0])).map((row) => ({ ...row, id: tags[0]?.id ?? '' })),
    close: async () => {},
  };
}
const away: RemoteHistory = {
  raw: () => Promise.reject(new Error('QuestDB at x does not answer')),
  buckets: () => Promise.reject(new Error('QuestDB at x does not answer')),
  latest: () => Promise.reject(new Error('QuestDB at x does not answer')),
  close: async () => {},
};
const named = (index: number): { id: string; type: 'double' } | undefined =>
  index < 9 ? { id: `n/p/${index}`, type: 'double' } : undefined;
const deep = (rows: readonly Row[], edge: number, more: Partial<DeepOptions> = {}) =>
  deepHistory(storeOf(rows.filter(({ t }) => t >= edge)), {
    remote: remoteOf(rows),
    tag: named,
    boundary: () => edge,
    clock: new ManualClock(),
    ...more,
  });

const rowsOf = fc
  .uniqueArray(fc.integer({ min: 0, max: 200 }), { maxLength: 60 })
  .map((times) => times.sort((a, b) => a - b).map((t) => ({ t, value: (t * 37) % 11 })));
const time = fc.integer({ min: 0, max: 210 });

test('whatever the boundary, both parts together are what one store would say, page after page', async () => {
  await fc.assert(
    fc.asyncProperty(rowsOf, time, time, time, fc.integer({ min: 1, max: 20 }), async (rows, edge, from, to, limit) => {
      const whole = storeOf(rows);
      const parts = deep(rows, edge);
      let at = from;
      for (let more = true; more;) {
        const page = await parts.raw(1, at, to, limit);
        expect(page).toEqual(await whole.raw(1, at, to, limit));
        ({ more } = page);
        at = (page.t.at(-1) ?? to) + 1;
      }
      const [found] = await parts.buckets([1], from, to, limit);
      const [expected] = await whole.buckets([1], from, to, limit);
      expect({ ...found, avg: [] }).toEqual({ ...expected, avg: [] });
      for (const [i, avg] of (expected?.avg ?? []).entries())
        if (avg === null) expect(found?.avg[i]).toBe(null);
        else expect(found?.avg[i]).toBeCloseTo(avg, 9);
    }),
    { numRuns: 300 },
  );
});

const ten = Array.from({ length: 10 }, (_, i) => ({ t: i * 10, value: i }));

test('a database that is away: the local part, and what is missing and why', async () => {
  const { raw, buckets, latest } = deep(ten, 50, { remote: away });
  const reason = 'what is older than 1970-01-01T00:00:00.000Z is missing: QuestDB at x does not answer';
  expect(await raw(1, 0, 100, 100)).toMatchObject({ t: [50, 60, 70, 80, 90], incomplete: reason });
  expect(await buckets([1], 0, 100, 50)).toMatchObject([{ n: [0, 5], incomplete: reason }]);
  expect(await latest([1])).toMatchObject([{ t: 90 }]);
  expect(await raw(1, 50, 100, 100)).not.toHaveProperty('incomplete');
});

test('one that says nothing costs its time limit, and is then left alone for a while', async () => {
  const clock = new ManualClock();
  let asked = 0;
  const silent: RemoteHistory = { ...away, raw: () => (asked++, new Promise(() => {})) };
  const { raw } = deep(ten, 50, { remote: silent, clock, timeout: 2000 });
  const first = raw(1, 0, 100, 100);
  await clock.advance(2000);
  expect((await first).incomplete).toMatch(/no answer within 2 s$/);
  expect((await raw(1, 0, 100, 100)).incomplete).toMatch(/no answer within 2 s$/);
  expect(asked).toBe(1);
  await clock.advance(5001);
  const third = raw(1, 0, 100, 100);
  await clock.advance(2000);
  await third;
  expect(asked).toBe(2);
});

test('a wrong question is told so, an abort ends it, an unknown tag is asked for here alone', async () => {
  const wrong: RemoteHistory = { ...away, raw: () => Promise.reject(new RangeError('too many')) };
  await expect(deep(ten, 50, { remote: wrong }).raw(1, 0, 100, 100)).rejects.toThrow('too many');
  const stop = new AbortController();
  const silent: RemoteHistory = {
    ...away,
    raw: (_tag, _from, _to, _limit, signal) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('ended')))),
  };
  const asking = deep(ten, 50, { remote: silent }).raw(1, 0, 100, 100, stop.signal);
  stop.abort(new Error('nobody asks any more'));
  await expect(asking).rejects.toThrow('nobody asks any more');
  expect(await deep(ten, 50).raw(99, 0, 100, 100)).toMatchObject({ t: [50, 60, 70, 80, 90] });
});

test('the latest of a tag that is no longer kept here comes from there', async () => {
  const { latest } = deep(ten, 1000);
  expect(await latest([3])).toEqual([{ tag: 3, t: 90, value: 9, status: 0 }]);
});
