// Runs the asset models of one site on a virtual clock of fixed steps: t = start + k·dt, k an integer.
// Called by plants/index; hands on a Plant whose values are rounded to the sensors' resolution.
import type { Plant, PlantSite, SignalValue } from '../plant.ts';

/** The physics of one asset; models stand in the order of the site's assets. */
export interface AssetModel {
  /** Goes on by one step, to step `k` at `t` ms since the epoch. */
  step(k: number, t: number): void;
  /** Writes the present values of its signals into `out` from `at` on; may be left out at any step. */
  read(out: (SignalValue | null)[], at: number, k: number): void;
}

/** A site and how to make its models; `start` in ms, on the grid of `dt` (ms). */
export interface PlantDefinition {
  site: PlantSite;
  dt: number;
  models(seed: number, start: number): AssetModel[];
}

/** Starts a plant at `startMs`, taken down to the grid of its step. */
export function openPlant(definition: PlantDefinition, seed: number, startMs: number): Plant {
  const { site, dt } = definition;
  const start = Math.floor(startMs / dt) * dt;
  const models = definition.models(seed, start);
  const signals = site.assets.flatMap((asset) => asset.signals);
  const offsets: number[] = [];
  let flat = 0;
  for (const asset of site.assets) {
    offsets.push(flat);
    flat += asset.signals.length;
  }
  const powers = signals.map((signal) => (signal.type === 'double' ? 10 ** signal.decimals : 0));
  const values: (SignalValue | null)[] = new Array<SignalValue | null>(flat).fill(null);
  let k = 0;
  let readAt = -1;

  return {
    site,
    advance(toMs) {
      const target = Math.floor((toMs - start) / dt);
      if (target < k) throw new RangeError(`${site.id}: cannot go back to ${new Date(toMs).toISOString()}`);
      while (k < target) {
        k++;
        const t = start + k * dt;
        for (let i = 0; i < models.length; i++) models[i]!.step(k, t);
      }
    },
    values() {
      if (readAt === k) return values;
      readAt = k;
      for (let i = 0; i < models.length; i++) models[i]!.read(values, offsets[i]!, k);
      for (let i = 0; i < flat; i++) {
        const value = values[i];
        const power = powers[i]!;
        if (power > 0 && typeof value === 'number') values[i] = Math.round(value * power) / power;
      }
      return values;
    },
  };
}
