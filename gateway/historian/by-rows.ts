// Figures out of the samples themselves, page by page, where a database's own would not be exact: whole numbers beyond 64
// bits lie there as text, which it cannot add. Used by the readers of questdb/ and postgres/; exact, and bounded in rows.
import type { Micros } from '../model.ts';
import { Limit } from './embedded/states.ts';
import type { Sides } from './embedded/states.ts';
import { indexOf, seriesOf } from './embedded/series.ts';
import type { Series } from './embedded/series.ts';
import { joined, nothing, summarize } from './embedded/summary.ts';
import type { Summary } from './embedded/summary.ts';
import type { RemoteBuckets, RemoteHistory, RemoteRaw, RemoteTag } from './remote.ts';

const PAGE = 20_000;
/** Rows read of a tag for one question at most. */
const MOST_ROWS = 500_000;

type Raw = RemoteHistory['raw'];

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
