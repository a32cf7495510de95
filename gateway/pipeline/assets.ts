// The states of all assets, brought up to date for those of which something has changed. Called by the pipeline at the
// end of every batch; the rules themselves are in analytics/machine.ts.
import type { Alarms } from '../alarms/alarms.ts';
import { assetState } from '../analytics/machine.ts';
import type { Asset, Catalog } from '../catalog.ts';
import type { AssetState, GatewayEvent, MachineStatus } from '../model.ts';
import type { Track } from './track.ts';

export class Assets {
  readonly #alarms: Alarms;
  #catalog: Catalog;
  #states = new Map<string, AssetState>();
  readonly #touched = new Set<string>();

  constructor(alarms: Alarms, catalog: Catalog) {
    this.#alarms = alarms;
    this.#catalog = catalog;
  }
  get states(): ReadonlyMap<string, AssetState> {
    return this.#states;
  }

  touch(asset: string): void {
    this.#touched.add(asset);
  }
  /** A change of value matters to the state tag alone; a change of quality to all. */
  use(catalog: Catalog): void {
    this.#catalog = catalog;
    for (const path of [...this.#states.keys()]) if (!catalog.asset(path)) this.#states.delete(path);
    for (const site of catalog.sites) for (const asset of site.assets) this.#touched.add(asset.path);
  }

  /** @param now ms; changes are told in `out` unless it is the first state an asset has */
  update(tracks: readonly (Track | undefined)[], now: number, out: GatewayEvent[]): void {
    for (const path of this.#touched) {
      const asset = this.#catalog.asset(path);
      if (!asset) continue;
      const before = this.#states.get(path);
      const state = this.#stateOf(asset, tracks, before, now);
      if (state === before) continue;
      this.#states.set(path, state);
      if (before) out.push({ kind: 'state', id: this.#alarms.id(), time: now, asset: path, state: { ...state } });
    }
    this.#touched.clear();
  }
  get pending(): boolean {
    return this.#touched.size > 0;
  }

  #stateOf(
    asset: Asset,
    tracks: readonly (Track | undefined)[],
    before: AssetState | undefined,
    now: number,
  ): AssetState {
    let usable = 0;
    let good = 0;
    let answering = false;
    for (const tag of asset.tags) {
      const track = tracks[tag.index];
      if (!track) continue;
      answering ||= track.link.online === true;
      const sample = usableOf(track);
      if (!sample) continue;
      usable++;
      if (sample.status >>> 30 === 0) good++;
    }
    const said = statusSaid(asset, tracks);
    const alarmed = this.#alarms.warns(asset.path);
    return assetState(before, { said, tags: asset.tags.length, usable, good, answering, alarmed }, now);
  }
}

function usableOf({ shown, latest }: Track): Track['latest'] {
  return shown === 'live' && latest !== undefined && latest.status >>> 31 === 0 ? latest : undefined;
}

function statusSaid(asset: Asset, tracks: readonly (Track | undefined)[]): MachineStatus | undefined {
  const track = asset.status && tracks[asset.status.tag.index];
  const sample = track && usableOf(track);
  if (!asset.status || !sample) return undefined;
  const { value } = sample;
  return value === null || typeof value === 'string' ? undefined : asset.status.map[Number(value)];
}
