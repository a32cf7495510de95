// The merged reader over real embedded stores and a database in memory: whatever the seam, it answers as one store that
// holds everything would; a database that is away, silent or wrong costs its part and its time limit, and is named.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Micros, Sample } from '../model.ts';
import { figuresByRows, sidesByRows } from './by-rows.ts';
import { deepHistory, joinRaw } from './deep.ts';
import type { DeepOptions } from './deep.ts';
import { hourOf, rowId } from './embedded/chunks.ts';
import { byAllNames, namesOf } from './names.ts';
import type { RemoteHistory, RemoteRaw, RemoteTag } from './remote.ts';
import { HOUR, NOW, START, expectAlike, namedOf, plant, silent, storeWith, tags } from './contract/seams.ts';
import type { Seam, Seamed } from './contract/seams.ts';

/** A database that holds these samples, each under its names. */
function remoteOf(
  samples: readonly Sample[],
  namesOfOne = ({ tag }: Sample): readonly (string | undefined)[] => [tags[tag]?.id],
): RemoteHistory {
  const byName = new Map<string, Sample[]>();
  for (const sample of samples)
    for (const name of namesOfOne(sample)) if (name) byName.set(name, [...(byName.get(name) ?? []), sample]);
  const rowsOf = (id: string): Sample[] => byName.get(id) ?? [];
  const raw: RemoteHistory['raw'] = async ({ id }, from, to, limit): Promise<RemoteRaw> => {
    const found = rowsOf(id).filter(({ t }) => t >= from && t < to);
    const page = found.slice(0, limit);
    return {
      t: page.map(({ t }) => t),
      value: page.map(({ value }) => value),
      status: page.map(({ status }) => status),
      more: found.length > limit,
    };
  };
  return {
    raw,
    changes: raw,
    figures: (of, buckets) => Promise.all(of.map((tag) => figuresByRows(raw, tag, buckets))),
    sides: (of, from, to, limit) => Promise.all(of.map((tag) => sidesByRows(raw, tag, from, to, limit))),
    counts: async (of, from, to) => of.map(({ id }) => rowsOf(id).filter(({ t }) => t >= from && t < to).length),
    latest: async (of, before = Infinity) =>
      of.flatMap(({ id }) => {
        const last = rowsOf(id).findLast(({ t }) => t < before);
        return last ? [{ id, t: last.t, value: last.value, status: last.status }] : [];
      }),
    close: async () => {},
  };
}
const merged = ({ query, retained }: Seamed, remote: RemoteHistory, more: Partial<DeepOptions> = {}) =>
  deepHistory(query, { remote, tag: namedOf, retained, clock: new ManualClock(), ...more });

/** PENSTOCK_SOAK times as many seams as a unit run's. */
const SOAK = Number(process.env.PENSTOCK_SOAK ?? 1);
const all = plant();
let whole: Seamed;
beforeAll(async () => void (whole = await storeWith(all)));
afterAll(() => whole.close());

async function withStore(seam: Seam, check: (local: Seamed) => Promise<void>): Promise<void> {
  const local = await storeWith(all, seam);
  try {
    await check(local);
  } finally {
    local.close();
  }
}

const moment = fc.oneof(
  fc.integer({ min: START - 2 * HOUR, max: NOW }),
  fc.integer({ min: -2, max: 60 }).map((hours) => START + hours * HOUR - 17 * 60e6),
);
const asked = fc
  .record({
    ends: fc.tuple(moment, moment),
    width: fc.constantFrom('hour' as const, 'day' as const, 'week' as const, 900e6, 7 * 3600e6 + 1),
    zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns'),
    limit: fc.constantFrom(1, 7, 100, 10_000),
  })
  .map(({ ends: [a, b], ...rest }) => ({ from: Math.min(a, b), to: Math.max(a, b), ...rest }));
