// One metric of every asset of a site over time, as the bytes of its answer. The columns come finished from the reader
// thread; here they are only put between the names. Used by dashboard.ts.
import type { Site } from '../catalog.ts';
import type { Historian, Lacking } from '../history.ts';
import type { Timeseries } from './wire.ts';

/** Most buckets in one question: the reader stays free for others in between. */
const cells = 20_000;
/** Decimal places beyond those that are shown: finer than a screen can draw, and a third of the bytes. */
const finer = 3;

export interface Curve {
  metric: string;
  /** Asset paths; all of the site's when missing. */
  assets?: readonly string[];
  /** ms; buckets begin at or before `from` and end at or after `to`. */
  from: number;
  to: number;
  /** Width of a bucket, ms. */
  width: number;
}

/** Widths that people can read off an axis, ms. */
const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

/** The smallest of them that cuts a span of ms into at most so many buckets. */
export function widthFor(span: number, points: number): number {
  const least = span / points;
  const fitting = seconds.find((each) => each * 1000 >= least);
  return fitting === undefined ? Math.ceil(least / 86_400_000) * 86_400_000 : fitting * 1000;
}

/** @returns the JSON of a `Timeseries`; undefined when no asset has the metric. Buckets lie on multiples of their width. */
export async function timeseries(
  historian: Historian,
  site: Site,
  curve: Curve,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const { metric, assets } = curve;
  const tags = site.assets
    .filter(({ path }) => assets === undefined || assets.includes(path))
    .flatMap((asset) => asset.tags)
    .filter((tag) => tag.metric === metric && tag.type !== 'text');
  const first = tags[0];
  if (!first) return undefined;
  const width = curve.width * 1000;
  const from = Math.floor((curve.from * 1000) / width) * width;
  const to = Math.ceil((curve.to * 1000) / width) * width;
  const count = (to - from) / width;

  let t: Uint8Array | undefined;
  let lacking: Lacking = {};
  const columns: Uint8Array[] = [];
  const atOnce = Math.max(1, Math.floor(cells / count));
  for (let at = 0; at < tags.length; at += atOnce) {
    const part = tags.slice(at, at + atOnce).map((tag) => ({ tag: tag.index, places: tag.decimals + finer }));
    const text = await historian.bucketText(part, from, to, width, signal);
    t ??= text.t;
    lacking = lacking.incomplete === undefined ? text : lacking;
    columns.push(...text.columns);
  }

  const { incomplete, incompleteUntil } = lacking;
  const head: Omit<Timeseries, 't' | 'series'> = {
    facility: site.id,
    metric,
    name: first.name,
    unit: first.unit,
    decimals: first.decimals,
    from: new Date(from / 1000).toISOString(),
    to: new Date(to / 1000).toISOString(),
    bucketMinutes: curve.width / 60_000,
    ...(incomplete === undefined ? {} : { incomplete }),
    ...(incompleteUntil === undefined ? {} : { incompleteUntil: incompleteUntil / 1000 }),
  };
  const names = new Map(site.assets.map((asset) => [asset.path, asset.name]));
  const parts: Uint8Array[] = [Buffer.from(`${open(head)},"t":`), t ?? Buffer.from('[]'), Buffer.from(',"series":[')];
  tags.forEach((tag, i) => {
    const one = { asset: tag.asset, name: names.get(tag.asset) ?? tag.asset, tag: tag.id, limits: tag.alarm?.limits };
    parts.push(
      Buffer.from(`${i > 0 ? ',' : ''}${open(one)},`),
      columns[i] ?? Buffer.from('"min":[],"avg":[],"max":[]'),
      Buffer.from('}'),
    );
  });
  parts.push(Buffer.from(']}'));
  const body = joined(parts);
  for (const column of columns) release(column);
  return body;
}

/** One piece of memory of its own, so that it can be given back as a whole. */
function joined(parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

/** Gives memory back at once. Left to the collector, buffers of this size bring on full collections that hold main up. */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength) buffer.transfer(0);
}

/** An object's JSON without its last brace, for more to follow. */
const open = (value: object): string => JSON.stringify(value).slice(0, -1);
