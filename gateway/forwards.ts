// How the forwarders do, in words for /health and in figures for /metrics. Pure but for the Status it fills; called by
// forwarding.ts and daemon with what the egress thread and the writer, which keeps the books, have said last.
import type { Egress } from './egress.ts';
import type { ForwardHealth } from './forwarders.ts';
import type { Account } from './journal/log.ts';
import type { Status } from './status.ts';
import { counted, lossInWords } from './words.ts';

/** Failed writes in a row from which on a forwarder is degraded: one is made up for within a second. */
export const TROUBLED = 2;
/** ms in which a store takes something, if there is anything for it, however slow it is. */
const SILENT = 15_000;

/** @param now ms since the epoch */
export function reportForwards(
  status: Status,
  { forwards, down }: ReturnType<Egress['health']>,
  accounts: Readonly<Record<string, Account>>,
  now: number,
): void {
  for (const [name, health] of Object.entries(forwards)) {
    const { state, reason } = inWords(health, accounts[name], down, now);
    status.set(`forward.${name}`, state, reason);
    const to = { consumer: name };
    const { failures, tries, damaged, lastSuccess = accounts[name]?.settledAt, oldest, hangingSince } = health;
    status.counter('penstock_forward_failures_total', failures, to, 'Writes that failed');
    status.counter('penstock_forward_damaged_total', damaged, to, 'Frames that could not be decoded');
    status.gauge('penstock_forward_tries', tries, to, 'Failed writes since the last that succeeded');
    status.gauge('penstock_forward_hanging', hangingSince ? 1 : 0, to, 'A write was given up and has not ended');
    const age = oldest === undefined ? 0 : Math.max(0, now - oldest / 1000) / 1000;
    status.gauge('penstock_forward_backlog_seconds', age, to, 'Age of the oldest samples that wait');
    if (lastSuccess !== undefined)
      status.gauge(
        'penstock_forward_last_success_timestamp_seconds',
        lastSuccess / 1000,
        to,
        'Time of the last success',
      );
  }
}

/** The same for a page: of the stores elsewhere, what the figures of the journal do not say. */
export function forwardFigures(
  health: ForwardHealth | undefined,
  account?: Account,
): {
  oldest?: string;
  tries?: number;
  lastSuccess?: string;
  lastError?: string;
} {
  if (!health) return {};
  const { oldest, tries, lastSuccess = account?.settledAt, lastError } = health;
  return {
    tries,
    ...(oldest === undefined ? {} : { oldest: iso(oldest / 1000) }),
    ...(lastSuccess === undefined ? {} : { lastSuccess: iso(lastSuccess) }),
    ...(lastError ? { lastError } : {}),
  };
}

/** Without figures that change while nothing else does: each sentence is logged once. */
export function inWords(
  health: ForwardHealth,
  account: Account | undefined,
  down: string,
  now: number,
): { state: 'starting' | 'ok' | 'degraded'; reason: string } {
  const {
    tries,
    lastError,
    lastSuccess,
    failingSince = now,
    begun = failingSince,
    hangingSince,
    behind,
    trouble,
  } = health;
  const { delivered = 0, dropped = 0, droppedEvents = 0, deadLettered = 0, lost, settledAt } = account ?? {};
  const failing = tries >= TROUBLED || silentFor(health);
  const last = lastSuccess ?? settledAt;
  // In an earlier run of the gateway, it may have been, at a time that nobody has noted.
  const never = delivered > 0 ? "since the gateway's start" : 'yet';
  const since = last === undefined ? `${never}, tried since ${iso(begun)}` : `since ${iso(last)}`;
  const wrong = [
    down && `the forwarding thread died and was started again: ${down}`,
    hangingSince !== undefined &&
      `the write of ${iso(hangingSince)} was given up and has not ended; nothing is sent until it does`,
    failing &&
      hangingSince === undefined &&
      `nothing stored ${since}: ${lastError || 'it does not answer'}; samples wait in the journal`,
    failing && dropped > 0 && 'the journal was full, and its oldest samples are lost for this store',
    trouble,
  ].filter(Boolean);
  if (wrong.length > 0) return { state: 'degraded', reason: wrong.join('; ') };
  const notes = [
    lastSuccess === undefined && `nothing stored ${last === undefined ? never : `since ${iso(last)}`}`,
    behind && 'sends what waited behind what is live',
    dropped + droppedEvents > 0 && `lost for this store: ${lossInWords(dropped, droppedEvents)}${between(lost)}`,
    deadLettered > 0 && 'the store has refused samples for good: penstock dead-letters list',
  ].filter(Boolean);
  return { state: lastSuccess === undefined ? 'starting' : 'ok', reason: notes.join('; ') };
}

/** Of a store that is no longer configured. @param samples those it was still owed */
export function letGo(name: string, samples: number): string {
  const owed = `the ${counted(samples, 'sample')} it was still owed will never get there, also when it is configured again`;
  return `forward.${name} is not configured any more${samples > 0 ? `: ${owed}` : ', and was owed nothing'}`;
}

/** Something is to be sent, and nothing has been taken for long, although no write has failed yet. */
export function silentFor({ quiet = 0, oldest }: ForwardHealth): boolean {
  return oldest !== undefined && quiet > SILENT;
}

const between = (lost: Account['lost']): string =>
  lost ? ` between ${iso(lost.from / 1000)} and ${iso(lost.to / 1000)}` : '';
const iso = (ms: number): string => new Date(Math.floor(ms)).toISOString();
