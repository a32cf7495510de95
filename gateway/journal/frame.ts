// The only codec of the journal: a batch with its sequence and catalog revision ↔ bytes, columnar.
// Main encodes once (journal.ts); whoever feeds a consumer decodes (pump.ts). The head, which a log reads, is in head.ts.
//   head · columns tag, t, received, status, flags, at, valueAt, value · events
import { crc32 } from 'node:zlib';
import type { Batch, Frame, GatewayEvent, Micros, Sample } from '../model.ts';
import { ByteReader, Malformed, isSmall } from './bytes.ts';
import type { ByteWriter } from './bytes.ts';
import { readRuns, readTimes, readValues, writeNear, writeRuns, writeTimes, writeValues } from './columns.ts';
import { HEAD, MAX_FRAME, VERSION, guarded, origins, readHead, writeCounts } from './head.ts';
import type { FrameFailure, FrameMeta, HeadResult } from './head.ts';

/** How a rare time (`at`, `valueAt`) is given: absent, equal to `t`, or another. */
const Rare = { absent: 0, same: 1, other: 2 } as const;

export type FrameResult = { ok: true; frame: Frame; next: number } | FrameFailure;

let columns = { f64: new Float64Array(1024), rare: new Float64Array(1024), u32: new Uint32Array(1024) };

/** Appends one frame to `out`. Whatever fits the types comes back equal, except the payload of a NaN. Returns what a log needs. */
export function encodeInto(out: ByteWriter, batch: Batch, seq: number, revision: number): FrameMeta {
  const { samples } = batch;
  const n = samples.length;
  if (columns.f64.length < n)
    columns = { f64: new Float64Array(n * 2), rare: new Float64Array(n * 2), u32: new Uint32Array(n * 2) };
  const { f64, u32 } = columns;
  let first = Infinity;
  let last = -Infinity;
  for (let i = 0; i < n; i++) {
    const t = (samples[i] as Sample).t;
    f64[i] = t;
    if (t < first) first = t;
    if (t > last) last = t;
  }
  if (n === 0 || !isSmall(last - first)) {
    first = n > 0 && Number.isFinite(first) ? first : 0;
    last = first;
  }
  const start = out.length;
  out.reserve(64);
  out.length += HEAD;
  out.f64(seq);
  out.f64(first);
  out.varint(n);
  out.varint(last - first);
  out.byte(VERSION);
  out.byte(origins.indexOf(batch.origin));
  out.varint(revision);
  out.text(batch.source);
  const { counts } = batch;
  out.byte(counts ? 1 : 0);
  if (counts) writeCounts(out, counts);
  const received = samples[0]?.receivedAt ?? 0;
  out.reserve(n * 10 + 32);
  out.f64(received);
  let before = 0;
  for (let i = 0; i < n; i++) {
    const tag = (samples[i] as Sample).tag;
    out.zigzag(tag - before);
    before = tag;
  }
  writeTimes(out, f64, n, first);
  let near = true;
  for (let i = 0; i < n; i++) {
    const { t, receivedAt } = samples[i] as Sample;
    f64[i] = receivedAt;
    u32[i] = receivedAt - t;
    near &&= (u32[i] as number) < 1000 && Object.is(t + (u32[i] as number), receivedAt);
  }
  // A device that says no times: each sample is filed under the millisecond of its receipt.
  if (near) writeNear(out, u32, n);
  else writeTimes(out, f64, n, received);
  for (let i = 0; i < n; i++) u32[i] = (samples[i] as Sample).status;
  writeRuns(out, u32, n);
  for (let i = 0; i < n; i++) u32[i] = (samples[i] as Sample).flags;
  writeRuns(out, u32, n);
  writeRare(out, samples, (sample) => sample.at);
  writeRare(out, samples, (sample) => sample.valueAt);
  writeValues(
    out,
    samples.map((sample) => sample.value),
  );
  out.reserve(8);
  if (batch.events.length === 0) out.varint(0);
  else {
    out.varint(1);
    out.text(JSON.stringify(batch.events));
  }
  const size = out.length - start - HEAD;
  if (size > MAX_FRAME) {
    out.length = start;
    throw new RangeError(`a batch of ${n} samples takes ${size} bytes; a frame holds at most ${MAX_FRAME}`);
  }
  out.patchU32(start, size);
  out.patchU32(start + 4, crc32(out.view(start + HEAD, out.length)));
  const { origin, source } = batch;
  const meta: FrameMeta = {
    seq,
    size: HEAD + size,
    samples: n,
    from: first,
    to: last,
    origin,
    source,
    receivedAt: received,
  };
  if (counts) meta.counts = counts;
  return meta;
}

