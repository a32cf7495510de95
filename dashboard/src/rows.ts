// The assets table without its pixels: which columns, which rows, in what order, and which of them are on screen.
// Pure; Assets.svelte calls it when the dictionary, the filter or the alarms change, never when a value does.
import type { Dict, DictAsset, DictTag, MachineStatus, Severity } from '../../gateway/web/wire.ts';
import { severityLook, statusLook } from './severity.ts';

export interface Column {
  metric: string;
  name: string;
  unit: string;
}
export interface Row {
  key: string;
  asset: DictAsset;
  /** One per column, or the row's only tag where metrics differ too much for columns. */
  tags: (DictTag | undefined)[];
}
export interface Table {
  /** `metrics`: a row per asset, a column per metric. `tags`: a row per tag. */
  shape: 'metrics' | 'tags';
  columns: Column[];
  rows: Row[];
}

/** Columns per metric while they are few and mostly filled; else, and where there is no room for columns, a row per tag. */
export function buildTable(dict: Dict, narrow = false): Table {
  const columns = new Map<string, Column>();
  const byAsset = new Map<string, DictTag[]>();
  for (const tag of dict.tags) {
    if (!columns.has(tag.metric)) columns.set(tag.metric, { metric: tag.metric, name: tag.name, unit: tag.unit });
    const tags = byAsset.get(tag.asset);
    if (tags) tags.push(tag);
    else byAsset.set(tag.asset, [tag]);
  }
  const assets = dict.assets.filter((asset) => byAsset.has(asset.path));
  const list = [...columns.values()];
  const filled = dict.tags.length / Math.max(1, list.length * assets.length);
  if (!narrow && list.length <= 10 && filled >= 0.5) {
    const rows = assets.map((asset) => {
      const tags = new Map(byAsset.get(asset.path)?.map((tag) => [tag.metric, tag]));
      return { key: asset.path, asset, tags: list.map((column) => tags.get(column.metric)) };
    });
    return { shape: 'metrics', columns: list, rows };
  }
  const rows = assets.flatMap((asset) =>
    (byAsset.get(asset.path) ?? []).map((tag) => ({ key: tag.id, asset, tags: [tag] })),
  );
  return { shape: 'tags', columns: [], rows };
}

export type SortBy = 'plant' | 'severity' | 'asset' | 'line';

export interface RowOrder {
  sort: SortBy;
  text: string;
  statuses: ReadonlyMap<string, MachineStatus>;
  byAsset: ReadonlyMap<string, Severity>;
  byTag: ReadonlyMap<string, Severity>;
}

/** Filtered (every word must be found in asset, line, kind, metric or id) and sorted; ties keep the plant's order. */
export function orderRows(table: Table, { sort, text, statuses, byAsset, byTag }: RowOrder): Row[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = words.length === 0 ? [...table.rows] : table.rows.filter((row) => matches(row, table.shape, words));
  if (sort === 'plant') return rows;
  const by = new Intl.Collator('en', { numeric: true }).compare;
  if (sort === 'asset') return rows.sort((a, b) => by(a.asset.name, b.asset.name));
  if (sort === 'line') return rows.sort((a, b) => by(a.asset.line ?? '\uffff', b.asset.line ?? '\uffff'));
  const rank = (row: Row) => {
    const severity = table.shape === 'tags' ? byTag.get(row.key) : byAsset.get(row.asset.path);
    const status = statuses.get(row.asset.path);
    return (severity ? severityLook[severity].rank * 10 : 0) + (status ? statusLook[status].rank : 0);
  };
  return rows.sort((a, b) => rank(b) - rank(a));
}

function matches(row: Row, shape: Table['shape'], words: string[]): boolean {
  const tag = shape === 'tags' ? row.tags[0] : undefined;
  const hay = `${row.asset.name} ${row.asset.line ?? ''} ${row.asset.kind} ${row.key} ${tag?.name ?? ''}`.toLowerCase();
  return words.every((word) => hay.includes(word));
}

/**
 * Least widths of the table's columns in px, and how each shares what is left. Names in headers wrap to two lines. Narrow:
 * status, names of asset and tag, value, all in sight at 320 px.
 */
export function columnWidths(table: Table, hasLines: boolean, narrow: boolean): { px: number; share: number }[] {
  if (narrow) {
    const [status, name, value] = [24, 96, 128];
    return [
      { px: status, share: 0 },
      { px: name, share: 1 },
      { px: value, share: 0 },
    ];
  }
  const widths = [
    { px: 118, share: 0 },
    { px: 150, share: 1.4 },
  ];
  if (hasLines) widths.push({ px: 90, share: 0.8 });
  if (table.shape === 'tags') {
    return [...widths, { px: 140, share: 1.4 }, { px: 140, share: 0 }, { px: 120, share: 1 }];
  }
  for (const { name } of table.columns) {
    const word = Math.max(...name.split(/\s+/).map((part) => part.length), Math.ceil(name.length / 2));
    widths.push({ px: Math.min(160, Math.max(124, word * 8)), share: 1 });
  }
  return widths;
}

export interface Window {
  /** First row drawn, and one past the last. */
  first: number;
  last: number;
  /** Height of all rows, px. */
  height: number;
}

/** Which of `total` rows of `rowHeight` px to draw for a view scrolled to `top`, with a few to spare on both sides. */
export function windowRows(total: number, rowHeight: number, top: number, viewHeight: number, spare = 6): Window {
  const height = total * rowHeight;
  const at = Math.min(Math.max(0, top), Math.max(0, height - viewHeight));
  const first = Math.max(0, Math.floor(at / rowHeight) - spare);
  const last = Math.min(total, Math.ceil((at + viewHeight) / rowHeight) + spare);
  return { first, last, height };
}
