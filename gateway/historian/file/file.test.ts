// The file forwarder by itself: lines that import reads, and each frame once, wherever the process was killed.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { Forwarder } from '../../consumer.ts';
import type { Frame, Sample, Value } from '../../model.ts';
import { Status } from '../../model.ts';
import { fileForwarder, isCrowded, lineOf } from './file.ts';
import { withFrame } from './place.ts';
import type { Stretch } from './place.ts';

let dataDir: string;
let out: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'penstock-file-'));
  out = join(dataDir, 'out.ndjson');
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const open = (): Forwarder =>
  fileForwarder.create(
    { path: 'out.ndjson' },
    {
      tag: (index) =>
        index === 1
          ? { index, id: 'n/p/flow', site: 'n', asset: 'n/p', metric: 'flow', type: 'double', unit: 'l/s' }
          : undefined,
      clock: new ManualClock(),
      dataDir,
      log: () => {},
      rewind: () => {},
      answered: () => {},
    },
  );
const sample = (value: Value, status = 0, t = Date.UTC(2026, 0, 1) * 1000): Sample => ({
  ...{ tag: 1, t, receivedAt: t, value, status, flags: 0 },
});
const frame = (seq: number, samples = [sample(seq)]): Frame => ({
  ...{ seq, revision: 1, origin: 'live', source: 'line', samples, events: [] },
});
const signal = new AbortController().signal;
const values = (): number[] =>
  readFileSync(out, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { value: number }).value);

test('a line says what import reads', () => {
  const micros = Date.UTC(2026, 0, 1) * 1000 + 7;
  const cases: [Sample, object][] = [
    [sample(1.5), { timestamp: '2026-01-01T00:00:00.000Z', value: 1.5 }],
    [sample(true, 0, micros), { timestamp: '2026-01-01T00:00:00.000007Z', value: true }],
    [sample(9007199254740993n), { timestamp: '2026-01-01T00:00:00.000Z', value: '9007199254740993' }],
    [sample('a\n"b"'), { timestamp: '2026-01-01T00:00:00.000Z', value: 'a\n"b"' }],
    [
      sample(null, Status.badCommunication),
      { timestamp: '2026-01-01T00:00:00.000Z', value: null, status: Status.badCommunication },
    ],
    [sample(NaN), { timestamp: '2026-01-01T00:00:00.000Z', value: null, status: Status.badOutOfRange }],
    [
      sample(Infinity, Status.badSensorFailure),
      { timestamp: '2026-01-01T00:00:00.000Z', value: null, status: Status.badSensorFailure },
    ],
  ];
  for (const [given, said] of cases) {
    const line = lineOf('n/p/flow', given);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(JSON.parse(line)).toEqual({ tag: 'n/p/flow', ...said });
  }
});

test('each frame is written once, in whatever order and how often it comes, also after a start', async () => {
  const first = open();
  expect(await first.write([frame(1), frame(2), frame(7)], signal)).toEqual({
    delivered: 3,
    filtered: 0,
    deadLettered: 0,
  });
  await first.write([frame(2), frame(3)], signal);
  const second = open();
  const unknown = { ...sample(9), tag: 2 };
  expect(await second.write([frame(7), frame(5), frame(6, [sample(6), unknown])], signal)).toEqual({
    delivered: 3,
    filtered: 1,
    deadLettered: 0,
  });
  expect(values()).toEqual([1, 2, 7, 3, 5, 6]);
});

test('half a write is cut off; a file that was emptied, or is another, is begun anew', async () => {
  await open().write([frame(1), frame(2)], signal);
  const { size } = statSync(out);
  const kept = readFileSync(`${out}.position`);
  // Killed behind the file and before its place; then in the middle of a line.
  await open().write([frame(3)], signal);
  writeFileSync(`${out}.position`, kept);
  appendFileSync(out, '{"tag":"n/p');
  await open().write([frame(3), frame(4)], signal);
  expect(values()).toEqual([1, 2, 3, 4]);

  truncateSync(out, size);
  const running = open();
  await running.write([frame(5)], signal);
  expect(values()).toEqual([1, 2, 5]);
  rmSync(out);
  await running.write([frame(5), frame(6)], signal);
  expect(values()).toEqual([6]);
});

test('a kill amid the very first write leaves nothing that comes twice', async () => {
  // No time at all: the write ends between taking the file over and its first line.
  await expect(open().write([frame(1, [sample(1, 0, NaN)])], signal)).rejects.toThrow(RangeError);
  appendFileSync(out, lineOf('n/p/flow', sample(1)) + '{"tag":"n/p/fl');
  await open().write([frame(1), frame(2)], signal);
  expect(values()).toEqual([1, 2]);
});

test('a place that is damaged is said and not guessed', async () => {
  await open().write([frame(1)], signal);
  appendFileSync(`${out}.position`, 'x');
  await open().write([frame(2)], signal);
  writeFileSync(`${out}.position`, readFileSync(`${out}.position`, 'utf8').replace('size', 'sise'));
  await expect(open().write([frame(3)], signal)).rejects.toThrow(/position is damaged: remove it/);
});

test('a disk is crowded below a tenth, and a large one below 10 GiB', () => {
  const gib = 2 ** 30;
  const cases: [free: number, total: number, crowded: boolean][] = [
    [0.9 * gib, 10 * gib, true],
    [1.1 * gib, 10 * gib, false],
    [9 * gib, 1000 * gib, true],
    [11 * gib, 1000 * gib, false],
  ];
  for (const [free, total, crowded] of cases) expect(isCrowded(free, total)).toBe(crowded);
});

test('stretches of frames grow together, and the lowest are forgotten', () => {
  const grown = [5, 1, 3, 2, 2, 9, 4].reduce<Stretch[]>(withFrame, []);
  expect(grown).toEqual([
    [1, 6],
    [9, 10],
  ]);
  const many = Array.from({ length: 4100 }, (_, i) => i * 2).reduce<Stretch[]>(withFrame, []);
  expect(many.length).toBe(4096);
  expect(many[0]).toEqual([8, 9]);
});
