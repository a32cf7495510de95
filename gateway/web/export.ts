// History as a file: CSV for people, NDJSON in the form that import takes. One page of samples is in memory at a time, made
// into text by the reader thread, and the next is asked for when the one before has left. Used by the route, and by the
// command line over control.ts.
import type { Tag } from '../catalog.ts';
import type { BucketWidth, Historian } from '../history.ts';
import type { Micros } from '../model.ts';
import { textCell, valueCell } from './cells.ts';
import { bucketPage, figures } from './history.ts';
import { possible } from './intake/item.ts';
import type { Range } from './range.ts';
import { csvHead, jsonValue } from './rows.ts';

export interface Export extends Range {
  tags: readonly Tag[];
  format: 'csv' | 'ndjson';
  /** Buckets instead of samples. */
  width?: BucketWidth;
}

/** Samples of a page, some 140 kB and 4 ms of the reader thread; buckets of one, made into text here within a millisecond. */
const page = 2000;
const bucketsOfPage = 250;

/**
 * The file's bytes in pieces, tag by tag and within a tag by time. Ends with the error of a query that fails. What the file
 * lacks, because a store elsewhere does not answer or samples are removed or damaged, is said in its last lines, so that it never looks whole.
 */
export async function* exported(historian: Historian, what: Export, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const write = writerOf(what);
  // The head comes with the first rows, so that a query that fails at once is no half file.
  let head = write.head;
  const lacks = new Set<string>();
  for (const tag of what.tags) {
    for (let from = what.from; from < what.to;) {
      const { text, next, incomplete } = await write.rows(historian, tag, from, signal);
      if (incomplete !== undefined && lacks.size < mostLacks) lacks.add(incomplete);
      yield head === '' ? text : Buffer.concat([Buffer.from(head), text]);
      head = '';
      from = next;
    }
  }
  if (head !== '') yield Buffer.from(head);
  for (const lack of lacks) yield Buffer.from(lackLine(what.format, lack));
}

/** Different reasons that a file gives for what it lacks. */
const mostLacks = 20;
const lackLine = (format: Export['format'], why: string): string =>
  format === 'csv' ? `# incomplete: ${why.replaceAll(/\s+/g, ' ')}\r\n` : `${JSON.stringify({ incomplete: why })}\n`;

/** What a file's last line says that it lacks; undefined: it is whole. The command line asks. */
export function lackOf(line: string): string | undefined {
  const found = /^(?:# incomplete: (.+)|\{"incomplete":(".*")\})$/.exec(line.trim());
  return found?.[1] ?? (found?.[2] === undefined ? undefined : (JSON.parse(found[2]) as string));
}

interface Writer {
  head: string;
  /** Rows from a time on, and where the next ones begin. */
  rows(historian: Historian, tag: Tag, from: Micros, signal: AbortSignal): Promise<Rows>;
}
interface Rows {
  text: Uint8Array;
  next: Micros;
  /** What is missing among them, and why. */
  incomplete?: string | undefined;
}

function writerOf(what: Export): Writer {
  const { to, zone, format, width } = what;
  const csv = format === 'csv';
  const time = `timestamp [${zone.name}]`;
  if (width === undefined)
    return {
      head: csv ? csvHead(zone.name) : '',
      async rows(historian, tag, from, signal) {
        const form = { format, tag: tag.id, unit: tag.unit, zone: zone.name, believed: possible(tag) };
        const { text, next = to, incomplete } = await historian.rows(tag.index, from, to, page, form, signal);
        return { text, next, incomplete };
      },
    };
  return buckets(what, width, time);
}

function buckets({ to, zone, format }: Export, width: BucketWidth, time: string): Writer {
  const csv = format === 'csv';
  return {
    head: csv ? `${time},tag,${figures.join(',')},unit\r\n` : '',
    async rows(historian, tag, from, signal) {
      const query = { tags: [tag.index], from, to, width, zone: zone.name, count: bucketsOfPage };
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
      return { text: Buffer.from(text.join('')), next, incomplete: one?.incomplete };
    },
  };
}
