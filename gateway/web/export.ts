// History as a file: CSV for people, NDJSON in the form that import takes. One page of samples is in memory at a time,
// and the next is asked for when the one before has left. Used by the route, and by the command line over control.ts.
import type { Tag } from '../catalog.ts';
import { quality } from '../model.ts';
import type { BucketWidth, Historian, RawSeries } from '../history.ts';
import type { Micros, Value } from '../model.ts';
import { textCell, valueCell } from './cells.ts';
import { Refusal } from './errors.ts';
import { bucketPage, figures } from './history.ts';
import type { Range } from './range.ts';

export interface Export extends Range {
  tags: readonly Tag[];
  format: 'csv' | 'ndjson';
  /** Buckets instead of samples. */
  width?: BucketWidth;
}

/** Samples of a page and buckets of one: each is made into text within a millisecond. */
const page = 500;

/** The file's text in pieces, tag by tag and within a tag by time. Ends with the error of a query that fails. */
export async function* exported(historian: Historian, what: Export, signal: AbortSignal): AsyncGenerator<string> {
  const write = writerOf(what);
  // The head comes with the first rows, so that a query that fails at once is no half file.
  let head = write.head;
  for (const tag of what.tags) {
    for (let from = what.from; from < what.to;) {
      const { text, next } = await write.rows(historian, tag, from, signal);
      yield head + text;
      head = '';
      from = next;
    }
  }
  if (head !== '') yield head;
}

interface Writer {
  head: string;
  /** Rows from a time on, and where the next ones begin. */
  rows(historian: Historian, tag: Tag, from: Micros, signal: AbortSignal): Promise<{ text: string; next: Micros }>;
}

function writerOf(what: Export): Writer {
  const { to, zone, format, width } = what;
  const csv = format === 'csv';
  const time = `timestamp [${zone.name}]`;
  if (width === undefined)
    return {
      head: csv ? `${time},tag,value,quality,status,unit\r\n` : '',
      async rows(historian, tag, from, signal) {
        const series = await historian.raw(tag.index, from, to, page, signal);
        // Nobody would see in a file that a part of it is missing.
        if (series.incomplete !== undefined)
          throw new Refusal(503, `this export would not be whole: ${series.incomplete}`);
        const text = csv ? rawCsv(tag, series, zone.text) : rawJson(tag, series, zone.text);
        return { text, next: series.more ? (series.t.at(-1) ?? to) + 1 : to };
      },
    };
  return buckets(what, width, time);
}

function rawCsv(tag: Tag, { t, value, status }: RawSeries, time: (t: Micros) => string): string {
  const id = textCell(tag.id);
  const unit = textCell(tag.unit);
  let text = '';
  for (let i = 0; i < t.length; i++) {
    const code = status[i] as number;
    text += `${time(t[i] as Micros)},${id},${valueCell(value[i] as Value)},${quality(code)},${code},${unit}\r\n`;
  }
  return text;
}

function rawJson(tag: Tag, { t, value, status }: RawSeries, time: (t: Micros) => string): string {
  const id = JSON.stringify(tag.id);
  let text = '';
  for (let i = 0; i < t.length; i++) {
    const code = status[i] as number;
    const said = code === 0 ? '' : `,"status":${code}`;
    text += `{"tag":${id},"timestamp":"${time(t[i] as Micros)}","value":${jsonValue(value[i] as Value)}${said}}\n`;
  }
  return text;
}

/** What import reads back to the same bits: past 2^53 as text, and zero with its sign. */
function jsonValue(value: Value): string {
  if (typeof value === 'bigint') return `"${value}"`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'number' && !Number.isFinite(value)) return `"${value}"`;
  return JSON.stringify(value);
}

function buckets({ to, zone, format }: Export, width: BucketWidth, time: string): Writer {
  const csv = format === 'csv';
  return {
    head: csv ? `${time},tag,${figures.join(',')},unit\r\n` : '',
    async rows(historian, tag, from, signal) {
      const query = { tags: [tag.index], from, to, width, zone: zone.name, count: page };
      const { t, series, next = to } = await bucketPage(historian, query, signal);
      const one = series.get(tag.index);
      const id = csv ? textCell(tag.id) : JSON.stringify(tag.id);
      const row = (i: number): (number | null)[] => figures.map((figure) => one?.[figure][i] ?? null);
      const text = t.map((start, i) =>
        csv
          ? `${zone.text(start)},${id},${row(i).map(valueCell).join(',')},${textCell(tag.unit)}\r\n`
          : `{"tag":${id},"timestamp":"${zone.text(start)}",${row(i)
              .map((figure, k) => `"${figures[k]}":${jsonValue(figure)}`)
              .join(',')}}\n`,
      );
      return { text: text.join(''), next };
    },
  };
}
