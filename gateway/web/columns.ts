// What the clients of one facility at one rate have in common, and its present as the stream's columns.
// Used by the hub, which says what has changed and sends what is made here.
import type { Catalog } from '../catalog.ts';
import { quality } from '../model.ts';
import type { Present, Sample } from '../model.ts';
import { isStale, shownAt, wireAlarm, wireValue } from './values.ts';
import type { MachineStatus, StreamDelta, StreamSnap } from './wire.ts';

type Columns = Required<Omit<StreamDelta, 't' | 'st'>>;
/** tick: the frame that all share, which forgets who has recovered; merged: for one client that missed some. */
export type DeltaKind = 'tick' | 'merged';

export class View {
  readonly facility: string | undefined;
  readonly #present: Present;
  #catalog: Catalog;
  #tags: ReadonlySet<number> = new Set();
  /** What has changed since the last tick. */
  readonly dirty = new Set<number>();
  readonly dirtyStates = new Set<string>();
  /** Tags last sent as not good, or as stale: their way back must be said. */
  readonly #wereBad = new Set<number>();
  readonly #wereStale = new Set<number>();

  constructor(facility: string | undefined, present: Present, catalog: Catalog) {
    this.facility = facility;
    this.#present = present;
    this.#catalog = catalog;
    this.use(catalog);
  }

  use(catalog: Catalog): void {
    this.#catalog = catalog;
    this.#tags = new Set(catalog.list.filter((tag) => this.shows(tag.site)).map((tag) => tag.index));
    for (const known of [this.dirty, this.#wereBad, this.#wereStale])
      for (const tag of known) if (!this.#tags.has(tag)) known.delete(tag);
  }

  shows(site: string | undefined): boolean {
    return this.facility === undefined || this.facility === site;
  }

  touch(tag: number): void {
    if (this.#tags.has(tag)) this.dirty.add(tag);
  }

  /** @param now ms: the frame's time. */
  snap(now: number): StreamSnap {
    const { i, v, a, q, x } = this.#columns(this.#tags, now, 'tick');
    const st: Record<string, MachineStatus> = {};
    for (const [asset, { status }] of this.#present.states()) if (this.shows(siteOf(asset))) st[asset] = status;
    const al = this.#present
      .alarms()
      .filter((alarm) => this.shows(alarm.site))
      .map((alarm) => wireAlarm(alarm, this.#catalog));
    return { t: now, i, v, a, q: q.filter((pair): pair is [number, 1 | 2] => pair[1] !== 0), x, al, st };
  }

  delta(tags: ReadonlySet<number>, assets: ReadonlySet<string>, now: number, kind: DeltaKind): StreamDelta {
    const { i, v, a, q, x, y } = this.#columns(tags, now, kind);
    const delta: StreamDelta = { t: now, i, v, a, q };
    if (x.length > 0) delta.x = x;
    if (y.length > 0) delta.y = y;
    if (assets.size > 0) {
      const st: Record<string, MachineStatus> = {};
      for (const asset of assets) st[asset] = this.#present.states().get(asset)?.status ?? 'offline';
      delta.st = st;
    }
    return delta;
  }

  /** Of tags that are no longer in the catalog nothing is said. */
  #columns(tags: ReadonlySet<number>, now: number, kind: DeltaKind): Columns {
    const columns: Columns = { i: [], v: [], a: [], q: [], x: [], y: [] };
    for (const tag of tags) {
      if (!this.#tags.has(tag)) continue;
      const sample = this.#present.latest(tag);
      columns.i.push(tag);
      columns.v.push(sample ? wireValue(sample.value) : null);
      columns.a.push(sample ? Math.max(0, Math.round(now - shownAt(sample))) : null);
      const grade = gradeOf(sample);
      if (grade !== 0) {
        this.#wereBad.add(tag);
        columns.q.push([tag, grade]);
      } else if (kind === 'merged' || this.#wereBad.has(tag)) columns.q.push([tag, 0]);
      if (isStale(sample)) {
        this.#wereStale.add(tag);
        columns.x.push(tag);
      } else if (kind === 'merged' || this.#wereStale.has(tag)) columns.y.push(tag);
    }
    return columns;
  }

  /** After the shared frame of these tags: who is well again has been said to be. */
  settled(tags: ReadonlySet<number>): void {
    for (const tag of tags) {
      const sample = this.#present.latest(tag);
      if (gradeOf(sample) === 0) this.#wereBad.delete(tag);
      if (!isStale(sample)) this.#wereStale.delete(tag);
    }
  }
}

export function siteOf(asset: string): string {
  const end = asset.indexOf('/');
  return end < 0 ? asset : asset.slice(0, end);
}

function gradeOf(sample: Sample | undefined): 0 | 1 | 2 {
  if (!sample) return 2;
  const grade = quality(sample.status);
  return grade === 'good' ? 0 : grade === 'uncertain' ? 1 : 2;
}
