// Figures and times above a limit where a database's own would not be exact: whole numbers beyond 64 bits lie there as
// text, which it cannot add, so such a tag's samples come page by page and are added up here. Used by the readers of
// questdb/ and postgres/, which hand in what their database does itself; exact, and bounded in rows.
import type { Micros } from '../model.ts';
import { Limit } from './embedded/states.ts';
import type { Sides } from './embedded/states.ts';
import { indexOf, seriesOf } from './embedded/series.ts';
import type { Series } from './embedded/series.ts';
import { joined, nothing, summarize } from './embedded/summary.ts';
import type { Summary } from './embedded/summary.ts';
import { MOST, within } from './remote.ts';
import type { RemoteBuckets, RemoteHistory, RemoteRaw, RemoteTag } from './remote.ts';

const PAGE = 20_000;
/** Rows read of a tag for one question at most. */
const MOST_ROWS = 500_000;

type Raw = RemoteHistory['raw'];

/** What a database adds up itself, into `found` by the tag's id; `raw` and `beyond` for what it cannot. */
export interface Adding {
  raw: Raw;
  /** Ids of the tags of which some values in that time are beyond what the database adds up. */
  beyond(tags: readonly RemoteTag[], from: Micros, to: Micros, signal?: AbortSignal): Promise<ReadonlySet<unknown>>;
  /** `found` has a list of each tag, to which the figures go by time. */
  figures(
    tags: readonly RemoteTag[],
    buckets: RemoteBuckets,
    found: ReadonlyMap<string, Summary[]>,
    signal?: AbortSignal,
  ): Promise<void>;
  sides(
    tags: readonly RemoteTag[],
    limited: { from: Micros; to: Micros; limit: number },
    found: Map<string, Sides>,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** Figures and times above and below a limit, exact for every tag: by the database where it can, by rows where not. */
export function exactly({ raw, beyond, figures, sides }: Adding): Pick<RemoteHistory, 'figures' | 'sides'> {
  return {
    async figures(tags, buckets, signal) {
      const { from, to, t } = buckets;
      within(tags.length * t.length + 1, `${tags.length} tags × ${t.length} buckets are too many: at most ${MOST}`);
      const odd = await beyond(tags, from, to, signal);
      const found = new Map<string, Summary[]>(tags.map(({ id }) => [id, []]));
      await figures(
        tags.filter(({ id }) => !odd.has(id)),
        buckets,
        found,
        signal,
      );
      for (const tag of tags) if (odd.has(tag.id)) found.set(tag.id, await figuresByRows(raw, tag, buckets, signal));
      return tags.map(({ id }) => found.get(id) as Summary[]);
    },
    async sides(tags, from, to, limit, signal) {
      const odd = await beyond(tags, from, to, signal);
      const found = new Map<string, Sides>();
      await sides(
        tags.filter(({ id }) => !odd.has(id)),
        { from, to, limit },
        found,
        signal,
      );
      const all: (Sides | undefined)[] = [];
      for (const tag of tags)
        all.push(odd.has(tag.id) ? await sidesByRows(raw, tag, from, to, limit, signal) : found.get(tag.id));
      return all;
    },
  };
}

export function seriesOfRaw({ t, value, status }: RemoteRaw): Series {
  return seriesOf(t.map((at, i) => ({ t: at, value: value[i] ?? null, status: status[i] ?? 0, flags: 0 })));
}

async function* pages(raw: Raw, tag: RemoteTag, from: Micros, to: Micros, signal?: AbortSignal) {
  let rows = 0;
  for (let at = from; at < to;) {
    const page = await raw(tag, at, to, PAGE, signal);
    rows += page.t.length;
    if (rows > MOST_ROWS)
      throw new RangeError(`${tag.id} has more than ${MOST_ROWS} samples in this time: ask for a shorter one`);
    yield seriesOfRaw(page);
    at = page.more ? (page.t.at(-1) as number) + 1 : to;
  }
}

/** As `RemoteHistory.figures`, of one tag. */
export async function figuresByRows(
  raw: Raw,
  tag: RemoteTag,
  { from, to, t, held }: RemoteBuckets,
  signal?: AbortSignal,
): Promise<Summary[]> {
  const found = t.map(() => ({ ...nothing }));
  let at = 0;
  for await (const page of pages(raw, tag, from, to, signal))
    for (let k = 0; k < page.n;) {
      while (at + 1 < t.length && (page.t[k] as number) >= (t[at + 1] as number)) at++;
      const next = at + 1 < t.length ? indexOf(page, t[at + 1] as number) : page.n;
      found[at] = joined(found[at] as Summary, summarize(page, k, next));
      k = next;
    }
  const some = found.filter(({ n }) => n > 0);
  return held ? some : some.map((one) => ({ ...one, area: 0, known: 0 }));
}

/** As `RemoteHistory.sides`, of one tag. */
export async function sidesByRows(
  raw: Raw,
  tag: RemoteTag,
  from: Micros,
  to: Micros,
  limit: number,
  signal?: AbortSignal,
): Promise<Sides | undefined> {
  const sink = new Limit(0, from, to, limit);
  let all = { ...nothing };
  for await (const page of pages(raw, tag, from, to, signal)) {
    sink.samples(page, 0, page.n);
    all = joined(all, summarize(page));
  }
  if (all.n === 0) return undefined;
  const { above, below, known } = sink.result(all.t1);
  return { above, below, known, t0: all.t0, t1: all.t1, held: all.held };
}
