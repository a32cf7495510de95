// Reads a file of readings (NDJSON or CSV) as it comes in, files what is right and tells what is not. Called by control.ts.
// It works in slices of about a millisecond, waits for room in the journal before each, and says at checkpoints up to
// which byte everything is durable, so that whoever sends can stop at any time and go on from there.
import type { Catalog } from '../../catalog.ts';
import type { Clock, Reading } from '../../model.ts';
import { Judge } from './judge.ts';
import type { Account, Ask, LineFault } from './judge.ts';
import { LineCutter } from './lines.ts';

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
  /** ms since the epoch: what is older is not kept in this gateway's own history. */
  kept(): number;
}

/** Everything up to here is durable; faults are those since the last checkpoint. */
export type Checkpoint = Pick<Account, 'lines' | 'end' | 'accepted' | 'rejected' | 'skipped'> & { faults: LineFault[] };
export type ImportReport = Account & { lastSeq: number | null };

/** Readings and lines between two looks at everything else, and ms at most. */
const slice = 1000;
const sliceMs = 2;
const checkpointLines = 5000;
const checkpointFaults = 1000;
const checkpointMs = 1000;

/** Resolves when all that was accepted is durable. Throws a RangeError with a sentence when the file cannot be read at all. */
export async function takeIn(
  options: IntakeOptions,
  body: AsyncIterable<Uint8Array>,
  ask: Ask,
  signal: AbortSignal,
  checkpoint: (reached: Checkpoint) => Promise<void>,
): Promise<ImportReport> {
  const { clock } = options;
  const judge = new Judge(ask, options.catalog());
  const { account } = judge;
  let lastSeq: number | null = null;

  const file = async (readings: readonly Reading[]): Promise<void> => {
    if (readings.length === 0) return;
    await options.room(signal);
    const { accepted, rejected, shed, seq } = options.file(ask.origin, readings);
    account.accepted += accepted;
    lastSeq = seq ?? lastSeq;
    const upTo = (what: string) => `${what}, among the lines up to this one`;
    if (rejected > 0) judge.reject(account.lines, { reason: 'refused', message: upTo('not taken') }, rejected);
    if (shed > 0)
      judge.reject(account.lines, { reason: 'disk full', message: upTo('not stored: no disk space') }, shed);
  };
  let worked = 0;
  let since = clock.mono();
  const renew = (): void => {
    const now = clock.now();
    judge.renew(options.catalog(), now + options.ahead, options.kept());
    worked = judge.work;
    since = clock.mono();
  };
  const flush = async (): Promise<void> => {
    const { readings, refused } = judge;
    judge.readings = [];
    judge.refused = 0;
    if (ask.dry) account.accepted += readings.length;
    else {
      if (refused > 0) options.reject(ask.origin, refused);
      await file(readings);
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    renew();
  };

  let said = 0;
  let saidAt = since;
  let saying = Promise.resolve();
  let waiting = false;
  const reach = async (): Promise<void> => {
    await saying;
    const { lines, end, accepted, rejected, skipped } = account;
    const reached: Checkpoint = { lines, end, accepted, rejected, skipped, faults: judge.faults };
    judge.faults = [];
    said = lines;
    saidAt = clock.mono();
    // The next lines are read while the disk confirms these.
    waiting = true;
    saying = (lastSeq === null ? Promise.resolve() : options.durable(lastSeq))
      .then(() => checkpoint(reached))
      .finally(() => (waiting = false));
    saying.catch(() => {});
  };
  // Faults are held until they are told, so they wait for the checkpoint before; lines are not, and go on meanwhile.
  const due = (): boolean =>
    judge.faults.length >= checkpointFaults ||
    (!waiting && (account.lines - said >= checkpointLines || clock.mono() - saidAt > checkpointMs));

  renew();
  const cutter = new LineCutter(ask.before);
  try {
    for await (const part of body) {
      for (const line of cutter.push(part)) {
        judge.line(line);
        const work = judge.work - worked;
        if (work < slice && !(work % 64 === 0 && clock.mono() - since > sliceMs)) continue;
        await flush();
        if (due()) await reach();
      }
    }
    const last = cutter.end();
    if (last) judge.line(last);
    judge.finish();
  } catch (error) {
    // What stands above a line that ends the import is filed all the same.
    if (!(error instanceof RangeError) || judge.readings.length === 0) throw error;
    await flush();
    await options.durable(lastSeq ?? 0);
    throw error;
  }
  await flush();
  await reach();
  await saying;
  return { ...account, lastSeq };
}
