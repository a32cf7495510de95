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

convict.addFormat({
  name: 'duration',
  validate: (value: unknown) => {
    if (duration(value) === undefined) throw new Error('must be a duration such as 500ms, 5s, 2m, 1h or 30d');
  },
  coerce: (value: unknown) => duration(value) ?? value,
});
/** What a mistyped retention would remove cannot be had back. */
const shortestAge = 3_600_000;
convict.addFormat({
  name: 'age',
  validate: (value: unknown) => {
    const ms = duration(value);
    if (ms === undefined || ms < shortestAge)
      throw new Error('must be a duration such as 30d or 12h, at least 1h (a number alone is ms)');
  },
  coerce: (value: unknown) => duration(value) ?? value,
});

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
convict.addFormat({
  name: 'bytes',
  validate: (value: unknown) => {
    const count = bytes(value);
    if (count === undefined || count < fewestBytes)
      throw new Error('must be a number of bytes, or such as 256 MiB or 2 GB, at least 1 MB');
  },
  coerce: (value: unknown) => bytes(value) ?? value,
});

/** A number from text that holds nothing else. */
const numberIn = (value: unknown): unknown =>
  typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value;
const whole = (value: unknown, most: number): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most;
convict.addFormat({
  name: 'count',
  validate: (value: unknown) => {
    if (!whole(value, Number.MAX_SAFE_INTEGER)) throw new Error('must be a whole number, 0 or more, without a unit');
  },
  coerce: numberIn,
});
convict.addFormat({
  name: 'tcp port',
  validate: (value: unknown) => {
    if (!whole(value, 65_535)) throw new Error('must be a port: a whole number from 0 to 65535');
  },
  coerce: numberIn,
});
/** In variables of the environment it is written in many ways, and in YAML only two of these words are no text. */
const switches = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
]);
convict.addFormat({
  name: 'switch',
  validate: (value: unknown) => {
    if (typeof value !== 'boolean') throw new Error('must be true or false');
  },
  coerce: (value: unknown) => switches.get(String(value).trim().toLowerCase()) ?? value,
});
convict.addFormat({
  name: 'names',
  validate: (value: unknown) => {
    if (!Array.isArray(value) || value.some((v) => typeof v !== 'string')) throw new Error('must be a list of names');
  },
  coerce: (value: unknown) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((v) => v.trim())
          .filter(Boolean)
      : value,
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
