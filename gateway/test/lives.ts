// Kills the whole gateway again and again under load: devices that number their own readings, and a client that imports
// numbered lines and counts a batch as stored only when it was answered. Then asks history, and the file that everything is
// forwarded to, what is there.
// Called by the kill test (a few lives) and by the soak (many).
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { readLedger } from '../cli/ledger.ts';
import type { Dict, WireLedger } from '../web/wire.ts';
import { counterTag, noteTag, numbersIn, startCounter, writeCounterPlant } from './counter.ts';
import type { Counter } from './counter.ts';
import { linesIn } from './forward.ts';
import { eventually, get, scratch, startGateway } from './rig.ts';
import type { Gateway } from './rig.ts';
import { brokenSums } from './sums.ts';

const COUNTERS = 4;
/** ms a reading may have been under way in main and to the file when the kill came. */
const IN_FLIGHT = 1000;

export interface Lives {
  lives: number;
  /** Numbers the devices gave, those in history, and those given well before a kill that are not. */
  given: number;
  stored: number;
  missing: number;
  /** Good readings in history with a number that another has too. */
  twice: number;
  /** Imported numbers answered as durable, and those of them that history does not hold. */
  acknowledged: number;
  lost: number;
  /** Of what history holds, numbers that the forwarded file lacks, and lines of it for the same tag and time. */
  notForwarded: number;
  forwardedTwice: number;
  /** Sums that do not hold: after each kill by the files alone, at the end by the gateway's word. */
  ledger: string[];
  dropped: number;
}

export async function killGateway(lives: number, random: () => number = Math.random): Promise<Lives> {
  const folder = scratch();
  const [config, data] = [join(folder.path, 'config'), join(folder.path, 'data')];
  const counters: Counter[] = [];
  const kills: number[] = [];
  const acknowledged = new Set<number>();
  const offline: string[] = [];
  let gateway: Gateway | undefined;
  try {
    for (let i = 0; i < COUNTERS; i++) counters.push(await startCounter());
    writeCounterPlant(
      config,
      counters.map(({ port }) => port),
    );
    writeFileSync(join(config, 'penstock.yaml'), 'forward: { file: { path: out.ndjson } }\n');
    let next = 0;
    for (let life = 0; life < lives; life++) {
      gateway = await startGateway('run', ['--config', config], data);
      const over = new AbortController();
      const importing = importUntil(over.signal, join(data, 'control.sock'), next, acknowledged);
      await new Promise((resolve) => setTimeout(resolve, 200 + random() * 1800));
      kills.push(Date.now());
      gateway.child.kill('SIGKILL');
      over.abort();
      await gateway.exited;
      next = await importing;
      offline.push(...brokenSums(await readLedger(data)));
    }
    gateway = await startGateway('run', ['--config', config], data);
    const begun = Date.now();
    const { http } = gateway;
    const ledger = await eventually(
      () => get<WireLedger>(`${http}/api/v1/ledger`),
      ({ consumers }) => consumers.every(({ backlog }) => backlog < 1000),
    );
    const asked = Date.now() - IN_FLIGHT;
    const owed = ledger.consumers.find(({ consumer }) => consumer === 'file')?.journalled ?? Infinity;
    await eventually(
      async () => (await get<WireLedger>(`${http}/api/v1/ledger`)).consumers.find((row) => row.consumer === 'file'),
      (row) => row !== undefined && row.journalled - row.backlog >= owed,
    );
    const ids = new Map((await get<Dict>(`${http}/api/v1/dict`)).tags.map(({ id, i }) => [id, i]));
    await gateway.stop();
    const seen = await numbersIn(data, counters.length, ids);
    const missing = seen.counters.flatMap((numbers, i) => lostOf(counters[i] as Counter, numbers, kills, begun));
    const sent = (numbers: ReadonlySet<number>, i: number): number[] =>
      [...numbers].filter((n) => (counters[i]?.given[n] ?? Infinity) < asked);
    const owedLines = [
      ...seen.counters.flatMap((numbers, i) => sent(numbers, i).map((n) => `${counterTag(i)} ${n}`)),
      ...[...acknowledged].map((n) => `${noteTag} ${n}`),
    ];
    const lines = linesIn(join(data, 'out.ndjson'));
    const forwarded = new Set(lines.map(({ tag, value }) => `${tag} ${value}`));
    return {
      lives,
      given: counters.reduce((sum, { given }) => sum + given.length, 0),
      stored: seen.counters.reduce((sum, numbers) => sum + numbers.size, 0),
      missing: missing.length,
      twice: seen.twice,
      acknowledged: acknowledged.size,
      lost: [...acknowledged].filter((n) => !seen.notes.has(n)).length,
      notForwarded: owedLines.filter((line) => !forwarded.has(line)).length,
      forwardedTwice: lines.length - new Set(lines.map(({ tag, timestamp }) => `${tag} ${timestamp}`)).size,
      ledger: [...offline, ...brokenSums(ledger)],
      dropped: ledger.consumers.reduce((sum, { dropped }) => sum + dropped, 0),
    };
  } finally {
    await gateway?.stop('SIGKILL');
    await Promise.all(counters.map((counter) => counter.close()));
    folder.remove();
  }
}

/** Given well before a kill, or well after the last start, and not in history. */
function lostOf({ given }: Counter, numbers: ReadonlySet<number>, kills: readonly number[], begun: number): number[] {
  const excused = (at: number): boolean =>
    at > begun || kills.some((kill) => at > kill - IN_FLIGHT && at <= kill + IN_FLIGHT);
  return given.flatMap((at, n) => (numbers.has(n) || excused(at) ? [] : [n]));
}

/** Imports batches of numbered lines until told to stop; returns the next number that was never sent. */
async function importUntil(
  signal: AbortSignal,
  socketPath: string,
  first: number,
  acknowledged: Set<number>,
): Promise<number> {
  const origin = Date.now() - 48 * 3_600_000;
  let next = first;
  while (!signal.aborted) {
    const batch = Array.from({ length: 50 }, () => next++);
    const lines = batch.map((n) =>
      JSON.stringify({ tag: noteTag, timestamp: new Date(origin + n).toISOString(), value: n }),
    );
    const answered = await post(socketPath, `${lines.join('\n')}\n`, signal).catch(() => false);
    if (answered) for (const n of batch) acknowledged.add(n);
  }
  return next;
}

function post(socketPath: string, body: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath,
        path: '/import?origin=import',
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        signal,
      },
      (response) => {
        response.resume().on('error', reject);
        response.once('end', () => resolve(response.statusCode === 200));
      },
    );
    call.once('error', reject);
    call.end(body);
  });
}
