// For tests of the store: a journal of frames in memory that can be sent again, and all that a history holds.
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import type { Frame, Origin, Sample, Value } from '../../model.ts';
import { HOUR, SECOND, WINDOW, hourOf, rowId, tagOfRow, timeOfRow, windowOf } from './chunks.ts';
import { decodeChunk } from './codec.ts';
import { OpenColumns, readOpen } from './open.ts';
import type { OpenMemory } from './open.ts';
import { figureColumns, summaryOf } from './rows.ts';
import { valueAt } from './series.ts';
import type { Series } from './series.ts';
import { joined, nothing, summarize } from './summary.ts';

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
  const faults: string[] = [];
  const db = new DatabaseSync(join(dataDir, 'history.db'), { readOnly: true });
  const rows = db.prepare(`SELECT id, ${figureColumns}, data FROM chunk ORDER BY id`).all() as Record<
    string,
    unknown
  >[];
  const hours = new Map<number, ReturnType<typeof summarize>>();
  let before: { tag: number; t1: number } | undefined;
  for (const row of rows) {
    const [id, data] = [Number(row.id), row.data as Uint8Array];
    const tag = tagOfRow(id);
    const series = decodeChunk(data);
    const { t0, t1, ...figures } = summarize(series);
    if (JSON.stringify({ ...figures, t0, t1 }) !== JSON.stringify({ ...figures, ...summaryOf(row) }))
      faults.push(`${id}: ${JSON.stringify(row)} is not ${JSON.stringify({ ...figures, t0, t1 })}`);
    if (id !== rowId(tag, t0)) faults.push(`${id} begins at ${t0}`);
    if (windowOf(t0) !== windowOf(t1)) faults.push(`${id} is longer than its window`);
    if (series.n > 1024 && Math.floor(t0 / SECOND) !== Math.floor(t1 / SECOND)) faults.push(`${id} has ${series.n}`);
    for (let i = 1; i < series.n; i++)
      if ((series.t[i] as number) <= (series.t[i - 1] as number)) faults.push(`${id} is out of order at ${i}`);
    if (before?.tag === tag && Math.floor(before.t1 / SECOND) >= Math.floor(t0 / SECOND))
      faults.push(`${id} begins in the second of the chunk before it`);
    before = { tag, t1 };
    const hour = rowId(tag, hourOf(t0));
    hours.set(hour, joined(hours.get(hour) ?? { ...nothing }, summaryOf(row)));
  }
  for (const row of db.prepare(`SELECT id, ${figureColumns} FROM hour`).iterate()) {
    const id = Number(row.id);
    const chunks = hours.get(id);
    if (chunks && JSON.stringify(summaryOf(row)) !== JSON.stringify(chunks))
      faults.push(`the hour ${timeOfRow(id) / HOUR} of ${tagOfRow(id)} is not that of its chunks`);
  }
  db.close();
  return faults;
}

/** Chunks, as how many lie in each window of each tag. */
export function windowsIn(dataDir: string): number[] {
  const db = new DatabaseSync(join(dataDir, 'history.db'), { readOnly: true });
  const rows = db.prepare(`SELECT count(*) AS n FROM chunk GROUP BY id / 4294967296, t0 / ${WINDOW}`).all();
  db.close();
  return rows.map(({ n }) => Number(n));
}
