// Serves a site live: its plant goes on with the wall clock, on whole ticks of its interval, and its server takes over
// the values. Called by simulators/main.
import type { Plant, SignalValue } from './plant.ts';
import type { LineWriter } from './lines.ts';
import type { SiteServer } from './site-server.ts';
import { servedBy } from './site-server.ts';

export interface LiveSite {
  plant: Plant;
  server: SiteServer;
}

export interface LiveOptions {
  /** Wall time (ms) at which plant time and wall time are the same. */
  origin: number;
  /** Plant seconds a wall second. */
  speed: number;
  truth?: LineWriter;
}

/** Starts to tick, at once for the first time; returns how to stop. A late tick is not made up for: the plant catches up. */
export function runLive({ plant, server }: LiveSite, options: LiveOptions): () => void {
  const { interval } = plant.site;
  const witness = options.truth ? witnessOf(plant, options.truth) : undefined;
  let last = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    const at = Math.floor(Date.now() / interval) * interval;
    // A wall clock set back must not run the plant backwards.
    if (at > last) {
      last = at;
      plant.advance(Math.max(options.origin, options.origin + (at - options.origin) * options.speed));
      witness?.(at);
      server.update(at);
    }
    timer = setTimeout(tick, interval - (Date.now() % interval));
  };
  tick();
  return () => clearTimeout(timer);
}

/** Logs each value a server takes on, with its time in microseconds: the first and every change. */
function witnessOf(plant: Plant, truth: LineWriter): (at: number) => void {
  const { site } = plant;
  const served = servedBy(site);
  const tags = site.assets.flatMap((asset) => asset.signals.map((each) => `${asset.path}/${each.metric}`));
  const last: (SignalValue | null | undefined)[] = [];
  return (at) => {
    plant.values().forEach((value, i) => {
      const v = served(i, value);
      if (v === last[i]) return;
      last[i] = v;
      truth.line(JSON.stringify({ tag: tags[i], t: at * 1000, v }));
    });
    truth.flush().catch(() => undefined);
  };
}
