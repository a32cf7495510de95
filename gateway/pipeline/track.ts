// What the pipeline remembers of each tag and each device between two readings. Plain state, changed by ingest.ts and
// silence.ts; renewed from the catalog by pipeline.ts.
import { staleAfter } from '../catalog.ts';
import type { Catalog, Tag } from '../catalog.ts';
import type { Micros, Sample } from '../model.ts';
import { newFiling } from './filing.ts';
import type { Filing } from './filing.ts';
import type { Ledger } from './ledger.ts';
import { recipeOf } from './normalize.ts';
import type { Recipe } from './normalize.ts';

/** live: what is shown was said or proven; all else is the gateway's word about an older value. */
export type Shown = 'nothing' | 'live' | 'stale' | 'lost' | 'restored';

export interface Track {
  tag: Tag;
  link: LinkState;
  recipe: Recipe;
  filing: Filing;
  /** The newest sample that may be shown. */
  latest: Sample | undefined;
  /** The newest shown sample that a device said. */
  last: Sample | undefined;
  shown: Shown;
  /** Last value or proof of life, and last journalled sample: ms on the monotonic clock. */
  seen: number;
  filed: number;
  /** Value journalled last, for the store's deadband. */
  storedValue: number;
  storedStatus: number;
  /** ms without value or proof after which it is stale. */
  staleAfter: number;
  /** It has an entry in the heap of what falls due. */
  queued: boolean;
  gone: boolean;
  /** The link's session in which this tag has caught up with the present. */
  session: number;
  /** Where history says that the gateway was away, until the device has said something; −Infinity else. */
  gap: Micros;
}

export interface LinkState {
  device: string;
  /** undefined until the driver has said anything. */
  online: boolean | undefined;
  /** Its comm alarm may be active and waits for a good value. */
  lost: boolean;
  /** Last proof of life; NaN before the first. */
  alive: Micros;
  /** The proof before the last silence longer than the skew allowed: how far back a queue delivered now may reach. */
  before: Micros;
  session: number;
  /** The proof after which the present session began; NaN before the first. */
  begun: Micros;
  tracks: Track[];
  ledger: Ledger;
}

function newLink(device: string, ledger: Ledger): LinkState {
  return {
    device,
    online: undefined,
    lost: false,
    alive: NaN,
    before: NaN,
    session: 0,
    begun: NaN,
    tracks: [],
    ledger,
  };
}

function newTrack(tag: Tag, link: LinkState): Track {
  return {
    tag,
    link,
    recipe: recipeOf(tag),
    filing: newFiling(),
    latest: undefined,
    last: undefined,
    shown: 'nothing',
    seen: 0,
    filed: -Infinity,
    storedValue: NaN,
    storedStatus: -1,
    staleAfter: staleAfter(tag),
    queued: false,
    gone: false,
    session: 0,
    gap: -Infinity,
  };
}

/** Tracks by tag index for a catalog; what stays the same tag keeps its state. Links are renewed in place. */
export function tracksOf(
  catalog: Catalog,
  before: readonly (Track | undefined)[],
  links: Map<string, LinkState>,
  ledgerOf: (source: string) => Ledger,
): (Track | undefined)[] {
  const devices = new Set(catalog.list.map((tag) => tag.device));
  for (const device of catalog.devices) devices.add(device.name);
  for (const name of [...links.keys()]) if (!devices.has(name)) links.delete(name);
  for (const name of devices) {
    const link = links.get(name);
    if (link) link.tracks = [];
    else links.set(name, newLink(name, ledgerOf(name)));
  }
  const tracks = catalog.tags.map((tag) => {
    if (!tag) return undefined;
    const link = links.get(tag.device)!;
    const old = before[tag.index];
    const track = old && old.tag.type === tag.type ? old : newTrack(tag, link);
    track.tag = tag;
    track.link = link;
    track.recipe = recipeOf(tag);
    track.staleAfter = staleAfter(tag);
    link.tracks.push(track);
    return track;
  });
  for (const old of before) if (old && tracks[old.tag.index] !== old) old.gone = true;
  return tracks;
}

/** Begins a session after a silence longer than the skew allowed; call before `link.alive` moves. @param maxSkew ms */
export function reachBack(link: LinkState, now: Micros, maxSkew: number): void {
  if (Number.isNaN(link.alive)) link.alive = link.before = now;
  if (now - link.alive > maxSkew * 1000 && link.begun !== link.alive) {
    link.before = link.begun = link.alive;
    link.session++;
  }
}
