// `penstock import`: what it is told, how it shows progress, what it says at the end. Called by main.
import { open } from 'node:fs/promises';
import { counted } from '../words.ts';
import { Absent } from './control.ts';
import { importFile, sizeOf } from './import.ts';
import type { ImportReport, LineFault } from './import.ts';
import { onInterrupt } from './interrupt.ts';
import { showProgress } from './progress.ts';
import { Resume } from './resume.ts';
import type { Reached } from './resume.ts';
import { argumentsOf, dataFolder, WrongUse } from './wrong-use.ts';

export const importUsage = `penstock import FILE… [--data DIR] [options]
  files readings into the running daemon's history, and into every store behind it; FILE may be - for standard input

  Files      NDJSON: {"tag","timestamp","value"} with "status" (OPC UA StatusCode) or "quality" a line.
             CSV with a header, delimited by comma, semicolon or tab: columns tag, timestamp, value and maybe status or
             quality; or a time and one column for each tag. The time may be two columns, date and time.
             UTF-8; cells in quotes as in RFC 4180. Decimals stand behind a point; with semicolons behind a comma or a
             point, as the first number shows that leaves no doubt, and others are rejected: 1.234 may be a thousand.
  Times      ISO 8601; 31.12.2026 14:30; seconds, ms, µs or ns since 1970. A time without Z or an offset needs --zone,
             or a header such as "timestamp [Europe/Berlin]"; one that clocks skip is rejected. Of an hour that comes
             twice the first is meant, and the report says so: with --zone +01:00 a part of a file has its own offset.
  Rules      rejected are: a tag there is not, a time before 1990 or in the future, a value of another type, NaN and
             infinities, and a number outside the tag's clamp; where it has none, one further off its range and limits
             than ten times their width. An empty value is stored with its bad status; without one it is rejected, in
             a column of its own left out. The same tag and time again replaces the value, here and in every store.
             What says its quality and its status code both, as export writes it, is taken whatever its value is.

  --zone NAME             time zone of times without an offset
  --nulls reject|skip|bad an empty value without a bad status: rejected, left out, or stored as bad without a value
  --allow-out-of-range    take numbers outside of what the tag can hold
  --format csv|ndjson     instead of finding it out from the first line
  --delimiter , | ; | tab
  --decimal , | .         what stands before decimals
  --dry-run               judge and count every line, and file nothing
  --resume                go on where an import of the same file was stopped
  --rejected FILE         write every rejected line with its number, the reason and the line to FILE, as NDJSON
  --data DIR              the daemon's data folder

  Exit code 0: all filed; 1: some rejected, or it failed; 130: stopped by Ctrl-C, what the last line counts is stored.
`;

const shown = 20;
const mark = 1000;

export async function importCommand(args: string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = argumentsOf(args, {
    ...{ data: text, zone: text, nulls: text, format: text, delimiter: text, decimal: text },
    ...{ rejected: text, 'allow-out-of-range': flag, 'dry-run': flag, resume: flag, help: { ...flag, short: 'h' } },
  });
  if (values.help) {
    console.log(importUsage);
    return 0;
  }
  if (positionals.length === 0) throw new WrongUse('the file to import is missing');
  const data = dataFolder(values.data);
  const dry = values['dry-run'] === true;
  if (values.resume && positionals.includes('-'))
    throw new WrongUse(
      'standard input cannot be gone on in: give what is left of it, lines that come again do no harm',
    );
  // Before anything is filed, so that a name mistyped costs nothing.
  for (const file of positionals) await sizeOf(file);
  const { zone, nulls, format, decimal } = values;
  const delimiter = values.delimiter === 'tab' ? '\t' : values.delimiter;
  const given = Object.entries({ zone, nulls, format, delimiter, decimal }).filter(([, value]) => value !== undefined);
  const params = {
    ...(Object.fromEntries(given) as Record<string, string>),
    ...(values['allow-out-of-range'] ? { allowOutOfRange: '1' } : {}),
    ...(dry ? { dry: '1' } : {}),
  };
  const cancel = onInterrupt('finishing what was sent; again to leave at once');
  const refusals = values.rejected === undefined ? undefined : await writable(values.rejected, values.resume === true);
  let failed = false;
  try {
    for (const file of positionals) {
      if (cancel.signal.aborted) break;
      const resume = dry || file === '-' ? undefined : new Resume(data, file);
      const report = await one({ data, file, params, signal: cancel.signal, refusals }, resume, values.resume === true);
      tell(file, report, dry);
      failed ||= report.rejected > 0;
    }
  } finally {
    cancel.stop();
    await refusals?.end();
  }
  return cancel.signal.aborted ? 130 : failed ? 1 : 0;
}

