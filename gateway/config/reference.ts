// Writes config/REFERENCE.md and config/schema.json from the schemas, so that neither can say what the program does not do.
// Called by `npm run docs`; a test fails when the committed files are stale.
import type { Protocol } from '../driver.ts';
import { deviceSchema, PlantFile, tagFields } from './plant.ts';
import { settingsSchema } from './settings.ts';

interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, Node>;
  required?: string[];
  items?: Node | Node[];
  patternProperties?: Record<string, Node>;
  anyOf?: Node[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
}
interface Setting {
  doc: string;
  format: unknown;
  default: unknown;
  env?: string;
  arg?: string;
}

/** The Markdown reference of all settings, plant fields and device fields. */
export function reference(protocols: ReadonlyMap<string, Protocol>): string {
  const lines = [
    '# Configuration reference',
    '',
    'Generated from the schemas by `npm run docs`; do not edit.',
    '',
    'In every file `${NAME}` stands for a variable of the environment and `${NAME:-default}` for a default too, also in quotes:',
    "`port: '${PLC_PORT:-502}'` is a number where a number is wanted, and `name: '${LINE:-7}'` a text where a text is.",
    '',
    '## penstock.yaml',
    '',
    'The daemon. A setting can also come from the environment or the command line; the later column wins.',
    '',
    '| setting | default | environment | argument | |',
    '|---|---|---|---|---|',
    ...settingRows(settingsSchema),
    '',
    '## plant.yaml, plant/*.yaml',
    '',
    'Sites, metrics and assets with their ranges and limits. Durations are written 500ms, 5s, 2m, 1h.',
    '',
    '| field | | |',
    '|---|---|---|',
    ...fieldRows(PlantFile as Node, ''),
    '',
    '## devices/*.yaml',
    '',
    'One file per device: `device`, `protocol`, `connection`, `interval`, `enabled` and `tags`. Each tag has:',
    '',
    '| field | | |',
    '|---|---|---|',
    ...fieldRows({ properties: tagFields as unknown as Record<string, Node>, required: ['tag'] }, ''),
  ];
  for (const protocol of protocols.values()) {
    lines.push('', `### protocol: ${protocol.name}`, '', '| field | | |', '|---|---|---|');
    lines.push(
      ...fieldRows(protocol.connection as Node, 'connection.'),
      ...fieldRows(protocol.address as Node, 'tags[].'),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** JSON Schema of the plant and device files, for editors. */
export function jsonSchema(protocols: ReadonlyMap<string, Protocol>): string {
  const devices = [...protocols.values()].map((protocol) => {
    const schema = deviceSchema(protocol.connection, protocol.address) as unknown as {
      properties: Record<string, object>;
    };
    return { ...schema, properties: { ...schema.properties, protocol: { const: protocol.name } } };
  });
  return `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', anyOf: [PlantFile, ...devices] }, null, 2)}\n`;
}

function settingRows(schema: object, prefix = ''): string[] {
  return Object.entries(schema).flatMap(([key, value]: [string, Setting | object]) => {
    if (!('default' in value)) return settingRows(value, `${prefix}${key}.`);
    const shown =
      value.format === 'duration' || value.format === 'age'
        ? durationText(Number(value.default))
        : JSON.stringify(value.default);
    return [
      `| \`${prefix}${key}\` | \`${shown}\` | ${value.env ? `\`${value.env}\`` : ''} | ${value.arg ? `\`--${value.arg}\`` : ''} | ${value.doc} |`,
    ];
  });
}

function fieldRows(node: Node, prefix: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const required = node.required?.includes(name) ? 'required' : '';
    const needed = field.default === undefined ? required : `default \`${JSON.stringify(field.default)}\``;
    const row = `| \`${path}\` | ${kindOf(field)}${needed ? `, ${needed}` : ''} | ${cell(field.description ?? '')} |`;
    const item = Array.isArray(field.items) ? undefined : field.items;
    const each = Object.values(field.patternProperties ?? {})[0];
    return [
      row,
      ...fieldRows(field, `${path}.`),
      ...(item ? fieldRows(item, `${path}[].`) : []),
      ...(each ? fieldRows(each, `${path}.<name>.`) : []),
    ];
  });
}

function kindOf(node: Node): string {
  const constants = node.anyOf?.map((branch) => branch.const).filter((value) => value !== undefined);
  if (constants?.length) return constants.map((value) => `\`${String(value)}\``).join(' ');
  if (node.anyOf) return [...new Set(node.anyOf.map((branch) => branch.type))].join(' or ');
  const span =
    node.minimum !== undefined || node.maximum !== undefined ? ` ${node.minimum ?? '…'}…${node.maximum ?? ''}` : '';
  return `${node.type ?? 'map'}${span}`;
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function durationText(ms: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
