// What the overview page asks: a site's summary and its trends, from the present and from history.
// Used by the routes; many pages that ask for the same site share one query.
import type { Catalog, Site, Tag } from '../catalog.ts';
import type { Alarm, Clock, Present, Severity } from '../model.ts';
import type { BucketSeries, Historian } from '../history.ts';
import { timeseries, widthFor } from './timeseries.ts';
import { combine, course, rangeOf, widthMinutes, windowOf } from './kpi.ts';
import type { Window } from './kpi.ts';
import { isStale, liveValue, tagSeverities, wireAlarm, wireFacility } from './values.ts';
import type { MachineStatus, Summary, SummaryKpi } from './wire.ts';
import { quality } from '../model.ts';

const minute = 60_000_000;
const sparkMinutes = 2;
/** Cells of one query: what a large one brings comes in parts that hold nothing up. */
const cells = 10_000;
/** How long an answer from history serves further pages, ms. */
const shareFor = 5000;

export interface AskedCurve {
  metric: string;
  hours: number;
  bucket_minutes: number;
  /** ms. */
  from?: number;
  to?: number;
  points?: number;
  assets?: string | string[];
}
type History = { window: Window; spark: (number | null)[] };
interface Figures {
  of: Map<string, History>;
  incomplete?: string;
}

export class Dashboard {
  readonly #historian: Historian;
  readonly #present: Present;
  readonly #clock: Clock;
  readonly #shared = new Map<string, { until: number; answer: Promise<Figures> }>();

  constructor(historian: Historian, present: Present, clock: Clock) {
    this.#historian = historian;
    this.#present = present;
    this.#clock = clock;
  }

