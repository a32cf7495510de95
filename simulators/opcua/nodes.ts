// Where a signal stands in a simulated OPC UA server: namespace and node id, as pure names.
// The server builds its address space by them and the config writer prints them, so the two cannot disagree.
import type { PlantAsset, PlantSite, Signal } from '../plant.ts';

/** The namespace all of a site's nodes live in. */
export function namespaceUri(site: Pick<PlantSite, 'id'>): string {
  return `urn:penstock:simulator:${site.id}`;
}

/** `north/line-1/pump-2` + `flow` → `North.Line1.Pump2.Flow`: the string identifier, the way servers in the field write them. */
export function nodeName(asset: Pick<PlantAsset, 'path'>, signal?: Pick<Signal, 'metric'>): string {
  const parts = asset.path.split('/');
  if (signal) parts.push(signal.metric);
  return parts.map(pascal).join('.');
}

/** The address a client configures: `nsu=<uri>;s=<name>`. */
export function nodeFor(
  site: Pick<PlantSite, 'id'>,
  asset: Pick<PlantAsset, 'path'>,
  signal: Pick<Signal, 'metric'>,
): string {
  return `nsu=${namespaceUri(site)};s=${nodeName(asset, signal)}`;
}

function pascal(part: string): string {
  let name = '';
  for (const word of part.split(/[-_ ]+/u)) {
    // `unit-1-2` must not become the same name as `unit-12`.
    if (/\d$/u.test(name) && /^\d/u.test(word)) name += '_';
    name += word.charAt(0).toUpperCase() + word.slice(1);
  }
  return name;
}
