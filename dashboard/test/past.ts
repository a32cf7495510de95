// The history of the made-up plant: curves in buckets and the samples themselves, as the gateway answers them. Used by
// gateway.ts.
import type { Dict, DictTag, Facility, Timeseries } from '../../gateway/web/wire.ts';

export interface Ways {
  /** ms an answer takes. */
  delay: number;
  /** Why there is no answer, for curves and figures. */
  fails?: string | undefined;
  /** What an answer lacks, and before when, ms. */
  incomplete?: string | undefined;
  incompleteUntil?: number | undefined;
}
type Value = (tag: DictTag, at: number) => number;

const widths = [1, 2, 5, 10, 15, 30, 60, 300, 3600, 14_400, 43_200];

export function timeseries(
  facility: Facility,
  dict: Dict,
  search: URLSearchParams,
  value: Value,
  { incomplete, incompleteUntil = 0 }: Ways,
): Timeseries {
  const to = Number(search.get('to') ?? Date.now());
  const from = Number(search.get('from') ?? to - Number(search.get('hours')) * 3_600_000);
  const points = Number(search.get('points'));
  const seconds = widths.find((each) => each * 1000 * points >= to - from) ?? 86_400;
  const step = points > 0 ? seconds * 1000 : Number(search.get('bucket_minutes')) * 60_000;
  const first = Math.floor(from / step) * step;
  const t = Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, n) => first + n * step);
  const assets = search.getAll('assets');
  const tags = dict.tags.filter(
    (tag) => tag.metric === search.get('metric') && (assets.length === 0 || assets.includes(tag.asset)),
  );
  // Data is missing for twenty minutes, two hours ago.
  const hole = (at: number) => Math.abs(at - (Date.now() - 7_200_000)) < 600_000 || at < incompleteUntil;
  const curve = (tag: DictTag, add: number) =>
    t.map((at) => (hole(at) ? null : value(tag, at / 40 + (tag.i % 50) * 1e5) + add));
  const one = tags[0];
  return {
    ...{ facility: facility.id, metric: one?.metric ?? '', name: one?.name ?? '' },
    ...{ unit: one?.unit ?? '', decimals: one?.decimals ?? 0 },
    ...{ from: new Date(first).toISOString(), to: new Date(to).toISOString(), bucketMinutes: step / 60_000, t },
    ...(incomplete === undefined ? {} : { incomplete, incompleteUntil }),
    series: tags.map((tag) => ({
      ...{
        asset: tag.asset,
        name: dict.assets.find((asset) => asset.path === tag.asset)?.name ?? '',
        tag: tag.id,
        limits: tag.limits,
      },
      ...{ min: curve(tag, -2), avg: curve(tag, 0), max: curve(tag, 3) },
    })),
  };
}

/** A sample a second. */
export function samples(dicts: readonly Dict[], search: URLSearchParams, value: Value) {
  const [from, to] = ['from', 'to'].map((name) => Date.parse(search.get(name) ?? '')) as [number, number];
  const named = search.getAll('tags');
  const tags = dicts.flatMap((dict) => dict.tags).filter((tag) => named.includes(tag.id));
  const t = Array.from({ length: Math.max(0, Math.floor((to - from) / 1000)) }, (_, n) => from + n * 1000);
  const whole = t.length * tags.length <= Number(search.get('limit'));
  return {
    next: whole ? null : 'more',
    series: tags.map((tag) => ({
      ...{ tag: tag.id, unit: tag.unit, t: t.map((at) => new Date(at).toISOString()) },
      ...{ value: t.map((at) => value(tag, at / 40 + (tag.i % 50) * 1e5)), status: t.map(() => 0) },
    })),
  };
}
