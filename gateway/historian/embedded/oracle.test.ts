// The oracle: random writes, late and doubled and sent again, time passing, kills; then every question the historian
// answers, against a plain model of all samples in one list. Whatever is in memory, chunks or rollups, answers are equal.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../../clock.ts';
import { quality } from '../../model.ts';
import type { AggregateQuery, BucketWidth, StateSpan } from '../../history.ts';
import type { Frame, Micros, Sample, Value } from '../../model.ts';
import { boundaries } from './calendar.ts';
import { openStore } from './store.ts';
import type { Store } from './storing.ts';
import { openQuery } from './history.ts';
import type { Query } from './history.ts';
import { openMemory } from './open.ts';
import { frameOf } from './testing.ts';

/** PENSTOCK_SOAK times as many histories as a unit run's. */
const SOAK = Number(process.env.PENSTOCK_SOAK ?? 1);
const { signal } = new AbortController();
const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const TAGS = [0, 1, 2, 3];

interface Said {
  t: Micros;
  value: Value;
  status: number;
}

/** A good, finite number, else undefined. */
const figure = ({ value, status }: Said): number | undefined =>
  status >>> 30 === 0 && value !== null && typeof value !== 'string' && Number.isFinite(Number(value))
    ? Number(value)
    : undefined;

/** All samples ever given, and the plainest answers from them. */
class Plain {
  readonly #tags = new Map<number, Map<Micros, Said>>();
  readonly #sorted = new Map<number, Said[]>();

