// The committed reference says what the schemas say; a stale one fails here (`npm run docs` writes it anew).
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { protocols } from '../drivers/index.ts';
import { jsonSchema, reference } from './reference.ts';
import { settingNames } from './settings.ts';

const committed = (name: string) => readFileSync(new URL(`../../config/${name}`, import.meta.url), 'utf8');

test('config/REFERENCE.md is current', () => {
  expect(committed('REFERENCE.md')).toBe(reference(protocols));
});
test('config/schema.json is current', () => {
  expect(committed('schema.json')).toBe(jsonSchema(protocols));
});
test('every setting and every field of every protocol stands in the reference', () => {
  const text = committed('REFERENCE.md');
  for (const name of settingNames()) expect(text).toContain(`\`${name}\``);
  for (const protocol of protocols.values()) {
    for (const schema of [protocol.connection, protocol.address] as { properties: object }[]) {
      for (const field of Object.keys(schema.properties))
        expect(text, protocol.name).toMatch(new RegExp(`\\.${field}\``));
    }
  }
});
