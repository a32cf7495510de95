// A renamed tag's samples, which a database elsewhere keeps under the name of their time, as one series under the present
// one. Used by elsewhere.ts around a database's answers (remote.ts), and by the reader worker for the names themselves.
// The parts of such a tag follow each other in time; where they overlap, because some was sent again after the renaming,
// its rows are put together one by one.
import type { Micros, ValueType } from '../model.ts';
import { figuresByRows, sidesByRows } from './by-rows.ts';
import { joinRaw } from './deep.ts';
import type { Sides } from './embedded/states.ts';
import { joined } from './embedded/summary.ts';
import type { Summary } from './embedded/summary.ts';
import type { Name, RemoteBuckets, RemoteHistory, RemoteLatest, RemoteRaw, RemoteTag } from './remote.ts';

/** A tag as state.db knows it; `former` are the names it had, each with the time until which it had it. */
export interface KnownTag {
  index: number;
  id: string;
  type: ValueType;
  former?: readonly { id: string; until: Micros }[];
}
/** Where a part of a tag's samples lies. */
interface Part {
  of: RemoteTag;
  from: Micros;
  to: Micros;
}

/** Each name belongs to one tag at a time: to the one that had it first until that gave it up. */
export function namesOf(tags: readonly KnownTag[]): (RemoteTag & { index: number })[] {
  const given = new Map<string, Micros[]>();
  for (const { type, former = [] } of tags)
    for (const { id, until } of former) given.set(`${type} ${id}`, [...(given.get(`${type} ${id}`) ?? []), until]);
  return tags.map(({ index, id, type, former = [] }) => {
    const name = (of: string, until: Micros): Name => {
      const before = (given.get(`${type} ${of}`) ?? []).filter((end) => end < until);
      return { id: of, from: Math.max(-Infinity, ...before), until };
    };
    const earlier = former.filter((one) => one.id !== id).map((one) => name(one.id, one.until));
    const present = earlier.length === former.length ? name(id, Infinity) : { id, from: -Infinity, until: Infinity };
    if (earlier.length === 0 && present.from === -Infinity) return { index, id, type };
    return { index, id, type, names: [...earlier.sort((a, b) => a.until - b.until), present] };
  });
}

