// What /metrics says of the process itself: event loop, memory, requests. Used by web.ts at each scrape.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Status } from '../status.ts';

/** Sampling period of the loop's delay, ms; it is part of every measured delay and taken off again. */
const resolution = 10;

/** Registers the collectors; returns how to stop measuring. */
export function measureProcess(status: Status, labels: { version: string; gateway: string }): () => void {
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  let scraped = process.cpuUsage();
  let cpu = 0;
  status.collect(() => {
    const seconds = (ns: number) => Math.max(0, ns / 1e9 - resolution / 1000);
    for (const quantile of [50, 99]) {
      status.gauge(
        'penstock_event_loop_lag_seconds',
        seconds(delay.percentile(quantile)),
        { quantile: `0.${quantile}` },
        'Delay of the main thread since the last scrape',
      );
    }
    status.gauge('penstock_event_loop_lag_max_seconds', seconds(delay.max));
    delay.reset();
    const used = process.cpuUsage(scraped);
    scraped = process.cpuUsage();
    cpu += (used.user + used.system) / 1e6;
    status.counter('process_cpu_seconds_total', cpu);
    const memory = process.memoryUsage();
    status.gauge('process_resident_memory_bytes', memory.rss);
    status.gauge('nodejs_heap_size_used_bytes', memory.heapUsed);
    status.gauge('process_uptime_seconds', process.uptime());
    status.gauge('penstock_build_info', 1, labels);
    for (const { name, state } of status.components())
      status.gauge('penstock_component_up', state === 'ok' ? 1 : 0, { component: name });
  });
  return () => delay.disable();
}
