// Samples and events as lines of the InfluxDB line protocol, version 2 (doubles as eight bytes), a buffer per table.
// Called by the forwarder. What needs escaping is written by QuestDB's own client, a tag's part of a line once and then
// kept as bytes; numbers and times, which are in every line, are written here: the client knows no integer past 2^53.
import { createBuffer } from '@questdb/nodejs-client';
import type { SenderOptions } from '@questdb/nodejs-client';
import type { ForwardTag } from '../../consumer.ts';
import type { GatewayEvent, Sample, Value } from '../../model.ts';
import { eventColumns, eventRow } from '../events.ts';
import { shapes } from './schema.ts';
import type { Table } from './schema.ts';

/** One request: lines of one table, with what each was made of. Row i ends at `ends[i]`. */
export class Lines<Of> {
  readonly table: Table;
  bytes = Buffer.allocUnsafeSlow(16 * 1024);
  #view = new DataView(this.bytes.buffer);
  length = 0;
  ends: number[] = [];
  of: Of[] = [];

  constructor(table: Table) {
    this.table = table;
  }
  get rows(): number {
    return this.ends.length;
  }
  /** The bytes of rows [from, to): a view. */
  slice(from = 0, to = this.rows): Buffer {
    return this.bytes.subarray(from === 0 ? 0 : this.ends[from - 1], to === 0 ? 0 : this.ends[to - 1]);
  }
  clear(): void {
    this.length = 0;
    this.ends = [];
    this.of = [];
  }
  put(part: Uint8Array): void {
    this.reserve(part.length);
    this.bytes.set(part, this.length);
    this.length += part.length;
  }
  reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + size));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
  end(of: Of): void {
    this.ends.push(this.length);
    this.of.push(of);
  }
  /** ` value=` and a double. */
  double(value: number): void {
    this.put(doubleField);
    this.reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }
  /** Takes back what was put since the last end. */
  undo(): void {
    this.length = this.ends.at(-1) ?? 0;
  }
}

/** The end of a row, ` 1700000000000001t` and a line feed: what is above a second is mostly what it was before. */
class TimePart {
  #second = NaN;
  #bytes = Buffer.alloc(0);

  of(t: number): Uint8Array {
    if (!Number.isSafeInteger(t) || t < 1_000_000) return Buffer.from(` ${t}t\n`, 'latin1');
    const second = Math.floor(t / 1_000_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#bytes = Buffer.from(` ${second}000000t\n`, 'latin1');
    }
    const bytes = this.#bytes;
    for (let at = bytes.length - 3, rest = t - second * 1_000_000; at > bytes.length - 9; at--) {
      const next = Math.floor(rest / 10);
      bytes[at] = 48 + rest - next * 10;
      rest = next;
    }
    return bytes;
  }
}

const I64_LAST = 2n ** 63n - 1n;
/** In a line ` value=` is followed by `=`, this byte and eight of the double, little-endian. */
const DOUBLE = 16;
const doubleField = Buffer.from([...Buffer.from(' value=='), DOUBLE]);
/** Longer texts get a buffer of their own, because the client's never shrinks. */
const LONG_TEXT = 16 * 1024;
const client = { protocol_version: '2', init_buf_size: 1024 } as SenderOptions;
const symbols = new Set(shapes.events.columns.filter(([, type]) => type === 'SYMBOL').map(([name]) => name));

/** What a value is in each of the two tables a tag may need; null: a row without one. */
export interface Placed {
  table: Exclude<Table, 'events'>;
  value: number | bigint | string | null;
  /** The exact value for `readings_text`, where the table's own column cannot hold it. */
  text?: string;
}

/**
 * Doubles and booleans into `readings`, integers within 64 bits into `readings_integer`, the rest as text beside a row
 * without value. NaN and infinity are no values: QuestDB's DOUBLE holds neither. The smallest LONG is its NULL.
 */
export function place(type: ForwardTag['type'], value: Value): Placed {
  const number = typeof value === 'boolean' ? Number(value) : value;
  if (type === 'text') return { table: 'readings_text', value: value === null ? null : String(value) };
  const table = type === 'integer' ? 'readings_integer' : 'readings';
  if (number === null || (typeof number === 'number' && !Number.isFinite(number))) return { table, value: null };
  if (type !== 'integer' && typeof number === 'number') return { table, value: number };
  if (type === 'integer' && (typeof number === 'bigint' || Number.isInteger(number))) {
    const exact = BigInt(number);
    if (exact >= -I64_LAST && exact <= I64_LAST) return { table, value: exact };
  }
  return { table, value: null, text: String(value) };
}

/** Encodes; one for each forwarder, for what it remembers. */
export class Encoder {
  /** Per table, by the tag's index; a renamed tag keeps its index. */
  readonly #heads = new Map<Table, { id: string; bytes: Uint8Array }[]>();
  readonly #client = createBuffer(client);
  readonly #time = new TimePart();
  #status = NaN;
  #statusPart = Buffer.alloc(0);

  /** Appends the sample's row to `lines`, of the table that `place` named. Throws when a text is too long for the client. */
  sample<Of>(lines: Lines<Of>, tag: ForwardTag, { t, status }: Sample, value: Placed['value'], of: Of): void {
    lines.put(this.#head(lines.table, tag));
    if (typeof value === 'number') lines.double(value);
    else if (typeof value === 'bigint') lines.put(Buffer.from(` value=${value}i`, 'latin1'));
    else if (value !== null) lines.put(this.#text(value));
    if (status !== this.#status) {
      this.#status = status;
      this.#statusPart = Buffer.from(`,status=${status}i`, 'latin1');
    }
    const from = lines.length;
    lines.put(this.#statusPart);
    if (value === null) lines.bytes[from] = 32;
    lines.put(this.#time.of(t));
    lines.end(of);
  }

  event<Of>(lines: Lines<Of>, event: GatewayEvent, of: Of): void {
    const row = eventRow(event);
    const out = createBuffer(client).table('events');
    const said = eventColumns.filter((name) => row[name] !== '');
    for (const name of said) if (symbols.has(name)) out.symbol(name, row[name]);
    out.stringColumn('id', row.id);
    for (const name of said) if (!symbols.has(name)) out.stringColumn(name, row[name]);
    out.at(row.t, 'us');
    lines.put(out.toBufferView(out.currentPosition()));
    lines.end(of);
  }

  /** `table,tag=…,site=…,asset=…,metric=…`, escaped. */
  #head(table: Table, tag: ForwardTag): Uint8Array {
    let heads = this.#heads.get(table);
    if (!heads) this.#heads.set(table, (heads = []));
    const known = heads[tag.index];
    if (known?.id === tag.id) return known.bytes;
    const out = createBuffer(client).table(table).symbol('tag', tag.id);
    for (const name of ['site', 'asset', 'metric'] as const) if (tag[name] !== '') out.symbol(name, tag[name]);
    const bytes = Uint8Array.from(out.toBufferView(out.currentPosition()));
    heads[tag.index] = { id: tag.id, bytes };
    return bytes;
  }
  /** ` value="…"`, escaped. */
  #text(text: string): Uint8Array {
    const out = text.length > LONG_TEXT ? createBuffer(client) : this.#client.reset();
    out.table('t').stringColumn('value', text);
    return out.toBufferView(out.currentPosition()).subarray(1);
  }
}
