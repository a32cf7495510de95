// Frames as rows: which table a value belongs to, one row per key, and columns as PostgreSQL's array literals.
// Pure; used by forwarder.ts, which sends a table's rows as one statement.
import type { ForwardTag } from '../../consumer.ts';
import type { Frame, GatewayEvent, Micros, Sample, Value, ValueType } from '../../model.ts';
import { eventColumns, eventRow } from '../events.ts';
import type { EventRow } from '../events.ts';
import { columnsOf } from './schema.ts';
import type { SampleTable } from './schema.ts';

export interface Row {
  tag: ForwardTag;
  t: Micros;
  value: Value;
  status: number;
  seq: number;
}
export interface EventEntry {
  event: GatewayEvent;
  row: EventRow;
}
export interface Rows {
  readings: Row[];
  readings_integer: Row[];
  readings_text: Row[];
  events: EventEntry[];
  /** Samples whose tag nobody knows any more, and NUL characters PostgreSQL cannot hold, each replaced by ␀. */
  unknown: number;
  replaced: number;
}

const most = 2n ** 63n;

/** A whole number beyond 64 bits is text; a reading without a value lies where its tag's values do. */
export function tableOf(value: Value, type: ValueType): SampleTable {
  switch (typeof value) {
    case 'string':
      return 'readings_text';
    case 'bigint':
      return value >= -most && value < most ? 'readings_integer' : 'readings_text';
    case 'number':
      // An integer tag's values are whole; what is not is kept as it is.
      return type === 'integer' && Number.isSafeInteger(value) ? 'readings_integer' : 'readings';
    case 'boolean':
      return 'readings';
    default:
      return type === 'integer' ? 'readings_integer' : type === 'text' ? 'readings_text' : 'readings';
  }
}

/** One row a key: a statement may touch no row twice, and of two frames the later one counts. */
export function rowsOf(frames: readonly Frame[], tagOf: (index: number) => ForwardTag | undefined): Rows {
  const rows: Rows = { readings: [], readings_integer: [], readings_text: [], events: [], unknown: 0, replaced: 0 };
  const places: Record<SampleTable, Map<number, Map<Micros, number>>> = {
    readings: new Map(),
    readings_integer: new Map(),
    readings_text: new Map(),
  };
  const events = new Map<string, EventEntry>();
  const put = (sample: Sample, tag: ForwardTag, seq: number): void => {
    const table = tableOf(sample.value, tag.type);
    const row = { tag, t: sample.t, value: text(sample.value), status: sample.status, seq };
    const ofTable = places[table];
    let ofTag = ofTable.get(sample.tag);
    if (!ofTag) ofTable.set(sample.tag, (ofTag = new Map()));
    const place = ofTag.get(sample.t);
    if (place === undefined) ofTag.set(sample.t, rows[table].push(row) - 1);
    else if ((rows[table][place] as Row).seq <= seq) rows[table][place] = row;
  };
  const text = (value: Value): Value => {
    if (typeof value !== 'string' || !value.includes('\0')) return value;
    rows.replaced++;
    return value.replaceAll('\0', '␀');
  };
  for (const frame of frames) {
    for (const sample of frame.samples) {
      const tag = tagOf(sample.tag);
      if (tag) put(sample, tag, frame.seq);
      else rows.unknown++;
    }
    for (const event of frame.events) events.set(`${event.time} ${event.id}`, { event, row: clean(eventRow(event)) });
  }
  rows.events = [...events.values()];
  return rows;
}

/** jsonb refuses `\u0000`, text a NUL; a backslash that is itself escaped is none. */
function clean(row: EventRow): EventRow {
  const detail = row.detail.replace(/\\\\|\\u0000/g, (found) => (found === '\\u0000' ? '␀' : found));
  const rest = Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replaceAll('\0', '␀') : (value as number),
    ]),
  ) as unknown as EventRow;
  return { ...rest, detail };
}

const quoted = (value: string): string => `"${value.replace(/["\\]/g, '\\$&')}"`;
const list = (items: readonly string[]): string => `{${items.join(',')}}`;

function element(value: Value): string {
  if (value === null) return 'NULL';
  // Number's own words for NaN and the infinities are PostgreSQL's, too; −0 alone loses its sign in String().
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  return typeof value === 'boolean' ? (value ? '1' : '0') : typeof value === 'bigint' ? String(value) : quoted(value);
}

/** SQL and parameters of one upsert. Ids are sent once a tag, not once a row. */
export function upsertRows(table: SampleTable, rows: readonly Row[]): { text: string; values: string[] } {
  const names = new Map<ForwardTag, number>();
  const keys = rows.map(({ tag }) => {
    let key = names.get(tag);
    if (key === undefined) names.set(tag, (key = names.size + 1));
    return key;
  });
  const known = [...names.keys()];
  const type = columnsOf(table).find(([name]) => name === 'value')?.[1];
  return {
    text: `INSERT INTO ${table} AS old (ts, tag, site, asset, metric, value, status, seq)
      SELECT timestamptz 'epoch' + r.t * interval '1 microsecond', n.tag, n.site, n.asset, n.metric, r.value, r.status, r.seq
      FROM unnest($1::bigint[], $2::bigint[], $3::${type}[], $4::bigint[], $5::bigint[]) AS r(t, key, value, status, seq)
      JOIN unnest($6::text[], $7::text[], $8::text[], $9::text[]) WITH ORDINALITY AS n(tag, site, asset, metric, key)
        ON n.key = r.key
      ON CONFLICT (tag, ts) DO UPDATE SET site = excluded.site, asset = excluded.asset, metric = excluded.metric,
        value = excluded.value, status = excluded.status, seq = excluded.seq WHERE old.seq < excluded.seq`,
    values: [
      list(rows.map(({ t }) => String(t))),
      list(keys.map(String)),
      list(rows.map(({ value }) => element(table === 'readings_text' && value !== null ? String(value) : value))),
      list(rows.map(({ status }) => String(status))),
      list(rows.map(({ seq }) => String(seq))),
      list(known.map(({ id }) => quoted(id))),
      list(known.map(({ site }) => quoted(site))),
      list(known.map(({ asset }) => quoted(asset))),
      list(known.map(({ metric }) => quoted(metric))),
    ],
  };
}

export function upsertEvents(entries: readonly EventEntry[]): { text: string; values: string[] } {
  const columns = eventColumns.map((name) => (name === 'detail' ? `${name}::jsonb` : name));
  return {
    text: `INSERT INTO events (ts, id, ${eventColumns.join(', ')})
      SELECT timestamptz 'epoch' + t * interval '1 microsecond', id, ${columns.join(', ')}
      FROM unnest($1::bigint[], $2::text[], ${eventColumns.map((_, i) => `$${i + 3}::text[]`).join(', ')})
        AS e(t, id, ${eventColumns.join(', ')})
      ON CONFLICT (id, ts) DO NOTHING`,
    values: [
      list(entries.map(({ row }) => String(row.t))),
      list(entries.map(({ row }) => quoted(row.id))),
      ...eventColumns.map((name) => list(entries.map(({ row }) => quoted(row[name])))),
    ],
  };
}
