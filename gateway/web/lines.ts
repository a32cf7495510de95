// An import's text cut into lines (NDJSON), and one line to a reading, or why not. Pure; used by control.ts.
import type { Catalog, Tag } from '../catalog.ts';
import { Status, quality } from '../model.ts';
import type { Reading, Value } from '../model.ts';

export interface LineFault {
  /** What the report counts by. */
  reason: 'not JSON' | 'too long' | 'unknown tag' | 'bad time' | 'bad value' | 'bad status';
  message: string;
}

const earliest = Date.UTC(1990, 0, 1);
const day = 86_400_000;
/** Characters of a line; a text value of this size is no reading of a plant. */
export const longestLine = 65_536;

/** Cuts text that comes in parts. A line over the limit is given as undefined and never held in memory. */
export class LineCutter {
  #rest = '';
  #skipping = false;

  /** Lines that this part completes. */
  *push(part: string): Generator<string | undefined> {
    let from = 0;
    for (let end = part.indexOf('\n'); end >= 0; end = part.indexOf('\n', from)) {
      const line = this.#rest + part.slice(from, end);
      const tooLong = this.#skipping || line.length > longestLine;
      this.#rest = '';
      this.#skipping = false;
      from = end + 1;
      yield tooLong ? undefined : line;
    }
    if (!this.#skipping) this.#rest += part.slice(from);
    if (this.#rest.length <= longestLine) return;
    this.#rest = '';
    this.#skipping = true;
  }

  /** What stands behind the last line break. */
  end(): string | undefined {
    return this.#skipping ? undefined : this.#rest;
  }
}

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
        message: `timestamp is ${JSON.stringify(given.timestamp)}; it must be ISO 8601 with Z or an offset, or ms, from 1990 to tomorrow`,
      };
    }
    const status = given.status ?? Status.good;
    if (typeof status !== 'number' || !Number.isInteger(status) || status < 0 || status > 0xffff_ffff) {
      return {
        reason: 'bad status',
        message: `status is ${JSON.stringify(status)}; it must be an OPC UA StatusCode as an unsigned number`,
      };
    }
    // Without a value a reading can only say why there is none.
    const value = given.value === null && quality(status) === 'good' ? undefined : valueOf(tag, given.value);
    if (value === undefined)
      return { reason: 'bad value', message: `value is ${JSON.stringify(given.value)}; ${tag.id} holds ${tag.type}` };
    return { tag: tag.index, value, status, at };
  };
}

/** A time of day without a zone would mean another moment on another machine. */
const zoned = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/i;

/** µs from ISO 8601 (to the microsecond) or from ms; undefined when it is no time. */
function timeOf(given: unknown): number | undefined {
  if (typeof given === 'number') return Number.isFinite(given) ? Math.round(given * 1000) : undefined;
  if (typeof given !== 'string' || !zoned.test(given)) return undefined;
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
      if (typeof given === 'string' && /^-?\d{1,20}$/.test(given)) return whole(BigInt(given));
      // Past 2^53 a JSON number has already lost its last digits: such a value comes as text.
      return Number.isSafeInteger(given) ? (given as number) : undefined;
  }
}

/** What 64 bits can hold, signed or not; a number where that is exact. */
function whole(value: bigint): Value | undefined {
  if (value < -(2n ** 63n) || value >= 2n ** 64n) return undefined;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