  async summary(catalog: Catalog, site: Site, hours: number): Promise<Summary> {
    const { of: history, incomplete } = await this.#history(catalog, site, hours);
    const alarms = this.#present.alarms().filter((alarm) => alarm.site === site.id);
    const severities = tagSeverities(alarms);
    const counts: Record<MachineStatus, number> = { operational: 0, warning: 0, down: 0, maintenance: 0, offline: 0 };
    const assets = site.assets.map(({ path, name, kind, line, tags }) => {
      const status = this.#present.states().get(path)?.status ?? 'offline';
      counts[status]++;
      return { path, name, kind, line, status, values: tags.map((tag) => liveValue(tag, this.#present, severities)) };
    });
    return {
      facility: wireFacility(site),
      hours,
      generatedAt: new Date(this.#clock.now()).toISOString(),
      counts,
      alarms: countBySeverity(alarms),
      kpis: [...kpiTags(site)].map(([metric, tags]) => this.#kpi(metric, tags, history.get(metric))),
      ...(incomplete === undefined ? {} : { incomplete }),
      insights: alarms.map((alarm) => wireAlarm(alarm, catalog)).sort(byUrgency),
      assets,
    };
  }

  /** A curve over the hours until now, or over a range of its own; undefined when no asset has the metric. */
  timeseries(site: Site, asked: AskedCurve, signal: AbortSignal): Promise<Buffer | undefined> {
    const { metric, hours, bucket_minutes: minutes, points } = asked;
    const now = this.#clock.now();
    const width = (span: number): number => (points === undefined ? minutes * 60_000 : widthFor(span, points));
    const span = hours * 3_600_000;
    const { from, to = now } = asked;
    const assets = typeof asked.assets === 'string' ? [asked.assets] : asked.assets;
    if (from !== undefined)
      return timeseries(this.#historian, site, { metric, assets, from, to, width: width(to - from) }, signal);
    // The bucket now running is the last.
    const end = Math.floor(to / width(span)) * width(span) + width(span);
    const begin = end - Math.ceil(span / width(span)) * width(span);
    return timeseries(this.#historian, site, { metric, assets, from: begin, to: end, width: width(span) }, signal);
  }

  #kpi(metric: string, tags: readonly Tag[], history: History | undefined): SummaryKpi {
    const { name, unit, decimals, aggregate = 'mean' } = tags[0] ?? { name: metric, unit: '', decimals: 2 };
    const values: number[] = [];
    for (const tag of tags) {
      const sample = this.#present.latest(tag.index);
      if (!sample || isStale(sample) || quality(sample.status) !== 'good' || typeof sample.value !== 'number') continue;
      values.push(sample.value);
    }
    return {
      metric,
      name,
      unit,
      decimals,
      aggregate,
      current: combine(values, aggregate),
      ...(history?.window ?? { avg: null, min: null, max: null }),
      range: rangeOf(tags, aggregate),
      reporting: values.length,
      of: tags.length,
      spark: history?.spark ?? [],
    };
  }

  /** History's part of a summary: the slow one, shared by all who ask within a few seconds. */
  #history(catalog: Catalog, site: Site, hours: number): Promise<Figures> {
    const key = `${catalog.revision}/${site.id}/${hours}`;
    const now = this.#clock.mono();
    for (const [old, { until }] of this.#shared) if (until <= now) this.#shared.delete(old);
    let shared = this.#shared.get(key);
    if (!shared) {
      const answer = this.#figures(site, hours);
      // While it is being made it is shared however long that takes: a slow disk is not asked again by every page.
      const fresh = (shared = { until: Infinity, answer });
      this.#shared.set(key, fresh);
      answer.then(
        () => (fresh.until = this.#clock.mono() + shareFor),
        () => this.#shared.delete(key),
      );
    }
    return shared.answer;
  }

  async #figures(site: Site, hours: number): Promise<Figures> {
    const groups = kpiTags(site);
    const tags = [...groups.values()].flat();
    if (tags.length === 0) return { of: new Map() };
    const now = this.#clock.micros();
    const width = widthMinutes(hours, tags.length, 5) * minute;
    const sparkWidth = widthMinutes(1, tags.length, sparkMinutes) * minute;
    const last = Math.ceil(now / sparkWidth) * sparkWidth;
    const [long, spark] = await Promise.all([
      this.#buckets(tags, Math.floor(now / width) * width - hours * 60 * minute, now, width),
      this.#buckets(tags, last - 60 * minute, last, sparkWidth),
    ]);
    const figures = new Map<string, History>();
    let at = 0;
    for (const [metric, group] of groups) {
      const aggregate = group[0]?.aggregate ?? 'mean';
      const slice = (all: BucketSeries[]) => all.slice(at, at + group.length);
      figures.set(metric, { window: windowOf(slice(long), aggregate), spark: course(slice(spark), aggregate) });
      at += group.length;
    }
    const lacking = long.find(({ incomplete }) => incomplete !== undefined);
    return { of: figures, ...(lacking && { incomplete: lacking.incomplete }) };
  }

  /** In the order of the tags, whatever order the historian answers in. */
  async #buckets(
    tags: readonly Tag[],
    from: number,
    to: number,
    width: number,
    signal?: AbortSignal,
  ): Promise<BucketSeries[]> {
    const answer: BucketSeries[] = [];
    const count = Math.max(1, Math.ceil((to - from) / width) + 1);
    const atOnce = Math.max(1, Math.floor(cells / count));
    for (let at = 0; at < tags.length; at += atOnce) {
      const part = tags.slice(at, at + atOnce).map((tag) => tag.index);
      answer.push(...(await this.#historian.buckets(part, from, to, width, signal)));
    }
    const byTag = new Map(answer.map((series) => [series.tag, series]));
    const t = answer[0]?.t ?? [];
    return tags.map(
      ({ index }) =>
        byTag.get(index) ?? {
          tag: index,
          t,
          n: t.map(() => 0),
          min: t.map(() => null),
          avg: t.map(() => null),
          max: t.map(() => null),
        },
    );
  }
}

/** The site's KPI tags by metric, in the order in which its assets have them. */
function kpiTags(site: Site): Map<string, Tag[]> {
  const groups = new Map<string, Tag[]>();
  for (const asset of site.assets) {
    for (const tag of asset.tags) {
      if (!tag.aggregate) continue;
      const group = groups.get(tag.metric);
      if (group) group.push(tag);
      else groups.set(tag.metric, [tag]);
    }
  }
  return groups;
}

const rank: Record<Severity, number> = { critical: 0, high: 1, medium: 2, low: 3 };

/** Active before returned, then by severity, then the newest first. */
function byUrgency(a: Summary['insights'][number], b: Summary['insights'][number]): number {
  return Number(b.active) - Number(a.active) || rank[a.severity] - rank[b.severity] || b.raisedAt - a.raisedAt;
}

function countBySeverity(alarms: readonly Alarm[]): Record<Severity, number> {
  const counts: Record<Severity, number> = { low: 0, medium: 0, high: 0, critical: 0 };
  for (const alarm of alarms) if (alarm.active && alarm.shelvedUntil === undefined) counts[alarm.severity]++;
  return counts;
}
