// The assets table without its pixels: rows in order, and the window over them.
import { expect, test } from 'vitest';
import type { Dict, DictTag } from '../../gateway/web/wire.ts';
import { buildTable, columnWidths, orderRows, windowRows, type RowOrder } from './rows.ts';

function dict(assets: string[], metrics: (asset: string) => string[]): Dict {
  let i = 0;
  const tags = assets.flatMap((asset) =>
    metrics(asset).map((metric): DictTag => ({
      ...{ i: i++, id: `n/${asset}/${metric}`, asset: `n/${asset}`, metric, name: metric },
      ...{ type: 'double', unit: '', decimals: 0, staleAfter: 1 },
    })),
  );
  return {
    rev: 1,
    facility: 'n',
    tags,
    assets: assets.map((name) => ({ path: `n/${name}`, site: 'n', name, kind: 'pump', line: null })),
  };
}
const order: RowOrder = { sort: 'plant', text: '', statuses: new Map(), byAsset: new Map(), byTag: new Map() };

test('a column per metric while assets are alike, else a row per tag', () => {
  expect(buildTable(dict(['a', 'b'], () => ['flow', 'level']))).toMatchObject({
    shape: 'metrics',
    columns: [{ metric: 'flow' }, { metric: 'level' }],
  });
  const mixed = buildTable(dict(['a', 'b', 'c'], (asset) => [`only-${asset}`]));
  expect([mixed.shape, mixed.rows.length]).toEqual(['tags', 3]);
  const phone = buildTable(
    dict(['a', 'b'], () => ['flow', 'level']),
    true,
  );
  expect([phone.shape, phone.rows.length]).toEqual(['tags', 4]);
  expect(columnWidths(phone, false, true).reduce((sum, { px }) => sum + 12 + px, 12)).toBeLessThan(302);
});

test('rows: filter by every word, the worst first, ties in plant order', () => {
  const table = buildTable(dict(['pump 1', 'pump 2', 'fan 3'], () => ['flow']));
  const names = (over: Partial<RowOrder>) => orderRows(table, { ...order, ...over }).map((row) => row.asset.name);
  expect(names({ text: 'PUMP 2' })).toEqual(['pump 2']);
  expect(
    names({ sort: 'severity', byAsset: new Map([['n/fan 3', 'low']]), statuses: new Map([['n/pump 2', 'down']]) }),
  ).toEqual(['fan 3', 'pump 2', 'pump 1']);
  expect(names({ sort: 'asset' })).toEqual(['fan 3', 'pump 1', 'pump 2']);
});

test.each([
  [1000, 0, 400, 0, 21],
  [1000, 2800, 400, 94, 121],
  [1000, 999_999, 400, 979, 1000],
  [3, 0, 400, 0, 3],
  [0, 50, 400, 0, 0],
])('of %s rows at %s px in %s px', (total, top, view, first, last) => {
  expect(windowRows(total, 28, top, view)).toEqual({ first, last, height: total * 28 });
});
