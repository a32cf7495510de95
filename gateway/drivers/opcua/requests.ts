// Reads on demand over the same session, in parts the server accepts. Called by the driver while it runs.
// An expired request is answered so and never carried out; what this driver cannot do is answered as unsupported.
import type { ClientSession } from 'node-opcua-client';
import type { Clock, Reading } from '../../model.ts';
import type { DeviceRequest, RequestResult } from '../../driver.ts';
import { toReading } from './datavalue.ts';
import type { Manners, Watch } from './feed.ts';
import { resolveNode } from './namespaces.ts';
import { chunks } from './plan.ts';
import { Status } from '../../model.ts';
import { TooLate, within } from './within.ts';

/** What a request is carried out on: the session as it is now. */
export interface Desk {
  session: ClientSession;
  /** False while the library reconnects: it would queue the request and carry it out late. */
  online(): boolean;
  namespaces(): readonly string[];
  watches: ReadonlyMap<number, Watch>;
  manners: Manners;
  maxRead: number;
  clock: Clock;
}

/** Answers requests until the run ends; never rejects. */
export async function serve(requests: AsyncIterable<DeviceRequest>, desk: Desk, signal: AbortSignal): Promise<void> {
  const waiting = requests[Symbol.asyncIterator]();
  const over = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  while (!signal.aborted) {
    const coming = waiting.next();
    const next = await Promise.race([coming, over]);
    if (next === undefined) {
      // Taken from the queue after the end: still owed an answer.
      void coming.then(
        ({ value }) => value?.reply({ ok: false, reason: 'offline', message: 'the connection was closed' }),
        () => undefined,
      );
      return;
    }
    if (next.done) return;
    next.value.reply(await answer(next.value, desk, signal));
  }
}

async function answer(request: DeviceRequest, desk: Desk, signal: AbortSignal): Promise<RequestResult> {
  const left = request.deadline - desk.clock.mono();
  if (left <= 0) return { ok: false, reason: 'expired', message: 'its deadline had passed when its turn came' };
  if (request.kind !== 'read') {
    return {
      ok: false,
      reason: 'unsupported',
      message: `OPC UA connections do not carry out ${request.kind} requests`,
    };
  }
  if (!desk.online()) return { ok: false, reason: 'offline', message: 'the server does not answer at the moment' };
  try {
    return { ok: true, readings: await within(desk.clock, left, 'reading', read(request.tags, desk, signal), signal) };
  } catch (error) {
    if (error instanceof TooLate) return { ok: false, reason: 'expired', message: error.message };
    return { ok: false, reason: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}

async function read(tags: readonly number[], desk: Desk, signal: AbortSignal): Promise<Reading[]> {
  const readings: Reading[] = [];
  const known: { watch: Watch; nodeId: string }[] = [];
  for (const tag of tags) {
    const watch = desk.watches.get(tag);
    const nodeId = watch && resolveNode(watch.address, desk.namespaces());
    if (watch && nodeId !== undefined) known.push({ watch, nodeId });
    else readings.push({ tag, value: null, status: Status.badConfiguration });
  }
  for (const part of chunks(known, Math.min(desk.manners.chunk, desk.maxRead))) {
    if (signal.aborted) break;
    const values = await desk.session.read(part.map(({ nodeId }) => ({ nodeId, attributeId: 13 })));
    for (const [index, { watch }] of part.entries()) {
      const data = values[index];
      if (data) readings.push(toReading(watch.point.tag, watch.point.type, data));
    }
  }
  return readings;
}
