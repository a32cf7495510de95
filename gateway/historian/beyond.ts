// What is asked of a database elsewhere for a question: which tags up to where, in which pieces. Used by deep.ts.
import type { Micros } from '../model.ts';
import { seriesOfRaw } from './by-rows.ts';
import type { Query } from './embedded/history.ts';
import type { Series } from './embedded/series.ts';
import { Spans } from './embedded/states.ts';
import type { Summary } from './embedded/summary.ts';
import { MOST } from './remote.ts';
import type { RemoteBuckets, RemoteHistory, RemoteTag } from './remote.ts';

/** A tag of a question, by its index here and by its name there. */
export interface Named {
  index: number;
  of: RemoteTag;
}

export const isoOf = (t: Micros): string => new Date(Math.floor(t / 1000)).toISOString();

/**
 * The tags by where their local part begins: at `base`, from which on all is here that this gateway ever had; or, when it
 * began later than that, there. Between the two lies what came late (imports, device history), as a rule to both places:
 * who has more samples of a tag answers for it.
 */
export async function edgesOf(
  local: Pick<Query, 'count' | 'since'>,
  remote: RemoteHistory,
  named: readonly Named[],
  { from, to, base }: { from: Micros; to: Micros; base: Micros },
  signal: AbortSignal,
): Promise<Map<Micros, Named[]>> {
  const since = Math.max(base, local.since());
  const [begin, end] = [Math.max(from, base), Math.min(to, since)];
  if (!(begin < end)) return new Map([[since, [...named]]]);
  const late = new Map<Named, number>();
  for (const one of named) {
    const n = await local.count(one.index, begin, end, signal);
    if (n > 0) late.set(one, n);
  }
  if (late.size === 0) return new Map([[since, [...named]]]);
  const asked = [...late.keys()];
  const counts = await remote.counts(
    asked.map(({ of }) => of),
    begin,
    end,
    signal,
  );
  const ours = new Set(asked.filter((one, i) => (late.get(one) as number) >= (counts[i] as number)));
  return new Map([
    [base, named.filter((one) => ours.has(one))],
    [since, named.filter((one) => !ours.has(one))],
  ]);
}

/** Figures of the buckets, as far as they begin before the end. */
export function bucketsUntil(remote: RemoteHistory, { from, t, held }: Omit<RemoteBuckets, 'to'>) {
  return (group: readonly Named[], to: Micros, signal: AbortSignal): Promise<Summary[][]> =>
    remote.figures(
      group.map(({ of }) => of),
      { from, to, t: t.filter((start) => start < to), held },
      signal,
    );
}

/** Changes page by page, until they make more than `limit` spans. */
export function changesUntil(remote: RemoteHistory, from: Micros, limit: number) {
  return async (group: readonly Named[], to: Micros, signal: AbortSignal): Promise<Series[][]> => {
    const all: Series[][] = [];
    const size = Math.min(MOST, limit + 2);
    for (const { of } of group) {
      const pages: Series[] = [];
      const spans = new Spans(0, from, limit);
      let rows = 0;
      for (let at = from; at < to && !spans.done();) {
        const page = await remote.changes(of, at, to, size, signal);
        rows += page.t.length;
        if (rows > MOST + size)
          throw new RangeError(`${of.id} has more than ${MOST} samples in this time: ask for a shorter one`);
        const series = seriesOfRaw(page);
        if (series.n > 0) pages.push(series);
        spans.samples(series, 0, series.n);
        at = page.more ? (page.t.at(-1) as number) + 1 : to;
      }
      all.push(pages);
    }
    return all;
  };
}
