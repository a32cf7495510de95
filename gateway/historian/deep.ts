// One history out of two: what the gateway does not keep, or never had, comes from a database elsewhere, the rest from
// here, and the caller sees one series. Used by the reader worker around its local queries.
// The database adds up what it has of each bucket; both parts go through the same sinks (embedded/older.ts). When it does
// not answer in time, the local part comes all the same, older hours included, and says what is missing.
import type { Historian, Lacking, RawSeries } from '../history.ts';
import type { Clock, Micros } from '../model.ts';
import { asking } from './asking.ts';
import { bucketsUntil, changesUntil, edgesOf, isoOf } from './beyond.ts';
import type { Named } from './beyond.ts';
import type { Query } from './embedded/history.ts';
import { lacksToo } from './embedded/holes.ts';
import { laterOf } from './embedded/older.ts';
import type { Older, Part } from './embedded/older.ts';
import { calendarBuckets, check, checkLimit, checkRows, checkSpans, fixedBuckets } from './embedded/questions.ts';
import type { Series } from './embedded/series.ts';
import type { Sides } from './embedded/states.ts';
import type { Summary } from './embedded/summary.ts';
import type { Last } from './embedded/walk.ts';
import type { RemoteHistory, RemoteRaw, RemoteTag } from './remote.ts';

export interface DeepOptions {
  remote: RemoteHistory;
  /** By index; undefined: never heard of, and so nowhere else either. */
  tag(index: number): RemoteTag | undefined;
  /** What is older than this is not kept here, whether it is gone already or not. */
  retained(): Micros;
  clock: Pick<Clock, 'mono' | 'after'>;
  /** ms an answer may take: 5 s by default. */
  timeout?: number;
}

/** How a question is asked elsewhere. */
interface Question<Piece> {
  tags: readonly number[];
  from: Micros;
  to: Micros;
  /** What the tags have before `end`, by time. */
  pieces(tags: readonly Named[], end: Micros, signal: AbortSignal): Promise<readonly (readonly Piece[])[]>;
  /** A piece's first sample. */
  first(piece: Piece): Micros;
  /** Whether it matters what held when the time began, or what came last in it. */
  needs?: 'before' | 'last';
}

type Answers = Omit<Historian, 'bucketText' | 'rows'>;

const TIMEOUT = 5000;

const ids = (group: readonly Named[]): RemoteTag[] => group.map(({ of }) => of);

