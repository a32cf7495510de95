// All sites of the demo, in the order in which they are listed, served and written to the config.
// Called by simulators/main and its parts.
import { assembly } from './assembly.ts';
import { boilers } from './boilers.ts';
import { fermentation } from './fermentation.ts';
import { rig } from './rig.ts';
import type { PlantDefinition } from './run.ts';
import { alpha, beta, gamma } from './sites.ts';

export { openPlant } from './run.ts';
export type { PlantDefinition } from './run.ts';

/** The three plants, whose history is written twice as densely. */
export const mainPlants: readonly PlantDefinition[] = [alpha, beta, gamma];

export const plants: readonly PlantDefinition[] = [...mainPlants, fermentation, boilers, rig, assembly];
