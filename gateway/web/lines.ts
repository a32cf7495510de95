// One line of an import (NDJSON) to a reading, or why not. Pure; used by control.ts.
import type { Catalog, Tag } from '../catalog.ts';
import { Status } from '../model.ts';
import type { Reading, Value } from '../model.ts';

export interface LineFault {
  /** What the report counts by. */
  reason: 'not JSON' | 'unknown tag' | 'bad time' | 'bad value' | 'bad status';
  message: string;
}

const earliest = Date.UTC(1990, 0, 1);
const day = 86_400_000;

/** @param now ms: nothing may lie more than a day after it. */
export function lineReader(catalog: Catalog, now: number): (line: string) => Reading | LineFault {
  return (line) => {
    let given: { tag?: unknown; timestamp?: unknown; value?: unknown; status?: unknown };
    try {
      given = JSON.parse(line) as object;
    } catch {
      return { reason: 'not JSON', message: `is not JSON: ${line.slice(0, 60)}` };
    }
    if (typeof given !== 'object' || given === null)
      return { reason: 'not JSON', message: 'is no object with tag, timestamp and value' };
    const tag = typeof given.tag === 'string' ? catalog.byId(given.tag) : undefined;
    if (!tag) return { reason: 'unknown tag', message: `there is no tag ${JSON.stringify(given.tag)}` };
    const at = timeOf(given.timestamp);
    if (at === undefined || at < earliest * 1000 || at > (now + day) * 1000) {
      return {
        reason: 'bad time',
        message: `timestamp is ${JSON.stringify(given.timestamp)}; it must be ISO 8601 or ms, from 1990 to tomorrow`,
      };
    }
    const status = given.status ?? Status.good;
    if (typeof status !== 'number' || !Number.isInteger(status) || status < 0 || status > 0xffff_ffff) {
      return {
        reason: 'bad status',
        message: `status is ${JSON.stringify(status)}; it must be an OPC UA StatusCode as an unsigned number`,
      };
    }
    const value = valueOf(tag, given.value);
    if (value === undefined)
      return { reason: 'bad value', message: `value is ${JSON.stringify(given.value)}; ${tag.id} holds ${tag.type}` };
    return { tag: tag.index, value, status, at };
  };
}

/** µs from ISO 8601 (to the microsecond) or from ms; undefined when it is no time. */
function timeOf(given: unknown): number | undefined {
  if (typeof given === 'number') return Number.isFinite(given) ? Math.round(given * 1000) : undefined;
  if (typeof given !== 'string' || !/^\d{4}-\d\d-\d\d/.test(given)) return undefined;
  const ms = Date.parse(given);
  if (!Number.isFinite(ms)) return undefined;
  const fraction = /\.\d{3}(\d{1,3})/.exec(given)?.[1] ?? '';
  return ms * 1000 + Number(fraction.padEnd(3, '0'));
}

function valueOf(tag: Tag, given: unknown): Value | undefined {
  if (given === null) return null;
  switch (tag.type) {
    case 'double':
      return typeof given === 'number' ? given : undefined;
    case 'boolean':
      return typeof given === 'boolean' ? given : given === 0 || given === 1 ? given === 1 : undefined;
    case 'text':
      return typeof given === 'string' ? given : undefined;
    case 'integer':
      if (typeof given === 'string' && /^-?\d{1,20}$/.test(given)) return BigInt(given);
      return typeof given === 'number' && Number.isInteger(given) ? given : undefined;
  }
}
