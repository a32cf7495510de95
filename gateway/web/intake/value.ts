// What a value that comes in from outside means as one of its tag's type: a JSON value, or text as files have it, with a
// decimal mark that the file must keep to. Pure; called by item.ts, which says why when it means nothing.
import type { Tag } from '../../catalog.ts';
import type { Value } from '../../model.ts';
import { fromSafe } from '../cells.ts';

/** How values are written where all of them are text, as in CSV. */
export interface Textual {
  /** A decimal comma may be meant: it stands between no cells. */
  comma: boolean;
  /** What stands before decimals in this file: as it was said, or as the first number shows that leaves no doubt. */
  mark?: ',' | '.';
}

/** null where there is none; undefined where it is not of the tag's type. @param stood a gateway wrote it */
export function valueOf(tag: Tag, given: unknown, stood: boolean, textual?: Textual): Value | undefined {
  if (given === null) return null;
  // An empty text is more than a cell left empty, and so is one of blanks.
  if (stood && textual && tag.type === 'text' && typeof given === 'string')
    return given === '' ? null : fromSafe(given);
  if (textual && typeof given === 'string') return fromText(tag, given, textual);
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

const yes = new Set(['true', 't', '1', 'on', 'yes']);
const no = new Set(['false', 'f', '0', 'off', 'no']);

function fromText(tag: Tag, given: string, textual: Textual): Value | undefined {
  const text = given.trim();
  if (/^(null|n\/?a|none|-)?$/i.test(text) && (tag.type !== 'text' || text === '')) return null;
  if (tag.type === 'text') return fromSafe(given);
  const word = text.toLowerCase();
  if (tag.type === 'boolean') return yes.has(word) ? true : no.has(word) ? false : undefined;
  const number = withPoint(text, textual);
  if (number === undefined) return undefined;
  if (tag.type === 'integer') {
    const digits = /^([+-]?\d{1,20})(\.0*)?$/.exec(number)?.[1];
    if (digits !== undefined) return whole(BigInt(digits.replace('+', '')));
    const named = Object.entries(tag.names ?? {}).find(([, name]) => name.toLowerCase() === word)?.[0];
    return named === undefined ? undefined : Number(named);
  }
  if (/^[+-]?(nan|inf(inity)?)$/i.test(text)) return NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(number) ? Number(number) : undefined;
}

/** 1.234 may be a thousand where commas stand before decimals; 0.123 and 12.34 are not. */
export const thousands = /^[+-]?[1-9]\d{0,2}\.\d{3}$/;

/** A number with the point that it has or means; undefined where it has another mark than the file, or may mean two things. */
function withPoint(text: string, textual: Textual): string | undefined {
  const mark = /^[+-]?(?=[.,]?\d)\d*([.,])\d*(e[+-]?\d+)?$/i.exec(text)?.[1] as Textual['mark'];
  if (mark === undefined) return text;
  if (textual.mark === undefined) {
    if (!textual.comma) return mark === '.' ? text : undefined;
    if (thousands.test(text)) return undefined;
    textual.mark = mark;
  }
  return mark === textual.mark ? text.replace(',', '.') : undefined;
}

/** What 64 bits can hold, signed or not; a number where that is exact. */
function whole(value: bigint): Value | undefined {
  if (value < -(2n ** 63n) || value >= 2n ** 64n) return undefined;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
