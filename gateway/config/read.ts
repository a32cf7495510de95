// Reads YAML files of a config folder: replaces ${NAME:-default}, keeps where each value stands.
// Called by load; hands on plain values plus a way to say `file:line` for any path in them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, YAMLParseError } from 'yaml';

export interface ConfigError {
  file: string;
  line?: number;
  /** Path of the value inside the file: `tags[3].scale`. */
  path: string;
  /** What was found, what is allowed, what to do: one sentence. */
  message: string;
}

export interface ConfigFile {
  file: string;
  value: unknown;
  /** Values in quotes that are wholly one `${…}`, and what each would be without the quotes, where that is no text. */
  references: readonly { path: readonly (string | number)[]; plain: number | boolean }[];
  /** Line of the value at a path, or of the nearest parent that exists. */
  line(path: readonly (string | number)[]): number | undefined;
}

/** A text as it is after the replacements, and where in it a quoted value begins that is wholly one reference. */
interface Replaced {
  text: string;
  quoted: number[];
}

/** Replaces `${NAME}` and `${NAME:-default}`; a name without value and default is an error. */
function substitute(text: string, env: NodeJS.ProcessEnv, missing: (name: string) => void): Replaced {
  let made = '';
  let end = 0;
  const quoted: number[] = [];
  for (const found of text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g)) {
    const [reference, name = '', fallback] = found;
    const value = env[name] || fallback;
    if (value === undefined) missing(name);
    made += text.slice(end, found.index);
    end = found.index + reference.length;
    const quote = text[found.index - 1];
    if ((quote === "'" || quote === '"') && text[end] === quote) quoted.push(made.length - 1);
    // Braces would be YAML of their own, and faults beside the one that is said.
    made += value ?? name;
  }
  return { text: made + text.slice(end), quoted };
}

export function readYaml(
  folder: string,
  file: string,
  env: NodeJS.ProcessEnv,
  errors: ConfigError[],
): ConfigFile | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, file), 'utf8');
  } catch (error) {
    errors.push({ file, path: '', message: `cannot be read: ${(error as Error).message}` });
    return undefined;
  }
  let source = '';
  let whole = true;
  const quoted = new Set<number>();
  for (const [number, row] of text.split('\n').entries()) {
    if (number > 0) source += '\n';
    const missing = (name: string): void => {
      whole = false;
      const message = `\${${name}} has no value: set the variable or write \${${name}:-default}`;
      errors.push({ file, line: number + 1, path: '', message });
    };
    // Comments are left alone: an example in a comment must not demand a variable.
    const made = row.trimStart().startsWith('#') ? { text: row, quoted: [] } : substitute(row, env, missing);
    for (const at of made.quoted) quoted.add(source.length + at);
    source += made.text;
  }
  const counter = new LineCounter();
  const document = parseDocument(source, { lineCounter: counter, prettyErrors: false });
  const faults = independent(document.errors);
  for (const { pos, message } of faults)
    errors.push({ file, line: counter.linePos(pos[0]).line, path: '', message: `is not YAML: ${message}` });
  if (faults.length > 0 || !whole) return undefined;
  return {
    file,
    value: document.toJS() ?? {},
    references: referencesIn(document, quoted),
    line(path) {
      for (let length = path.length; length >= 0; length--) {
        const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
        if (isNode(node) && node.range) return counter.linePos(node.range[0]).line;
      }
      return undefined;
    },
  };
}

/** What comes after a fault is mostly what it brought about, but for these. */
function independent(errors: readonly YAMLParseError[]): YAMLParseError[] {
  const byPlace = errors.toSorted((a, b) => a.pos[0] - b.pos[0]);
  const end = byPlace.findIndex(({ code }) => code !== 'DUPLICATE_KEY' && code !== 'BAD_DQ_ESCAPE');
  return end < 0 ? byPlace : byPlace.slice(0, end + 1);
}

/** @param quoted where they begin */
function referencesIn(document: Document, quoted: ReadonlySet<number>): ConfigFile['references'] {
  const found: { path: (string | number)[]; plain: number | boolean }[] = [];
  if (quoted.size === 0) return found;
  visit(document, {
    Scalar(key, node, above) {
      if (key === 'key' || !node.type?.startsWith('QUOTE') || !quoted.has(node.range?.[0] ?? -1)) return;
      const plain: unknown = parseDocument(String(node.value)).toJS();
      if (typeof plain !== 'number' && typeof plain !== 'boolean') return;
      const path = [...above, node].flatMap((part, i, all): (string | number)[] => {
        const parent = all[i - 1];
        if (isPair(part)) return [String(isScalar(part.key) ? part.key.value : part.key)];
        return isSeq(parent) ? [parent.items.indexOf(part)] : [];
      });
      found.push({ path, plain });
    },
  });
  return found;
}

/** The YAML files of a folder below the config folder, sorted, as paths relative to it; none when it does not exist. */
export function yamlFiles(folder: string, below: string): string[] {
  try {
    return readdirSync(join(folder, below))
      .filter((name) => /\.ya?ml$/.test(name))
      .sort()
      .map((name) => join(below, name));
  } catch {
    return [];
  }
}

/** `tags[3].scale` from ['tags', 3, 'scale']. */
export function pathText(path: readonly (string | number)[]): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

export function errorText(error: ConfigError): string {
  const place = error.line === undefined ? error.file : `${error.file}:${error.line}`;
  return error.path ? `${place}: ${error.path}: ${error.message}` : `${place}: ${error.message}`;
}