interface Job {
  data: string;
  file: string;
  params: Record<string, string>;
  signal: AbortSignal;
  refusals: Refusals | undefined;
}

async function one(job: Job, resume: Resume | undefined, goOn: boolean): Promise<ImportReport> {
  const { file, refusals } = job;
  const size = await sizeOf(file);
  const from = await resume?.read();
  if (from && !goOn)
    console.error(`${file}: an earlier import took in ${counted(from.lines, 'line')}; --resume would go on there`);
  if (!from && goOn) console.error(`${file}: no earlier import to go on from, so it begins at the start`);
  const progress = showProgress(file, size);
  let saved = -Infinity;
  let last: Reached | undefined;
  const onReached = async (reached: Reached, faults: readonly LineFault[]): Promise<void> => {
    progress.at(reached);
    if (faults.length > 0)
      await refusals?.write(faults.map((fault) => `${JSON.stringify({ file, ...fault })}\n`).join(''));
    last = reached;
    if (performance.now() - saved < mark) return;
    await resume?.save(reached);
    saved = performance.now();
  };
  try {
    const report = await importFile({ ...job, origin: 'import', onReached, ...(goOn && from ? { from } : {}) });
    if (report.cancelled) await resume?.save(onlyReached(report));
    else resume?.remove();
    return report;
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof Absent) throw error;
    if (last) await resume?.save(last);
    const stored =
      last && last.lines > 0 && job.params.dry === undefined ? `; what stands up to line ${last.lines} is stored` : '';
    const how = stored && resume ? ', --resume goes on there' : '';
    throw new Error(`${file}: ${message}${stored}${how}`, { cause: error });
  } finally {
    progress.end();
  }
}

interface Refusals {
  write(line: string): Promise<void>;
  end(): Promise<void>;
}

/** Opened before anything is sent: what cannot be told afterwards would be lost. @param more behind what an earlier import wrote */
async function writable(file: string, more: boolean): Promise<Refusals> {
  const fault = (error: Error): never => {
    throw new Error(`--rejected: ${file} cannot be written: ${error.message}`, { cause: error });
  };
  const out = await open(file, more ? 'a' : 'w').catch(fault);
  return {
    write: (line) => out.appendFile(line).catch(fault),
    end: () => out.close(),
  };
}

const onlyReached = ({ offset, lines, accepted, rejected, skipped }: ImportReport): Reached => ({
  ...{ offset, lines, accepted, rejected, skipped },
});

function tell(file: string, report: ImportReport, dry: boolean): void {
  const { lines, accepted, rejected, skipped, expired, twice, firstErrors, reasons, strange, cancelled } = report;
  for (const { line, message } of firstErrors.slice(0, shown)) console.error(`${file}:${line}: ${message}`);
  const unseen = rejected - firstErrors.length;
  if (unseen > 0 && firstErrors.length > 0)
    console.error(`${file}: and ${unseen} more; --rejected FILE writes them all`);
  if (strange.length > 0) console.error(`${file}: columns that are no tags were left out: ${someOf(strange)}`);
  if (expired > 0)
    console.error(
      `${file}: ${expired} of the accepted are older than what this gateway keeps (history.retention, or less where its bytes or a full disk made room): only stores elsewhere have them`,
    );
  if (twice > 0)
    console.error(
      `${file}: ${twice} of the accepted are of an hour that comes twice, when clocks go back: the first was taken to be ` +
        'meant. Where the file has both hours, the second replaced it: give such times with their offset',
    );
  const earlier = Object.values(reasons).reduce((rest, count) => rest - count, rejected);
  const why = [
    ...(earlier > 0 ? [`${earlier} before it was stopped`] : []),
    ...Object.entries(reasons).map(([reason, count]) => `${count} ${reason}`),
  ];
  const parts = [
    `${accepted} ${dry ? 'would be accepted' : 'accepted'}`,
    `${rejected} rejected${why.length > 0 ? ` (${why.join(', ')})` : ''}`,
    ...(skipped > 0 ? [`${skipped} empty left out`] : []),
  ];
  const state = cancelled
    ? `stopped after line ${lines}, all of it stored${file === '-' ? '' : '; --resume goes on there'}`
    : counted(lines, 'line');
  console.log(`${file}: ${parts.join(', ')}; ${state}`);
}

function someOf(names: readonly string[]): string {
  const shownNames = names.slice(0, 10).map((name) => name || '(one without a name)');
  return `${shownNames.join(', ')}${names.length > 10 ? ` and ${names.length - 10} more` : ''}`;
}
