// Assembly plant: 29 machines on four lines. Each has a state with realistic dwell times, works part by part with its
// own cycle time, counts parts and rejects and draws power. Called by plants/index.
import type { PlantAsset, PlantSite, Signal, SignalValue } from '../plant.ts';
import type { Random } from '../random.ts';
import { clamp, fnv1a, stream, white } from '../random.ts';
import { dwells, machineStates } from './dwell.ts';
import type { AssetModel, PlantDefinition } from './run.ts';

const id = 'assembly-plant';
const dt = 1;
const commissioned = Date.UTC(2026, 0, 1);

export interface Machine {
  line: string;
  name: string;
  kind: string;
  /** Seconds a part takes when all is well. */
  cycle: number;
  /** kW at work. */
  power: number;
}

const lines: Record<string, [name: string, kind: string, cycle: number, power: number][]> = {
  Transmission: [
    ['Gear hobber 1', 'hobbing', 48, 24],
    ['Gear hobber 2', 'hobbing', 48, 24],
    ['Gear hobber 3', 'hobbing', 47, 23],
    ['Gear grinder 1', 'grinding', 55, 28],
    ['Gear grinder 2', 'grinding', 54, 28],
    ['Shaft lathe 1', 'turning', 42, 19],
    ['Shaft lathe 2', 'turning', 43, 19],
    ['Case washer', 'washing', 36, 31],
    ['Transmission test bench', 'testing', 60, 38],
  ],
  Engine: [
    ['Block milling centre 1', 'milling', 58, 36],
    ['Block milling centre 2', 'milling', 58, 35],
    ['Cylinder honer', 'honing', 50, 22],
    ['Crankshaft grinder', 'grinding', 56, 30],
    ['Head assembly cell', 'assembly', 45, 9],
    ['Bolt tightener', 'assembly', 32, 6],
    ['Engine cold test', 'testing', 60, 26],
  ],
  Exterior: [
    ['Stamping press 1', 'pressing', 26, 74],
    ['Stamping press 2', 'pressing', 26, 72],
    ['Welding robot 1', 'welding', 38, 42],
    ['Welding robot 2', 'welding', 38, 41],
    ['Welding robot 3', 'welding', 39, 43],
    ['Hemming station', 'forming', 41, 18],
    ['Paint robot 1', 'painting', 52, 14],
    ['Paint robot 2', 'painting', 52, 14],
    ['Curing oven', 'curing', 60, 96],
  ],
  Interior: [
    ['Seat assembly cell', 'assembly', 46, 8],
    ['Cockpit assembly cell', 'assembly', 54, 9],
    ['Trim laser cutter', 'cutting', 30, 17],
    ['Headliner press', 'pressing', 35, 21],
  ],
};

export const machines: Machine[] = Object.entries(lines).flatMap(([line, rows]) =>
  rows.map(([name, kind, cycle, power]) => ({ line, name, kind, cycle, power })),
);

/** `Gear hobber 3` on line `Transmission` → `assembly-plant/transmission/gear-hobber-3`. */
function pathOf(machine: Machine): string {
  return `${id}/${machine.line}/${machine.name}`.toLowerCase().replaceAll(' ', '-');
}

function signalsOf(machine: Machine): Signal[] {
  const { cycle, power } = machine;
  return [
    {
      ...{ metric: 'state', name: 'State', unit: '', decimals: 0, type: 'integer' },
      names: { ...machineStates },
    },
    {
      ...{ metric: 'cycle-time', name: 'Cycle time', unit: 's', decimals: 1, type: 'double', unece: 'SEC' },
      ...{ range: { low: Math.round(cycle * 0.9), high: Math.round(cycle * 1.2) }, instrument: { low: 0, high: 200 } },
      ...{ limits: { h: Math.round(cycle * 1.3), hh: Math.round(cycle * 1.6) }, aggregate: 'mean' },
      ...{ deadband: 0.5, onDelay: 0, offDelay: 0 },
    },
    { ...{ metric: 'parts', name: 'Parts made', unit: '', decimals: 0, type: 'integer' }, aggregate: 'sum' },
    { ...{ metric: 'rejects', name: 'Rejects', unit: '', decimals: 0, type: 'integer' }, aggregate: 'sum' },
    {
      ...{ metric: 'power', name: 'Power consumption', unit: 'kW', decimals: 1, type: 'double', unece: 'KWT' },
      ...{ range: { low: 0, high: Math.round(power * 1.15) }, instrument: { low: 0, high: 600 }, aggregate: 'sum' },
      ...{ limits: { h: Math.round(power * 1.3), hh: Math.round(power * 1.5) } },
      ...{ deadband: 0.5, onDelay: 10_000, offDelay: 10_000 },
    },
  ] as Signal[];
}

