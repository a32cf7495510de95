// The suite every forwarder passes against its real server: each sample once, whatever is sent again, killed or refused.
// Called by the test of each database with a bed: the server, and how its rows read back.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Status } from '../model.ts';
import type { Alarm, Frame, GatewayEvent, Micros, Origin, Sample, Value, ValueType } from '../model.ts';
import type { Consumer } from '../consumer.ts';

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
  events(): Promise<{ t: Micros; id: string; kind: string; transition: string; alarm: string; detail: string }[]>;
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

const START = Date.UTC(2026, 0, 31, 23, 59, 58) * 1000;
const tags: ContractTag[] = [
  { id: 'north/pump-1/flow', type: 'double' },
  { id: 'south/pump-1/flow', type: 'double' },
  { id: 'north/line-2/pump-1/count', type: 'integer' },
  { id: 'north/pump-1/note', type: 'text' },
  { id: 'north/pump-1/on', type: 'boolean' },
];
const sample = (tag: number, t: Micros, value: Value, status: number = Status.good): Sample => ({
  tag,
  t,
  receivedAt: t,
  value,
  status,
  flags: 0,
});
const frame = (seq: number, samples: Sample[], events: GatewayEvent[] = [], origin: Origin = 'live'): Frame => ({
  seq,
  revision: 1,
  origin,
  source: 'line',
  samples,
  events,
});

