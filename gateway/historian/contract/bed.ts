// What a database must bring to the suite of forwarders and readers: its server as a bed, and what all its tests share:
// tags, frames of numbered samples, and what they add up to. Implemented by the test of each database.
import type { Consumer } from '../../consumer.ts';
import { Status } from '../../model.ts';
import type { Frame, GatewayEvent, Micros, Origin, Sample, Value, ValueType } from '../../model.ts';
import type { EventRow } from '../events.ts';
import type { RemoteHistory } from '../remote.ts';

export interface ContractTag {
  id: string;
  type: ValueType;
}
/** A row as it reads back: whole numbers of `readings_integer` as bigint, `t` in µs. */
export interface ContractRow {
  table: string;
  tag: string;
  site: string;
  asset: string;
  metric: string;
  t: Micros;
  value: Value;
  status: number;
}
export interface ForwarderBed {
  /** A forwarder as after a start of the gateway: nothing remembered. A tag's index is its place in the list. */
  forwarder(tags: readonly ContractTag[]): Consumer;
  /** Every row of the three tables of samples, read by a way of its own. */
  rows(): Promise<ContractRow[]>;
  /** The reader of what is stored. */
  history(): RemoteHistory;
  /** Every column; what is not said is the empty string. */
  events(): Promise<EventRow[]>;
  /** Empties the database, its tables included. */
  clear(): Promise<void>;
  /** kill -9 of the server, and its start with what it had stored. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Makes the column `value` of `readings` one that holds no number, and undoes it. */
  spoil(): Promise<void>;
  mend(): Promise<void>;
  /** Changes the password on the server (and ends its sessions); tells the gateway. */
  changePassword(secret: string): Promise<void>;
  tellPassword(secret: string): Promise<void>;
  /** What a value reads back as, where it is not itself. */
  reads?(value: Value, type: ValueType): Value;
  close(): Promise<void>;
}

export const START = Date.UTC(2026, 0, 31, 23, 59, 58) * 1000;
export const tags: ContractTag[] = [
  { id: 'north/pump-1/flow', type: 'double' },
  { id: 'south/pump-1/flow', type: 'double' },
  { id: 'north/line-2/pump-1/count', type: 'integer' },
  { id: 'north/pump-1/note', type: 'text' },
  { id: 'north/pump-1/on', type: 'boolean' },
];
export const sample = (tag: number, t: Micros, value: Value, status: number = Status.good): Sample => ({
  tag,
  t,
  receivedAt: t,
  value,
  status,
  flags: 0,
});
export const frame = (seq: number, samples: Sample[], events: GatewayEvent[] = [], origin: Origin = 'live'): Frame => ({
  seq,
  revision: 1,
  origin,
  source: 'line',
  samples,
  events,
});

/** Numbered samples over all tags, over midnight and the end of a month; the values tell tag and place apart. */
export function stream(frames: number, each: number): Frame[] {
  return Array.from({ length: frames }, (_, f) =>
    frame(
      f + 1,
      Array.from({ length: each }, (_, i) => {
        const n = f * each + i;
        const t = START + n * 1009;
        const tag = n % tags.length;
        const bad = n % 97 === 0;
        const values: Value[] = [n / 8, -n / 8, n, `note ${n}`, n % 2 === 0];
        return sample(tag, t, bad ? null : (values[tag] as Value), bad ? Status.badCommunication : Status.good);
      }),
    ),
  );
}

const numberOf = (value: Value): number =>
  typeof value === 'string' ? Number(value.slice(5)) : value === null ? 0 : Number(value);

/** Count, sum, maximum and rows without value of each tag. */
export function figures(rows: readonly { tag: string; value: Value }[]): Record<string, object> {
  const found: Record<string, { n: number; none: number; sum: number; max: number }> = {};
  for (const { tag, value } of rows) {
    const of = (found[tag] ??= { n: 0, none: 0, sum: 0, max: -Infinity });
    of.n++;
    if (value === null) of.none++;
    else {
      of.sum += numberOf(value);
      of.max = Math.max(of.max, numberOf(value));
    }
  }
  return found;
}
export const sent = (frames: readonly Frame[]): { tag: string; value: Value }[] =>
  frames.flatMap(({ samples }) => samples.map(({ tag, value }) => ({ tag: (tags[tag] as ContractTag).id, value })));

/** Mulberry32: the same faults in each run. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const never = (): AbortSignal => new AbortController().signal;
export const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** As a pump does it: the same frames again until they are taken. */
export async function until(consumer: Consumer, frames: readonly Frame[], within = 20_000): Promise<void> {
  const end = performance.now() + within;
  for (;;) {
    try {
      await consumer.write(frames, never());
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await after(50);
    }
  }
}
