// Rules that two rooms must have alike and may not share.
import { expect, test } from 'vitest';
import { portVariable } from '../../simulators/configuration.ts';
import { simulatorVariable } from '../cli/simulators.ts';

test.each([
  ['plant-beta', 'PENSTOCK_SIM_PLANT_BETA'],
  ['hall 2', 'PENSTOCK_SIM_HALL_2'],
  ['skövde--norra', 'PENSTOCK_SIM_SK_VDE_NORRA'],
  ['straße', 'PENSTOCK_SIM_STRASSE'],
  ['北', 'PENSTOCK_SIM__'],
])('the variable that moves the port of %s', (site, name) => {
  expect([portVariable(site), simulatorVariable(site)]).toEqual([name, name]);
});