const seam = fc.oneof(
  fc.integer({ min: 24, max: 48 }).map((hours): Seam => ({ retention: hours * 3_600_000 })),
  fc.record({ since: moment }),
  fc.record({ since: moment, retention: fc.constant(30 * 3_600_000) }),
  fc.tuple(moment, fc.integer({ min: 2, max: 50 })).map(
    // What came late has gone to both.
    ([since, every]): Seam => ({ since, late: ({ t }) => Math.floor(t / 1e6) % every === 0 }),
  ),
);

/** A time without a sample that ends just inside an hour with some. */
const upToAnHour: [Seam, { from: number; to: number; width: 'hour'; zone: 'UTC'; limit: 1 }[]] = [
  { since: hourOf(START), retention: 30 * 3_600_000 },
  [{ from: START + 7.5 * HOUR + 2, to: hourOf(START + 15 * HOUR) + 1, width: 'hour', zone: 'UTC', limit: 1 }],
];

test('whatever the seam, every answer is that of one store that holds everything', async () => {
  const remote = remoteOf(all);
  await fc.assert(
    fc.asyncProperty(seam, fc.array(asked, { minLength: 2, maxLength: 4 }), async (of, questions) => {
      await withStore(of, async (local) => {
        for (const question of questions) await expectAlike(merged(local, remote), whole.query, question);
      });
    }),
    { numRuns: 8 * SOAK, interruptAfterTimeLimit: 20_000 * SOAK, examples: [upToAnHour] },
  );
});

test('tags that were renamed are one series each, whoever has their old names now, and whatever was sent twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      seam,
      moment,
      fc.boolean(),
      fc.array(asked, { maxLength: 3 }),
      async (of, at, twice, questions) => {
        const renamed = namesOf(
          [...tags, namedOf(silent) as RemoteTag].map(({ id, type }, index) => ({
            ...{ index, id, type },
            // The second took its name from the first.
            ...(index === 0 && { id: 'north/new', former: [{ id, until: at }] }),
            ...(index === 1 && { id: tags[0]?.id as string, former: [{ id, until: at }] }),
            ...(index === 2 && {
              former: [
                { id: 'old/er', until: at - 9 * HOUR },
                { id: 'old', until: at },
              ],
            }),
          })),
        );
        const remote = remoteOf(all, ({ tag, t }) => {
          const names = renamed[tag]?.names?.filter(({ from, until }) => t >= from && t < until).map(({ id }) => id);
          const [first, last] = [names?.at(0) ?? tags[tag]?.id, names?.at(-1)];
          // What was not yet sent when it was renamed, and what was sent again.
          const late = tag === 2 && t > at - 2 * HOUR && t % 3 > 0;
          return late ? [last, ...(twice && t % 3 === 1 && first !== last ? [first] : [])] : [first];
        });
        await withStore(of, async (local) => {
          const tag = (index: number) => renamed[index];
          const answers = merged(local, byAllNames(remote), { tag });
          for (const question of questions) await expectAlike(answers, whole.query, question);
          expect(await answers.latest([0, 1, 2, 3])).toEqual(await whole.query.latest([0, 1, 2, 3]));
        });
      },
    ),
    { numRuns: 6 * SOAK, interruptAfterTimeLimit: 20_000 * SOAK },
  );
});

const day = { from: START, to: NOW };
const flow = 0;
const gone = async (): Promise<never> => {
  throw new Error('QuestDB at x does not answer');
};
const away: RemoteHistory = {
  ...{ raw: gone, changes: gone, figures: gone, sides: gone, counts: gone, latest: gone },
  close: async () => {},
};

