// One value that comes in from outside (a line of a file, an item of a request) to a reading, or why not. Pure.
// Called by the readers of NDJSON and CSV and by the ingest route: all of them take and refuse by the same rules.
import type { Catalog, Tag } from '../../catalog.ts';
import { Status, quality } from '../../model.ts';
import type { Reading, Value } from '../../model.ts';
import { fromSafe } from '../cells.ts';
import { utc } from '../zone.ts';
import type { Zone } from '../zone.ts';
import { instantOf } from './times.ts';

/** What a report counts by. */
export type Reason =
  | 'not JSON'
  | 'not UTF-8'
  | 'wrong columns'
  | 'too long'
  | 'unknown tag'
  | 'bad time'
  | 'in the future'
  | 'bad value'
  | 'no value'
  | 'not finite'
  | 'out of range'
  | 'bad status'
  | 'refused'
  | 'disk full';

export interface Fault {
  reason: Reason;
  message: string;
}

/** A value that was left out on purpose. */
export const skipped = Symbol('skipped');

export interface Rules {
  catalog: Catalog;
  /** ms: what lies after it is in the future. */
  latest: number;
  /** Of times without an offset. */
  zone?: Zone;
  /** A value that is empty and has no bad status: refused, left out, or stored as bad. */
  nulls: 'reject' | 'skip' | 'bad';
  allowOutOfRange: boolean;
}

export interface Item {
  tag: unknown;
  value: unknown;
  timestamp: unknown;
  status?: unknown;
  quality?: unknown;
}

const earliest = Date.UTC(1990, 0, 1) * 1000;
/** How far outside its operating range and limits a value is still believed, in widths of that range. */
const beyond = 10;
const qualities = new Map<string, number>([
  ['good', Status.good],
  ['uncertain', Status.uncertain],
  ['bad', Status.bad],
]);

/** @param textual values are text, as in CSV, and mean what the tag's type makes of them; `comma` is then a decimal point too. */
export function readingOf(item: Item, rules: Rules, textual?: { comma: boolean }): Reading | Fault | typeof skipped {
  const tag = typeof item.tag === 'string' ? tagOf(rules.catalog, item.tag) : undefined;
  if (!tag) return { reason: 'unknown tag', message: `there is no tag ${said(item.tag)}` };
  const at = instantOf(item.timestamp, rules.zone);
  if (at === undefined || at < earliest) {
    const local = at === undefined && rules.zone === undefined && instantOf(item.timestamp, utc) !== undefined;
    const message = local
      ? `timestamp is ${said(item.timestamp)}, a local time of no known zone: say which (--zone), or give it with Z or an offset`
      : `timestamp is ${said(item.timestamp)}; it must be ISO 8601 with Z or an offset, or ms, from 1990 on`;
    return { reason: 'bad time', message };
  }
  if (at > rules.latest * 1000)
    return { reason: 'in the future', message: `timestamp is ${said(item.timestamp)}, which has not come yet` };
  const status = statusOf(item);
  if (status === undefined) {
    const message = `status is ${said(item.status ?? item.quality)}; it must be an OPC UA StatusCode as an unsigned number, or good, uncertain or bad`;
    return { reason: 'bad status', message };
  }
  const bad = quality(status) === 'bad';
  const stood = isStoodBehind(item, status);
  const value = item.value === undefined ? undefined : valueOf(tag, item.value, stood, textual);
  if (value === null && !bad && !stood) {
    if (rules.nulls === 'skip') return skipped;
    if (rules.nulls === 'bad') return { tag: tag.index, value, status: Status.bad, at };
    return { reason: 'no value', message: `there is no value for ${tag.id}, and no bad status that says why` };
  }
  if (value === undefined)
    return { reason: 'bad value', message: `value is ${said(item.value)}; ${tag.id} holds ${tag.type}` };
  if (typeof value === 'number' && !Number.isFinite(value) && !stood)
    return { reason: 'not finite', message: `value is ${said(item.value)}, which is no number of ${tag.id}` };
  const range = bad || stood || rules.allowOutOfRange ? undefined : possible(tag);
  if (range && (typeof value === 'number' || typeof value === 'bigint') && !(value >= range.low && value <= range.high))
    return {
      reason: 'out of range',
      message: `value is ${said(item.value)}; ${tag.id} is believed from ${range.low} to ${range.high}`,
    };
  return { tag: tag.index, value, status, at };
}

/** Accents may come composed or not. */
function tagOf(catalog: Catalog, id: string): Tag | undefined {
  return catalog.byId(id) ?? catalog.byId(id.normalize('NFC')) ?? catalog.byId(id.normalize('NFD'));
}

