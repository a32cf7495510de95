// A renamed tag's samples, which a database elsewhere keeps under the name of their time, as one series under the present
// one. Used by elsewhere.ts around a database's answers (remote.ts), and by the reader worker for the names themselves.
// The parts of such a tag follow each other in time; where they overlap, because some was sent again after the renaming,
// its rows are put together one by one.
import type { Micros, ValueType } from '../model.ts';
import { figuresByRows, sidesByRows } from './by-rows.ts';
import { joinRaw } from './deep.ts';
import type { Sides } from './embedded/states.ts';
import { SET } from './embedded/sure.ts';
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
export function namesOf(known: readonly KnownTag[]): (RemoteTag & { index: number })[] {
  // By a clock that was not set nobody can say how long it was, and none of it must be missing.
  const ended = (until: Micros): Micros => (until < SET ? Infinity : until);
  const tags = known.map(({ former, ...tag }) => ({
    ...tag,
    former: former?.map(({ id, until }) => ({ id, until: ended(until) })),
  }));
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
  /**
   * What the parts of the tags are answered with, by tag and in the order of its parts: in one question for all that lie in
   * the same time, because a plant renames its tags together.
   */
  const perPart = async <Answer>(
    tags: readonly RemoteTag[],
    from: Micros,
    to: Micros,
    ask: (of: RemoteTag[], from: Micros, to: Micros) => Promise<readonly Answer[]>,
  ): Promise<Answer[][]> => {
    const all = tags.map((tag) => partsOf(tag, from, to).map((part) => ({ ...part, answer: [] as Answer[] })));
    for (const group of Map.groupBy(all.flat(), (part) => `${part.from} ${part.to}`).values()) {
      const [{ from: begin, to: end } = { from, to }] = group;
      const answers = await ask(
        group.map(({ of }) => of),
        begin,
        end,
      );
      for (const [i, part] of group.entries()) part.answer.push(answers[i] as Answer);
    }
    return all.map((parts) => parts.flatMap(({ answer }) => answer));
  };

  return {
    raw,
    async changes(tag, from, to, limit, signal) {
      if (!tag.names) return remote.changes(tag, from, to, limit, signal);
      const found: (Part & { page: RemoteRaw })[] = [];
      for (const part of partsOf(tag, from, to)) {
        const page = await remote.changes(part.of, part.from, part.to, limit, signal);
        const [first] = page.t;
        if (first === undefined) continue;
        for (const { of, to: end } of found)
          if (first < end && (await remote.raw(of, first, end, 1, signal)).t.length > 0)
            return raw(tag, from, to, limit, signal);
        found.push({ ...part, page });
      }
      const all: RemoteRaw = { t: [], value: [], status: [], more: false };
      for (const { page } of found) {
        const room = limit - all.t.length;
        all.t = [...all.t, ...page.t.slice(0, room)];
        all.value = [...all.value, ...page.value.slice(0, room)];
        all.status = [...all.status, ...page.status.slice(0, room)];
        if (page.more || page.t.length > room) return { ...all, more: true };
      }
      return all;
    },
    async figures(tags, buckets, signal) {
      const found = await perPart(tags, buckets.from, buckets.to, (of, from, to) =>
        remote.figures(of, within(buckets, from, to), signal),
      );
      const answers: Summary[][] = [];
      for (const [i, tag] of tags.entries()) {
        const parts = (found[i] as Summary[][]).filter((one) => one.length > 0);
        const turns = inTurn(parts.map((one) => ({ t0: one[0]?.t0 as Micros, t1: one.at(-1)?.t1 as Micros })));
        if (!turns) answers.push(await figuresByRows(raw, tag, buckets, signal));
        else answers.push(parts.length > 1 ? joinedBy(buckets, parts.flat()) : (parts[0] ?? []));
      }
      return answers;
    },
    async sides(tags, from, to, limit, signal) {
      const found = await perPart(tags, from, to, (of, begin, end) => remote.sides(of, begin, end, limit, signal));
      const answers: (Sides | undefined)[] = [];
      for (const [i, tag] of tags.entries()) {
        const parts = (found[i] as (Sides | undefined)[]).filter((one) => one !== undefined);
        if (!inTurn(parts)) answers.push(await sidesByRows(raw, tag, from, to, limit, signal));
        else answers.push(parts.length > 0 ? parts.reduce((a, b) => joinedSides(a, b, limit)) : undefined);
      }
      return answers;
    },
    async counts(tags, from, to, signal) {
      const found = await perPart(tags, from, to, (of, begin, end) => remote.counts(of, begin, end, signal));
      return found.map((parts) => parts.reduce((a, b) => a + b, 0));
    },
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

/** Whether each ends before the next begins. */
const inTurn = (parts: readonly { t0: Micros; t1: Micros }[]): boolean =>
  parts.every(({ t0 }, i) => i === 0 || t0 > (parts[i - 1]?.t1 as Micros));

function within({ t, held }: RemoteBuckets, from: Micros, to: Micros): RemoteBuckets {
  const begin = Math.max(
    0,
    t.findLastIndex((start) => start <= from),
  );
  return { from, to, held, t: t.slice(begin).filter((start, i) => i === 0 || start < to) };
}

/** Figures by time, those of one bucket as one. */
function joinedBy({ t, held }: RemoteBuckets, all: readonly Summary[]): Summary[] {
  const found: Summary[] = [];
  let at = 0;
  let last = -1;
  for (const one of all) {
    while ((t[at + 1] ?? Infinity) <= one.t0) at++;
    if (at === last) found.push(joined(found.pop() as Summary, one));
    else found.push(one);
    last = at;
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
