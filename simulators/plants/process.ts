// The model behind the three plants: every asset has temperature, pressure, power consumption and production output.
// A daily load curve in the plant's local time drives power; output follows power, temperature lags behind, pressure
// wanders; drift and noise on all. Called by plants/sites.
import type { PlantAsset, PlantSite, Signal, SignalValue } from '../plant.ts';
import { Coloured, clamp, fnv1a, stream, white } from '../random.ts';
import { Excursion, dailyLoad, localHours } from './load.ts';
import type { LoadPattern } from './load.ts';
import type { AssetModel, PlantDefinition } from './run.ts';

type Span = readonly [low: number, high: number];

/** One asset: its place and its own operating ranges (°C, bar, kW, units/h). */
export interface ProcessAsset {
  id: string;
  name: string;
  kind: string;
  line: string;
  temperature: Span;
  pressure: Span;
  power: Span;
  output: Span;
}

/** What the instruments of every asset can show; an asset's own ranges lie inside. */
export const envelope = { temperature: [60, 120], pressure: [1, 10], power: [100, 500], output: [50, 200] } as const;

/** How far the second limits (LL, HH) lie outside the operating range. */
const margin = { temperature: 4, pressure: 0.4, power: 15, output: 12 } as const;

function signalsOf(asset: ProcessAsset): Signal[] {
  const range = (span: Span): { low: number; high: number } => ({ low: span[0], high: span[1] });
  const [t, p, w, o] = [asset.temperature, asset.pressure, asset.power, asset.output];
  const tenth = (value: number): number => Math.round(value * 10) / 10;
  return [
    {
      ...{ metric: 'temperature', name: 'Temperature', unit: '°C', decimals: 1, type: 'double', unece: 'CEL' },
      ...{ range: range(t), instrument: { low: 0, high: 150 }, aggregate: 'mean' },
      limits: { ll: t[0] - margin.temperature, l: t[0], h: t[1], hh: t[1] + margin.temperature },
      ...{ deadband: 0.5, onDelay: 10_000, offDelay: 10_000 },
    },
    {
      ...{ metric: 'pressure', name: 'Pressure', unit: 'bar', decimals: 2, type: 'double', unece: 'BAR' },
      ...{ range: range(p), instrument: { low: 0, high: 16 }, aggregate: 'mean' },
      limits: { ll: tenth(p[0] - margin.pressure), l: p[0], h: p[1], hh: tenth(p[1] + margin.pressure) },
      ...{ deadband: 0.05, onDelay: 5000, offDelay: 10_000 },
    },
    {
      ...{ metric: 'power', name: 'Power consumption', unit: 'kW', decimals: 1, type: 'double', unece: 'KWT' },
      ...{ range: range(w), instrument: { low: 0, high: 600 }, aggregate: 'sum' },
      limits: { h: w[1], hh: w[1] + margin.power },
      ...{ deadband: 2, onDelay: 10_000, offDelay: 10_000 },
    },
    {
      ...{ metric: 'output', name: 'Production output', unit: 'units/h', decimals: 1, type: 'double' },
      ...{ range: range(o), instrument: { low: 0, high: 250 }, aggregate: 'sum' },
      limits: { ll: o[0] - margin.output, l: o[0] },
      ...{ deadband: 1, onDelay: 30_000, offDelay: 30_000 },
    },
  ] as Signal[];
}

const dt = 1;

class ProcessModel implements AssetModel {
  private readonly asset: ProcessAsset;
  private readonly pattern: LoadPattern;
  private readonly hours: (t: number) => number;
  private readonly wave: { period: number; phase: number };
  private readonly loadNoise: Coloured;
  private readonly drift: Coloured;
  private readonly pressureNoise: Coloured;
  private readonly efficiency: Coloured;
  private readonly excursion: Excursion;
  private readonly sensors: number[];
  private load = 0.5;
  private slowLoad: number;
  private warmth: number;
  private pressure = 0;

