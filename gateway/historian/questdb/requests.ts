// Frames as requests to QuestDB: rows of one table each, in order, bounded, encoded only when the one before is sent.
// Called by the forwarder. Says what was left out, and gives a row the form in which dead letters are kept.
import type { ForwardTag } from '../../consumer.ts';
import type { Frame } from '../../model.ts';
import type { DeadRow } from '../dead-letters.ts';
import { lineOf } from '../file/file.ts';
import { Lines, place } from './lines.ts';
import type { Encoder } from './lines.ts';
import { tables } from './schema.ts';
import type { Table } from './schema.ts';

/** One request holds no more rows, and hardly more bytes: proxies refuse more than a megabyte. */
const ROWS = 5000;
const BYTES = 960 * 1024;

/** What a row was made of: the number of a sample in its frame, or behind all samples that of an event. */
export interface Of {
  frame: Frame;
  item: number;
}
export interface Source {
  frames: readonly Frame[];
  tag(index: number): ForwardTag | undefined;
  /** Not sent. */
  skip(of: Of): boolean;
  /** Cannot even be written down. */
  unwritable(of: Of, table: Table, reason: string): void;
}

/** Each request is valid until the next is asked for. An item may have rows in two tables. */
export function* requests(encoder: Encoder, { frames, tag: tagAt, skip, unwritable }: Source): Generator<Lines<Of>> {
  const open = new Map(tables.map((table) => [table, new Lines<Of>(table)]));
  const into = (table: Table): Lines<Of> => open.get(table) as Lines<Of>;
  const full = (lines: Lines<Of>): boolean => lines.rows >= ROWS || lines.length >= BYTES;
  for (const frame of frames) {
    const { samples, events } = frame;
    for (let item = 0; item < samples.length + events.length; item++) {
      const of = { frame, item };
      if (skip(of)) continue;
      const sample = samples[item];
      const event = events[item - samples.length];
      const tag = sample && tagAt(sample.tag);
      const placed = tag && place(tag.type, sample.value);
      const lines = into(placed?.table ?? 'events');
      try {
        if (placed && sample) encoder.sample(lines, tag, sample, placed.value, of);
        else if (event) encoder.event(lines, event, of);
      } catch (error) {
        lines.undo();
        unwritable(of, lines.table, error instanceof Error ? error.message : String(error));
        continue;
      }
      if (full(lines)) yield* sent(lines);
      if (!tag || !sample || !placed) continue;
      // A correction to no value also takes back an exact one that no LONG held.
      const takenBack = frame.origin !== 'live' && tag.type === 'integer' && placed.value === null;
      const text = placed.text ?? (takenBack ? null : undefined);
      if (text === undefined) continue;
      const texts = into('readings_text');
      encoder.sample(texts, tag, sample, text, of);
      if (full(texts)) yield* sent(texts);
    }
  }
  for (const lines of open.values()) if (lines.rows > 0) yield lines;
}

function* sent(lines: Lines<Of>): Generator<Lines<Of>> {
  yield lines;
  lines.clear();
}

/** A sample in the form that import reads, an event as it is. */
export function deadRow({ frame, item }: Of, tag: Source['tag']): DeadRow {
  const sample = frame.samples[item];
  if (!sample) return { ...frame.events[item - frame.samples.length] };
  const id = tag(sample.tag)?.id ?? '';
  try {
    return JSON.parse(lineOf(id, sample)) as DeadRow;
  } catch {
    // A time that no calendar knows.
    return { tag: id, timestamp: String(sample.t), value: String(sample.value), status: sample.status };
  }
}