  put({ tag, t, value, status }: Sample): void {
    const samples = this.#tags.get(tag) ?? new Map<Micros, Said>();
    this.#tags.set(tag, samples.set(t, { t, value, status }));
    this.#sorted.delete(tag);
  }
  all(tag: number): Said[] {
    let sorted = this.#sorted.get(tag);
    if (!sorted) this.#sorted.set(tag, (sorted = [...(this.#tags.get(tag)?.values() ?? [])].sort((a, b) => a.t - b.t)));
    return sorted;
  }
  /** How many are before `t`. */
  #before(tag: number, t: Micros): number {
    const all = this.all(tag);
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((all[middle] as Said).t < t) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  raw(tag: number, from: Micros, to: Micros): Said[] {
    return this.all(tag).slice(this.#before(tag, from), this.#before(tag, to));
  }
  /**
   * Each sample with the stretch of [from, to) it holds for; the first may be from before. The last one holds until
   * `now`: what is not yet cannot be known.
   */
  holds(tag: number, from: Micros, to: Micros, now: Micros): Hold[] {
    const all = this.all(tag);
    const first = Math.max(0, this.#before(tag, from) - 1);
    const last = this.#before(tag, to) - 1;
    const until = (i: number): Micros => (i === last ? now : (all[i + 1] as Said).t);
    return all
      .slice(first, last + 1)
      .map((said, i) => ({ said, from: Math.max(from, said.t), to: Math.min(to, until(first + i)) }))
      .filter((each) => each.from < each.to);
  }
}
interface Hold {
  said: Said;
  from: Micros;
  to: Micros;
}

/** Figures of the samples in [a, b), and of what held in it; `holds` in order, consumed as far as the bucket goes. */
function expected(said: Said[], holds: Hold[], a: Micros, b: Micros, now: Micros) {
  const good = said.map(figure).filter((value) => value !== undefined);
  let known = 0;
  let area = 0;
  while (holds[0] && holds[0].to <= a) holds.shift();
  for (const each of holds) {
    if (each.from >= b) break;
    const value = figure(each.said);
    const time = Math.min(b, each.to) - Math.max(a, each.from);
    if (value === undefined || time <= 0) continue;
    known += time;
    area += value * time;
  }
  const sum = good.reduce((total, value) => total + value, 0);
  const or = (value: number | undefined): number | null => (good.length ? (value as number) : null);
  // Of the sign of zero nothing is said of the least and the greatest, and all of the first and the last.
  const width = Math.min(b, now) - a;
  return {
    ...{ count: said.length, good: good.length, min: or(Math.min(...good) + 0), max: or(Math.max(...good) + 0) },
    ...{ first: or(good[0]), last: or(good.at(-1)), avg: or(sum / good.length) },
    share: width > 0 ? Math.min(1, known / width) : 0,
    mean: known > 0 ? area / known : null,
  };
}

/** Equal but for the last digits, that adding in another order leaves. Asserting each of a million would take a minute. */
function near(got: number | null | undefined, wanted: number | null): boolean {
  if (wanted === null || got == null) return got === wanted;
  return Math.abs(got - wanted) <= 1e-9 * (1 + Math.abs(wanted));
}

async function checkAggregate(query: Query, plain: Plain, ask: AggregateQuery, now: Micros): Promise<void> {
  const { from, to, width, zone } = ask;
  const bounds = boundaries(from, to, width, zone);
  for (const series of await query.aggregate(ask)) {
    expect([series.t, series.end]).toEqual([bounds.t, bounds.end]);
    const holds = plain.holds(series.tag, from, to, now);
    for (const [i, start] of bounds.t.entries()) {
      const [a, b] = [Math.max(start, from), Math.min(bounds.t[i + 1] ?? bounds.end, to)];
      const wanted = expected(plain.raw(series.tag, a, b), holds, a, b, now);
      for (const [key, value] of Object.entries(wanted)) {
        const got = series[key as keyof typeof wanted][i];
        const loose = key === 'share' || key === 'mean' || key === 'avg';
        if (loose ? !near(got, value) : !Object.is(got, value))
          expect(got, `${key} of tag ${series.tag} in bucket ${i} of ${width} ${zone}`).toBe(value);
      }
    }
  }
}

/** Spans by the plain rule: each sample's state for as long as it holds, equal neighbours joined. */
function spansOf(plain: Plain, tag: number, from: Micros, to: Micros, now: Micros): StateSpan[] {
  const spans: StateSpan[] = [];
  const add = (start: Micros, end: Micros, value: Value, of: StateSpan['quality']): void => {
    const last = spans.at(-1);
    if (start >= end) return;
    if (last && last.quality === of && last.value === value) last.to = end;
    else spans.push({ from: start, to: end, value, quality: of });
  };
  let at = from;
  for (const { said, from: start, to: end } of plain.holds(tag, from, to, now)) {
    add(at, start, null, 'none');
    const nothing = said.value === null || Number.isNaN(said.value);
    const of = quality(said.status);
    if (of === 'bad') add(start, end, null, 'bad');
    else add(start, end, nothing ? null : said.value, nothing ? 'none' : of);
    at = end;
  }
  add(at, to, null, 'none');
  return spans;
}

async function checkAll(
  query: Query,
  plain: Plain,
  from: Micros,
  to: Micros,
  now: Micros,
  zone: string,
): Promise<void> {
  for (const tag of TAGS) {
    const said = plain.raw(tag, from, to);
    const rows: Said[] = [];
    for (let at = from; ;) {
      const page = await query.raw(tag, at, to, 700);
      page.t.forEach((t, i) => rows.push({ t, value: page.value[i] as Value, status: page.status[i] as number }));
      if (!page.more) break;
      at = (page.t.at(-1) as number) + 1;
    }
    expect(rows).toEqual(said);
    const [states] = await query.states([tag], from, to, 100_000);
    const spans = spansOf(plain, tag, from, to, now);
    expect(states?.spans).toEqual(spans);
    const of = new Map<Value, number>();
    for (const span of spans)
      if (span.quality === 'good') of.set(span.value, (of.get(span.value) ?? 0) + span.to - span.from);
    expect(new Map(states?.durations.map(({ value, time }) => [value, time]))).toEqual(of);
    for (const limit of [0, 3.5]) {
      const [time] = await query.limitTime([tag], from, to, limit);
      const sides = { tag, above: 0, below: 0, known: 0 };
      for (const each of plain.holds(tag, from, to, now)) {
        const value = figure(each.said);
        if (value === undefined) continue;
        sides.known += each.to - each.from;
        if (value > limit) sides.above += each.to - each.from;
        if (value < limit) sides.below += each.to - each.from;
      }
      expect(time).toEqual(sides);
    }
  }
  const kpis = await query.kpis(TAGS, from, to);
  for (const { tag, n, min, max, avg, last } of kpis) {
    const wanted = expected(plain.raw(tag, from, to), [], from, to, now);
    expect({ n, min, max }).toEqual({ n: wanted.good, min: wanted.min, max: wanted.max });
    expect(near(avg, wanted.avg), `${avg} is not ${wanted.avg}`).toBe(true);
    expect(last).toEqual(plain.raw(tag, from, to).at(-1) ?? null);
  }
  const latest = TAGS.flatMap((tag) =>
    plain
      .all(tag)
      .slice(-1)
      .map((said) => ({ tag, ...said })),
  );
  expect(await query.latest(TAGS)).toEqual(latest);
  const span = to - from;
  const narrow = Math.max(1, Math.ceil(span / 200));
  const widths: BucketWidth[] = [narrow, 5 * MINUTE, 'hour', 'day', Math.ceil(span / 3)];
  for (const width of widths) await checkAggregate(query, plain, { tags: TAGS, from, to, width, zone }, now);
  for (const series of await query.buckets(TAGS, from, to, narrow))
    for (const [i, start] of series.t.entries()) {
      const said = plain.raw(series.tag, Math.max(start, from), Math.min(start + narrow, to));
      const { good, min, max } = expected(said, [], from, to, now);
      if (series.n[i] !== good || series.min[i] !== min || series.max[i] !== max)
        expect({ n: series.n[i], min: series.min[i], max: series.max[i] }).toEqual({ n: good, min, max });
    }
}

const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -500, max: 500 }).map((x) => x / 10) },
  { weight: 1, arbitrary: fc.constantFrom<Value>(null, NaN, Infinity, true, 'off', 'on', 2n ** 60n, 1e9, -0) },
);
const status = fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.constantFrom(0x80050000, 0x40900000, 0x00a30000));
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      samples: fc.array(fc.record({ tag: fc.nat(3), back: fc.oneof(fc.nat(8), fc.nat(3000)), value, status }), {
        maxLength: 30,
      }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      run: fc.integer({ min: 1, max: 2000 }),
      every: fc.constantFrom(250_000, SECOND, 1_003_000, 15 * SECOND),
      as: fc.constantFrom('wave', 'switch', 'mode'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ pass: fc.nat(5000) }) },
  { weight: 1, arbitrary: fc.record({ clock: fc.integer({ min: -90, max: 90 }) }) },
  { weight: 1, arbitrary: fc.constant({ again: true }) },
  { weight: 2, arbitrary: fc.constant({ kill: true }) },
  { weight: 1, arbitrary: fc.constant({ close: true }) },
  { weight: 2, arbitrary: fc.record({ ask: fc.nat(4) }) },
);
const shapes: Record<string, { tag: number; of(i: number): Value }> = {
  wave: { tag: 0, of: (i) => Math.round(50 * Math.sin(i / 40)) / 10 },
  switch: { tag: 1, of: (i) => i % 97 < 40 },
  mode: { tag: 2, of: (i) => ['off', 'on', 'fault'][Math.floor(i / 200) % 3] as string },
};

