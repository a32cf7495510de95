// What to ask of a server for the tags of one connection: subscriptions by interval, sampling and queue of each item.
// Pure; called by the driver once per run.
import type { Connection, OpcuaPoint } from './schema.ts';

/** The points of one interval, which share a subscription. */
export interface IntervalClass {
  interval: number;
  /** ms between publications. */
  publishing: number;
  /** Publications without news before the server sends a keep-alive. */
  keepAliveCount: number;
  /** Publications without a request before the server gives the subscription up. */
  lifetimeCount: number;
  points: OpcuaPoint[];
}

const LARGEST_QUEUE = 5_000;

export function intervalClasses(points: readonly OpcuaPoint[], connection: Connection): IntervalClass[] {
  const classes = new Map<number, IntervalClass>();
  for (const point of points) {
    let known = classes.get(point.interval);
    if (!known) {
      const publishing = connection.publishingInterval ?? Math.max(100, Math.min(point.interval, 500));
      const keepAliveCount = Math.max(1, Math.floor(connection.keepAlive / publishing));
      // Queues outlive an outage only as long as the subscription does: at least as long as the session.
      const lifetimeCount = Math.max(3 * keepAliveCount, Math.ceil(connection.sessionTimeout / publishing));
      known = { interval: point.interval, publishing, keepAliveCount, lifetimeCount, points: [] };
      classes.set(point.interval, known);
    }
    known.points.push(point);
  }
  return [...classes.values()];
}

/**
 * Sampling interval (ms) and queue of one item. Sampling at the rate of change would now and then skip a change
 * (the phases drift), so a tag is sampled twice per interval unless told otherwise; the server reports changes only.
 * The queue holds what is sampled while the session lives on through an outage.
 */
export function itemParameters(
  point: OpcuaPoint,
  connection: Connection,
  publishing: number,
): { samplingInterval: number; queueSize: number } {
  const samplingInterval = point.address.samplingInterval ?? connection.samplingInterval ?? point.interval / 2;
  const pace = samplingInterval > 0 ? samplingInterval : Math.min(point.interval / 2, publishing);
  const wanted = Math.ceil(Math.max(connection.sessionTimeout, publishing) / pace) + 1;
  return { samplingInterval, queueSize: point.address.queueSize ?? Math.min(Math.max(wanted, 10), LARGEST_QUEUE) };
}

/** Parts of at most `size`. */
export function chunks<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < list.length; start += size) parts.push(list.slice(start, start + size));
  return parts;
}
