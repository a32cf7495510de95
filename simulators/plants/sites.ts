// The three plants: sixteen assets, each with its own operating ranges. Data only; the physics is in plants/process.
import { processSite } from './process.ts';
import type { ProcessAsset } from './process.ts';
import type { PlantDefinition } from './run.ts';

type Ranges = [low: number, high: number];

function asset(
  [id, name, kind, line]: [string, string, string, string],
  temperature: Ranges,
  pressure: Ranges,
  power: Ranges,
  output: Ranges,
): ProcessAsset {
  return { id, name, kind, line, temperature, pressure, power, output };
}

export const alpha: PlantDefinition = processSite(
  {
    ...{ id: 'power-station-alpha', name: 'Power Station Alpha', location: 'Houston, TX', timezone: 'America/Chicago' },
    ...{ protocol: 'opcua', interval: 1000 },
  },
  'grid',
  [
    asset(['gas-turbine-1', 'Gas turbine 1', 'turbine', 'Turbine hall'], [88, 108], [6, 8.6], [260, 460], [110, 180]),
    asset(['gas-turbine-2', 'Gas turbine 2', 'turbine', 'Turbine hall'], [86, 107], [5.8, 8.4], [240, 450], [105, 175]),
    asset(
      ['steam-turbine-1', 'Steam turbine 1', 'turbine', 'Turbine hall'],
      [92, 110],
      [4.5, 7.2],
      [220, 420],
      [95, 165],
    ),
    asset(['generator-1', 'Generator 1', 'generator', 'Turbine hall'], [68, 88], [2, 3.6], [280, 470], [120, 185]),
    asset(
      ['recovery-boiler-1', 'Heat recovery boiler 1', 'boiler', 'Steam'],
      [95, 113],
      [6.5, 9.2],
      [150, 320],
      [80, 150],
    ),
    asset(['feedwater-pump-1', 'Feedwater pump 1', 'pump', 'Steam'], [66, 82], [7, 9.4], [120, 260], [90, 160]),
  ],
);

export const beta: PlantDefinition = processSite(
  {
    ...{ id: 'chemical-plant-beta', name: 'Chemical Plant Beta', location: 'Rotterdam', timezone: 'Europe/Amsterdam' },
    ...{ protocol: 'modbus', interval: 1000 },
  },
  'steady',
  [
    asset(['reactor-1', 'Reactor 1', 'reactor', 'Synthesis'], [74, 92], [2.4, 4.8], [180, 340], [90, 150]),
    asset(['reactor-2', 'Reactor 2', 'reactor', 'Synthesis'], [78, 97], [2.8, 5.2], [190, 360], [95, 160]),
    asset(
      ['compressor-1', 'Process compressor 1', 'compressor', 'Synthesis'],
      [82, 104],
      [6.2, 8.9],
      [300, 470],
      [110, 170],
    ),
    asset(
      ['heat-exchanger-1', 'Heat exchanger 1', 'exchanger', 'Separation'],
      [70, 90],
      [3, 5.6],
      [120, 230],
      [85, 140],
    ),
    asset(['column-1', 'Distillation column 1', 'column', 'Separation'], [84, 106], [1.8, 3.4], [200, 380], [75, 135]),
  ],
);

export const gamma: PlantDefinition = processSite(
  {
    ...{ id: 'manufacturing-gamma', name: 'Manufacturing Gamma', location: 'São Paulo', timezone: 'America/Sao_Paulo' },
    ...{ protocol: 'opcua', interval: 1000 },
  },
  'shifts',
  [
    asset(['press-1', 'Hydraulic press 1', 'press', 'Forming'], [66, 86], [5.6, 8.8], [180, 360], [90, 170]),
    asset(['press-2', 'Hydraulic press 2', 'press', 'Forming'], [66, 85], [5.4, 8.6], [170, 350], [85, 165]),
    asset(
      ['furnace-1', 'Annealing furnace 1', 'furnace', 'Heat treatment'],
      [94, 114],
      [1.6, 3.2],
      [290, 470],
      [70, 130],
    ),
    asset(
      ['cnc-mill-1', 'CNC milling centre 1', 'machining', 'Machining'],
      [64, 80],
      [4.4, 6.8],
      [120, 240],
      [100, 185],
    ),
    asset(['cnc-lathe-1', 'CNC lathe 1', 'machining', 'Machining'], [65, 82], [4.2, 6.6], [115, 230], [105, 185]),
  ],
);