/** A history with its model, that can be killed. */
class Trial {
  readonly dir = mkdtempSync(join(tmpdir(), 'penstock-history-'));
  readonly clock = new ManualClock(Date.UTC(2026, 9, 24, 20, 17, 3));
  readonly plain = new Plain();
  #memory = openMemory(1 << 20);
  #store: Store;
  #frames: Frame[] = [];

  constructor() {
    this.#store = this.#open();
  }
  #open(): Store {
    return openStore({ dataDir: this.dir, clock: this.clock, memory: this.#memory, durable: () => Infinity });
  }
  async write(samples: Sample[]): Promise<void> {
    for (const sample of samples) this.plain.put(sample);
    const frame = frameOf(this.#frames.length + 1, samples);
    this.#frames.push(frame);
    await this.#store.write([frame], signal);
  }
  async again(): Promise<void> {
    await this.#store.write(this.#frames.slice(-2), signal);
  }
  async pass(seconds: number): Promise<void> {
    const step = Math.max(5, seconds / 100);
    for (let left = seconds; left > 0; left -= step) {
      await this.clock.advance(step * 1000);
      await this.#store.tend();
    }
  }
  async reopen(kill: boolean): Promise<void> {
    if (!kill) await this.#store.close();
    this.#memory = openMemory(1 << 20);
    this.#store = this.#open();
    await this.#store.write(
      this.#frames.filter(({ seq }) => seq >= this.#store.settled.position),
      signal,
    );
  }
  async ask(kind: number): Promise<void> {
    const now = this.clock.micros();
    const [from, to] = [
      [now - 3 * HOUR, now + 1],
      [now - 90 * MINUTE - 1_234_567, now - 7 * MINUTE - 89],
      [Math.floor((now - 20 * HOUR) / HOUR) * HOUR, Math.floor(now / MINUTE + 10) * MINUTE],
      [Math.floor((now - 5 * HOUR) / MINUTE) * MINUTE, Math.floor((now - HOUR) / MINUTE) * MINUTE],
      // From just before samples, which are often the first of a chunk.
      [(this.plain.raw(0, now - 4 * HOUR, now)[0]?.t ?? now) - 1_234_567, now + 1],
    ][kind] as [Micros, Micros];
    const zone = ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/St_Johns', 'UTC'][kind] as string;
    const query = openQuery(this.dir, this.clock, this.#memory);
    await checkAll(query, this.plain, from, to, now, zone);
    query.close();
  }
  async end(): Promise<void> {
    await this.#store.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

test(
  'every answer equals that of a plain model',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), async (steps) => {
        const trial = new Trial();
        try {
          for (const each of steps) {
            const now = trial.clock.micros();
            if ('samples' in each)
              await trial.write(
                each.samples.map(({ tag, back, value, status }): Sample => {
                  const t = now - back * 1_700_000;
                  return { tag, t, receivedAt: now, value, status, flags: 0 };
                }),
              );
            else if ('run' in each) {
              const { tag, of } = shapes[each.as] as { tag: number; of(i: number): Value };
              const samples = Array.from({ length: each.run }, (_none, i): Sample => {
                const t = now + i * each.every;
                return { tag, t, receivedAt: t, value: of(i), status: 0, flags: 0 };
              });
              await trial.write(samples);
              await trial.clock.advance((each.run * each.every) / 1000);
            } else if ('pass' in each) await trial.pass(each.pass);
            else if ('clock' in each) trial.clock.stepWall(each.clock * 60_000);
            else if ('again' in each) await trial.again();
            else if ('ask' in each) await trial.ask(each.ask);
            else await trial.reopen('kill' in each);
          }
          for (const kind of [0, 1, 2, 3, 4]) await trial.ask(kind);
        } finally {
          await trial.end();
        }
      }),
      {
        ...{ numRuns: 15 * SOAK, interruptAfterTimeLimit: 25_000 * SOAK },
        // The last value is −0. A clock set back, so that samples lie behind the end of what is asked, which has not come yet.
        examples: [
          [[{ run: 1635, every: 250_000, as: 'wave' }, { kill: true }, { close: true }]],
          [[{ run: 97, every: 1_003_000, as: 'wave' }, { pass: 2076 }, { clock: -60 }, { pass: 855 }, { ask: 0 }]],
        ],
      },
    );
  },
  60_000 * SOAK,
);
