// Answers of the history routes out of the historian: a page at a time, small enough that making one holds nothing up,
// with a cursor for the rest. Used by history-routes.ts.
import { Buffer } from 'node:buffer';
import type { Tag } from '../catalog.ts';
import type { AggregateQuery, AggregateSeries, BucketWidth, Historian, Lacking, StateSeries } from '../history.ts';
import type { Micros, Value } from '../model.ts';
import { Refusal } from './errors.ts';
import type { Range } from './range.ts';
import { wireValue } from './values.ts';
import type { WireValue } from './wire.ts';

export interface Question extends Range {
  tags: readonly Tag[];
  signal: AbortSignal;
}

/** Where the next page begins: that tag of the list, at that time, in the range of the first page. */
export interface Cursor {
  tag: number;
  at: Micros;
  from: Micros;
  to: Micros;
}

function cursorText(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(Object.values(cursor))).toString('base64url');
}

/** Throws a Refusal for what no answer gave. */
export function cursorOf(text: string): Cursor {
  try {
    const fields = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
    if (Array.isArray(fields) && fields.length === 4 && fields.every((field) => Number.isSafeInteger(field))) {
      const [tag, at, from, to] = fields as [number, number, number, number];
      if (from <= at && at < to) return { tag, at, from, to };
    }
  } catch {
    // Refused below.
  }
  throw new Refusal(400, 'cursor is none that an answer gave: begin again without it', 'cursor');
}

/** The tags from the cursor's on; throws when its tag is no longer asked for. */
function onwards({ tags }: Question, cursor: Cursor | undefined): readonly Tag[] {
  if (!cursor) return tags;
  const at = tags.findIndex(({ index }) => index === cursor.tag);
  if (at < 0) throw new Refusal(400, 'cursor belongs to another list of tags: begin again without it', 'cursor');
  return tags.slice(at);
}

/** What a page of each tag in turn gave, until the rows of the answer are used up. */
async function inTurn<T extends { tag: string }>(
  question: Question,
  cursor: Cursor | undefined,
  rows: number,
  ask: (tag: Tag, from: Micros, left: number) => Promise<{ series: T; rows: number; next?: Micros }>,
): Promise<{ series: T[]; next: string | null }> {
  const { from, to } = question;
  const series: T[] = [];
  let left = rows;
  for (const tag of onwards(question, cursor)) {
    const at = tag.index === cursor?.tag ? cursor.at : from;
    if (left <= 0) return { series, next: cursorText({ tag: tag.index, at, from, to }) };
    const page = await ask(tag, at, left);
    left -= page.rows;
    series.push(page.series);
    if (page.next !== undefined) return { series, next: cursorText({ tag: tag.index, at: page.next, from, to }) };
  }
  return { series, next: null };
}

/** Which part of a tag's answer could not be had just now, and why; absent when it is whole. */
export interface LackingAnswer {
  incomplete?: string;
  /** That part lies before this. */
  incompleteUntil?: string;
}

export function lackingOf({ incomplete, incompleteUntil }: Lacking, { zone }: Range): LackingAnswer {
  if (incomplete === undefined) return {};
  return { incomplete, ...(incompleteUntil === undefined ? {} : { incompleteUntil: zone.text(incompleteUntil) }) };
}

export interface RawAnswer extends LackingAnswer {
  tag: string;
  unit: string;
  t: string[];
  value: WireValue[];
  status: number[];
}

/** Samples of each tag in turn, at most `rows` in all. */
export function raw(historian: Historian, question: Question, rows: number, cursor?: Cursor) {
  const { to, zone, signal } = question;
  return inTurn<RawAnswer>(question, cursor, rows, async (tag, from, left) => {
    const { t, value, status, more, ...lacks } = await historian.raw(tag.index, from, to, left, signal);
    const last = t.at(-1);
    return {
      series: {
        ...{ tag: tag.id, unit: tag.unit, t: t.map(zone.text), value: value.map(wireValue), status },
        ...lackingOf(lacks, question),
      },
      rows: t.length,
      ...(more && last !== undefined ? { next: last + 1 } : {}),
    };
  });
}

export interface StatesAnswer extends LackingAnswer {
  tag: string;
  spans: { from: string; to: string; value: WireValue; text?: string; quality: string }[];
  durations: { value: WireValue; text?: string; seconds: number; times: number }[];
}