  constructor(asset: ProcessAsset, path: string, site: PlantSite, pattern: LoadPattern, seed: number, start: number) {
    this.asset = asset;
    this.pattern = pattern;
    this.hours = localHours(site.timezone);
    const shape = stream(seed, path, 'shape');
    this.wave = { period: shape.between(2.5, 9) * 3600, phase: shape.next() * 2 * Math.PI };
    this.loadNoise = new Coloured(stream(seed, path, 'load'), 0.05, 2400, dt);
    this.drift = new Coloured(stream(seed, path, 'temperature'), 0.06, 7200, dt);
    this.pressureNoise = new Coloured(stream(seed, path, 'pressure'), 0.06, 1200, dt);
    this.efficiency = new Coloured(stream(seed, path, 'output'), 0.015, 1800, dt);
    const habit = { every: 4, minutes: [4, 25], weights: [4, 3, 2, 1] } as const;
    this.excursion = new Excursion(stream(seed, path, 'excursion'), habit, dt);
    this.sensors = ['temperature', 'pressure', 'power', 'output'].map((each) =>
      fnv1a(`${seed}:${path}:${each}:sensor`),
    );
    this.settle(start);
    this.slowLoad = this.load;
    this.warmth = this.load;
  }

  step(_k: number, t: number): void {
    this.loadNoise.step();
    this.drift.step();
    this.pressureNoise.step();
    this.efficiency.step();
    this.excursion.step();
    this.settle(t);
    this.slowLoad += (this.load - this.slowLoad) * (1 - Math.exp(-dt / 120));
    this.warmth += (this.load - this.warmth) * (1 - Math.exp(-dt / 600));
  }

  read(out: (SignalValue | null)[], at: number, k: number): void {
    const { temperature: t, pressure: p, power: w, output: o } = this.asset;
    const pull = (channel: number, value: number, first: number, second: number): number =>
      this.excursion.pull(channel, value, first, second);
    const shown = [
      pull(0, within(t, 0.22 + 0.42 * this.warmth + this.drift.value), t[1], t[1] + margin.temperature) +
        0.12 * this.noise(0, k),
      pull(1, within(p, this.pressure), p[1], p[1] + margin.pressure) + 0.012 * this.noise(1, k),
      pull(2, within(w, 0.1 + 0.78 * this.load), w[1], w[1] + margin.power) + 0.8 * this.noise(2, k),
      pull(3, within(o, 0.12 + 0.78 * this.slowLoad + this.efficiency.value), o[0], o[0] - margin.output) +
        0.4 * this.noise(3, k),
    ];
    const spans = [envelope.temperature, envelope.pressure, envelope.power, envelope.output];
    for (let i = 0; i < 4; i++) out[at + i] = clamp(shown[i]!, spans[i]![0], spans[i]![1]);
  }

  private settle(t: number): void {
    const wave = Math.sin((2 * Math.PI * (t / 1000)) / this.wave.period + this.wave.phase);
    this.load = clamp(dailyLoad(this.pattern, this.hours(t)) + this.loadNoise.value + 0.05 * wave, 0.04, 0.98);
    this.pressure = 0.36 + 0.22 * this.load + 0.06 * wave + this.pressureNoise.value;
  }

  private noise(sensor: number, k: number): number {
    return white(this.sensors[sensor]!, k);
  }
}

function within(span: Span, part: number): number {
  return span[0] + (span[1] - span[0]) * part;
}

/** A site of such assets; adding one changes nothing for the others. */
export function processSite(
  site: Omit<PlantSite, 'assets'>,
  pattern: LoadPattern,
  assets: readonly ProcessAsset[],
): PlantDefinition {
  const listed = assets.map((asset): PlantAsset => {
    const { id, name, kind, line } = asset;
    return { path: `${site.id}/${id}`, name, kind, line, signals: signalsOf(asset) };
  });
  const whole: PlantSite = { ...site, assets: listed };
  return {
    site: whole,
    dt: dt * 1000,
    models: (seed, start) =>
      assets.map((asset, i) => new ProcessModel(asset, listed[i]!.path, whole, pattern, seed, start)),
  };
}
