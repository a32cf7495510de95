// Boiler house: industrial steam boilers of 10 t/h at 10 bar. Firing follows the steam pressure, feedwater follows
// steam flow and drum level, the oil tank empties and is filled again, totalisers count. Called by plants/index.
import type { PlantAsset, PlantSite, Signal, SignalValue } from '../plant.ts';
import { Coloured, clamp, fnv1a, stream, white } from '../random.ts';
import { Excursion, dailyLoad, localHours } from './load.ts';
import type { AssetModel, PlantDefinition } from './run.ts';

const id = 'boiler-house';
const dt = 1;
/** Counters began to count here, so that they stand where a plant some months old would have them. */
const commissioned = Date.UTC(2026, 0, 1);

const signals = [
  {
    ...{ metric: 'steam-pressure', name: 'Steam pressure', unit: 'bar', decimals: 2, type: 'double', unece: 'BAR' },
    ...{ range: { low: 9.4, high: 10.5 }, instrument: { low: 0, high: 16 }, aggregate: 'mean' },
    ...{ limits: { ll: 8, l: 8.8, h: 10.8, hh: 11 }, deadband: 0.05, onDelay: 5000, offDelay: 10_000 },
  },
  {
    ...{ metric: 'steam-flow', name: 'Steam flow', unit: 't/h', decimals: 2, type: 'double', unece: 'E18' },
    ...{ range: { low: 3.5, high: 9.5 }, instrument: { low: 0, high: 12 }, aggregate: 'sum' },
  },
  {
    ...{ metric: 'drum-level', name: 'Drum level', unit: 'mm', decimals: 1, type: 'double', unece: 'MMT' },
    ...{ range: { low: -45, high: 45 }, instrument: { low: -150, high: 150 }, aggregate: 'mean' },
    ...{ limits: { ll: -100, l: -60, h: 60, hh: 100 }, deadband: 3, onDelay: 5000, offDelay: 5000 },
  },
  {
    ...{
      metric: 'flue-temperature',
      name: 'Flue gas temperature',
      unit: '°C',
      decimals: 1,
      type: 'double',
      unece: 'CEL',
    },
    ...{ range: { low: 220, high: 255 }, instrument: { low: 0, high: 400 }, aggregate: 'mean' },
    ...{ limits: { h: 260, hh: 275 }, deadband: 2, onDelay: 20_000, offDelay: 20_000 },
  },
  {
    ...{ metric: 'oxygen', name: 'Flue gas oxygen', unit: '%', decimals: 2, type: 'double', unece: 'P1' },
    ...{ range: { low: 2.8, high: 6.5 }, instrument: { low: 0, high: 21 }, aggregate: 'mean' },
    ...{ limits: { ll: 1.5, l: 2 }, deadband: 0.1, onDelay: 10_000, offDelay: 10_000 },
  },
  {
    ...{ metric: 'fuel-level', name: 'Fuel tank level', unit: '%', decimals: 1, type: 'double', unece: 'P1' },
    ...{ range: { low: 25, high: 95 }, instrument: { low: 0, high: 100 }, aggregate: 'mean' },
    ...{ limits: { ll: 10, l: 20, h: 97 }, deadband: 0.5, onDelay: 30_000, offDelay: 30_000 },
  },
  {
    ...{ metric: 'firing-rate', name: 'Firing rate', unit: '%', decimals: 1, type: 'double', unece: 'P1' },
    ...{ range: { low: 20, high: 100 }, instrument: { low: 0, high: 100 }, aggregate: 'mean' },
  },
  {
    ...{ metric: 'steam-total', name: 'Steam produced', unit: 'kg', decimals: 0, type: 'integer', unece: 'KGM' },
    aggregate: 'sum',
  },
  {
    ...{ metric: 'fuel-total', name: 'Fuel burned', unit: 'L', decimals: 0, type: 'integer', unece: 'LTR' },
    aggregate: 'sum',
  },
  { ...{ metric: 'flame', name: 'Flame', unit: '', decimals: 0, type: 'boolean' } },
] as const satisfies Signal[];

class Boiler implements AssetModel {
  private readonly hours: (t: number) => number;
  private readonly demandNoise: Coloured;
  private readonly excursion: Excursion;
  private readonly refills: ReturnType<typeof stream>;
  private readonly sensors: number[];
  private pressure = 10;
  private integral = 0.6;
  private heat = 0.6;
  private flow = 1.7;
  private water = 0;
  private swell = 0;
  private levelIntegral = 0;
  private flue = 235;
  private fuel: number;
  private refillAt: number;
  private filling = false;
  private firing = 0.6;
  private steamTotal: number;
  private fuelTotal: number;

