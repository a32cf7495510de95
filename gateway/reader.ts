// The reader thread: history queries over a read-only connection, so that no query delays a write or main.
// `openReader` is how the daemon starts it from main; a thread that dies is started again, its open queries reject.
import { workerData } from 'node:worker_threads';
import { systemClock } from './clock.ts';
import { curve } from './historian/curve.ts';
import type { Curve } from './historian/curve.ts';
import { withDeep } from './historian/elsewhere.ts';
import type { Elsewhere } from './historian/elsewhere.ts';
import { openQuery } from './historian/embedded/history.ts';
import { lackOf } from './historian/embedded/holes.ts';
import type { OpenMemory } from './historian/embedded/open.ts';
import { namesOf } from './historian/names.ts';
import type { KnownTag } from './historian/names.ts';
import type { RemoteTag } from './historian/remote.ts';
import type {
  AggregateQuery,
  AggregateSeries,
  BucketSeries,
  BucketText,
  Historian,
  Kpi,
  Lacking,
  LimitTime,
  RawSeries,
  RowForm,
  RowText,
  StateSeries,
} from './history.ts';
import type { Micros } from './model.ts';
import { Moved, emit, serve, startThread, startedAs } from './threads.ts';
import type { Thread } from './threads.ts';
import { rowText } from './web/rows.ts';

export interface Reader extends Historian {
  /** The tags by which older samples are asked for elsewhere: call it at first and after each reload. */
  use(tags: readonly KnownTag[]): void;
  /** Ends the thread within `ms` (1 s). Idempotent. */
  close(ms?: number): Promise<void>;
}
export interface ReaderOptions {
  /** Where samples older than the retention are; absent: nowhere. */
  elsewhere?: Elsewhere;
  dataDir: string;
  /** The writer's samples that are in no chunk yet; without it only what is in the file is seen. */
  open?: OpenMemory;
  /** Told each time the thread has died unasked; it is started again by itself. */
  onDeath(error: Error): void;
  /** Told once of each chunk that a query could not read, in words; the answers leave it out and say so. */
  onDamage?(what: string): void;
  /** Told of each question that was called off before its answer. */
  onCalledOff?(): void;
}
interface Told {
  elsewhere: Elsewhere | undefined;
  tags: KnownTag[];
}
interface PackedBuckets {
  t: Float64Array<ArrayBuffer>;
  series: {
    tag: number;
    n: Float64Array<ArrayBuffer>;
    min: Float64Array<ArrayBuffer>;
    avg: Float64Array<ArrayBuffer>;
    max: Float64Array<ArrayBuffer>;
    lacking: Lacking;
  }[];
}

/** Starts the thread, after the writer has made the file; rejects when that cannot be opened. */
export async function openReader(options: ReaderOptions): Promise<Reader> {
  let thread: Thread;
  let tries = 0;
  let closed = false;
  let told: Told | undefined;
  const start = (): Thread => {
    const fresh = startThread(
      'reader',
      import.meta.url,
      { dataDir: options.dataDir, open: options.open },
      (_name, what) => options.onDamage?.(what as string),
    );
    if (told) fresh.post('use', told);
    const began = Date.now();
    void fresh.death.then(({ expected, error }) => {
      if (expected || closed) return;
      options.onDeath(error ?? new Error('the reader thread ended'));
      tries = Date.now() - began > 60_000 ? 0 : tries + 1;
      setTimeout(
        () => {
          if (!closed) thread = start();
        },
        Math.min(10_000, 100 * 2 ** tries),
      ).unref();
    });
    return fresh;
  };
  thread = start();
  try {
    await thread.ready;
  } catch (error) {
    closed = true;
    throw error;
  }
  const call = async <T>(method: string, body: unknown, signal: AbortSignal | undefined): Promise<T> => {
    try {
      return await thread.call<T>(method, body, { signal });
    } catch (error) {
      if (signal?.aborted) options.onCalledOff?.();
      throw error;
    }
  };
  return {
    use(tags) {
      const { elsewhere } = options;
      told = { elsewhere, tags: tags.map(({ index, id, type, former }) => ({ index, id, type, former })) };
      if (elsewhere) thread.post('use', told);
    },
    raw: (tag, from, to, limit, signal) => call<RawSeries>('raw', { tag, from, to, limit }, signal),
    rows: (tag, from, to, limit, form, signal) => call<RowText>('rows', { tag, from, to, limit, form }, signal),
    async buckets(tags, from, to, width, signal) {
      const packed = await call<PackedBuckets>('buckets', { tags, from, to, width }, signal);
      const t = Array.from(packed.t);
      const nulls = (values: Float64Array): (number | null)[] =>
        Array.from(values, (value) => (Number.isNaN(value) ? null : value));
      return packed.series.map(({ tag, n, min, avg, max, lacking }) => ({
        tag,
        ...lacking,
        t,
        n: Array.from(n),
        min: nulls(min),
        avg: nulls(avg),
        max: nulls(max),
      }));
    },
    bucketText: (columns, from, to, width, signal) =>
      call<BucketText>('bucketText', { columns, from, to, width }, signal),
    latest: (tags, signal) => call('latest', { tags }, signal),
    kpis: (tags, from, to, signal) => call<Kpi[]>('kpis', { tags, from, to }, signal),
    aggregate: (query, signal) => call<AggregateSeries[]>('aggregate', query, signal),
    states: (tags, from, to, limit, signal) => call<StateSeries[]>('states', { tags, from, to, limit }, signal),
    limitTime: (tags, from, to, limit, signal) => call<LimitTime[]>('limitTime', { tags, from, to, limit }, signal),
    close(ms = 1000) {
      closed = true;
      return thread.close(ms);
    },
  };
}

