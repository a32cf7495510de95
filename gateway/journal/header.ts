// The header of a segment file: its place in the journal, the frames, samples, end and times of the segment before it, and
// the sources' accounts at its begin. So a start reads headers and scans the last file only; counts before a segment run
// from the journal's beginning and are never reset.
//   magic · version u16 · fixed size u16 · size of the accounts u32 · eleven f64 · 4 spare · crc32 u32 · accounts · crc32 u32
import { crc32 } from 'node:zlib';
import type { Micros } from '../model.ts';
import type { Segment, Totals } from './segment.ts';
import { Sources, decodeSources, encodeSources } from './sources.ts';

const MAGIC = 'PENSTOCK';
const VERSION = 3;
/** The fixed part, which is all there is in version 1 and without sources. */
export const HEADER = 112;
/** No header is longer. */
const MOST = 16 * 1024 * 1024;

export interface Header {
  base: number;
  at: number;
  before: Totals;
  previous: { base: number; end: number; size: number; from: Micros; to: Micros } & Totals;
  /** Where the first frame lies. */
  begin: number;
}

/** @param previous the segment before it, as it stands when this one begins */
export function encodeHeader(segment: Segment, previous: Segment | undefined, sources: Sources): Buffer {
  const accounts = encodeSources(sources);
  const bytes = Buffer.alloc(HEADER + (accounts.length > 0 ? accounts.length + 4 : 0));
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt16LE(VERSION, 8);
  bytes.writeUInt16LE(HEADER, 10);
  bytes.writeUInt32LE(accounts.length, 12);
  const { base, at, before } = segment;
  const last = previous ?? { base: -1, end: -1, size: 0, frames: 0, samples: 0, from: 0, to: 0 };
  const fields = [base, at, before.frames, before.samples, last.base, last.end, last.size, last.frames, last.samples];
  [...fields, last.from, last.to].forEach((value, i) => bytes.writeDoubleLE(value, 16 + i * 8));
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER - 4)), HEADER - 4);
  if (accounts.length > 0) {
    bytes.set(accounts, HEADER);
    bytes.writeUInt32LE(crc32(accounts), HEADER + accounts.length);
  }
  return bytes;
}

/** The fixed part, or undefined when these bytes are none. Throws in words when a newer program wrote it. */
export function decodeHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < HEADER || bytes.toString('latin1', 0, 8) !== MAGIC) return undefined;
  if (crc32(bytes.subarray(0, HEADER - 4)) !== bytes.readUInt32LE(HEADER - 4)) return undefined;
  const version = bytes.readUInt16LE(8);
  if (version > VERSION)
    throw new Error(
      `the journal has version ${version}, this program knows ${VERSION}: start the newer version that wrote it`,
    );
  const accounts = version > 1 ? bytes.readUInt32LE(12) : 0;
  if (accounts > MOST) return undefined;
  const field = (i: number): number => bytes.readDoubleLE(16 + i * 8);
  return {
    base: field(0),
    at: field(1),
    before: { frames: field(2), samples: field(3) },
    previous: {
      base: field(4),
      end: field(5),
      size: field(6),
      frames: field(7),
      samples: field(8),
      from: field(9),
      to: field(10),
    },
    begin: HEADER + (accounts > 0 ? accounts + 4 : 0),
  };
}

/** The accounts in a file's bytes; undefined when it has none that can be read. */
export function accountsIn(bytes: Buffer, { begin }: Header): Sources | undefined {
  if (begin === HEADER) return bytes.readUInt16LE(8) > 1 ? new Sources() : undefined;
  if (bytes.length < begin) return undefined;
  const accounts = bytes.subarray(HEADER, begin - 4);
  if (crc32(accounts) !== bytes.readUInt32LE(begin - 4)) return undefined;
  return decodeSources(accounts);
}