  constructor(path: string, seed: number, start: number) {
    this.hours = localHours(site.timezone);
    this.demandNoise = new Coloured(stream(seed, path, 'demand'), 0.05, 180, dt);
    const habit = { every: 5, minutes: [5, 20], weights: [2, 3, 3, 2] } as const;
    this.excursion = new Excursion(stream(seed, path, 'excursion'), habit, dt);
    this.refills = stream(seed, path, 'refill');
    this.sensors = signals.map((signal) => fnv1a(`${seed}:${path}:${signal.metric}:sensor`));
    this.fuel = this.refills.between(35, 90);
    this.refillAt = this.refills.between(19, 30);
    const seconds = Math.max(0, (start - commissioned) / 1000);
    this.steamTotal = Math.floor(seconds * 1.7);
    this.fuelTotal = Math.floor(seconds * 0.1);
  }

  step(_k: number, t: number): void {
    const demand = 0.42 + 0.4 * dailyLoad('shifts', this.hours(t)) + this.demandNoise.step();
    this.excursion.step();
    const error = 10 - this.pressure;
    this.firing = clamp(this.integral + 0.35 * error, 0.2, 1);
    if (this.firing > 0.2 && this.firing < 1) this.integral += 0.002 * error * dt;
    this.heat += (this.firing - this.heat) * (1 - Math.exp(-dt / 25));
    const saturation = 179.9 + 4.2 * (this.pressure - 10);
    this.flue += (saturation + 25 + 45 * this.heat - this.flue) * (1 - Math.exp(-dt / 90));
    // Siegert: loss of the flue gas over 20 °C air, for oil.
    const efficiency = 1 - ((this.flue - 20) * (0.68 / (15.7 - this.oxygen() * 0.75) + 0.007)) / 100 - 0.005;
    const burned = 0.141 * this.heat;
    this.flow += (2.78 * demand * Math.sqrt(this.pressure / 10) - this.flow) * (1 - Math.exp(-dt / 5));
    const rise = (burned * 50_000 * efficiency - this.flow * 2338) / 185_000;
    this.pressure = clamp(this.pressure + rise * dt, 6, 12);
    const feed = clamp(this.flow - 0.01 * this.water - this.levelIntegral, 0, 4.2);
    if (feed > 0 && feed < 4.2) this.levelIntegral += 0.00002 * this.water * dt;
    this.water = clamp(this.water + (((feed - this.flow) * 1000) / (880 * 6)) * dt, -140, 140);
    this.swell += (clamp(-rise * 3000, -60, 60) - this.swell) * (1 - Math.exp(-dt / 15));
    this.steamTotal += this.flow * dt;
    this.fuelTotal += (burned / 0.84) * dt;
    this.store(burned);
  }

  read(out: (SignalValue | null)[], at: number, k: number): void {
    const noise = (sensor: number): number => white(this.sensors[sensor]!, k);
    out[at] = clamp(this.excursion.pull(0, this.pressure, 10.8, 11) + 0.01 * noise(0), 0, 16);
    out[at + 1] = clamp(this.flow * 3.6 + 0.03 * noise(1), 0, 12);
    out[at + 2] = clamp(this.excursion.pull(1, this.water + this.swell, -60, -90) + 1.2 * noise(2), -150, 150);
    out[at + 3] = clamp(this.excursion.pull(2, this.flue, 260, 275) + 0.3 * noise(3), 0, 400);
    out[at + 4] = clamp(this.excursion.pull(3, this.oxygen(), 2, 1.5) + 0.03 * noise(4), 0, 21);
    out[at + 5] = clamp(this.fuel + 0.05 * noise(5), 0, 100);
    out[at + 6] = this.firing * 100;
    out[at + 7] = Math.floor(this.steamTotal) % 4_294_967_296;
    out[at + 8] = Math.floor(this.fuelTotal) % 4_294_967_296;
    out[at + 9] = this.firing > 0;
  }

  private oxygen(): number {
    return 3 + 4 * (1 - this.heat);
  }

  /** A day tank of 4 t, filled in half an hour when it has fallen low enough for someone to notice. */
  private store(burned: number): void {
    this.fuel = Math.max(0, this.fuel - ((burned * dt) / 4000) * 100);
    if (!this.filling && this.fuel < this.refillAt) this.filling = true;
    if (!this.filling) return;
    this.fuel += (70 / 1800) * dt;
    if (this.fuel >= 92) {
      this.filling = false;
      this.refillAt = this.refills.between(19, 30);
    }
  }
}

const assets = [1, 2].map((number): PlantAsset => {
  return {
    path: `${id}/boiler-${number}`,
    name: `Steam boiler ${number}`,
    kind: 'boiler',
    line: null,
    signals: [...signals],
  };
});
const site: PlantSite = {
  ...{ id, name: 'Boiler house', location: 'Antwerp', timezone: 'Europe/Brussels', protocol: 'modbus', interval: 1000 },
  assets,
};

export const boilers: PlantDefinition = {
  site,
  dt: dt * 1000,
  models: (seed, start) => assets.map((asset) => new Boiler(asset.path, seed, start)),
};
