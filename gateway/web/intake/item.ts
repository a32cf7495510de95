// One value that comes in from outside (a line of a file, an item of a request) to a reading, or why not. Pure.
// Called by the readers of NDJSON and CSV and by the ingest route: all of them take and refuse by the same rules.
import type { Catalog, Tag } from '../../catalog.ts';
import { Status, quality } from '../../model.ts';
import type { Micros, Reading } from '../../model.ts';
import { utc } from '../zone.ts';
import type { Zone } from '../zone.ts';
import { instantOf, timesOf } from './times.ts';
import { thousands, valueOf } from './value.ts';
import type { Textual } from './value.ts';

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
  /** Counted along: local times that clocks show twice, the first of which was taken to be meant. */
  met?: { twice: number };
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

/** @param textual values are text and mean what the tag's type makes of them; their decimal mark is noted in it */
export function readingOf(item: Item, rules: Rules, textual?: Textual): Reading | Fault | typeof skipped {
  const tag = typeof item.tag === 'string' ? tagOf(rules.catalog, item.tag) : undefined;
  if (!tag) {
    const message = item.tag === undefined ? 'it has no "tag"' : `there is no tag ${said(item.tag)}`;
    return { reason: 'unknown tag', message };
  }
  const at = instantOf(item.timestamp, rules.zone);
  if (at === undefined || at < earliest)
    return { reason: 'bad time', message: badTime(item.timestamp, at, rules.zone) };
  if (at > rules.latest * 1000)
    return { reason: 'in the future', message: `timestamp is ${said(item.timestamp)}, which has not come yet` };
  const shown = rules.zone && typeof item.timestamp === 'string' ? timesOf(item.timestamp, rules.zone) : 1;
  if (shown === 0) {
    const message = `timestamp is ${said(item.timestamp)}, which clocks in ${rules.zone?.name} skip when they go forward`;
    return { reason: 'bad time', message };
  }
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
    return { reason: 'bad value', message: `value is ${said(item.value)}; ${badValue(tag, item.value, textual)}` };
  if (typeof value === 'number' && !Number.isFinite(value) && !stood)
    return { reason: 'not finite', message: `value is ${said(item.value)}, which is no number of ${tag.id}` };
  const range = bad || stood || rules.allowOutOfRange ? undefined : possible(tag);
  if (range && (typeof value === 'number' || typeof value === 'bigint') && !(value >= range.low && value <= range.high))
    return {
      reason: 'out of range',
      message: `value is ${said(item.value)}; ${tag.id} is believed from ${range.low} to ${range.high}`,
    };
  if (shown === 2 && rules.met) rules.met.twice++;
  return { tag: tag.index, value, status, at };
}

function badTime(given: unknown, at: Micros | undefined, zone: Zone | undefined): string {
  if (at !== undefined) return `timestamp is ${said(given)}, which is before 1990`;
  if (zone === undefined && instantOf(given, utc) !== undefined)
    return `timestamp is ${said(given)}, a local time of no known zone: say which (--zone), or give it with Z or an offset`;
  const local = zone === undefined ? ' with Z or an offset' : ', or such as 31.12.2026 14:30';
  return `timestamp is ${said(given)}; it must be ISO 8601${local}, or a number since 1970`;
}

function badValue(tag: Tag, given: unknown, textual: Textual | undefined): string {
  const holds = `${tag.id} holds ${tag.type}`;
  if (tag.type === 'integer' && typeof given === 'number' && Number.isInteger(given))
    return `${holds}, exactly: whole numbers past 2^53 come as text`;
  if (typeof given !== 'string' || (tag.type !== 'double' && tag.type !== 'integer')) return holds;
  const number = given.trim();
  if (!textual) return /^[+-]?\d+(\.\d+)?$/.test(number) ? `${holds}: give it without quotes` : holds;
  if (thousands.test(number) && textual.comma && textual.mark === undefined)
    return `in a file with semicolons that may be a thousand: say with --decimal . or --decimal , what stands before decimals`;
  if (!/^[+-]?[\d.,]+(e[+-]?\d+)?$/i.test(number)) return holds;
  if (/[.,].*[.,]/.test(number)) return `${holds}: thousands are written without a mark`;
  if (textual.mark !== undefined && !number.includes(textual.mark))
    return `this file has decimals behind a ${textual.mark === ',' ? 'comma' : 'point'}, and thousands are written without a mark`;
  if (/^[^.,]*,\d+$/.test(number)) return `${holds}; if that is a decimal comma, say --decimal ,`;
  return holds;
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

/** As it stood, and no longer than a report can show. */
function said(given: unknown): string {
  const text = typeof given === 'number' ? String(given) : (JSON.stringify(given) ?? 'missing');
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
