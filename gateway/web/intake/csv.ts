// CSV to readings: the header says what the columns are. Pure; used by judge.ts for each line.
// Long: one reading a row (tag, timestamp, value and maybe status or quality). Wide: a time and a column for each tag.
import type { Reading } from '../../model.ts';
import { counted } from '../../words.ts';
import { fromSafe } from '../cells.ts';
import { zoneOf } from '../zone.ts';
import { readingOf } from './item.ts';
import type { Fault, Rules, skipped } from './item.ts';
import type { Textual } from './value.ts';

const times = ['timestamp', 'time', 'datetime', 'date', 'ts', 't'];
/** Two columns that make one time. */
const [day, clock] = ['date', 'time'];
const roles = {
  tag: ['tag', 'tag id', 'tagid', 'id', 'path', 'point'],
  value: ['value', 'val', 'v'],
  status: ['status', 'statuscode', 'status code'],
  quality: ['quality'],
};

export interface Layout extends Textual {
  delimiter: string;
  /** The header's cells. */
  names: string[];
  time: number;
  /** Where the date stands in a column of its own, beside the time of day. */
  date?: number;
  /** Time zone that the header states: `timestamp [Europe/Berlin]`. */
  zone?: string;
  long?: { tag: number; value: number; status: number; quality: number };
  /** Wide: tag id of each column; undefined where it is the time or no tag. */
  wide?: (string | undefined)[];
  columns: number;
  /** Columns of a wide file that are no tags: they are left out. */
  strange: string[];
}

/** Reads the header. Throws a RangeError with a sentence when it does not say where times and values are. @param mark before decimals */
export function layoutOf(
  header: string,
  isTag: (id: string) => boolean,
  delimiter = delimiterOf(header),
  mark?: Textual['mark'],
): Layout {
  const names = cellsOf(header.replace(/^\uFEFF/, ''), delimiter)?.map((name) => name.trim());
  if (!names || names.length < 2)
    throw new RangeError(`the first line is no header: it must name columns such as tag,timestamp,value`);
  const stated = names.map((name) => /^(.*?)\s*[[(]([^\])]*)[\])]$/.exec(name) ?? [name, name, undefined]);
  const plain = stated.map(([, name = '']) => name.toLowerCase().trim());
  /** The one with the name that is known best. */
  const find = (known: readonly string[]): number => {
    const name = known.find((each) => plain.includes(each));
    if (name !== undefined && plain.indexOf(name) !== plain.lastIndexOf(name))
      throw new RangeError(`the header has the column ${name} twice: leave one of them`);
    return name === undefined ? -1 : plain.indexOf(name);
  };
  const found = plain.filter((name, at) => times.includes(name) && !isTag(names[at] ?? ''));
  if (found.length === 0)
    throw new RangeError(
      `the header has no column for the time (${times.join(', ')}): ${names.slice(0, 10).join(', ')}`,
    );
  const split = found.length === 2 && found.includes(day) && found.includes(clock);
  if (found.length > 1 && !split)
    throw new RangeError(`the header has more than one column for the time (${found.join(', ')}): leave one of them`);
  const time = find(split ? [clock] : found);
  const zone = zoneOf(stated[time]?.[2] ?? '')?.name;
  const layout = {
    ...{ delimiter, comma: delimiter === ';', names, time, zone, columns: names.length, strange: [] },
    ...(split ? { date: find([day]) } : {}),
    ...(mark === undefined ? {} : { mark }),
  };
  const [tag, value] = [find(roles.tag), find(roles.value)];
  if (tag >= 0 && value >= 0)
    return { ...layout, long: { tag, value, status: find(roles.status), quality: find(roles.quality) } };
  // A unit may stand behind a tag, in brackets.
  const wide = stated.map(([whole = '', name = ''], at) =>
    at === time || at === layout.date ? undefined : [whole, name].find((id) => isTag(id)),
  );
  const ids = wide.filter((id) => id !== undefined);
  if (ids.length === 0)
    throw new RangeError(
      `the header names neither the columns tag and value nor any tag of this gateway: ${names.slice(0, 10).join(', ')}`,
    );
  const doubled = ids.find((id, at) => ids.indexOf(id) !== at);
  if (doubled !== undefined) throw new RangeError(`the header has the tag ${doubled} twice: leave one of its columns`);
  const strange = names.filter((_name, at) => at !== time && at !== layout.date && wide[at] === undefined);
  return { ...layout, wide, strange };
}

/** The one that stands most often in the header, outside of quotes. */
export function delimiterOf(header: string): string {
  const bare = header.replace(/"[^"]*"/g, '');
  const count = (mark: string): number => bare.split(mark).length;
  return [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
}

/** RFC 4180; undefined where quotes do not fit together. */
export function cellsOf(line: string, delimiter: string): string[] | undefined {
  if (!line.includes('"')) return line.split(delimiter);
  const cells: string[] = [];
  for (let at = 0; ;) {
    if (line[at] !== '"') {
      const end = line.indexOf(delimiter, at);
      const cell = end < 0 ? line.slice(at) : line.slice(at, end);
      if (cell.includes('"')) return undefined;
      cells.push(cell);
      if (end < 0) return cells;
      at = end + 1;
      continue;
    }
    let cell = '';
    for (at++; ; at += 2) {
      const end = line.indexOf('"', at);
      if (end < 0) return undefined;
      cell += line.slice(at, end);
      at = end;
      if (line[end + 1] !== '"') break;
      cell += '"';
    }
    cells.push(cell);
    if (at + 1 === line.length) return cells;
    if (line[at + 1] !== delimiter) return undefined;
    at += 2;
  }
}

/** Gives each reading of a row, each fault, and how many cells were left out. */
export function* ofRow(line: string, layout: Layout, rules: Rules): Generator<Reading | Fault | typeof skipped> {
  const cells = cellsOf(line, layout.delimiter);
  // Spreadsheets write rows that somebody emptied as delimiters alone.
  if (cells?.every((cell) => cell.trim() === '')) return;
  if (cells?.length !== layout.columns) {
    const message = cells
      ? `has ${counted(cells.length, 'column')}; the header has ${layout.columns}`
      : 'has quotes that do not fit together';
    yield { reason: 'wrong columns', message };
    return;
  }
  if (cells[layout.time]?.trim() === layout.names[layout.time]) {
    // Files that were put together have their header again; one with other columns would mean other things from here on.
    if (cells.every((cell, at) => cell.trim() === layout.names[at])) return;
    throw new RangeError('this is a header with other columns: import what begins here as a file of its own');
  }
  const clocked = cells[layout.time]?.trim();
  const timestamp = layout.date === undefined ? clocked : `${cells[layout.date]?.trim()} ${clocked}`;
  if (layout.long) {
    const { tag, value, status, quality } = layout.long;
    const item = {
      tag: fromSafe(cells[tag]?.trim() ?? ''),
      timestamp,
      value: cells[value],
      status: cells[status],
      quality: cells[quality],
    };
    yield readingOf(item, rules, layout);
    return;
  }
  // An empty cell of a wide row says that nothing was recorded then, which is no fault.
  const nulls = rules.nulls === 'reject' ? 'skip' : rules.nulls;
  const wideRules = { ...rules, nulls } as const;
  for (const [at, tag] of layout.wide?.entries() ?? [])
    if (tag !== undefined) yield readingOf({ tag, timestamp, value: cells[at] }, wideRules, layout);
}