/** How long each value held, of each tag in turn, at most `rows` spans in all; the durations are those of the page. */
export function states(historian: Historian, question: Question, rows: number, cursor?: Cursor) {
  const { to, zone, signal } = question;
  return inTurn<StatesAnswer>(question, cursor, rows, async (tag, from, left) => {
    const [found] = await historian.states([tag.index], from, to, left, signal);
    const { spans, durations, more, ...lacks }: StateSeries = found ?? {
      tag: tag.index,
      spans: [],
      durations: [],
      more: false,
    };
    const named = (value: Value) => {
      const text = typeof value === 'number' || typeof value === 'boolean' ? tag.names?.[Number(value)] : undefined;
      return { value: wireValue(value), ...(text === undefined ? {} : { text }) };
    };
    const last = spans.at(-1);
    return {
      series: {
        tag: tag.id,
        spans: spans.map((span) => ({
          ...{ from: zone.text(span.from), to: zone.text(span.to), quality: span.quality },
          ...named(span.value),
        })),
        durations: durations.map(({ value, time, times }) => ({ ...named(value), seconds: time / 1e6, times })),
        ...lackingOf(lacks, question),
      },
      rows: spans.length,
      ...(more && last !== undefined && last.to < to ? { next: last.to } : {}),
    };
  });
}

export const figures = ['count', 'good', 'share', 'min', 'max', 'first', 'last', 'avg', 'mean'] as const;
export type Figure = (typeof figures)[number];

export type BucketsAnswer = { tag: string; unit: string } & LackingAnswer &
  Partial<Record<Figure, readonly (number | null)[]>>;

/** Cells of an answer: tags × buckets. */
export const mostCells = 5000;

/** Throws a Refusal when the tags are too many for an answer that has them all. */
export function indexesOf(tags: readonly Tag[]): number[] {
  const most = Math.floor(mostCells / 3);
  if (tags.length > most)
    throw new Refusal(400, `${tags.length} tags are too many for one answer; ask for at most ${most}`, 'tags');
  return tags.map(({ index }) => index);
}

/** Buckets of all tags side by side; a page is a stretch of time. Throws a Refusal when the tags alone are too many. */
export async function buckets(
  historian: Historian,
  question: Question,
  width: BucketWidth,
  wanted: readonly Figure[],
  cursor?: Cursor,
): Promise<{ t: string[]; end: string; series: BucketsAnswer[]; next: string | null }> {
  const { tags, to, zone, signal } = question;
  const from = cursor?.at ?? question.from;
  const indexes = indexesOf(tags);
  const count = Math.floor(mostCells / Math.max(1, tags.length));
  const page = await bucketPage(historian, { tags: indexes, from, to, width, zone: zone.name, count }, signal);
  const start = page.next;
  const next = start === undefined ? null : cursorText({ tag: indexes[0] ?? 0, at: start, from: question.from, to });
  return {
    t: page.t.map(zone.text),
    end: zone.text(page.end),
    series: tags.map((tag) => ({
      ...{ tag: tag.id, unit: tag.unit },
      ...columnsOf(page.series.get(tag.index), wanted, page.t.length),
      ...lackingOf(page.series.get(tag.index) ?? {}, question),
    })),
    next,
  };
}

export interface BucketPage {
  t: Micros[];
  end: Micros;
  /** By tag; its columns may have one bucket more than `t`. */
  series: Map<number, AggregateSeries>;
  /** Where the next page begins; undefined: this was the last. */
  next?: Micros;
}

/** Whole buckets from a time on, about `count` of them (at least 3). */
export async function bucketPage(
  historian: Historian,
  { count, to, ...query }: AggregateQuery & { count: number },
  signal: AbortSignal,
): Promise<BucketPage> {
  // The last bucket of a page that is cut off is left to the next: where it begins is for the calendar to say.
  const until = Math.min(to, query.from + (count - 1) * roughly(query.width));
  if (query.tags.length === 0) return { t: [], end: to, series: new Map() };
  const answer = await historian.aggregate({ ...query, to: until }, signal);
  const [first] = answer;
  const series = new Map(answer.map((one) => [one.tag, one]));
  const t = first?.t ?? [];
  const next = until < to ? t.at(-1) : undefined;
  if (next === undefined) return { t, end: first?.end ?? until, series };
  if (t.length < 2) return bucketPage(historian, { ...query, to, count: 2 * count }, signal);
  return { t: t.slice(0, -1), end: next, series, next };
}

function columnsOf(series: AggregateSeries | undefined, wanted: readonly Figure[], shown: number) {
  const column = (figure: Figure) => (series?.[figure] ?? []).slice(0, shown).map((value) => wireValue(value));
  return Object.fromEntries(wanted.map((figure) => [figure, column(figure)])) as Partial<
    Record<Figure, readonly (number | null)[]>
  >;
}

/** µs that a bucket lasts at most. */
function roughly(width: BucketWidth): Micros {
  if (typeof width === 'number') return width;
  const days = { hour: 1 / 24, day: 1, week: 7, month: 28, year: 365 }[width];
  return days * 86_400e6;
}
