// Which tags a query may see and is about. The one place where a query's names become tags: every site until there are
// users, and what is outside of the scope does not exist. Used by every route that is asked for a facility, an asset or tags.
import type { Catalog, Site, Tag } from '../catalog.ts';
import { Refusal } from './errors.ts';

/** Site ids; undefined: all of them. */
export type Scope = ReadonlySet<string> | undefined;

/** Everybody's, until there are users. */
export const everything: Scope = undefined;

export function sitesOf(catalog: Catalog, scope: Scope): Site[] {
  return catalog.sites.filter(({ id }) => scope === undefined || scope.has(id));
}

/** The facility of an id as it was typed (accents composed or not); 404 with those there are. */
export function facilityOf(catalog: Catalog, scope: Scope, id: string): Site {
  const sites = sitesOf(catalog, scope);
  const site = [id, id.normalize('NFC'), id.normalize('NFD')]
    .map((form) => sites.find((each) => each.id === form))
    .find((each) => each !== undefined);
  if (site) return site;
  const there = sites.length > 0 ? `there are: ${sites.map((each) => each.id).join(', ')}` : 'none is configured';
  throw new Refusal(404, `there is no facility "${id.slice(0, 200)}"; ${there}`, 'facility');
}

export interface Asked {
  /** Tag ids. */
  tags?: readonly string[];
  /** Asset path, or the beginning of one: a line, an area. */
  asset?: string;
  facility?: string;
}

/** The tags asked for, each once, in the order asked or else in the catalog's; nothing asked means all. Throws a Refusal that names what is not there. */
export function tagsOf(catalog: Catalog, scope: Scope, asked: Asked): Tag[] {
  const [said, ...others] = (['tags', 'asset', 'facility'] as const).filter((name) => asked[name] !== undefined);
  if (said !== undefined && others.length > 0)
    throw new Refusal(400, `${[said, ...others].join(' and ')} are asked for at once: say one of them`, others[0]);
  const seen = (tag: Tag): boolean => scope === undefined || scope.has(tag.site);
  if (asked.tags !== undefined) {
    const found = new Set<Tag>();
    for (const id of asked.tags) {
      const tag = [id, id.normalize('NFC'), id.normalize('NFD')]
        .map((form) => catalog.byId(form))
        .find((each) => each !== undefined && seen(each));
      if (!tag)
        throw new Refusal(404, `there is no tag "${id.slice(0, 200)}"; /api/v1/dict lists those there are`, 'tags');
      found.add(tag);
    }
    return [...found];
  }
  const visible = catalog.list.filter(seen);
  if (asked.asset !== undefined) {
    const path = asked.asset.replace(/\/+$/, '').normalize('NFC');
    const below = visible.filter(({ asset }) => `${asset.normalize('NFC')}/`.startsWith(`${path}/`));
    if (below.length > 0) return below;
    throw new Refusal(
      404,
      `there is no asset "${asked.asset.slice(0, 200)}"; /api/v1/dict lists those there are`,
      'asset',
    );
  }
  if (asked.facility === undefined) return visible;
  const { id } = facilityOf(catalog, scope, asked.facility);
  return visible.filter(({ site }) => site === id);
}

/**
 * Tag ids as a query names them: several of the same parameter, or with commas between (an id may hold one itself);
 * undefined when it has no such parameter. Throws a Refusal when there is one that names none.
 */
export function namesOf(catalog: Catalog, given: string | readonly string[] | undefined): string[] | undefined {
  if (given === undefined) return undefined;
  const list = typeof given === 'string' ? [given] : given;
  const names = list.flatMap((name) => (catalog.byId(name) ? [name] : name.split(','))).filter((name) => name !== '');
  if (names.length === 0)
    throw new Refusal(400, 'tags names no tag: give ids with commas between, or leave it out to ask for all', 'tags');
  return names;
}
