// Fermentation hall: four fermenters in batch. Monod growth limited by sugar, oxygen, temperature and pH; the agitator
// follows the dissolved oxygen, base dosing holds the pH. Now and then a probe spikes for a second or two, or a value
// leaves its range for minutes. Called by plants/index.
import type { PlantAsset, PlantSite, Signal, SignalValue } from '../plant.ts';
import type { Random } from '../random.ts';
import { Coloured, clamp, fnv1a, stream, white } from '../random.ts';
import { Excursion } from './load.ts';
import type { AssetModel, PlantDefinition } from './run.ts';

const id = 'fermentation-hall';
const dt = 1;
const hour = dt / 3600;

const signals = [
  {
    ...{ metric: 'temperature', name: 'Temperature', unit: '°C', decimals: 2, type: 'double', unece: 'CEL' },
    ...{ range: { low: 36, high: 38.5 }, instrument: { low: 0, high: 150 }, aggregate: 'mean' },
    ...{ limits: { ll: 35.5, l: 36, h: 38.5, hh: 39.2 }, deadband: 0.1, onDelay: 10_000, offDelay: 10_000 },
  },
  {
    ...{ metric: 'ph', name: 'pH', unit: 'pH', decimals: 2, type: 'double', unece: 'Q30' },
    ...{ range: { low: 6.8, high: 7.2 }, instrument: { low: 0, high: 14 }, aggregate: 'mean' },
    ...{ limits: { ll: 6.6, l: 6.75, h: 7.25, hh: 7.4 }, deadband: 0.02, onDelay: 10_000, offDelay: 10_000 },
  },
  {
    ...{ metric: 'agitator', name: 'Agitator speed', unit: 'rpm', decimals: 0, type: 'double', unece: 'RPM' },
    ...{ range: { low: 300, high: 600 }, instrument: { low: 0, high: 800 }, aggregate: 'mean' },
  },
  {
    ...{ metric: 'dissolved-oxygen', name: 'Dissolved oxygen', unit: '%', decimals: 1, type: 'double', unece: 'P1' },
    ...{ range: { low: 20, high: 100 }, instrument: { low: 0, high: 120 }, aggregate: 'mean' },
    ...{ limits: { ll: 8, l: 15 }, deadband: 1, onDelay: 60_000, offDelay: 30_000 },
  },
] as const satisfies Signal[];

/** One vessel: biomass X and sugar S in g/L, oxygen C in mg/L. */
class Fermenter implements AssetModel {
  private readonly start: Random;
  private readonly spikes: Random;
  private readonly cooling: Coloured;
  private readonly drift: Coloured;
  private readonly excursion: Excursion;
  private readonly sensors: number[];
  private x = 0.3;
  private s = 20;
  private c = 7;
  private rpm = 320;
  private temperature = 37;
  private ph = 7;
  private dosing = false;
  /** Hours left of harvest, cleaning and filling; the vessel idles. */
  private turnaround = 0;
  private spike = { sensor: -1, left: 0, size: 0 };

  constructor(path: string, seed: number) {
    this.start = stream(seed, path, 'batch');
    this.spikes = stream(seed, path, 'spike');
    this.cooling = new Coloured(stream(seed, path, 'temperature'), 0.12, 1200, dt);
    this.drift = new Coloured(stream(seed, path, 'ph'), 0.012, 3600, dt);
    const habit = { every: 9, minutes: [5, 20], weights: [3, 2] } as const;
    this.excursion = new Excursion(stream(seed, path, 'excursion'), habit, dt);
    this.sensors = ['temperature', 'ph', 'agitator', 'oxygen'].map((each) => fnv1a(`${seed}:${path}:${each}:sensor`));
    // Somewhere within a batch: the hall does not start all vessels at once.
    const warm = Math.floor(this.start.between(0, 9) * 3600);
    for (let i = 0; i < warm; i += 10) this.grow(10);
  }

