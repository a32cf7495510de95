// Writes what the sites would have served before now, in the import format, ordered by time: the three plants every
// 30 s, the other sites every 60 s. Called by simulators/main, beside live serving: it yields every few milliseconds.
import type { PlantDefinition } from './plants/index.ts';
import { mainPlants, openPlant } from './plants/index.ts';
import { servedBy } from './site-server.ts';
import type { LineWriter } from './lines.ts';

const minute = 60_000;

/** History lies in (from, until]; live values come after `until`. Both in ms, on whole minutes. */
export interface HistorySpan {
  from: number;
  until: number;
}

/** The last `length` ms before `now`, on whole minutes. */
export function historySpan(now: number, length: number): HistorySpan {
  const until = Math.floor(now / minute) * minute;
  return { from: until - Math.ceil(length / minute) * minute, until };
}

/**
 * Writes one line a reading, `{"tag","timestamp" in ms,"value"}`; the plants start at `span.from` like those that serve
 * live, so the values go on without a jump. Returns the count of readings. Rejects when aborted or not writable.
 */
export async function writeHistory(
  definitions: readonly PlantDefinition[],
  seed: number,
  span: HistorySpan,
  out: LineWriter,
  signal: AbortSignal,
): Promise<number> {
  const sources = definitions.map((definition) => {
    const { site } = definition;
    const tags = site.assets.flatMap((asset) =>
      asset.signals.map((each) => JSON.stringify(`${asset.path}/${each.metric}`)),
    );
    const plant = openPlant(definition, seed, span.from);
    return { plant, served: servedBy(site), tags, every: mainPlants.includes(definition) ? minute / 2 : minute };
  });
  let readings = 0;
  let since = performance.now();
  for (let t = span.from + minute / 2; t <= span.until; t += minute / 2) {
    for (const { plant, served, tags, every } of sources) {
      if (t % every !== 0) continue;
      plant.advance(t);
      const values = plant.values();
      for (let i = 0; i < tags.length; i++) {
        const value = served(i, values[i] ?? null);
        if (value === null) continue;
        readings++;
        const full = out.line(`{"tag":${tags[i]},"timestamp":${t},"value":${JSON.stringify(value)}}`);
        if (full) await out.flush();
      }
      if (performance.now() - since > 8) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        since = performance.now();
      }
    }
  }
  return readings;
}