function writeRare(out: ByteWriter, samples: readonly Sample[], of: (sample: Sample) => Micros | undefined): void {
  const { u32, rare } = columns;
  let others = 0;
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i] as Sample;
    const time = of(sample);
    u32[i] = time === undefined ? Rare.absent : Object.is(time, sample.t) ? Rare.same : Rare.other;
    if (u32[i] === Rare.other) rare[others++] = time as number;
  }
  writeRuns(out, u32, samples.length);
  out.reserve(others * 8);
  for (let i = 0; i < others; i++) out.f64(rare[i] as number);
}

/** The frame at `offset`, whole; a failure for anything else. Never throws. */
export function decodeFrame(bytes: Uint8Array, offset = 0): FrameResult {
  const head = readHead(bytes, offset);
  if (!head.ok) return head;
  return guarded(() => ({
    ok: true,
    frame: readBody(new ByteReader(bytes, head.start, head.next), head),
    next: head.next,
  }));
}

/** A whole frame's events; none when it cannot be read. Costs nothing where there are none: their text ends the frame, else a 0. */
export function eventsOf(frame: Uint8Array): readonly GatewayEvent[] {
  const result = frame.at(-1) === 0 ? undefined : decodeFrame(frame);
  return result?.ok ? result.frame.events : [];
}

function readBody(from: ByteReader, { meta, revision }: Extract<HeadResult, { ok: true }>): Frame {
  const n = meta.samples;
  const tags = new Float64Array(n);
  let tag = 0;
  for (let i = 0; i < n; i++) tags[i] = tag += from.zigzag();
  const t = readTimes(from, n, meta.from);
  const receivedAt = readTimes(from, n, meta.receivedAt, t);
  const status = readRuns(from, n);
  const flags = readRuns(from, n);
  const at = readRare(from, n, t);
  const valueAt = readRare(from, n, t);
  const values = readValues(from, n);
  const samples: Sample[] = new Array<Sample>(n);
  for (let i = 0; i < n; i++) {
    const sample: Sample = {
      tag: tags[i] as number,
      t: t[i] as number,
      receivedAt: receivedAt[i] as number,
      value: values[i] as Sample['value'],
      status: status[i] as number,
      flags: flags[i] as number,
    };
    if (at && at.has(i)) sample.at = at.get(i);
    if (valueAt && valueAt.has(i)) sample.valueAt = valueAt.get(i);
    samples[i] = sample;
  }
  const events = from.varint() === 0 ? [] : (JSON.parse(from.text()) as GatewayEvent[]);
  if (from.left !== 0) throw new Malformed('bytes are left over');
  const { seq, origin, source, counts } = meta;
  return counts
    ? { seq, revision, origin, source, samples, events, counts }
    : { seq, revision, origin, source, samples, events };
}

function readRare(from: ByteReader, n: number, t: Float64Array): Map<number, number> | undefined {
  const codes = readRuns(from, n);
  let found: Map<number, number> | undefined;
  for (let i = 0; i < n; i++) {
    if (codes[i] === Rare.absent) continue;
    (found ??= new Map()).set(i, codes[i] === Rare.same ? (t[i] as number) : from.f64());
  }
  return found;
}
