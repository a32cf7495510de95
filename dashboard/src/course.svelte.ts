// What the trend has of history: the hours chosen, the finer part that is zoomed into, and the live points behind them.
// Asks as the operator moves: what the screen's width shows, once the hand rests, and calls off what is no longer wanted.
// Made and started by Trend.svelte, which draws it.
import { untrack } from 'svelte';
import type { Timeseries } from '../../gateway/web/wire.ts';
import { api, type Curve } from './api.ts';
import { around, overlap, shows, type Frame } from './frame.ts';
import type { Plant } from './plant.svelte.ts';
import { closeUp, mostSamples, samplesOf } from './samples.ts';
import type { Course, Point } from './series.ts';
import { after, drawable, extend, filed, liveEvery, noTail, type Tail } from './tail.ts';

export interface Wanted {
  facility: string;
  metric: string;
  hours: number;
  /** Minutes of a bucket; 0: as many buckets as the screen shows. */
  bucket: number;
  assets: readonly string[];
  /** Their tags. */
  tags: readonly string[];
  /** In steps: each change is fetched. */
  pixels: number;
}
export interface Answered {
  course: Course;
  /** When it was asked, ms by the gateway's clock: until then it is known. */
  asOf: number;
}

/** ms: the hand rests; an answer that failed or is not whole is asked for again; a whole one at the latest. */
const rest = 150;
const soon = 8000;
const latest = 600_000;
/** Buckets of a width that the operator chose; a wider range is cut as the screen needs. */
const mostBuckets = 3000;

export const rangeOf = ({ course }: Answered): Frame => ({
  from: Date.parse(course.from),
  to: Date.parse(course.to),
});

export class Courses {
  whole = $state.raw<Answered>();
  detail = $state.raw<Answered>();
  tail = $state.raw<Tail>(noTail);
  failure = $state('');
  /** Something finer or further is being asked for. */
  asking = $state(false);
  #round = $state(0);
  readonly #plant: Plant;
  /** Tags that had a live value while the page was open, by index. */
  readonly #lived = new Set<number>();

  constructor(plant: Plant) {
    this.#plant = plant;
  }