function pack(series: readonly BucketSeries[]): Moved {
  // Typed arrays move to main without being copied; NaN stands for null on the way.
  const column = (values: readonly (number | null)[]): Float64Array<ArrayBuffer> =>
    Float64Array.from(values, (value) => value ?? NaN);
  const packed: PackedBuckets = {
    t: column(series[0]?.t ?? []),
    series: series.map(({ tag, n, min, avg, max, ...lack }) => ({
      tag,
      lacking: lackingOf(lack),
      n: column(n),
      min: column(min),
      avg: column(avg),
      max: column(max),
    })),
  };
  const buffers = packed.series.flatMap(({ n, min, avg, max }) => [n.buffer, min.buffer, avg.buffer, max.buffer]);
  return new Moved(packed, [packed.t.buffer, ...buffers]);
}

function lackingOf({ incomplete, incompleteUntil }: Lacking): Lacking {
  return incomplete === undefined ? {} : { incomplete, incompleteUntil };
}

interface Column {
  tag: number;
  places: number;
}

/** As JSON bytes that move to main; a tag without buckets has empty columns. */
function asText(
  columns: readonly Column[],
  series: readonly (Curve & Pick<BucketSeries, 'tag' | 't' | keyof Lacking>)[],
): Moved {
  const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
  const byTag = new Map(series.map((one) => [one.tag, one]));
  const lacking = series.find(({ incomplete }) => incomplete !== undefined);
  const text = {
    ...(lacking && lackingOf(lacking)),
    t: bytes(JSON.stringify((series[0]?.t ?? []).map((t) => t / 1000))),
    columns: columns.map(({ tag, places }) => {
      const rounded = (values: readonly (number | null)[] = []) => values.map((value) => round(value, 10 ** places));
      const { min, avg, max } = byTag.get(tag) ?? {};
      return bytes(JSON.stringify({ min: rounded(min), avg: rounded(avg), max: rounded(max) }).slice(1, -1));
    }),
  };
  return new Moved(text satisfies BucketText, [text.t.buffer, ...text.columns.map(({ buffer }) => buffer)]);
}

/** To a multiple of 1/unit; what is too large for that to be exact stays as it is. */
function round(value: number | null, unit: number): number | null {
  return value === null || Math.abs(value) * unit > Number.MAX_SAFE_INTEGER ? value : Math.round(value * unit) / unit;
}

function runReader({ dataDir, open }: Pick<ReaderOptions, 'dataDir' | 'open'>): void {
  const query = openQuery(dataDir, systemClock, open, (hole) => emit('damaged', lackOf([hole]).incomplete));
  type Range = { from: Micros; to: Micros };
  const names = new Map<number, RemoteTag>();
  let history: Promise<typeof query> | undefined;
  const whole = async (): Promise<typeof query> => (await history) ?? query;
  serve({
    calls: {
      raw: async (ask: Range & { tag: number; limit: number }, signal: AbortSignal) =>
        (await whole()).raw(ask.tag, ask.from, ask.to, ask.limit, signal),
      async rows(ask: Range & { tag: number; limit: number; form: RowForm }, signal: AbortSignal) {
        const page = rowText(await (await whole()).raw(ask.tag, ask.from, ask.to, ask.limit, signal), ask.form);
        return new Moved(page, [page.text.buffer]);
      },
      buckets: async (ask: Range & { tags: number[]; width: Micros }, signal: AbortSignal) =>
        pack(await (await whole()).buckets(ask.tags, ask.from, ask.to, ask.width, signal)),
      bucketText: async (ask: Range & { columns: Column[]; width: Micros }, signal: AbortSignal) => {
        const tags = ask.columns.map(({ tag }) => tag);
        const { from, to, width } = ask;
        const history = await whole();
        const series = await history.aggregate({ tags, from, to, width }, signal);
        // A database elsewhere that has answered knows more than the hours.
        const exact = history.aggregate !== query.aggregate;
        const floorOf = ({ incomplete }: Lacking): Micros => (exact && incomplete === undefined ? 0 : query.floor());
        return asText(
          ask.columns,
          series.map((one) => ({ ...one, ...curve(one, floorOf(one)) })),
        );
      },
      latest: async (ask: { tags: number[] }, signal: AbortSignal) => (await whole()).latest(ask.tags, signal),
      kpis: async (ask: Range & { tags: number[] }, signal: AbortSignal) =>
        (await whole()).kpis(ask.tags, ask.from, ask.to, signal),
      aggregate: async (ask: AggregateQuery, signal: AbortSignal) => (await whole()).aggregate(ask, signal),
      states: async (ask: Range & { tags: number[]; limit: number }, signal: AbortSignal) =>
        (await whole()).states(ask.tags, ask.from, ask.to, ask.limit, signal),
      limitTime: async (ask: Range & { tags: number[]; limit: number }, signal: AbortSignal) =>
        (await whole()).limitTime(ask.tags, ask.from, ask.to, ask.limit, signal),
    },
    posts: {
      use({ tags, elsewhere }: Told) {
        for (const { index, ...tag } of namesOf(tags)) names.set(index, tag);
        const local = { ...query };
        // Settings that cannot be right are said by the forwarder that has them.
        history ??= withDeep(local, elsewhere, (index) => names.get(index), systemClock).catch(() => query);
      },
    },
    close: async () => (await whole()).close(),
  });
}

if (startedAs() === 'reader') runReader(workerData as Parameters<typeof runReader>[0]);
