// Kills the whole gateway again and again under load: devices that number their own readings, and a client that imports
// numbered lines and counts a batch as stored only when it was answered. Then asks history what is there.
// Called by the kill test (a few lives) and by the soak (many).
import { request } from 'node:http';
import { join } from 'node:path';
import { readLedger } from '../cli/ledger.ts';
import type { Dict, WireLedger } from '../web/wire.ts';
import { noteTag, numbersIn, startCounter, writeCounterPlant } from './counter.ts';
import type { Counter } from './counter.ts';
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
    const ids = new Map((await get<Dict>(`${http}/api/v1/dict`)).tags.map(({ id, i }) => [id, i]));
    await gateway.stop();
    const seen = await numbersIn(data, counters.length, ids);
    const missing = seen.counters.flatMap((numbers, i) => lostOf(counters[i] as Counter, numbers, kills, begun));
    return {
      lives,
      given: counters.reduce((sum, { given }) => sum + given.length, 0),
      stored: seen.counters.reduce((sum, numbers) => sum + numbers.size, 0),
      missing: missing.length,
      twice: seen.twice,
      acknowledged: acknowledged.size,
      lost: [...acknowledged].filter((n) => !seen.notes.has(n)).length,
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