export function deepHistory(local: Query, { remote, tag, retained, clock, timeout = TIMEOUT }: DeepOptions): Answers {
  const { ask } = asking(clock, timeout);
  const namedOf = (tags: readonly number[]): Named[] =>
    tags.flatMap((index) => {
      const of = tag(index);
      return of ? [{ index, of }] : [];
    });
  /** Before this, not all is here. */
  const edge = (): Micros => Math.max(local.floor(), retained(), local.since());

  /** What is elsewhere, or what of that could not be had. */
  const beyond = async <Piece>(
    { tags, from, to, pieces, first, needs }: Question<Piece>,
    signal?: AbortSignal,
  ): Promise<{ older: Older<Piece>; lacks(tag: number): Lacking }> => {
    const nothing = { older: new Map<number, Part<Piece>>(), lacks: () => ({}) };
    if (!(from < to)) return nothing;
    const until = edge();
    const reaches = from < until;
    if (!reaches && needs !== 'before') return nothing;
    // What came before the edge may have been followed by more elsewhere.
    const unknown = (index: number): boolean => (local.before(index, from)?.t ?? -Infinity) < until;
    const named = namedOf(tags).filter(({ index }) => reaches || unknown(index));
    if (named.length === 0) return nothing;
    const said = await ask(async (within) => {
      const older = new Map<number, Part<Piece>>();
      const base = Math.max(local.floor(), retained());
      for (const [at, group] of await edgesOf(local, remote, named, { from, to, base }, within)) {
        const end = Math.min(to, at);
        const found = from < end ? await pieces(group, end, within) : [];
        const held = await newest(needs === 'before' ? group : [], from, within);
        const last = await newest(needs === 'last' && from < end ? group : [], end, within);
        for (const [i, { index, of }] of group.entries()) {
          const [begin, ...rest] = found[i] ?? [];
          const before = held.get(of.id);
          const begins = before ? from : begin === undefined ? Math.max(from, at) : first(begin);
          const part = { begins, edge: at, before, last: last.get(of.id) };
          older.set(index, { ...part, pieces: begin === undefined ? [] : [begin, ...rest] });
        }
      }
      return older;
    }, signal);
    if ('answer' in said) return { older: said.answer, lacks: () => ({}) };
    const missing = new Set(named.map(({ index }) => index));
    const what = reaches
      ? `what is older than ${isoOf(until)} is missing, or known by the hour alone`
      : `what held at ${isoOf(from)} is not known`;
    const lacking = { incomplete: `${what}: ${said.reason}`, incompleteUntil: Math.min(to, reaches ? until : from) };
    return { ...nothing, lacks: (index) => (missing.has(index) ? lacking : {}) };
  };
  const newest = async (group: readonly Named[], before: Micros | undefined, signal: AbortSignal) => {
    const found = group.length === 0 ? [] : await remote.latest(ids(group), before, signal);
    return new Map(found.map(({ id, ...last }): [string, Last] => [id, last]));
  };

  const first = ({ t0 }: Pick<Summary, 't0'>): Micros => t0;

  /** Asks both; once more when meanwhile some of what is here has been removed. */
  const both = async <Piece, Answer extends Lacking & { tag: number }>(
    question: Question<Piece>,
    here: (older: Older<Piece>) => Promise<Answer[]>,
    signal?: AbortSignal,
  ): Promise<Answer[]> => {
    for (let tries = 0; ; tries++) {
      const floor = local.floor();
      const { older, lacks } = await beyond(question, signal);
      const answer = await here(older);
      if (floor === local.floor() || tries > 1)
        return answer.map((one) => ({ ...one, ...lacksToo(one, lacks(one.tag)) }));
    }
  };

  return {
    async raw(index, from, to, limit, signal) {
      checkRows(index, from, to, limit);
      const until = edge();
      const of = tag(index);
      if (from >= until || from >= to || !of) return local.raw(index, from, to, limit, signal);
      const said = await ask((within) => remote.raw(of, from, Math.min(to, until), limit, within), signal);
      const begun = 'answer' in said ? (said.answer.t[0] ?? until) : -Infinity;
      const here = await local.raw(index, from, to, limit, signal, { from: begun, until });
      if ('answer' in said) return joinRaw(said.answer, here, limit);
      const incomplete = `what is older than ${isoOf(until)} is missing: ${said.reason}`;
      return { ...here, ...lacksToo(here, { incomplete, incompleteUntil: Math.min(to, until) }) };
    },
    buckets(tags, from, to, width, signal) {
      const { t } = fixedBuckets(tags, from, to, width);
      const pieces = bucketsUntil(remote, { from, t, held: false });
      const question: Question<Summary> = { tags, from, to, pieces, first };
      return both(question, (older) => local.buckets(tags, from, to, width, signal, older), signal);
    },
    aggregate(query, signal) {
      const { t } = calendarBuckets(query);
      const pieces = bucketsUntil(remote, { from: query.from, t, held: true });
      const question: Question<Summary> = { ...query, pieces, first, needs: 'before' };
      return both(question, (older) => local.aggregate(query, signal, older), signal);
    },
    kpis(tags, from, to, signal) {
      check(tags, from, to);
      const pieces = bucketsUntil(remote, { from, t: [from], held: false });
      const question: Question<Summary> = { tags, from, to, pieces, first, needs: 'last' };
      return both(question, (older) => local.kpis(tags, from, to, signal, older), signal);
    },
    states(tags, from, to, limit, signal) {
      checkSpans(tags, from, to, limit);
      const pieces = changesUntil(remote, from, limit);
      const begins = ({ t }: Series): Micros => t[0] as number;
      const question: Question<Series> = { tags, from, to, pieces, first: begins, needs: 'before' };
      return both(question, (older) => local.states(tags, from, to, limit, signal, older), signal);
    },
    limitTime(tags, from, to, limit, signal) {
      checkLimit(tags, from, to, limit);
      const question: Question<Sides> = {
        ...{ tags, from, to, first, needs: 'before' },
        pieces: async (group, end, within) =>
          (await remote.sides(ids(group), from, end, limit, within)).map((sides) => (sides ? [sides] : [])),
      };
      return both(question, (older) => local.limitTime(tags, from, to, limit, signal, older), signal);
    },
    async latest(tags, signal) {
      const found = new Map((await local.latest(tags, signal)).map((one) => [one.tag, one]));
      const until = edge();
      const named = namedOf(tags.filter((index) => (found.get(index)?.t ?? -Infinity) < until));
      if (named.length === 0) return [...found.values()];
      const said = await ask((within) => newest(named, undefined, within), signal);
      if (!('answer' in said)) return [...found.values()];
      return tags.flatMap((index) => {
        const last = laterOf(found.get(index), said.answer.get(tag(index)?.id ?? ''));
        return last ? [{ tag: index, t: last.t, value: last.value, status: last.status }] : [];
      });
    },
  };
}

/** A page out of a page of each: of a time that both have, what is here counts. */
export function joinRaw(older: RemoteRaw, newer: RawSeries, limit: number): RawSeries {
  // Beyond a page that goes on, nothing is known of that side.
  const ends = [older, newer].map(({ more, t }) => (more ? (t.at(-1) ?? -Infinity) : Infinity));
  const until = Math.min(...ends);
  const page: RawSeries = {
    ...{ tag: newer.tag, t: [], value: [], status: [], more: until < Infinity },
    ...(newer.incomplete === undefined ? {} : { incomplete: newer.incomplete }),
    ...(newer.incompleteUntil === undefined ? {} : { incompleteUntil: newer.incompleteUntil }),
  };
  for (let [i, k] = [0, 0]; ;) {
    const [a, b] = [older.t[i] ?? Infinity, newer.t[k] ?? Infinity];
    const t = Math.min(a, b);
    if (t > until || t === Infinity) return page;
    if (page.t.length === limit) return { ...page, more: true };
    const [from, at] = b <= a ? [newer, k] : [older, i];
    page.t.push(t);
    page.value.push(from.value[at] ?? null);
    page.status.push(from.status[at] ?? 0);
    if (a === t) i++;
    if (b === t) k++;
  }
}
