// `penstock docs`: the configuration's reference and its JSON Schema, out of the schemas. Called by main.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchema, reference } from '../config/reference.ts';
import { protocols } from '../drivers/index.ts';

/** @param root folder of the repository */
export function docs(root: string): void {
  writeFileSync(join(root, 'config', 'REFERENCE.md'), reference(protocols));
  writeFileSync(join(root, 'config', 'schema.json'), jsonSchema(protocols));
}
