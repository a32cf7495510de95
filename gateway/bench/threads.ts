// What main feels of the rest: its delay while 48 h queries run in a loop and 50 pages listen, with the bundled plants
// behind it and two days of history. Run by hand or by the bench command, prints one line a figure; the whole-system
// test of the threads uses the same load.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { get, scratch, startGateway } from '../test/rig.ts';
import type { Gateway } from '../test/rig.ts';
import type { Dict } from '../web/wire.ts';

export interface Figures {
  /** ms, of the main thread's delay over the whole time. */
  p50: number;
  p99: number;
  max: number;
  queries: number;
  /** ms, of one query of 48 h in 5-minute buckets. */
  queryP50: number;
  /** Streams still open at the end, and the bytes all have got. */
  streams: number;
  streamBytes: number;
  /** Of a core, in percent. */
  cpu: number;
  /** Bytes. */
  rss: number;
}

/** A sample of the metrics page; scraping it also begins the next period of the delay. */
export async function scrape(http: string): Promise<(name: string, labels?: string) => number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return (name, labels = '') => {
    const line = text.split('\n').find((row) => row.startsWith(`${name}${labels} `));
    return Number(line?.slice(line.lastIndexOf(' ') + 1) ?? NaN);
  };
}

/** Puts the load on a running gateway for so many ms; `queries` loops at once. */
export async function underLoad(
  gateway: Gateway,
  { ms, streams = 50, queries = 1 }: { ms: number; streams?: number; queries?: number },
): Promise<Figures> {
  const dict = await get<Dict>(`${gateway.http}/api/v1/dict`);
  const site = new Map(dict.assets.map((asset) => [asset.path, asset.site]));
  const asked = [
    ...new Set(
      dict.tags
        .filter(({ type }) => type === 'double')
        .map((tag) => `${encodeURIComponent(site.get(tag.asset) ?? '')}?metric=${encodeURIComponent(tag.metric)}`),
    ),
  ];
  const stop = new AbortController();
  let open = 0;
  let streamBytes = 0;
  const listening = Array.from({ length: streams }, async () => {
    const response = await fetch(`${gateway.http}/api/v1/stream`, { signal: stop.signal });
    open++;
    try {
      for await (const part of response.body ?? []) streamBytes += (part as Uint8Array).length;
      open--;
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
  });
  const ended = Promise.all(listening);
  ended.catch(() => {});

  const before = await scrape(gateway.http);
  const began = performance.now();
  const times: number[] = [];
  const ask = async (first: number) => {
    for (let k = first; performance.now() - began < ms; k += queries) {
      const at = performance.now();
      await get(`${gateway.http}/api/v1/dashboard/timeseries/${asked[k % asked.length]}&hours=48&bucket_minutes=5`);
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: queries }, (_, k) => ask(k)));
  const took = performance.now() - began;
  const after = await scrape(gateway.http);
  const stillOpen = open;
  stop.abort();
  await ended;
  times.sort((a, b) => a - b);
  const cpuSeconds = (of: typeof after) => of('process_cpu_seconds_total');
  return {
    p50: after('penstock_event_loop_lag_seconds', '{quantile="0.50"}') * 1000,
    p99: after('penstock_event_loop_lag_seconds', '{quantile="0.99"}') * 1000,
    max: after('penstock_event_loop_lag_max_seconds') * 1000,
    queries: times.length,
    queryP50: times[Math.floor(times.length / 2)] ?? NaN,
    streams: stillOpen,
    streamBytes,
    cpu: ((cpuSeconds(after) - cpuSeconds(before)) / (took / 1000)) * 100,
    rss: after('process_resident_memory_bytes'),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = scratch();
  // As the launcher starts it.
  const frugal = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };
  const gateway = await startGateway('demo', [], folder.path, {
    ...frugal,
    NODE_OPTIONS: '--max-semi-space-size=8 --max-old-space-size=1024',
    ...(process.env.PENSTOCK_BENCH_NODE_OPTIONS ? { NODE_OPTIONS: process.env.PENSTOCK_BENCH_NODE_OPTIONS } : {}),
  });
  const say = (what: string, f: Figures) =>
    console.log(
      `${what}: main delay p50 ${f.p50.toFixed(1)} ms, p99 ${f.p99.toFixed(1)} ms, max ${f.max.toFixed(1)} ms; ` +
        `${f.queries} queries of 48 h, p50 ${f.queryP50.toFixed(0)} ms; ${f.streams} streams, ${(f.streamBytes / 1e6).toFixed(1)} MB; ` +
        `CPU ${f.cpu.toFixed(0)} % of a core, RSS ${(f.rss / 1e6).toFixed(0)} MB`,
    );
  try {
    const [load] = readFileSync('/proc/loadavg', 'utf8').split(' ');
    console.log(`load of the machine before: ${load}`);
    const rss = (await scrape(gateway.http))('process_resident_memory_bytes');
    console.log(`after seeding: RSS ${(rss / 1e6).toFixed(0)} MB`);
    say('idle, one query', await underLoad(gateway, { ms: 1, streams: 0, queries: 1 }));
    const quiet = await scrape(gateway.http);
    const from = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    const later = await scrape(gateway.http);
    const cpu = later('process_cpu_seconds_total') - quiet('process_cpu_seconds_total');
    console.log(
      `nobody looking: main delay p99 ${(later('penstock_event_loop_lag_seconds', '{quantile="0.99"}') * 1000).toFixed(1)} ms, ` +
        `CPU ${((cpu * 100_000) / (performance.now() - from)).toFixed(0)} % of a core`,
    );
    say('50 streams, 48 h queries in a loop', await underLoad(gateway, { ms: 30_000 }));
  } finally {
    await gateway.stop();
    folder.remove();
  }
}
