// Propulsion test rig: runs a small engine again and again (purge, chill, ignition, ramp, main, shutdown, cooldown)
// with a pause in between, in steps of 100 ms. Called by plants/index.
import type { PlantAsset, PlantSite, Signal, SignalValue } from '../plant.ts';
import type { Random } from '../random.ts';
import { clamp, fnv1a, stream, white } from '../random.ts';
import type { AssetModel, PlantDefinition } from './run.ts';

const id = 'propulsion-test-rig';
const dt = 0.1;
const commissioned = Date.UTC(2026, 0, 1);

/** Phases in order: length in seconds and target chamber pressure in bar. The pause has a random length. */
const phases = [
  { name: 'idle', seconds: 0, target: 1, hot: false },
  { name: 'purge', seconds: 10, target: 1.5, hot: false },
  { name: 'chill', seconds: 20, target: 4, hot: false },
  { name: 'ignition', seconds: 1, target: 4, hot: true },
  { name: 'ramp', seconds: 2, target: 20, hot: true },
  { name: 'main', seconds: 90, target: 20, hot: true },
  { name: 'shutdown', seconds: 3, target: 1, hot: false },
  { name: 'post-purge', seconds: 30, target: 3, hot: false },
  { name: 'cooldown', seconds: 300, target: 1, hot: false },
] as const;
const main = 5;
const shutdown = 6;

const signals = [
  {
    ...{ metric: 'chamber-pressure', name: 'Chamber pressure', unit: 'bar', decimals: 2, type: 'double', unece: 'BAR' },
    ...{ range: { low: 0.5, high: 21 }, instrument: { low: 0, high: 40 }, aggregate: 'max' },
    ...{ limits: { h: 21.5, hh: 23 }, deadband: 0.2, onDelay: 300, offDelay: 2000 },
  },
  {
    ...{ metric: 'wall-temperature', name: 'Wall temperature', unit: '°C', decimals: 1, type: 'double', unece: 'CEL' },
    ...{ range: { low: 15, high: 680 }, instrument: { low: 0, high: 1200 }, aggregate: 'max' },
    ...{ limits: { h: 690, hh: 720 }, deadband: 3, onDelay: 1000, offDelay: 5000 },
  },
  {
    ...{ metric: 'thrust', name: 'Thrust', unit: 'kN', decimals: 3, type: 'double', unece: 'B47' },
    ...{ range: { low: 0, high: 6 }, instrument: { low: 0, high: 10 }, aggregate: 'max' },
    ...{ limits: { h: 6.2, hh: 6.6 }, deadband: 0.05, onDelay: 300, offDelay: 2000 },
  },
  {
    ...{ metric: 'uptime', name: 'Hot run time', unit: 's', decimals: 0, type: 'integer', unece: 'SEC' },
    aggregate: 'max',
  },
  { ...{ metric: 'starts', name: 'Starts', unit: '', decimals: 0, type: 'integer' }, aggregate: 'max' },
  {
    ...{ metric: 'phase', name: 'Run phase', unit: '', decimals: 0, type: 'integer' },
    names: Object.fromEntries(phases.map((phase, i) => [i, phase.name])),
  },
] as const satisfies Signal[];

class Rig implements AssetModel {
  private readonly random: Random;
  private readonly sensors: number[];
  private phase = 0;
  private left: number;
  private pressure = 1;
  private wall = 310;
  private hot: number;
  private starts: number;
  /** Now and then a run is mixed a little rich and its pressure stands above the first limit. */
  private rich = 1;

  constructor(path: string, seed: number, start: number) {
    this.random = stream(seed, path, 'runs');
    this.sensors = signals.map((signal) => fnv1a(`${seed}:${path}:${signal.metric}:sensor`));
    this.left = this.random.between(5, 120);
    this.starts = Math.floor(Math.max(0, (start - commissioned) / 1000) / 606);
    this.hot = this.starts * 93;
  }

  step(): void {
    this.left -= dt;
    // Half a step of slack: sums of 0.1 s are not exact.
    if (this.left < dt / 2) this.enter((this.phase + 1) % phases.length);
    const { target, hot } = phases[this.phase]!;
    const lag = this.phase === shutdown ? 0.4 : 0.12;
    this.pressure += (target * (hot ? this.rich : 1) - this.pressure) * (1 - Math.exp(-dt / lag));
    const warm = hot ? 293 + 640 * (this.pressure / 20) ** 0.8 : 293;
    this.wall += (warm - this.wall) * (1 - Math.exp(-dt / (hot ? 12 : 140)));
    if (hot) this.hot += dt;
  }

  read(out: (SignalValue | null)[], at: number, k: number): void {
    const roughness = this.phase === main ? 0.008 * white(this.sensors[0]!, k) : 0;
    const chamber = this.pressure * (1 + roughness);
    out[at] = clamp(chamber + 0.01 * white(this.sensors[3]!, k), 0, 40);
    out[at + 1] = clamp(this.wall - 273.15 + 0.4 * white(this.sensors[1]!, k), 0, 1200);
    out[at + 2] = clamp(0.1 * 1.5 * (chamber - 1) * 1.963 + 0.002 * white(this.sensors[2]!, k), 0, 10);
    out[at + 3] = Math.floor(this.hot);
    out[at + 4] = this.starts;
    out[at + 5] = this.phase;
  }

  private enter(phase: number): void {
    this.phase = phase;
    this.left = phase === 0 ? this.random.between(60, 240) : phases[phase]!.seconds;
    if (phases[phase]!.name !== 'ignition') return;
    this.starts++;
    this.rich = this.random.next() < 0.04 ? this.random.between(1.09, 1.12) : this.random.between(0.985, 1.015);
  }
}

const assets: PlantAsset[] = [
  { path: `${id}/thruster-1`, name: 'Thruster 1', kind: 'engine', line: null, signals: [...signals] },
];
const site: PlantSite = {
  ...{ id, name: 'Propulsion test rig', location: 'Lampoldshausen', timezone: 'Europe/Berlin' },
  ...{ protocol: 'opcua', interval: 100, assets },
};

export const rig: PlantDefinition = {
  site,
  dt: dt * 1000,
  models: (seed, start) => assets.map((asset) => new Rig(asset.path, seed, start)),
};