test('a database that is away: every answer has the local part, what is missing and why; older hours stand in', async () => {
  await withStore({ retention: 24 * 3_600_000 }, async (local) => {
    const until = Math.max(local.query.floor(), local.retained());
    expect(until).toBeGreaterThan(START + 24 * HOUR);
    const { from, to } = day;
    const here = local.query;
    const parts = merged(local, remoteOf([]), { remote: away });
    const reason = `${new Date(until / 1000).toISOString()} is missing, or known by the hour alone: QuestDB at x does not answer`;
    const lacking = { incomplete: `what is older than ${reason}`, incompleteUntil: until };
    const query = { tags: [flow], from, to, width: 'hour' as const };
    const [hours] = await parts.aggregate(query);
    expect(hours).toMatchObject(lacking);
    expect({ ...hours, incomplete: 0, incompleteUntil: 0 }).toEqual({
      ...{ ...(await here.aggregate(query))[0], incomplete: 0, incompleteUntil: 0 },
    });
    // The hours whose samples are gone here are still known.
    expect((hours?.good ?? []).slice(1, 8).every((n) => n > 0)).toBe(true);
    expect(await parts.buckets([flow], from, to, HOUR)).toMatchObject([lacking]);
    expect(await parts.kpis([flow], from, to)).toMatchObject([lacking]);
    expect(await parts.states([flow], from, to, 10)).toMatchObject([lacking]);
    expect(await parts.limitTime([flow], from, to, 1)).toMatchObject([lacking]);
    const raw = await parts.raw(flow, from, to, 10);
    expect([raw.incomplete, (raw.t[0] as number) >= local.query.floor()]).toEqual([
      lacking.incomplete.replace(', or known by the hour alone', ''),
      true,
    ]);
    expect(await parts.latest([flow])).toEqual(await here.latest([flow]));
    // What is all here, and what nobody ever heard of, asks nobody.
    const recent = await parts.aggregate({ ...query, from: until + HOUR });
    expect(recent[0]?.incomplete).toBe(undefined);
    expect((await parts.kpis([99], from, to))[0]?.incomplete).toBe(undefined);
  });
});

test('a fresh store whose tag held a value before it: asked for, and said when that cannot be', async () => {
  // Of one from long before it came late what followed did not.
  const since = NOW - 20 * 60e6;
  const late = ({ t }: Sample): boolean => t < NOW - 20 * HOUR;
  await withStore({ since, late }, async (local) => {
    const query = { tags: [1, 5], from: NOW - 60e6, to: NOW, width: 60e6 };
    expect(await merged(local, remoteOf(all)).aggregate(query)).toEqual(await whole.query.aggregate(query));
  });
  await withStore({ since: NOW - HOUR }, async (local) => {
    const query = { tags: [1], from: NOW - 60e6, to: NOW, width: 60e6 };
    const [held] = await merged(local, remoteOf(all)).aggregate(query);
    expect(held?.share.every((share) => share === 1)).toBe(true);
    const [unknown] = await merged(local, away).aggregate(query);
    expect(unknown?.incomplete).toMatch(/^what held at 20.*Z is not known: QuestDB at x does not answer$/);
    // Nothing is missing of what is in the range.
    expect((await merged(local, away).kpis([1], query.from, NOW))[0]?.incomplete).toBe(undefined);
  });
});

test('where the database begins later than the hours that are kept here, these answer; seeds of before it as well', async () => {
  const cut = START + 20 * HOUR + 1;
  const remote = remoteOf(all.filter(({ t }) => t >= cut));
  await withStore({ retention: 24 * 3_600_000 }, async (local) => {
    const query = { tags: [flow], from: START - 17 * 60e6, to: NOW, width: 'hour' as const };
    const [[got], [wanted]] = [await merged(local, remote).aggregate(query), await whole.query.aggregate(query)];
    const differ = (wanted?.count ?? []).flatMap((n, i) => (got?.count[i] === n ? [] : [i]));
    // The first hour there is known in part.
    expect(differ.length).toBeLessThan(2);
    expect(got?.incomplete).toBe(undefined);
  });
  await withStore({ since: NOW - HOUR, late: () => true }, async (local) => {
    await expectAlike(merged(local, remote), whole.query, {
      ...{ from: START, to: NOW, width: 'day', zone: 'UTC', limit: 100 },
    });
  });
});

