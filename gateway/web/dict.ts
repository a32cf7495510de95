// The tag table: what the stream's columns refer to. Made once for each catalog and facility. Used by the REST routes.
import { createHash } from 'node:crypto';
import { staleAfter } from '../catalog.ts';
import type { Asset, Catalog, Site, Tag } from '../catalog.ts';
import type { Dict, DictTag } from './wire.ts';

export class Dicts {
  #made = new WeakMap<Catalog, Map<string, { body: string; etag: string }>>();

  /** JSON of the table, and a tag that changes with it. @param site undefined: all sites. */
  of(catalog: Catalog, site: Site | undefined): { body: string; etag: string } {
    let tables = this.#made.get(catalog);
    if (!tables) this.#made.set(catalog, (tables = new Map()));
    const key = site?.id ?? '';
    let table = tables.get(key);
    if (!table) {
      const body = JSON.stringify(dictOf(catalog, site));
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
      tables.set(key, (table = { body, etag }));
    }
    return table;
  }
}

/** @param site undefined: all sites. */
function dictOf(catalog: Catalog, site: Site | undefined): Dict {
  const assets = site ? site.assets : catalog.sites.flatMap((each) => each.assets);
  return {
    rev: catalog.revision,
    facility: site?.id ?? null,
    assets: assets.map(({ path, site: of, name, kind, line }: Asset) => ({ path, site: of, name, kind, line })),
    tags: assets.flatMap((asset) => asset.tags.map(dictTag)),
  };
}

function dictTag(tag: Tag): DictTag {
  const { index: i, id, asset, metric, name, type, unit, decimals, names, range } = tag;
  return {
    i,
    id,
    asset,
    metric,
    name,
    type,
    unit,
    decimals,
    names,
    range,
    limits: tag.alarm?.limits,
    staleAfter: staleAfter(tag),
  };
}