/**
 * What a value of the tag can be: its `clamp`, where it has one; otherwise its operating range and limits, widened by
 * ten times their width either way, and zero: a machine that stands still and every alarm lie inside, a wrong unit or
 * a code for "no value" outside. Undefined for a tag with neither.
 */
export function possible(tag: Tag): { low: number; high: number } | undefined {
  const { clamp, range, alarm } = tag;
  if (clamp) return { low: clamp.low ?? -Infinity, high: clamp.high ?? Infinity };
  if (!range) return undefined;
  const known = [range.low, range.high, ...Object.values(alarm?.limits ?? {})] as number[];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const slack = beyond * (high - low);
  return { low: Math.min(0, low - slack), high: Math.max(0, high + slack) };
}

function statusOf({ status, quality: word }: Item): number | undefined {
  if (status === undefined || status === null || status === '') {
    if (word === undefined || word === null || word === '') return Status.good;
    return typeof word === 'string' ? qualities.get(word.trim().toLowerCase()) : undefined;
  }
  if (typeof status === 'string') {
    const text = status.trim().toLowerCase();
    if (!/^(\d{1,10}|0x[\da-f]{1,8})$/.test(text)) return qualities.get(text);
    status = Number(text);
  }
  const fits = typeof status === 'number' && Number.isInteger(status) && status >= 0 && status <= 0xffff_ffff;
  return fits ? (status as number) : undefined;
}

/**
 * Whether quality and status code are both said, and agree, as export writes them: then a gateway has judged and stored the
 * reading, and whatever the value is, it is taken as it was.
 */
function isStoodBehind({ status, quality: word }: Item, code: number): boolean {
  const numeric = typeof status === 'number' || (typeof status === 'string' && /^\s*\d+\s*$/.test(status));
  return numeric && typeof word === 'string' && word.trim().toLowerCase() === quality(code);
}

/** null where there is none; undefined where it is not of the tag's type. @param stood a gateway wrote it */
function valueOf(tag: Tag, given: unknown, stood: boolean, textual?: { comma: boolean }): Value | undefined {
  if (given === null) return null;
  // An empty text is more than a cell left empty, and so is one of blanks.
  if (stood && textual && tag.type === 'text' && typeof given === 'string')
    return given === '' ? null : fromSafe(given);
  if (textual && typeof given === 'string') return fromText(tag, given, textual.comma);
  switch (tag.type) {
    case 'double':
      if (stood && typeof given === 'string' && /^(NaN|-?Infinity)$/.test(given)) return Number(given);
      return typeof given === 'number' ? given : undefined;
    case 'boolean':
      return typeof given === 'boolean' ? given : given === 0 || given === 1 ? given === 1 : undefined;
    case 'text':
      return typeof given === 'string' ? given : undefined;
    case 'integer':
      if (typeof given === 'string' && /^-?\d{1,20}$/.test(given)) return whole(BigInt(given));
      // Past 2^53 a JSON number has already lost its last digits: such a value comes as text.
      return Number.isSafeInteger(given) ? (given as number) : undefined;
  }
}

const yes = new Set(['true', '1', 'on', 'yes']);
const no = new Set(['false', '0', 'off', 'no']);

function fromText(tag: Tag, given: string, comma: boolean): Value | undefined {
  const text = given.trim();
  if (/^(null|n\/?a|none|-)?$/i.test(text) && (tag.type !== 'text' || text === '')) return null;
  if (tag.type === 'text') return fromSafe(given);
  const word = text.toLowerCase();
  if (tag.type === 'boolean') return yes.has(word) ? true : no.has(word) ? false : undefined;
  const number = comma && /^[+-]?\d*,\d+(e[+-]?\d+)?$/i.test(text) ? text.replace(',', '.') : text;
  if (tag.type === 'integer') {
    const digits = /^([+-]?\d{1,20})(\.0*)?$/.exec(number)?.[1];
    if (digits !== undefined) return whole(BigInt(digits.replace('+', '')));
    const named = Object.entries(tag.names ?? {}).find(([, name]) => name.toLowerCase() === word)?.[0];
    return named === undefined ? undefined : Number(named);
  }
  if (/^[+-]?(nan|inf(inity)?)$/i.test(text)) return NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(number) ? Number(number) : undefined;
}

/** What 64 bits can hold, signed or not; a number where that is exact. */
function whole(value: bigint): Value | undefined {
  if (value < -(2n ** 63n) || value >= 2n ** 64n) return undefined;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** As it stood, and no longer than a report can show. */
function said(given: unknown): string {
  const text = JSON.stringify(given) ?? 'missing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