/** Does no I/O. Tags that have had one name are asked for as they are. */
export function byAllNames(remote: RemoteHistory): RemoteHistory {
  const partsOf = ({ id, type, names }: RemoteTag, from: Micros, to: Micros): Part[] =>
    (names ?? [{ id, from, until: to }])
      .map((name) => ({ of: { id: name.id, type }, from: Math.max(from, name.from), to: Math.min(to, name.until) }))
      .filter((part) => part.from < part.to);

  const raw: RemoteHistory['raw'] = async (tag, from, to, limit, signal) => {
    if (!tag.names) return remote.raw(tag, from, to, limit, signal);
    let all: RemoteRaw = { t: [], value: [], status: [], more: false };
    for (const part of partsOf(tag, from, to)) {
      const page = await remote.raw(part.of, part.from, part.to, limit, signal);
      const { t, value, status, more } = joinRaw(all, { tag: 0, ...page }, limit);
      all = { t, value, status, more };
    }
    return all;
  };
  /** Those that have samples, one behind the other; undefined when they lie among each other. */
  const inTurn = async (
    tag: RemoteTag,
    from: Micros,
    to: Micros,
    signal?: AbortSignal,
  ): Promise<Part[] | undefined> => {
    const all = partsOf(tag, from, to);
    if (all.length < 2) return all;
    const found: Part[] = [];
    for (const part of all) {
      const [first] = (await remote.raw(part.of, part.from, part.to, 1, signal)).t;
      if (first === undefined) continue;
      for (const { of, to: end } of found)
        if (first < end && (await remote.raw(of, first, end, 1, signal)).t.length > 0) return undefined;
      found.push(part);
    }
    return found;
  };
  /** Answers in the order asked: of all that have one name in one question, of each other by itself. */
  const each = async <Answer>(
    tags: readonly RemoteTag[],
    plain: (tags: readonly RemoteTag[]) => Promise<readonly Answer[]>,
    renamed: (tag: RemoteTag) => Promise<Answer>,
  ): Promise<Answer[]> => {
    const simple = tags.filter(({ names }) => !names);
    const found = simple.length > 0 ? [...(await plain(simple))].values() : [].values();
    const answers: Answer[] = [];
    for (const tag of tags) answers.push(tag.names ? await renamed(tag) : (found.next().value as Answer));
    return answers;
  };

  return {
    raw,
    async changes(tag, from, to, limit, signal) {
      if (!tag.names) return remote.changes(tag, from, to, limit, signal);
      const parts = await inTurn(tag, from, to, signal);
      if (!parts) return raw(tag, from, to, limit, signal);
      let all: RemoteRaw = { t: [], value: [], status: [], more: false };
      for (const part of parts) {
        const room = limit - all.t.length;
        if (room <= 0) return { ...all, more: true };
        const { t, value, status, more } = await remote.changes(part.of, part.from, part.to, room, signal);
        all = { t: [...all.t, ...t], value: [...all.value, ...value], status: [...all.status, ...status], more };
        if (more) return all;
      }
      return all;
    },
    figures: (tags, buckets, signal) =>
      each(
        tags,
        (plain) => remote.figures(plain, buckets, signal),
        async (tag) => {
          const parts = await inTurn(tag, buckets.from, buckets.to, signal);
          if (!parts) return figuresByRows(raw, tag, buckets, signal);
          const all: Summary[] = [];
          for (const part of parts)
            all.push(...((await remote.figures([part.of], within(buckets, part), signal))[0] ?? []));
          return joinedBy(buckets, all);
        },
      ),
    sides: (tags, from, to, limit, signal) =>
      each(
        tags,
        (plain) => remote.sides(plain, from, to, limit, signal),
        async (tag) => {
          const parts = await inTurn(tag, from, to, signal);
          if (!parts) return sidesByRows(raw, tag, from, to, limit, signal);
          let all: Sides | undefined;
          for (const part of parts) {
            const [next] = await remote.sides([part.of], part.from, part.to, limit, signal);
            all = all && next ? joinedSides(all, next, limit) : (next ?? all);
          }
          return all;
        },
      ),
    counts: (tags, from, to, signal) =>
      each(
        tags,
        (plain) => remote.counts(plain, from, to, signal),
        async (tag) => {
          let n = 0;
          for (const part of partsOf(tag, from, to))
            n += (await remote.counts([part.of], part.from, part.to, signal))[0] ?? 0;
          return n;
        },
      ),
    async latest(tags, before = Infinity, signal) {
      const asked = tags.flatMap((tag) => partsOf(tag, -Infinity, before).map((part) => ({ ...part, id: tag.id })));
      const found = new Map<string, RemoteLatest>();
      for (const [end, some] of Map.groupBy(asked, ({ to }) => to)) {
        const ids = [...new Map(some.map(({ of }) => [of.id, of])).values()];
        const rows = await remote.latest(ids, end === Infinity ? undefined : end, signal);
        const byName = new Map(rows.map((row) => [row.id, row]));
        for (const { id, of, from } of some) {
          const row = byName.get(of.id);
          if (row && row.t >= from && row.t > (found.get(id)?.t ?? -Infinity)) found.set(id, { ...row, id });
        }
      }
      return tags.flatMap(({ id }) => found.get(id) ?? []);
    },
    close: () => remote.close(),
  };
}

function within({ t, held }: RemoteBuckets, { from, to }: Part): RemoteBuckets {
  const begin = Math.max(
    0,
    t.findLastIndex((start) => start <= from),
  );
  return { from, to, held, t: t.slice(begin).filter((start, i) => i === 0 || start < to) };
}

/** Figures by time, those of one bucket as one. */
function joinedBy({ t, held }: RemoteBuckets, all: readonly Summary[]): Summary[] {
  const found: Summary[] = [];
  let last = -2;
  for (const one of all) {
    const bucket = t.findLastIndex((start) => start <= one.t0);
    if (bucket === last) found.push(joined(found.pop() as Summary, one));
    else found.push(one);
    last = bucket;
  }
  return held ? found : found.map((one) => ({ ...one, area: 0, known: 0 }));
}

function joinedSides(earlier: Sides, later: Sides, limit: number): Sides {
  const gap = Number.isNaN(earlier.held) ? 0 : later.t0 - earlier.t1;
  return {
    above: earlier.above + later.above + (earlier.held > limit ? gap : 0),
    below: earlier.below + later.below + (earlier.held < limit ? gap : 0),
    known: earlier.known + later.known + gap,
    ...{ t0: earlier.t0, t1: later.t1, held: later.held },
  };
}