  step(): void {
    this.cooling.step();
    this.drift.step();
    this.excursion.step();
    this.grow(1);
    if (this.spike.left > 0) this.spike.left -= dt;
    else if (this.spikes.next() < dt / 5400) {
      const sensor = this.spikes.next() < 0.5 ? 0 : 1;
      const size = (this.spikes.next() < 0.5 ? -1 : 1) * this.spikes.between(0.5, 1);
      this.spike = { sensor, left: 1 + Math.floor(this.spikes.next() * 3), size };
    }
  }

  read(out: (SignalValue | null)[], at: number, k: number): void {
    const { sensor, left, size } = this.spike;
    const hit = (which: number): number => (left > 0 && sensor === which ? size : 0);
    const calmTemperature = this.temperature + this.cooling.value;
    const temperature = this.excursion.pull(0, calmTemperature, 38.5, 39.2) + 0.015 * this.noise(0, k) + 2 * hit(0);
    const ph = this.excursion.pull(1, this.ph + this.drift.value, 6.75, 6.6) + 0.004 * this.noise(1, k) + 0.4 * hit(1);
    out[at] = clamp(temperature, 35, 40);
    out[at + 1] = clamp(ph, 6.5, 7.5);
    out[at + 2] = clamp(this.rpm + 0.8 * this.noise(2, k), 300, 600);
    out[at + 3] = clamp((this.c / 7) * 100 + 0.3 * this.noise(3, k), 0, 110);
  }

  private grow(steps: number): void {
    const h = hour * steps;
    if (this.turnaround > 0) {
      this.turnaround -= h;
      this.rpm += (305 - this.rpm) * Math.min(1, h * 30);
      this.c += (6.9 - this.c) * Math.min(1, h * 12);
      this.temperature += (36.8 - this.temperature) * Math.min(1, h * 3);
      if (this.turnaround <= 0) {
        this.x = 0.3 * this.start.between(0.85, 1.15);
        this.s = 20 * this.start.between(0.95, 1.05);
      }
      return;
    }
    const t = this.temperature;
    const warmth = Math.exp(-(((t - 37) / 5) ** 2)) * Math.exp(-((this.ph - 7) ** 2));
    const mu = ((0.45 * this.s) / (0.15 + this.s)) * warmth * (this.c / (0.2 + this.c));
    const grown = mu * this.x * h;
    // Without sugar the cells rest: maintenance stops with the substrate.
    const fed = this.s > 0 ? 1 : 0;
    const uptake = (0.55 * mu + 0.01 * fed) * this.x;
    const transfer = 180 * (this.rpm / 400) ** 1.6;
    // Oxygen settles within seconds of a transfer coefficient of hundreds an hour: its balance, reached by a lag.
    const balance = clamp(7 - (1000 * uptake) / transfer, 0.3, 7);
    this.c += (balance - this.c) * (1 - Math.exp(-transfer * h));
    this.s = Math.max(0, this.s - grown / 0.45 - 0.02 * this.x * h);
    this.x += grown;
    this.rpm = clamp(this.rpm + (2.1 - this.c) * 400 * h + (305 - this.rpm) * 0.05 * h, 300, 600);
    this.temperature += (37 + 0.05 * uptake * 14 - 0.1 - this.temperature) * Math.min(1, h * 4);
    this.ph -= 0.09 * grown;
    if (this.ph < 6.95) this.dosing = true;
    else if (this.ph > 7.01) this.dosing = false;
    if (this.dosing) this.ph += 0.5 * h;
    if (this.s <= 0.01) this.turnaround = this.start.between(0.8, 1.6);
  }

  private noise(sensor: number, k: number): number {
    return white(this.sensors[sensor]!, k);
  }
}

const numbers = [101, 102, 103, 104];
const assets = numbers.map((number): PlantAsset => {
  const name = `Fermenter F-${number}`;
  return { path: `${id}/fermenter-${number}`, name, kind: 'fermenter', line: null, signals: [...signals] };
});
const site: PlantSite = {
  ...{ id, name: 'Fermentation hall', location: 'Basel', timezone: 'Europe/Zurich', protocol: 'opcua', interval: 1000 },
  assets,
};

export const fermentation: PlantDefinition = {
  site,
  dt: dt * 1000,
  models: (seed) => assets.map((asset) => new Fermenter(asset.path, seed)),
};
