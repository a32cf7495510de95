// Reads YAML files of a config folder: replaces ${NAME:-default}, keeps where each value stands.
// Called by load; hands on plain values plus a way to say `file:line` for any path in them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isNode, LineCounter, parseDocument } from 'yaml';

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
  /** Line of the value at a path, or of the nearest parent that exists. */
  line(path: readonly (string | number)[]): number | undefined;
}

/** Replaces `${NAME}` and `${NAME:-default}`; a name without value and default is an error. */
function substitute(text: string, env: NodeJS.ProcessEnv, missing: (name: string, offset: number) => void): string {
  return text.replace(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (whole, name: string, fallback: string | undefined, offset: number) => {
      const value = env[name];
      if (value !== undefined && value !== '') return value;
      if (fallback !== undefined) return fallback;
      missing(name, offset);
      return whole;
    },
  );
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
  // Comments are left alone: an example in a comment must not demand a variable.
  const source = text
    .split('\n')
    .map((row, number) =>
      row.trimStart().startsWith('#')
        ? row
        : substitute(row, env, (name) =>
            errors.push({
              file,
              line: number + 1,
              path: '',
              message: `\${${name}} has no value: set the variable or write \${${name}:-default}`,
            }),
          ),
    )
    .join('\n');
  const counter = new LineCounter();
  const document = parseDocument(source, { lineCounter: counter, prettyErrors: false });
  for (const error of document.errors) {
    errors.push({ file, line: counter.linePos(error.pos[0]).line, path: '', message: `is not YAML: ${error.message}` });
  }
  if (document.errors.length > 0) return undefined;
  return {
    file,
    value: document.toJS() ?? {},
    line(path) {
      for (let length = path.length; length >= 0; length--) {
        const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
        if (isNode(node) && node.range) return counter.linePos(node.range[0]).line;
      }
      return undefined;
    },
  };
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
