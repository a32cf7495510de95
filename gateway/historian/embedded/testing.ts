// For tests of the store: a journal of frames in memory that can be sent again, and all that a history holds.
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import type { Frame, Origin, Sample, Value } from '../../model.ts';
import { WINDOW, tagOfRow } from './chunks.ts';
import { decodeChunk } from './codec.ts';
import { OpenColumns, readOpen } from './open.ts';
import type { OpenMemory } from './open.ts';
import { valueAt } from './series.ts';
import type { Series } from './series.ts';
import { verify } from './upkeep.ts';

export const sampleOf = (tag: number, t: number, value: Value = t, status = 0): Sample => ({
  tag,
  t,
  receivedAt: t,
  value,
  status,
  flags: 0,
});
export const frameOf = (seq: number, samples: Sample[], origin: Origin = 'live'): Frame => ({
  origin,
  source: 'line',
  samples,
  events: [],
  seq,
  revision: 1,
});

export interface Held {
  value: Value;
  status: number;
}
/** All samples by tag and time: those in chunks, and over them those in memory. */
export function allHeld(dataDir: string, memory?: OpenMemory): Map<number, Map<number, Held>> {
  const all = new Map<number, Map<number, Held>>();
  const put = (tag: number, series: Series): void => {
    let held = all.get(tag);
    if (!held) all.set(tag, (held = new Map()));
    for (let i = 0; i < series.n; i++)
      held.set(series.t[i] as number, { value: valueAt(series, i), status: series.status[i] as number });
  };
  const open: [number, Series][] = [];
  if (memory) {
    const columns = new OpenColumns(memory);
    for (let tag = 0; tag < 2000; tag++) {
      const series = readOpen(columns, tag);
      if (series) open.push([tag, series]);
    }
  }
  const db = new DatabaseSync(join(dataDir, 'history.db'), { readOnly: true });
  for (const { id, data } of db.prepare('SELECT id, data FROM chunk').iterate())
    put(tagOfRow(Number(id)), decodeChunk(data as Uint8Array));
  db.close();
  for (const [tag, series] of open) put(tag, series);
  return all;
}

/** What is wrong with the rows of a history, in words; empty when each says what its chunk holds. */
export function faultsIn(dataDir: string): string[] {
  const db = new DatabaseSync(join(dataDir, 'history.db'), { readOnly: true });
  const looking = verify(db);
  let step = looking.next();
  while (!step.done) step = looking.next();
  db.close();
  return step.value;
}

/** Chunks, as how many lie in each window of each tag. */
export function windowsIn(dataDir: string): number[] {
  const db = new DatabaseSync(join(dataDir, 'history.db'), { readOnly: true });
  const rows = db.prepare(`SELECT count(*) AS n FROM chunk GROUP BY id / 4294967296, t0 / ${WINDOW}`).all();
  db.close();
  return rows.map(({ n }) => Number(n));
}
