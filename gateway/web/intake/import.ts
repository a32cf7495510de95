// Reads a file of readings (NDJSON or CSV) as it comes in, files what is right and tells what is not. Called by control.ts.
// It works in slices of about a millisecond, waits for room in the journal before each, and says at checkpoints up to
// which byte everything is durable, so that whoever sends can stop at any time and go on from there.
import type { Catalog } from '../../catalog.ts';
import type { Clock, Reading } from '../../model.ts';
import { zoneOf } from '../zone.ts';
import { layoutOf, ofRow } from './csv.ts';
import type { Layout } from './csv.ts';
import { skipped } from './item.ts';
import type { Fault, Reason, Rules } from './item.ts';
import { LineCutter, longestLine, QuoteJoiner } from './lines.ts';
import type { Line } from './lines.ts';
import { ofJson } from './ndjson.ts';

export interface IntakeOptions {
  clock: Clock;
  catalog(): Catalog;
  /** Files readings of history; `seq` is the journal's, when anything was filed. */
  file(
    origin: 'import' | 'seed',
    readings: readonly Reading[],
  ): { accepted: number; rejected: number; shed: number; seq?: number };
  /** Counts what could not be read in the source's account. */
  reject(origin: 'import' | 'seed', count: number): void;
  /** Waits until the journal has room for history. */
  room(signal: AbortSignal): Promise<void>;
  durable(seq: number): Promise<void>;
  /** ms: how far ahead of this machine's clock a time may be. */
  ahead: number;
  /** ms that samples are kept in this gateway's own history. */
  retention: number;
}

export interface Ask {
  origin: 'import' | 'seed';
  /** Found out from the first line when not said. */
  format?: 'ndjson' | 'csv';
  delimiter?: string;
  zone?: string;
  nulls: Rules['nulls'];
  allowOutOfRange: boolean;
  /** Check and count, and file nothing. */
  dry: boolean;
  /** Lines of the file that are not sent. */
  before: number;
}

export type LineFault = Fault & { line: number };

/** Everything up to here is durable. */
export interface Checkpoint {
  /** Lines done, and bytes of the body they took. */
  line: number;
  end: number;
  accepted: number;
  rejected: number;
  skipped: number;
  /** Since the last checkpoint. */
  faults: LineFault[];
}

export interface ImportReport {
  lines: number;
  end: number;
  accepted: number;
  rejected: number;
  /** Empty values left out. */
  skipped: number;
  /** Of the accepted: older than what this gateway keeps; other stores may take them. */
  expired: number;
  reasons: Partial<Record<Reason, number>>;
  firstErrors: LineFault[];
  /** Columns of a wide CSV that are no tags. */
  strange: string[];
  lastSeq: number | null;
}

/** Readings and lines between two looks at everything else, and ms at most. */
const slice = 500;
const sliceMs = 2;
const faultsShown = 20;
const checkpointLines = 5000;
const checkpointFaults = 1000;
const checkpointMs = 1000;