/** Numbered samples over all tags, over midnight and the end of a month; the values tell tag and place apart. */
function stream(frames: number, each: number): Frame[] {
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
function figures(rows: readonly { tag: string; value: Value }[]): Record<string, object> {
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
const sent = (frames: readonly Frame[]): { tag: string; value: Value }[] =>
  frames.flatMap(({ samples }) => samples.map(({ tag, value }) => ({ tag: (tags[tag] as ContractTag).id, value })));

/** Mulberry32: the same faults in each run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const never = (): AbortSignal => new AbortController().signal;
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** As a pump does it: the same frames again until they are taken. */
async function until(consumer: Consumer, frames: readonly Frame[], within = 20_000): Promise<void> {
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

/** @param open starts the server; called once. */
export function forwarderContract(name: string, open: () => Promise<ForwarderBed>): void {
  describe(`${name}, the contract of forwarders`, { timeout: 60_000 }, () => {
    let bed: ForwarderBed;
    beforeAll(async () => void (bed = await open()), 60_000);
    afterAll(() => bed?.close());
    const fresh = async (): Promise<Consumer> => {
      await bed.clear();
      return bed.forwarder(tags);
    };

    test('what was sent is there once, through resends, ends of the gateway in mid-write and a kill of the server', async () => {
      let consumer = await fresh();
      const frames = stream(400, 50);
      const random = randomOf(7);
      const kills = [120, 260];
      for (let at = 0; at < frames.length;) {
        const block = frames.slice(at, at + 1 + Math.floor(random() * 30));
        if (at > (kills[0] ?? Infinity)) {
          kills.shift();
          const writing = consumer.write(block, never()).then(
            () => {},
            () => {},
          );
          await after(random() * 10);
          await bed.kill();
          await writing;
          await bed.start();
        } else if (random() < 0.3) {
          // The gateway ends while it sends; the next one begins a little before.
          const stop = new AbortController();
          const writing = consumer.write(block, stop.signal).then(
            () => {},
            () => {},
          );
          await after(random() * 20);
          stop.abort();
          await writing;
          await consumer.close();
          consumer = bed.forwarder(tags);
          at = Math.max(0, at - Math.floor(random() * 20));
        } else {
          await until(consumer, block);
          if (random() < 0.2) await until(consumer, block);
          at += block.length;
        }
      }
      await consumer.close();
      expect(figures(await bed.rows())).toEqual(figures(sent(frames)));
    });

    test('values and times come back as they were', async () => {
      const consumer = await fresh();
      const given: [tag: number, value: Value, status: number][] = [
        ...[0, 0.1, -1.5e-300, 5e-324, Number.MAX_VALUE, -7, 1e21, Number.NaN, Infinity, -Infinity].map(
          (value): [number, Value, number] => [0, value, Status.good],
        ),
        [0, null, Status.badCommunication],
        [0, 3.25, Status.uncertainLastUsable],
        [0, 1, 0xffff_ffff],
        ...[0, -1, Number.MAX_SAFE_INTEGER, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n) + 1n, -(2n ** 63n)].map(
          (value): [number, Value, number] => [2, value, Status.good],
        ),
        [2, 2n ** 64n - 1n, Status.good],
        [2, null, Status.badDeviceFailure],
        ...[
          '',
          'NULL',
          'it\'s "quoted"',
          'a,b={c}; \\ \\n',
          'two\nlines\r\nand\ttab',
          'Größe µ 温度 🌡',
          ' space ',
          'x'.repeat(20_000),
        ].map((value): [number, Value, number] => [3, value, Status.good]),
        [3, null, Status.bad],
        [4, true, Status.good],
        [4, false, Status.good],
        [4, null, Status.bad],
      ];
      const samples = given.map(([tag, value, status], i) => sample(tag, START + i, value, status));
      await consumer.write([frame(1, samples)], never());
      const found = new Map((await bed.rows()).map((row) => [row.t, row]));
      expect(found.size).toBe(given.length);
      for (const { tag, t, value, status } of samples) {
        const { id, type } = tags[tag] as ContractTag;
        const kept = bed.reads ? bed.reads(value, type) : value;
        const row = found.get(t);
        expect([t - START, row?.tag, row?.status]).toEqual([t - START, id, status]);
        if (row?.table === 'readings_text') expect(row.value).toBe(kept === null ? null : String(kept));
        else if (row?.table === 'readings_integer') expect(row.value).toBe(kept === null ? null : BigInt(kept));
        else expect(row?.value).toBe(kept === null ? null : Number(kept));
      }
      await consumer.close();
    });

    test('any day is taken, each sample under its own microsecond', async () => {
      const consumer = await fresh();
      const times = [
        ['1990-01-01T00:00:00Z', 0],
        ['2024-02-29T23:59:59.999Z', 999],
        ['2024-03-01T00:00:00Z', 0],
        ['2025-03-30T01:30:00.123Z', 456],
        ['2025-10-26T00:30:00Z', 1],
        ['2026-12-31T23:59:59.999Z', 999],
      ].map(([text, micros]) => Date.parse(String(text)) * 1000 + Number(micros));
      await until(consumer, [
        frame(
          1,
          times.map((t, i) => sample(0, t, i)),
        ),
      ]);
      const found = (await bed.rows()).map(({ t, value }) => [t, value]);
      expect(found.sort((a, b) => Number(a[1]) - Number(b[1]))).toEqual(times.map((t, i) => [t, i]));
      await consumer.close();
    });

    test('two sites with the same asset names stay apart, and each part of a name has its column', async () => {
      const consumer = await fresh();
      await consumer.write([frame(1, [sample(0, START, 1), sample(1, START, 2), sample(2, START, 3)])], never());
      const rows = (await bed.rows()).sort((a, b) => Number(a.value) - Number(b.value));
      expect(rows.map(({ tag, site, asset, metric, value }) => [tag, site, asset, metric, Number(value)])).toEqual([
        ['north/pump-1/flow', 'north', 'north/pump-1', 'flow', 1],
        ['south/pump-1/flow', 'south', 'south/pump-1', 'flow', 2],
        ['north/line-2/pump-1/count', 'north', 'north/line-2/pump-1', 'count', 3],
      ]);
      await consumer.close();
    });

    test('a later correction wins, also when live frames were sent before the backlog', async () => {
      const consumer = await fresh();
      const live = Array.from({ length: 8 }, (_, i) => frame(i + 1, [sample(0, START + i, i)]));
      const correction = frame(
        9,
        live.map((_, i) => sample(0, START + i, 100 + i)),
        [],
        'import',
      );
      const values = async (): Promise<Value[]> =>
        (await bed.rows()).sort((a, b) => a.t - b.t).map(({ value }) => value);
      await until(consumer, live.slice(4));
      await until(consumer, live.slice(0, 4));
      await until(consumer, [correction]);
      const corrected = live.map((_, i) => 100 + i);
      expect(await values()).toEqual(corrected);
      // After a crash: the same once more, and both in one write.
      await until(consumer, [...live, correction]);
      expect(await values()).toEqual(corrected);
      await consumer.close();
    });

    test('an event is there once, with its columns and as a whole', async () => {
      const consumer = await fresh();
      const alarm: Alarm = {
        key: 'north/pump-1/flow',
        name: 'flow',
        site: 'north',
        asset: 'north/pump-1',
        tag: 'north/pump-1/flow',
        kind: 'limit',
        level: 'h',
        severity: 'high',
        active: true,
        unacked: true,
        event: 'e1',
        raisedAt: START / 1000,
        message: 'it said "too\thigh"\n\\ really, 温度',
      };
      const events: GatewayEvent[] = [
        { kind: 'alarm', id: 'e1-1', time: START / 1000, transition: 'raise', alarm },
        { kind: 'alarm', id: 'e1-2', time: START / 1000, transition: 'ack', alarm },
        { kind: 'device', id: 'd-1', time: START / 1000 + 1, device: 'plc', state: 'offline' },
      ];
      const frames = [frame(1, [sample(0, START, 1)], events)];
      await until(consumer, frames);
      await until(consumer, frames);
      const found = (await bed.events()).sort((a, b) => (a.id < b.id ? -1 : 1));
      expect(found.map(({ t, id, kind, transition, alarm: key }) => [t, id, kind, transition, key])).toEqual([
        [START + 1000, 'd-1', 'device', 'offline', ''],
        [START, 'e1-1', 'alarm', 'raise', alarm.key],
        [START, 'e1-2', 'alarm', 'ack', alarm.key],
      ]);
      expect(JSON.parse(found[1]?.detail ?? '')).toEqual(events[0]);
      await consumer.close();
    });

    test('a column of another type is one clear error, and what waited is stored when it is mended', async () => {
      const consumer = await fresh();
      const frames = stream(3, 10);
      await until(consumer, frames.slice(0, 1));
      await bed.spoil();
      const again = bed.forwarder(tags);
      await expect(again.write(frames, never())).rejects.toThrow(/readings.*value/s);
      await expect(again.write(frames, never())).rejects.toThrow(/readings.*value/s);
      await bed.mend();
      await until(again, frames);
      const counted = (await bed.rows()).length;
      expect(counted).toBe(30);
      await again.close();
      await consumer.close();
    });

    test('a changed password is read anew: refused until it is known, never shown, and nothing is lost', async () => {
      const consumer = await fresh();
      const frames = stream(40, 20);
      await until(consumer, frames.slice(0, 20));
      await bed.changePassword('s3cond \'one"');
      let said = '';
      // A session that was open may end with another word first.
      for (let i = 0; i < 3; i++)
        await consumer.write(frames.slice(20), never()).catch((error: Error) => (said = error.message));
      expect(said).toMatch(/refuse|Unauthorized|401|password/i);
      expect(said).not.toMatch(/s3cond|first secret/);
      await bed.tellPassword('s3cond \'one"');
      await until(consumer, frames.slice(20));
      expect(figures(await bed.rows())).toEqual(figures(sent(frames)));
      await consumer.close();
    });

    test('a server that is away is an error in words; a signal ends a write at once', async () => {
      const consumer = await fresh();
      await until(consumer, stream(1, 5));
      await bed.kill();
      await expect(consumer.write(stream(2, 5), never())).rejects.toThrow(/\w+ .*\w+/);
      const stop = new AbortController();
      stop.abort();
      await expect(consumer.write(stream(2, 5), stop.signal)).rejects.toThrow();
      await bed.start();
      await until(consumer, stream(2, 5));
      expect((await bed.rows()).length).toBe(10);
      await consumer.close();
      await consumer.close();
    });
  });
}
