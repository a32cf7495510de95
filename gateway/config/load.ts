// Loads a config folder: settings, plant, devices, every error at once. Called by main at start and at each reload,
// by `penstock check` and by tests; hands on settings and a PlantSpec, or the list of errors and nothing else.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PlantSpec } from '../catalog.ts';
import type { Protocol } from '../driver.ts';
import { settingsOf } from './data-folder.ts';
import { deviceSchema, PlantFile } from './plant.ts';
import type { DeviceFile } from './plant.ts';
import { readYaml, yamlFiles } from './read.ts';
import type { ConfigError, ConfigFile } from './read.ts';
import type { Settings } from './settings.ts';
import { nearest, shapeErrors } from './shape.ts';
import { buildSpec } from './spec.ts';

export interface LoadedConfig {
  settings: Settings;
  plant: PlantSpec;
}
export type LoadResult = { ok: true; config: LoadedConfig } | { ok: false; errors: ConfigError[] };

/** @param args command-line settings (`--port 0`), the strongest of file, environment and arguments. */
export function loadConfig(
  folder: string,
  protocols: ReadonlyMap<string, Protocol>,
  env: NodeJS.ProcessEnv = process.env,
  args: string[] = [],
): LoadResult {
  const errors: ConfigError[] = [];
  if (!existsSync(folder)) {
    return {
      ok: false,
      errors: [{ file: folder, path: '', message: 'is no folder; name the config folder with --config DIR' }],
    };
  }
  const read = (file: string) => readYaml(folder, file, env, errors);
  const settings = settingsOf(folder, env, args, errors);
  for (const name of ['penstock', 'plant'])
    if (existsSync(join(folder, `${name}.yml`)) && !existsSync(join(folder, `${name}.yaml`)))
      errors.push({ file: `${name}.yml`, path: '', message: `is not read; its name must be ${name}.yaml` });

  const plantNames = [...(existsSync(join(folder, 'plant.yaml')) ? ['plant.yaml'] : []), ...yamlFiles(folder, 'plant')];
  const plants = plantNames.map(read).filter((file) => file !== undefined);
  const goodPlants = plants.filter((file) => keep(shapeErrors(PlantFile, file), errors));

  const deviceNames = yamlFiles(folder, 'devices');
  const devices = deviceNames.map(read).filter((file) => file !== undefined);
  const goodDevices = devices.filter((file) => keep(deviceErrors(file, protocols), errors));

  const plant = buildSpec(
    settings.enterprise,
    goodPlants as (ConfigFile & { value: PlantFile })[],
    goodDevices as (ConfigFile & { value: DeviceFile })[],
    protocols,
    errors,
    // References into a file that is left out for its own faults would all be said as errors too.
    goodPlants.length === plantNames.length && goodDevices.length === deviceNames.length,
  );
  return errors.length > 0 ? { ok: false, errors } : { ok: true, config: { settings, plant } };
}

function deviceErrors(file: ConfigFile, protocols: ReadonlyMap<string, Protocol>): ConfigError[] {
  const name = (file.value as { protocol?: unknown } | null)?.protocol;
  const protocol = protocols.get(String(name));
  if (protocol) return shapeErrors(deviceSchema(protocol.connection, protocol.address), file);
  const known = [...protocols.keys()];
  const near = nearest(String(name), known);
  const message = `is ${name === undefined ? 'missing' : `"${String(name)}"`}; must be one of ${known.join(', ')}${near ? ` (did you mean ${near}?)` : ''}`;
  // The rest of the file is judged by the protocol that was meant, else by what all of them have in common.
  const { connection, address } = protocols.get(near ?? '') ?? {};
  const others = shapeErrors(deviceSchema(connection, address), file);
  return [
    { file: file.file, line: file.line(['protocol']), path: 'protocol', message },
    ...others.filter(({ path, message: its }) => path !== 'protocol' && its !== 'protocol is missing'),
  ];
}

function keep(found: ConfigError[], errors: ConfigError[]): boolean {
  errors.push(...found);
  return found.length === 0;
}
