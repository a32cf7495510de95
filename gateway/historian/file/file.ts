// Forwards every sample to a file: NDJSON lines in the form that import reads, so that a plant's data leaves the gateway
// without any store, and comes back in. Runs in the egress thread; exactly once over kills, because the file and
// its place (place.ts) are durable before a write counts, and what stands behind the place is cut off.
import { constants } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Status, quality } from '../../model.ts';
import type { ForwardContext, ForwardKind, Forwarder } from '../../consumer.ts';
import type { Sample } from '../../model.ts';
import { holds, readPlace, syncFolder, withFrame, writePlace } from './place.ts';
import type { Place } from './place.ts';

/** The settings `forward.file`. */
export interface FileSettings {
  /** Below the gateway's data folder unless absolute. */
  path: string;
}

/** Each write is four syncs, which wear out a card. */
export const fileForwarder: ForwardKind<FileSettings> = { kind: 'file', pause: 1000, create };

/** What is left free of the disk, as a share and of a large one in bytes: the journal and history need it more. */
const spare = { share: 0.1, bytes: 10 * 2 ** 30 };

function create({ path: given }: FileSettings, { tag, dataDir }: ForwardContext): Forwarder {
  const path = resolve(dataDir, given);
  let place: Place | undefined;

  return {
    async write(frames) {
      place ??= (await readPlace(`${path}.position`)) ?? { inode: 0, size: 0, frames: [] };
      await using file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o640);
      const { bavail, blocks, bsize } = await statfs(path);
      if (isCrowded(bavail * bsize, blocks * bsize))
        throw new Error(`the disk of ${path} is nearly full: make room, or let the file be on another disk`);
      const { ino: inode, size } = await file.stat();
      // A file that somebody has moved away or emptied is begun anew; behind the place stands half a write.
      const start = inode === place.inode ? Math.min(size, place.size) : size;
      if (start < size) await file.truncate(start);
      if (inode !== place.inode) {
        // Before the first line: what a kill leaves behind in a new file must be known for half a write too.
        await syncFolder(dirname(path));
        place = { inode, size: start, frames: place.frames };
        await writePlace(`${path}.position`, place);
      }
      const lines: string[] = [];
      let known = place.frames;
      let delivered = 0;
      let filtered = 0;
      for (const { seq, samples } of frames) {
        const seen = holds(known, seq);
        if (!seen) known = withFrame(known, seq);
        for (const sample of samples) {
          const id = tag(sample.tag)?.id;
          if (id === undefined) filtered++;
          else delivered++;
          if (id !== undefined && !seen) lines.push(lineOf(id, sample));
        }
      }
      const bytes = Buffer.from(lines.join(''));
      for (let done = 0; done < bytes.length;)
        done += (await file.write(bytes, done, bytes.length - done, start + done)).bytesWritten;
      await file.datasync();
      const next = { inode, size: start + bytes.length, frames: known };
      await writePlace(`${path}.position`, next);
      place = next;
      return { delivered, filtered, deadLettered: 0 };
    },
    close: () => Promise.resolve(),
  };
}

/** Bytes free, and of the disk in all. */
export const isCrowded = (free: number, total: number): boolean => free < Math.min(spare.share * total, spare.bytes);

/** A line that import reads: integers past 2^53 as text, times to the microsecond, a status unless it is plainly good. */
export function lineOf(id: string, { t, value, status }: Sample): string {
  const timestamp = isoMicros(t);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    // JSON knows no such number; without a value a reading must say why.
    const why = quality(status) === 'good' ? Status.badOutOfRange : status;
    return `${JSON.stringify({ tag: id, timestamp, value: null, status: why })}\n`;
  }
  const shown = typeof value === 'bigint' ? String(value) : value;
  return `${JSON.stringify({ tag: id, timestamp, value: shown, ...(status === Status.good ? {} : { status }) })}\n`;
}

function isoMicros(t: number): string {
  const micros = ((t % 1000) + 1000) % 1000;
  const ms = new Date((t - micros) / 1000).toISOString();
  return micros === 0 ? ms : `${ms.slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}