/** Resolves when all that was accepted is durable. Throws a RangeError with a sentence when the file cannot be read at all. */
export async function takeIn(
  options: IntakeOptions,
  body: AsyncIterable<Uint8Array>,
  ask: Ask,
  signal: AbortSignal,
  checkpoint?: (reached: Checkpoint) => Promise<void>,
): Promise<ImportReport> {
  const { clock } = options;
  const report: ImportReport = {
    ...{ lines: 0, end: 0, accepted: 0, rejected: 0, skipped: 0, expired: 0 },
    ...{ reasons: {}, firstErrors: [], strange: [], lastSeq: null },
  };
  const rules: Rules = {
    catalog: options.catalog(),
    latest: clock.now() + options.ahead,
    zone: ask.zone === undefined ? undefined : zoneOf(ask.zone),
    nulls: ask.nulls,
    allowOutOfRange: ask.allowOutOfRange,
  };

  let readings: Reading[] = [];
  let refused = 0;
  let faults: LineFault[] = [];
  const reject = (line: number, { reason, message }: Fault, count = 1): void => {
    report.rejected += count;
    report.reasons[reason] = (report.reasons[reason] ?? 0) + count;
    if (report.firstErrors.length < faultsShown) report.firstErrors.push({ line, reason, message });
    if (checkpoint) faults.push({ line, reason, message });
  };

  const fileAll = async (): Promise<void> => {
    await options.room(signal);
    const { accepted, rejected, shed, seq } = options.file(ask.origin, readings);
    report.accepted += accepted;
    report.lastSeq = seq ?? report.lastSeq;
    if (rejected > 0) reject(report.lines, { reason: 'refused', message: 'and some before: not taken' }, rejected);
    if (shed > 0) reject(report.lines, { reason: 'disk full', message: 'and some before: the disk is full' }, shed);
  };

  let work = 0;
  let since = clock.mono();
  const flush = async (): Promise<void> => {
    if (ask.dry) report.accepted += readings.length;
    else {
      if (refused > 0) options.reject(ask.origin, refused);
      if (readings.length > 0) await fileAll();
    }
    readings = [];
    refused = 0;
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    // A reload may have come between, and time goes on.
    rules.catalog = options.catalog();
    rules.latest = clock.now() + options.ahead;
    work = 0;
    since = clock.mono();
  };

  let said = 0;
  let saidAt = since;
  let saying = Promise.resolve();
  const reach = async (): Promise<void> => {
    await saying;
    const { lines: line, end, accepted, rejected, skipped: left, lastSeq } = report;
    const reached: Checkpoint = { line, end, accepted, rejected, skipped: left, faults };
    faults = [];
    said = line;
    saidAt = clock.mono();
    // The next lines are read while the disk confirms these.
    saying = (lastSeq === null ? Promise.resolve() : options.durable(lastSeq)).then(() => checkpoint?.(reached));
    saying.catch(() => {});
  };

  let format = ask.format;
  let layout: Layout | undefined;
  const head = (text: string): boolean => {
    if (text.includes('\0')) throw new RangeError('the file is no text in UTF-8 (UTF-16, perhaps): save it as UTF-8');
    format ??= text.trimStart().startsWith('{') ? 'ndjson' : 'csv';
    if (format === 'ndjson') return false;
    layout = layoutOf(text, (id) => rules.catalog.byId(id) !== undefined, ask.delimiter);
    report.strange = layout.strange;
    if (layout.zone !== undefined) rules.zone ??= zoneOf(layout.zone);
    return true;
  };
  const take = (reading: Reading | Fault | typeof skipped, line: number): void => {
    work++;
    if (reading === skipped) report.skipped++;
    else if ('reason' in reading) {
      refused++;
      reject(line, reading);
    } else {
      if ((reading.at ?? 0) < (rules.latest - options.ahead - options.retention) * 1000) report.expired++;
      readings.push(reading);
    }
  };
  let begun = false;
  const read = ({ number, text, end }: Line): void => {
    report.lines = number;
    report.end = end;
    work++;
    if (text === undefined) return take({ reason: 'too long', message: `is longer than ${longestLine} bytes` }, number);
    const line = begun ? text : text.replace(/^\uFEFF/, '');
    if (line.trim() === '') return;
    const header = !begun && head(line);
    begun = true;
    if (header) return;
    if (line.includes('\uFFFD')) return take({ reason: 'not UTF-8', message: 'is not UTF-8 text' }, number);
    if (!layout) return take(ofJson(line, rules), number);
    for (const reading of ofRow(line, layout, rules)) take(reading, number);
  };

  const cutter = new LineCutter(ask.before);
  const joiner = new QuoteJoiner();
  const records = function* (line: Line): Generator<Line> {
    if (layout) yield* joiner.take(line);
    else yield line;
  };
  const due = (): boolean =>
    report.lines - said >= checkpointLines || faults.length >= checkpointFaults || clock.mono() - saidAt > checkpointMs;
  const pace = async (): Promise<void> => {
    if (work < slice && !(work % 64 === 0 && clock.mono() - since > sliceMs)) return;
    await flush();
    if (checkpoint && due()) await reach();
  };
  for await (const part of body) {
    for (const line of cutter.push(part)) {
      for (const record of records(line)) read(record);
      await pace();
    }
  }
  const last = cutter.end();
  if (last) for (const record of records(last)) read(record);
  const whole = report.end;
  for (const record of joiner.end()) read(record);
  // A quote left open may be one that was cut off: whoever goes on from here begins before it.
  report.end = whole;
  await flush();
  if (checkpoint) {
    await reach();
    await saying;
  } else if (report.lastSeq !== null) await options.durable(report.lastSeq);
  return report;
}