  /** The gateway's time as well as the page knows it, ms. */
  now(): number {
    return Number.isFinite(this.#plant.now) ? this.#plant.now : Date.now();
  }
  /** What is drawn of a frame: the finer part where there is one. */
  of(frame: Frame | undefined): Answered | undefined {
    return frame && this.detail && overlap(rangeOf(this.detail), frame) ? this.detail : this.whole;
  }

  /** Asks from now on for what is wanted; undefined: nothing can be asked yet. Called while a component is made. */
  start(asked: () => Wanted | undefined, frame: () => Frame | undefined): void {
    // By its text, so that the same said again is no new question.
    const text = $derived(JSON.stringify(asked() ?? null));
    const wanted = $derived(JSON.parse(text) as Wanted | null);
    const curve = $derived(wanted && [wanted.facility, wanted.metric, wanted.hours, wanted.bucket].join());
    let lost = false;
    // Another curve: nothing of the old one stays.
    $effect(() => {
      void curve;
      this.whole = this.detail = undefined;
      this.tail = noTail;
      this.failure = '';
    });
    $effect(() => this.#fetchWhole(wanted));
    $effect(() => this.#fetchDetail(wanted, frame()));
    $effect(() => {
      const { course } = this.whole ?? {};
      const lacking = this.failure !== '' || (this.of(frame())?.course.incomplete ?? '') !== '';
      const every = Math.min(latest, Math.max(30_000, (course?.bucketMinutes ?? 1) * 60_000));
      const again = setInterval(() => !document.hidden && this.#round++, lacking ? soon : every);
      return () => clearInterval(again);
    });
    $effect(() => {
      // The page heard nothing for a while: what happened meanwhile stands in history.
      if (lost && this.#plant.link === 'live') untrack(() => this.#round++);
      lost = this.#plant.link === 'stale' || (lost && this.#plant.link !== 'live');
    });
    $effect(() => {
      const shown = () => !document.hidden && this.#round++;
      document.addEventListener('visibilitychange', shown);
      return () => document.removeEventListener('visibilitychange', shown);
    });
    $effect(() => {
      const live = setInterval(() => this.#live(), 1000);
      return () => clearInterval(live);
    });
  }

  #fetchWhole(wanted: Wanted | null): (() => void) | undefined {
    void this.#round;
    if (!wanted || wanted.assets.length === 0) return undefined;
    const { hours } = wanted;
    const asOf = untrack(() => this.now());
    const range = hours <= 48 ? { hours } : { from: Math.floor(asOf - hours * 3_600_000), to: Math.ceil(asOf) };
    return this.#ask(wanted, { ...range, ...width(wanted, hours * 3_600_000, 1) }, (course) => {
      this.whole = { course, asOf };
      this.tail = after(this.tail, course.t.at(-1) ?? 0);
    });
  }

  /** The hand comes to rest before anything is fetched; what comes for another stretch of time is discarded. */
  #fetchDetail(wanted: Wanted | null, frame: Frame | undefined): (() => void) | undefined {
    void this.#round;
    if (!wanted || !frame) {
      this.detail = undefined;
      this.asking = false;
      return undefined;
    }
    const asOf = untrack(() => this.now());
    if (untrack(() => this.#suffices(wanted, frame, asOf))) {
      this.asking = false;
      return undefined;
    }
    this.asking = true;
    let stop: (() => void) | undefined;
    const settled = setTimeout(() => {
      const range = around(frame, asOf);
      const close = wanted.bucket === 0 && frame.to - frame.from <= closeUp;
      const samples = close ? (signal: AbortSignal) => api.raw(wanted.tags, range, mostSamples, signal) : undefined;
      const asked = { ...range, ...width(wanted, range.to - range.from, 2) };
      stop = this.#ask(
        wanted,
        asked,
        (course) => {
          this.detail = { course, asOf };
          this.asking = false;
        },
        samples && { samples, asOf },
      );
    }, rest);
    return () => {
      clearTimeout(settled);
      stop?.();
    };
  }

  #suffices({ assets, bucket, pixels }: Wanted, frame: Frame, now: number): boolean {
    const had = this.detail;
    if (!had || had.course.incomplete !== undefined) return false;
    const drawn = had.course.series.map((one) => one.asset);
    if (!assets.every((asset) => drawn.includes(asset))) return false;
    const range = rangeOf(had);
    const wide = frame.to - frame.from;
    // So much closer that the samples themselves may be had now.
    if (bucket === 0 && wide <= closeUp && had.course.bucketMinutes > 0 && range.to - range.from > 4 * wide)
      return false;
    const step = bucket === 0 ? had.course.bucketMinutes * 60_000 : 0;
    return shows(range, step, frame, pixels, now);
  }

  #ask(
    { facility, metric, assets }: Wanted,
    range: Omit<Curve, 'metric' | 'assets'>,
    take: (course: Course) => void,
    close?: { samples(signal: AbortSignal): ReturnType<typeof api.raw>; asOf: number },
  ): () => void {
    const stop = new AbortController();
    const { signal } = stop;
    // Where the samples are too many or cannot be had, buckets show the same.
    const samples = close?.samples(signal).catch(() => undefined);
    const both = async (): Promise<[Timeseries, Awaited<typeof samples>]> => [
      await api.timeseries(facility, { metric, assets, ...range }, signal),
      await samples,
    ];
    both().then(
      ([buckets, raw]) => {
        if (signal.aborted) return;
        this.failure = '';
        take(raw?.next === null && close ? samplesOf(buckets, raw, close.asOf) : buckets);
      },
      (error: unknown) => {
        if (signal.aborted) return;
        this.asking = false;
        this.failure = error instanceof Error ? error.message : String(error);
      },
    );
    return () => stop.abort();
  }

  #live(): void {
    const { whole } = this;
    if (!whole || document.hidden || this.#plant.link !== 'live') return;
    const { metric, series, bucketMinutes } = whole.course;
    const ends = new Map(series.map(({ asset, avg }) => [asset, avg.at(-1)]));
    const values = new Map<string, Point>();
    for (const { tag, reading } of this.#plant.cells.values()) {
      const { asset, i } = tag;
      const value = drawable(reading);
      if (value !== null) this.#lived.add(i);
      if (tag.metric === metric)
        values.set(asset, filed(reading, ends.get(asset), this.#lived.has(i)) ? undefined : value);
    }
    this.tail = extend(this.tail, Math.round(this.#plant.now), values, liveEvery(bucketMinutes));
  }
}

/** Buckets as the operator chose them while they are not too many for a range of ms, else `times` as many as the screen shows. */
function width({ bucket, pixels }: Wanted, range: number, times: number): Pick<Curve, 'bucket_minutes' | 'points'> {
  if (bucket > 0 && range / (bucket * 60_000) <= mostBuckets) return { bucket_minutes: bucket };
  return { points: Math.min(4000, times * pixels) };
}
