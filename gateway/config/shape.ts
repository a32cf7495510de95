// Turns a schema's complaints into sentences for the engineer who wrote the file: what was found, what is allowed.
// Called by load for every file; pure.
import { Settings } from 'typebox/system';
import { Value } from 'typebox/value';
import { pathText } from './read.ts';
import type { ConfigError, ConfigFile } from './read.ts';

interface Complaint {
  keyword: string;
  instancePath: string;
  schemaPath: string;
  params: Record<string, unknown>;
  message: string;
}
interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode | SchemaNode[];
  patternProperties?: Record<string, SchemaNode>;
  anyOf?: SchemaNode[];
  const?: unknown;
  description?: string;
}

// By default it stops after eight, and a union alone brings that many.
Settings.Set({ maxErrors: 10_000 });

/** Every fault of the file against the schema, each once, at its deepest place. Types quoted references first. */
export function shapeErrors(schema: object, file: ConfigFile): ConfigError[] {
  if (Value.Check(schema, file.value)) return [];
  typeReferences(schema, file);
  if (Value.Check(schema, file.value)) return [];
  const complaints = [...Value.Errors(schema, file.value)] as unknown as Complaint[];
  const errors: ConfigError[] = [];
  for (const complaint of complaints) {
    if (complaint.keyword === 'const' || complaint.keyword === 'boolean') continue;
    // Inside a union each branch complains; the union's own complaint says what is allowed.
    if (/\/anyOf\/\d+/.test(complaint.schemaPath)) continue;
    const path = complaint.instancePath.split('/').slice(1).map(unescape).map(asIndex(file.value));
    const found = valueAt(file.value, path);
    for (const { at, message } of sentences(complaint, schema as SchemaNode, path, found)) {
      errors.push({ file: file.file, line: file.line(at), path: pathText(at), message });
    }
  }
  return errors;
}

/** A quoted `${…}` becomes the number or boolean it would be without the quotes, where the schema wants one. */
function typeReferences(schema: object, file: ConfigFile): void {
  if (file.references.length === 0) return;
  const wanted = new Set(
    ([...Value.Errors(schema, file.value)] as unknown as Complaint[])
      .filter(({ keyword }) => keyword === 'type')
      .map(({ instancePath, params }) => `${kindNamed(params.type)} ${instancePath}`),
  );
  for (const { path, plain } of file.references)
    if (wanted.has(`${typeof plain} ${pointerOf(path)}`)) setAt(file.value, path, plain);
}

function sentences(
  complaint: Complaint,
  schema: SchemaNode,
  path: (string | number)[],
  found: unknown,
): { at: (string | number)[]; message: string }[] {
  const node = schemaAt(schema, path);
  if (complaint.keyword === 'additionalProperties') {
    const allowed = Object.keys(node?.properties ?? {});
    return (complaint.params.additionalProperties as string[]).map((name) => {
      const near = nearest(name, allowed);
      if (node?.patternProperties)
        return { at: [...path, name], message: `is not known here; this is ${node.description ?? complaint.message}` };
      return {
        at: [...path, name],
        message: `is not known here${near ? `; did you mean ${near}?` : ''} (allowed: ${allowed.join(', ')})`,
      };
    });
  }
  if (complaint.keyword === 'required') {
    const missing = (complaint.params.requiredProperties ?? [complaint.params.missingProperty]) as string[];
    return missing.map((name) => ({
      at: path,
      message: `${name} is missing${node?.properties?.[name]?.description ? `: ${node.properties[name].description}` : ''}`,
    }));
  }
  if (complaint.keyword === 'anyOf') {
    const values = node?.anyOf?.map((branch) => branch.const).filter((value) => value !== undefined) ?? [];
    const allowed = values.length ? `one of ${values.join(', ')}` : (node?.description ?? complaint.message);
    return [{ at: path, message: `is ${shown(found)}; must be ${allowed}` }];
  }
  if (complaint.keyword === 'pattern' && node?.description)
    return [{ at: path, message: `is ${shown(found)}; must be ${node.description}` }];
  const hint = node?.description ? ` (${node.description})` : '';
  return [{ at: path, message: `is ${shown(found)}; ${complaint.message}${hint}` }];
}

const kindNamed = (type: unknown) => (type === 'integer' ? 'number' : type);
const pointerOf = (path: readonly (string | number)[]) =>
  path.map((part) => `/${String(part).replace(/~/g, '~0').replace(/\//g, '~1')}`).join('');
const unescape = (part: string) => part.replace(/~1/g, '/').replace(/~0/g, '~');

/** JSON pointers do not tell indexes from keys; the value does. */
function asIndex(root: unknown) {
  let at: unknown = root;
  return (part: string): string | number => {
    const key = Array.isArray(at) ? Number(part) : part;
    at = (at as Record<string | number, unknown> | undefined)?.[key];
    return key;
  };
}

function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  let at = root;
  for (const part of path) at = (at as Record<string | number, unknown> | null | undefined)?.[part];
  return at;
}

function setAt(root: unknown, path: readonly (string | number)[], value: unknown): void {
  const parent = valueAt(root, path.slice(0, -1)) as Record<string | number, unknown>;
  parent[path.at(-1) ?? ''] = value;
}

function schemaAt(root: SchemaNode, path: readonly (string | number)[]): SchemaNode | undefined {
  let at: SchemaNode | undefined = root;
  for (const part of path) {
    if (!at) return undefined;
    if (typeof part === 'number') at = Array.isArray(at.items) ? at.items[part] : at.items;
    else
      at =
        at.properties?.[part] ??
        Object.entries(at.patternProperties ?? {}).find(([p]) => new RegExp(p).test(part))?.[1];
  }
  return at;
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** The allowed name a typing slip was meant to be, within two edits. */
export function nearest(name: string, allowed: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of allowed) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) [best, bestDistance] = [candidate, d];
  }
  return best;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
