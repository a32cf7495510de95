// Answers of the history routes that are one row a tag: figures over a range, and time above and below a limit.
// Used by history-routes.ts; many tags come in one answer, so there are no pages.
import type { Historian } from '../history.ts';
import { indexesOf, lackingOf } from './history.ts';
import type { LackingAnswer, Question } from './history.ts';
import { wireValue } from './values.ts';
import type { WireValue } from './wire.ts';

export interface KpiAnswer extends LackingAnswer {
  tag: string;
  unit: string;
  n: number;
  min: number | null;
  avg: number | null;
  max: number | null;
  last: { t: string; value: WireValue; status: number } | null;
}

/** Of the good samples in the range, and the last sample of any quality. Throws a Refusal when the tags are too many. */
export async function kpis(historian: Historian, question: Question): Promise<{ series: KpiAnswer[] }> {
  const { tags, from, to, zone, signal } = question;
  const found = await historian.kpis(indexesOf(tags), from, to, signal);
  const byTag = new Map(found.map((one) => [one.tag, one]));
  return {
    series: tags.map(({ index, id, unit }) => {
      const { n = 0, min = null, avg = null, max = null, last, ...lacks } = byTag.get(index) ?? {};
      return {
        ...{ tag: id, unit, n, min, avg, max, ...lackingOf(lacks, question) },
        last: last ? { t: zone.text(last.t), value: wireValue(last.value), status: last.status } : null,
      };
    }),
  };
}

export interface LimitTimeAnswer extends LackingAnswer {
  tag: string;
  unit: string;
  /** Seconds. */
  above: number;
  below: number;
  known: number;
}

/** A value holds until the next sample; what equals the limit is neither above nor below. */
export async function limitTime(
  historian: Historian,
  question: Question,
  limit: number,
): Promise<{ limit: number; series: LimitTimeAnswer[] }> {
  const { tags, from, to, signal } = question;
  const found = await historian.limitTime(indexesOf(tags), from, to, limit, signal);
  const byTag = new Map(found.map((one) => [one.tag, one]));
  return {
    limit,
    series: tags.map(({ index, id, unit }) => {
      const { above = 0, below = 0, known = 0, ...lacks } = byTag.get(index) ?? {};
      const times = { above: above / 1e6, below: below / 1e6, known: known / 1e6 };
      return { tag: id, unit, ...times, ...lackingOf(lacks, question) };
    }),
  };
}
