// The forms of settings beside plain texts and choices: durations, bytes, whole numbers, switches, ports, addresses, names.
// What is written otherwise is an error and never guessed: `2GB` is not 2, and `no` is not true. Registered with convict
// when settings.ts loads this; spec.ts asks for `duration` too.
import convict from 'convict';

/** Milliseconds from `500ms`, `5s`, `2m`, `1h`, `30d` or a number of ms; undefined when it is neither. */
export function duration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$/.exec(value);
  if (!match) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? 'ms'];
  return Number(match[1]) * (unit ?? 1);
}

/** A form whose values are what `read` makes of what is written; `must` is said where it makes nothing of it. */
function form(name: string, must: string, read: (value: unknown) => unknown): void {
  convict.addFormat({
    name,
    // By now what was text has been read, and nothing else is: a 1 is no switch.
    validate: (value: unknown) => {
      if (read(value) !== value) throw new Error(must);
    },
    coerce: (value: unknown) => read(value) ?? value,
  });
}

form('duration', 'must be a duration such as 500ms, 5s, 2m, 1h or 30d', duration);
/** What a mistyped retention would remove cannot be had back. */
const shortestAge = 3_600_000;
form('age', 'must be a duration such as 30d or 12h, at least 1h (a number alone is ms)', (value) =>
  atLeast(shortestAge, duration(value)),
);

const multiples: Record<string, number> = {
  ...{ B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 },
};

/** Bytes from `256 MiB`, `2GB` or a number of bytes; undefined when it is neither. */
export function bytes(value: unknown): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?\s*$/i.exec(String(value));
  const factor = multiples[(match?.[2] ?? 'B').toUpperCase()];
  if (!match || factor === undefined || (typeof value !== 'string' && typeof value !== 'number')) return undefined;
  const count = Number(match[1]) * factor;
  return match[2] === undefined && !Number.isInteger(count) ? undefined : Math.round(count);
}

const fewestBytes = 1e6;
form('bytes', 'must be a number of bytes, or such as 256 MiB or 2 GB, at least 1 MB', (value) =>
  atLeast(fewestBytes, bytes(value)),
);

function atLeast(least: number, value: number | undefined): number | undefined {
  return value !== undefined && value >= least ? value : undefined;
}

/** A whole number, also from text that holds nothing else. */
function whole(value: unknown, most: number): number | undefined {
  const number = typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value;
  return Number.isInteger(number) && Number(number) >= 0 && Number(number) <= most ? Number(number) : undefined;
}
form('count', 'must be a whole number, 0 or more, without a unit', (value) => whole(value, Number.MAX_SAFE_INTEGER));
form('tcp port', 'must be a port: a whole number from 0 to 65535', (value) => whole(value, 65_535));

/** In variables of the environment it is written in many ways, and in YAML only two of these words are no text. */
const switches = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
]);
form('switch', 'must be true or false', (value) => switches.get(String(value).trim().toLowerCase()));
form('names', 'must be a list of names', (value) => {
  if (Array.isArray(value)) return value.every((v) => typeof v === 'string') ? value : undefined;
  if (typeof value !== 'string') return undefined;
  return value
    .split(',')
    .map((v) => v.trim())
    .filter(Boolean);
});
convict.addFormat({
  name: 'address',
  validate: (value: unknown) => {
    const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
    if (value !== '' && (!url || url.host === ''))
      throw new Error('must be an address such as http://host:9000 or postgres://host:5432/database');
    if (url && (url.username !== '' || url.password !== ''))
      throw new Error('must be an address without user and password: they have settings of their own');
  },
});
convict.addFormat({
  name: 'segment',
  validate: (value: unknown) => {
    if (typeof value !== 'string' || !/^[^+#/$_\0\s][^+#/\0]*$/.test(value))
      throw new Error('must be a name without + # / and not beginning with _ or $');
  },
});