class MachineModel implements AssetModel {
  private readonly machine: Machine;
  private readonly work: Random;
  private readonly dwell: ReturnType<typeof dwells>;
  private readonly sensor: number;
  private state = 0;
  private left = 0;
  private cycle: number;
  private cycleLeft: number;
  private last: number;
  private pace = 0;
  private parts: number;
  private rejects: number;
  private power = 0;
  /** Cycles left of a run of slow ones: a blunt tool, a part that does not fit. */
  private slow = 0;

  constructor(machine: Machine, path: string, seed: number, start: number) {
    this.machine = machine;
    this.work = stream(seed, path, 'work');
    this.dwell = dwells(stream(seed, path, 'state'));
    this.sensor = fnv1a(`${seed}:${path}:power:sensor`);
    this.enter();
    this.cycle = machine.cycle;
    this.last = machine.cycle;
    this.cycleLeft = this.cycle * this.work.next();
    this.parts = Math.floor((Math.max(0, (start - commissioned) / 1000) * 0.9) / machine.cycle);
    this.rejects = Math.floor(this.parts * 0.02);
    this.power = this.target();
  }

  step(): void {
    this.left -= dt;
    if (this.left <= 0) this.enter();
    if (this.state <= 1) {
      this.cycleLeft -= dt;
      if (this.cycleLeft <= 0) this.finish();
    }
    this.power += (this.target() - this.power) * (1 - Math.exp(-dt / 8));
  }

  read(out: (SignalValue | null)[], at: number, k: number): void {
    out[at] = this.state;
    out[at + 1] = this.last;
    out[at + 2] = this.parts % 4_294_967_296;
    out[at + 3] = this.rejects % 4_294_967_296;
    out[at + 4] = clamp(this.power * (1 + 0.015 * white(this.sensor, k)), 0, 600);
  }

  private enter(): void {
    const { state, seconds } = this.dwell.next().value;
    this.state = state;
    this.left = seconds;
  }

  /** A part is done: counts it and draws the next cycle (2 % around the nominal time, 15 % longer in warning). */
  private finish(): void {
    this.last = this.cycle;
    this.parts++;
    if (this.work.next() < (this.state === 1 ? 0.04 : 0.01)) this.rejects++;
    this.pace = 0.8 * this.pace + 0.6 * this.work.gaussian();
    if (this.slow > 0) this.slow--;
    else if (this.work.next() < 0.0003) this.slow = 5 + Math.floor(this.work.next() * 15);
    const pace = 1 + 0.02 * clamp(this.pace, -2.5, 2.5);
    this.cycle = this.machine.cycle * pace * (this.state === 1 ? 1.15 : 1) * (this.slow > 0 ? 1.25 : 1);
    this.cycleLeft += this.cycle;
  }

  private target(): number {
    const { power, cycle } = this.machine;
    if (this.state > 1) return power * (this.state === 2 ? 0.18 : 0.06);
    // Loading and unloading take the first fifth of a cycle, at less than half the power.
    return this.cycleLeft > 0.8 * cycle ? power * 0.45 : power * (this.state === 1 ? 1.06 : 1);
  }
}

const assets = machines.map((machine): PlantAsset => {
  const { name, kind, line } = machine;
  const status = { metric: 'state', map: { ...machineStates } };
  return { path: pathOf(machine), name, kind, line, signals: signalsOf(machine), status };
});
const site: PlantSite = {
  ...{ id, name: 'Assembly plant', location: 'Puebla', timezone: 'America/Mexico_City' },
  ...{ protocol: 'modbus', interval: 1000, assets },
};

export const assembly: PlantDefinition = {
  site,
  dt: dt * 1000,
  models: (seed, start) => machines.map((machine, i) => new MachineModel(machine, assets[i]!.path, seed, start)),
};