test('what retention or damage has taken here and the database has is not said to be missing', async () => {
  const question = [flow, START + 17, NOW, 10_000] as const;
  await withStore({ retention: 24 * 3_600_000 }, async (local) => {
    expect((await local.query.raw(...question)).incomplete).toMatch(/^raw samples before .* were removed/);
    const raw = await merged(local, remoteOf(all)).raw(...question);
    expect([raw.incomplete, raw.t.length]).toEqual([undefined, (await whole.query.raw(...question)).t.length]);
    // One that began later has less than the hours here say.
    const later = remoteOf(all.filter(({ t }) => t > START + 20 * HOUR));
    expect((await merged(local, later).raw(...question)).incomplete).toMatch(/^raw samples before/);
    expect((await merged(local, later).states([flow], START, NOW, 1000))[0]?.incomplete).toMatch(/^raw samples/);
  });
  await withStore({ since: NOW - HOUR, late: ({ t }) => t < START + 30 * HOUR }, async (local) => {
    const db = new DatabaseSync(join(local.dataDir, 'history.db'), { timeout: 5000 });
    const { changes } = db
      .prepare('UPDATE chunk SET data = zeroblob(9) WHERE id BETWEEN ? AND ?')
      .run(rowId(flow, START + 5 * HOUR), rowId(flow, START + 9 * HOUR));
    db.close();
    expect(changes).toBeGreaterThan(2);
    expect((await local.query.raw(...question)).incomplete).toMatch(/damaged on disk and left out/);
    expect(await merged(local, remoteOf(all)).raw(...question)).toEqual(await whole.query.raw(...question));
    const later = remoteOf(all.filter(({ t }) => t > START + 20 * HOUR));
    expect((await merged(local, later).raw(...question)).incomplete).toMatch(/damaged on disk and left out/);
  });
});

test('what held before the states asked for, removed here and never sent there, is said to be missing', async () => {
  await withStore({ retention: 24 * 3_600_000 }, async (local) => {
    const states = async (sent: Micros, from: Micros): Promise<string | undefined> => {
      const { states } = merged(local, remoteOf(all.filter(({ t }) => t >= sent)));
      return (await states([1], from, from + 4 * HOUR, 100))[0]?.incomplete;
    };
    expect(await states(START + 20 * HOUR, START + 10 * HOUR)).toMatch(
      /^raw samples before .* were removed by retention/,
    );
    expect(await states(0, START + 10 * HOUR)).toBe(undefined);
    expect(await states(0, START)).toBe(undefined);
  });
});

test('tags that were renamed together are asked for together', async () => {
  const remote = remoteOf(all);
  const asked: string[] = [];
  const spied = Object.fromEntries(
    Object.entries(remote).map(([name, call]: [string, (...given: never[]) => unknown]) => [
      name,
      (...given: never[]) => (asked.push(name), call(...given)),
    ]),
  ) as unknown as RemoteHistory;
  const plant = Array.from({ length: 50 }, (_none, index) => ({
    ...{ index, id: `new/${index}`, type: 'double' as const },
    former: [{ id: `old/${index}`, until: NOW - HOUR }],
  }));
  const renamed = namesOf(plant);
  const { figures, sides, counts } = byAllNames(spied);
  await figures(renamed, { from: START, to: NOW, t: [START], held: false });
  await sides(renamed, START, NOW, 1);
  await counts(renamed, START, NOW);
  expect(asked).toEqual(['figures', 'figures', 'sides', 'sides', 'counts', 'counts']);
});

test('a tag renamed while the clock was not set has all of its old name', () => {
  const [tag] = namesOf([{ index: 0, id: 'new', type: 'double', former: [{ id: 'old', until: 40e6 }] }]);
  expect(tag?.names?.map(({ id, from, until }) => [id, from, until])).toEqual([
    ['old', -Infinity, Infinity],
    ['new', -Infinity, Infinity],
  ]);
});

