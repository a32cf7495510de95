// Lines of a file to readings and faults, with the account of both: what the format is, what the header says, what each
// line holds. Pure; import.ts feeds it and takes the readings away.
import type { Catalog } from '../../catalog.ts';
import type { Reading } from '../../model.ts';
import { zoneOf } from '../zone.ts';
import { layoutOf, ofRow } from './csv.ts';
import type { Layout } from './csv.ts';
import { skipped } from './item.ts';
import type { Fault, Reason, Rules } from './item.ts';
import { longestLine, QuoteJoiner } from './lines.ts';
import type { Line } from './lines.ts';
import { ofJson } from './ndjson.ts';

export interface Ask {
  origin: 'import' | 'seed';
  /** Found out from the first line when not said. */
  format?: 'ndjson' | 'csv';
  delimiter?: string;
  /** What stands before decimals. */
  decimal?: ',' | '.';
  zone?: string;
  nulls: Rules['nulls'];
  allowOutOfRange: boolean;
  /** Check and count, and file nothing. */
  dry: boolean;
  /** Lines of the file that are not sent. */
  before: number;
}

export type LineFault = Fault & { line: number; /** Of the line itself. */ text: string };

export interface Account {
  lines: number;
  /** Bytes from the start of what is sent to behind the last line done. */
  end: number;
  accepted: number;
  rejected: number;
  /** Empty values left out. */
  skipped: number;
  /** Of the accepted: older than what this gateway keeps; other stores may take them. */
  expired: number;
  /** Of the accepted: filed under the first of two moments that clocks show alike, when they go back. */
  twice: number;
  reasons: Partial<Record<Reason, number>>;
  firstErrors: LineFault[];
  /** Columns of a wide CSV that are no tags. */
  strange: string[];
}

const faultsShown = 20;
/** Characters of a rejected line that are told. */
const textShown = 2000;

export class Judge {
  readonly account: Account = {
    ...{ lines: 0, end: 0, accepted: 0, rejected: 0, skipped: 0, expired: 0, twice: 0 },
    ...{ reasons: {}, firstErrors: [], strange: [] },
  };
  /** Since they were last taken away. */
  readings: Reading[] = [];
  faults: LineFault[] = [];
  /** Readings that never became any, since they were last counted. */
  refused = 0;
  /** Lines and values looked at. */
  work = 0;
  readonly #joiner = new QuoteJoiner();
  readonly #ask: Ask;
  readonly #rules: Rules;
  /** µs: what is older is not kept here. */
  #kept = 0;
  #begun = false;
  #format: Ask['format'];
  #layout: Layout | undefined;
  #delimiter: string | undefined;
  #text = '';

  constructor(ask: Ask, catalog: Catalog) {
    this.#ask = ask;
    this.#format = ask.format;
    this.#delimiter = ask.delimiter;
    const { nulls, allowOutOfRange } = ask;
    this.#rules = { catalog, latest: 0, nulls, allowOutOfRange, met: this.account };
    if (ask.zone !== undefined) this.#rules.zone = zoneOf(ask.zone);
  }

  /** The catalog may be another by now, and time goes on. @param latest ms: what lies after it is in the future; @param kept ms */
  renew(catalog: Catalog, latest: number, kept: number): void {
    this.#rules.catalog = catalog;
    this.#rules.latest = latest;
    this.#kept = kept * 1000;
  }

  /** Throws a RangeError with a sentence when the file cannot be read from this line on: the first, or another header. */
  line(line: Line): void {
    if (!this.#layout) return this.#read(line);
    for (const record of this.#joiner.take(line)) this.#read(record);
  }

  /** After the last line. */
  finish(): void {
    // A quote left open may be one that was cut off: whoever goes on from here begins before it.
    const { end } = this.account;
    for (const record of this.#joiner.end()) this.#read(record);
    this.account.end = end;
  }

  reject(line: number, { reason, message }: Fault, count = 1): void {
    const { account } = this;
    account.rejected += count;
    account.reasons[reason] = (account.reasons[reason] ?? 0) + count;
    const fault = { line, reason, message, text: this.#text };
    if (account.firstErrors.length < faultsShown) account.firstErrors.push(fault);
    this.faults.push(fault);
  }

  #read({ number, text: whole, end, broken }: Line): void {
    const text = whole?.endsWith('\r') ? whole.slice(0, -1) : whole;
    this.account.lines = number;
    this.account.end = end;
    this.work++;
    this.#text = text?.slice(0, textShown) ?? '';
    if (text === undefined) return this.#take({ reason: 'too long', message: `is longer than ${longestLine} bytes` });
    const line = this.#begun ? text : text.replace(/^\uFEFF/, '');
    if (line.trim() === '' || (!this.#begun && this.#separator(line))) return;
    const header = !this.#begun && this.#head(line);
    this.#begun = true;
    if (header) return;
    if (broken) this.#take({ reason: 'not UTF-8', message: 'is not UTF-8 text' });
    else if (!this.#layout) this.#take(ofJson(line, this.#rules));
    else this.#row(line, this.#layout);
  }

  #row(line: string, layout: Layout): void {
    try {
      for (const reading of ofRow(line, layout, this.#rules)) this.#take(reading);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const above = this.#ask.dry ? '' : '; what stands above is filed';
      throw new RangeError(`line ${this.account.lines}: ${error.message}${above}`);
    }
  }

  /** Whether it is what spreadsheets write above the header to say which delimiter it has. */
  #separator(line: string): boolean {
    const delimiter = /^"?sep=([,;\t])"?$/i.exec(line)?.[1];
    this.#delimiter ??= delimiter;
    return delimiter !== undefined;
  }

  /** True when the first line is a header. */
  #head(line: string): boolean {
    const fault = foreign(line);
    if (fault !== undefined) throw new RangeError(fault);
    this.#format ??= line.trimStart().startsWith('{') ? 'ndjson' : 'csv';
    if (this.#format === 'ndjson') return false;
    const { catalog } = this.#rules;
    const layout = layoutOf(line, (id) => catalog.byId(id) !== undefined, this.#delimiter, this.#ask.decimal);
    this.#layout = layout;
    this.account.strange = layout.strange;
    if (layout.zone !== undefined) this.#rules.zone ??= zoneOf(layout.zone);
    return true;
  }

  #take(reading: Reading | Fault | typeof skipped): void {
    this.work++;
    if (reading === skipped) this.account.skipped++;
    else if ('reason' in reading) {
      this.refused++;
      this.reject(this.account.lines, reading);
    } else {
      if ((reading.at ?? 0) < this.#kept) this.account.expired++;
      this.readings.push(reading);
    }
  }
}

/** What a file is that is no text to be read, by how its first line begins. */
function foreign(line: string): string | undefined {
  if (line.startsWith('\x1F\uFFFD\b'))
    return 'the file is packed (gzip): unpack it, as in gunzip -c FILE | penstock import -';
  if (line.startsWith('PK\x03\x04')) return 'the file is a workbook or a zip archive: save its sheet as CSV in UTF-8';
  if (line.includes('\0') || line.startsWith('\uFFFD\uFFFD'))
    return 'the file is no text in UTF-8 (UTF-16, perhaps): save it as UTF-8';
  if (line.trimStart().startsWith('['))
    return 'the file is one list of JSON: import takes an object a line, as in jq -c ".[]" FILE | penstock import -';
  if (/\r[^\r]/.test(line.replace(/"[^"]*"/g, '')))
    return 'the lines of the file end with CR alone: save it with LF, or CR LF, at their ends';
  return undefined;
}
