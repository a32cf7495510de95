// One row of CSV out of values. Pure; used by the export. RFC 4180, and no cell that a spreadsheet would run.
import type { Value } from '../model.ts';

/** What a spreadsheet takes for a formula, in full width too, and also behind apostrophes of its own kind. */
const formula = /^'*[=+\-@\t\r\n＝＋－＠]/;
/** Text that would read as no value at all, or as one that has been made safe. */
const hardlyAny = /^'*$/;

/** A text as a cell: quoted where it has to be, and with an apostrophe before what looks like a formula (OWASP). */
export function textCell(text: string): string {
  const safe = formula.test(text) ? `'${text}` : text;
  return safe !== text || /[",;\r\n\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The text of a cell that was made safe. */
export function fromSafe(cell: string): string {
  return cell.startsWith("'") && (formula.test(cell) || hardlyAny.test(cell)) ? cell.slice(1) : cell;
}

/** Numbers with all their digits, text as a safe cell, nothing for null: an empty text is an apostrophe. */
export function valueCell(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'string') return hardlyAny.test(value) ? `'${value}` : textCell(value);
  return Object.is(value, -0) ? '-0' : String(value);
}