test('one that says nothing costs its time limit, and is then left alone for a while', async () => {
  await withStore({ since: NOW - HOUR }, async (local) => {
    const clock = new ManualClock();
    let asked = 0;
    const silent: RemoteHistory = { ...away, figures: () => (asked++, new Promise(() => {})) };
    const { kpis } = merged(local, silent, { clock, timeout: 2000 });
    const ask = async (): Promise<string | undefined> => (await kpis([flow], START, NOW))[0]?.incomplete;
    const first = ask();
    await clock.advance(2000);
    expect(await first).toMatch(/no answer within 2 s$/);
    expect(await ask()).toMatch(/no answer within 2 s$/);
    expect(asked).toBe(1);
    await clock.advance(5001);
    const third = ask();
    await clock.advance(2000);
    await third;
    expect(asked).toBe(2);
  });
});

test('a wrong question is told so, here and there; an abort ends it', async () => {
  await withStore({ since: NOW - HOUR }, async (local) => {
    const wrong: RemoteHistory = { ...away, figures: () => Promise.reject(new RangeError('too many')) };
    await expect(merged(local, wrong).kpis([flow], START, NOW)).rejects.toThrow('too many');
    const { aggregate, limitTime, raw, states } = merged(local, remoteOf(all));
    expect(() => aggregate({ tags: [flow], from: 0, to: NOW, width: 1 })).toThrow(/more than 100000 buckets/);
    expect(() => limitTime([flow], START, NOW, NaN)).toThrow('the limit must be a number');
    expect(() => states([flow], START, NOW, 1e6)).toThrow(/cells/);
    await expect(raw(flow, START, NOW, 0)).rejects.toThrow(/limit/);
    const stop = new AbortController();
    const silent: RemoteHistory = { ...away, figures: () => new Promise(() => {}) };
    const asking = merged(local, silent).kpis([flow], START, NOW, stop.signal);
    stop.abort(new Error('nobody asks any more'));
    await expect(asking).rejects.toThrow('nobody asks any more');
  });
});

test('the latest of a tag that is no longer kept here comes from there', async () => {
  await withStore({ since: NOW - 60e6 }, async (local) => {
    const { latest } = merged(local, remoteOf(all));
    expect(await latest([1, 3])).toEqual(await whole.query.latest([1, 3]));
  });
  // What came late is not the latest.
  const late = ({ t }: Sample): boolean => t < START + HOUR;
  await withStore({ since: NOW - 60e6, late }, async (local) => {
    const { latest } = merged(local, remoteOf(all));
    expect(await latest([1, 3])).toEqual(await whole.query.latest([1, 3]));
    expect(await merged(local, away).latest([3])).toEqual(await local.query.latest([3]));
  });
});

test.each<[string, number[], number[], boolean, boolean, number, number[], boolean]>([
  ['apart', [1, 2], [5, 6], false, false, 9, [1, 2, 5, 6], false],
  ['mixed', [1, 5], [2, 6], false, false, 9, [1, 2, 5, 6], false],
  ['of one time, here counts', [1, 2], [2, 3], false, false, 9, [1, 2, 3], false],
  ['more there: nothing beyond is known', [1, 2], [3, 4], true, false, 2, [1, 2], true],
  ['more here', [1, 9], [3, 4], false, true, 2, [1, 3], true],
  ['just full', [1], [2], false, false, 2, [1, 2], false],
])('pages in one: %s', (_name, there, here, moreThere, moreHere, limit, t, more) => {
  const page = (times: number[], value: string, goes: boolean) => ({
    ...{ t: times, value: times.map(() => value), status: times.map(() => 0), more: goes },
  });
  const joined = joinRaw(page(there, 'there', moreThere), { tag: 3, ...page(here, 'here', moreHere) }, limit);
  expect([joined.t, joined.more]).toEqual([t, more]);
  for (const [i, at] of joined.t.entries()) expect(joined.value[i]).toBe(here.includes(at) ? 'here' : 'there');
});
