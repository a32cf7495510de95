// Compares what came out of the gateway with what the simulators served: per tag, value and time.
// Pure; used by the whole-system tests. A value is right when the device really had it at that time.

export interface Served {
  /** Times the value began to hold, µs, ascending. */
  t: number[];
  v: unknown[];
}
export interface Seen {
  tag: string;
  /** µs. */
  t: number;
  v: unknown;
}
export interface Verdict {
  compared: number;
  wrong: string[];
}

/** Reads the simulators' truth file: one NDJSON line for each value a server took on. */
export function truthOf(text: string): Map<string, Served> {
  const truth = new Map<string, Served>();
  for (const line of text.split('\n')) {
    if (!line.endsWith('}')) continue;
    const { tag, t, v } = JSON.parse(line) as { tag: string; t: number; v: unknown };
    let served = truth.get(tag);
    if (!served) truth.set(tag, (served = { t: [], v: [] }));
    served.t.push(t);
    served.v.push(v);
  }
  return truth;
}

/**
 * @param timed whether the device gives the time of this tag's values: where the truth has a change at exactly `t`, its
 * value must then be the one seen. Elsewhere (filed by arrival, or repeated) the value must have held within `slack` µs
 * before `t`: the answer's way.
 */
export function judge(
  truth: ReadonlyMap<string, Served>,
  seen: readonly Seen[],
  timed: (tag: string) => boolean,
  slack: number,
): Verdict {
  const verdict: Verdict = { compared: 0, wrong: [] };
  for (const { tag, t, v } of seen) {
    const served = truth.get(tag);
    verdict.compared++;
    if (!served || !right(served, t, v, timed(tag), slack)) {
      const near = served ? around(served, t) : 'never served';
      verdict.wrong.push(`${tag} at ${new Date(t / 1000).toISOString()}: ${String(v)}; truth: ${near}`);
    }
  }
  return verdict;
}

function right(served: Served, t: number, v: unknown, timed: boolean, slack: number): boolean {
  const at = lastAtOrBefore(served.t, t);
  return timed && served.t[at] === t ? same(served.v[at], v) : heldWithin(served, t - slack, t, v);
}

/** Changes of the truth in [from, to) that were not seen at exactly their time. */
export function missing(
  truth: ReadonlyMap<string, Served>,
  seen: readonly Seen[],
  tags: readonly string[],
  from: number,
  to: number,
): string[] {
  const times = new Set(seen.map(({ tag, t }) => `${tag} ${t}`));
  return tags.flatMap((tag) =>
    (truth.get(tag)?.t ?? [])
      .filter((t) => t >= from && t < to && !times.has(`${tag} ${t}`))
      .map((t) => `${tag} at ${new Date(t / 1000).toISOString()}`),
  );
}

/** True when the value held at some moment of [from, to]. */
function heldWithin(served: Served, from: number, to: number, v: unknown): boolean {
  let i = lastAtOrBefore(served.t, to);
  for (; i >= 0; i--) {
    if (same(served.v[i], v)) return true;
    if ((served.t[i] ?? 0) <= from) return false;
  }
  return false;
}

function lastAtOrBefore(times: readonly number[], t: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= t) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Equal to the digit; a float32 register and its shortest decimal are the same number. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a === b || Math.fround(a) === Math.fround(b);
  return a === b;
}

function around(served: Served, t: number): string {
  const i = lastAtOrBefore(served.t, t);
  return [i - 1, i, i + 1]
    .filter((k) => k >= 0 && k < served.t.length)
    .map((k) => `${String(served.v[k])} since ${new Date((served.t[k] ?? 0) / 1000).toISOString()}`)
    .join(', ');
}
