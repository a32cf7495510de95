// The head of a frame: what a log must know of it without decoding its samples. Read by recovery, the log, the writer and
// the egress thread; written, with the rest, by frame.ts.
//   length u32 · crc32 u32 (of all that follows) · seq f64 · first time f64 · samples varint · span varint
//   version · origin · revision · source · [from version 2 on: 1 and the source's counts, or 0] · receivedAt f64
import { crc32 } from 'node:zlib';
import type { Micros, Origin, SourceCounts } from '../model.ts';
import { ByteReader, Malformed } from './bytes.ts';
import type { ByteWriter } from './bytes.ts';

export const VERSION = 3;
/** Bytes of length and sum. */
export const HEAD = 8;
/** No frame is longer; a length beyond it is garbage, not a reason to allocate. */
export const MAX_FRAME = 64 * 1024 * 1024;

export const origins: readonly Origin[] = ['live', 'backfill', 'import', 'seed'];
/** In the order in which a frame carries them. */
const countKeys = ['received', 'made', 'rejected', 'filtered', 'shed', 'journalled', 'merged'] as const;

/** What a log needs to know of a frame without decoding it. Times are the samples' smallest and largest `t`, 0 without samples. */
export interface FrameMeta {
  seq: number;
  /** Bytes of the whole frame. */
  size: number;
  samples: number;
  from: Micros;
  to: Micros;
  origin: Origin;
  source: string;
  /** When the gateway got its first sample; 0 without samples. */
  receivedAt: Micros;
  /** The source's account with this frame in it. */
  counts?: SourceCounts;
}

/** Why bytes are no frame: `short`: it ends early (a torn tail); `damaged`: the sum or the form is wrong. */
export interface FrameFailure {
  ok: false;
  reason: 'short' | 'damaged';
  message: string;
}
export type HeadResult = { ok: true; meta: FrameMeta; revision: number; start: number; next: number } | FrameFailure;

/** Checks length and sum of the frame at `offset` and reads its head. Never throws. */
export function readHead(bytes: Uint8Array, offset = 0): HeadResult {
  if (bytes.length - offset < HEAD) return { ok: false, reason: 'short', message: 'fewer bytes than a head' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(offset, true);
  if (size < 24 || size > MAX_FRAME) return { ok: false, reason: 'damaged', message: `a length of ${size} cannot be` };
  const next = offset + HEAD + size;
  if (next > bytes.length) return { ok: false, reason: 'short', message: `${next - bytes.length} bytes are missing` };
  if (crc32(bytes.subarray(offset + HEAD, next)) !== view.getUint32(offset + 4, true))
    return { ok: false, reason: 'damaged', message: 'the check sum is wrong' };
  return guarded(() => {
    const reader = new ByteReader(bytes, offset + HEAD, next);
    const seq = reader.f64();
    const from = reader.f64();
    const samples = reader.varint();
    const to = from + reader.varint();
    const version = reader.byte();
    if (version < 1 || version > VERSION)
      throw new Malformed(`a frame of version ${version}; this program knows ${VERSION}`);
    const origin = origins[reader.byte()];
    if (!origin) throw new Malformed('an unknown origin');
    const revision = reader.varint();
    const source = reader.text();
    const counts = version > 1 && reader.byte() === 1 ? readCounts(reader) : undefined;
    const receivedAt = reader.f64();
    if (samples > reader.left || !Number.isSafeInteger(seq)) throw new Malformed('the head is wrong');
    const meta: FrameMeta = { seq, size: HEAD + size, samples, from, to, origin, source, receivedAt };
    if (counts) meta.counts = counts;
    return { ok: true, meta, revision, start: reader.at, next };
  });
}

export function writeCounts(out: ByteWriter, counts: SourceCounts): void {
  out.reserve(countKeys.length * 8);
  for (const key of countKeys) out.varint(counts[key]);
}

export function readCounts(from: ByteReader): SourceCounts {
  const [received, made, rejected, filtered] = [from.varint(), from.varint(), from.varint(), from.varint()];
  return { received, made, rejected, filtered, shed: from.varint(), journalled: from.varint(), merged: from.varint() };
}

/** A failure instead of an exception. */
export function guarded<T extends { ok: true }>(read: () => T): T | FrameFailure {
  try {
    return read();
  } catch (error) {
    return { ok: false, reason: 'damaged', message: error instanceof Error ? error.message : String(error) };
  }
}

/** Consecutive frames' heads, each with its bytes (a view, not a copy); ends at the first that is none, returning why. */
export function* headsIn(
  bytes: Uint8Array,
): Generator<{ meta: FrameMeta; bytes: Uint8Array }, FrameFailure | undefined> {
  let offset = 0;
  while (offset < bytes.length) {
    const result = readHead(bytes, offset);
    if (!result.ok) return result;
    yield { meta: result.meta, bytes: bytes.subarray(offset, result.next) };
    offset = result.next;
  }
  return undefined;
}
